"""Write the registry and the model cards of the presets in this folder.

The images that a preset is for stand in its recipe, under `range`; they are written
into its metadata and its card. Run after `guided-sr train recipe`:

    python pretrained/register.py --runs docs/benchmarks/runs.jsonl

What `guided-sr eval --honesty` and `--stress` wrote goes into the card where it lies
beside the runs, as NAME_honesty.json and NAME_stress.jsonl.

A preset in the folder `downloads` is registered as one that does not come with the
package. `--half` first stores the weights of all presets in half precision. `--url`,
once for each server, says where the folder of `release.py` has been uploaded; without
it the addresses of the registry stay.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from guided_sr.evaluation.stress import stress_rows
from guided_sr.presets import (
    PresetConfig,
    read_config,
    read_metadata,
    served_text,
)
from guided_sr.report.honesty import honesty_tables
from guided_sr.report.stress import stress_table
from guided_sr.training.recipes import Recipe, read_recipe
from guided_sr.volumes import sha256_of
from guided_sr.volumes.writing import replace_json

HERE = Path(__file__).parent
DOWNLOADS = HERE / "downloads"
MAX_PACKAGED = 30e6  # bytes
REGISTRY = HERE.parent / "guided_sr" / "presets" / "registry.json"

CARD = """---
license: apache-2.0
library_name: keras
tags: [mri, super-resolution, t2-weighted, guided]
---

# {name}

{description}. Research use only, **not a medical device**: voxels are estimated, not
measured; fine detail can be invented or copied from the T1.

| | |
|---|---|
| factors | {factors}, {stages} |
| network | {backbone}, {parameters} parameters a stage, {size:.1f} MB ({dtype}) |
| inputs | {inputs} |
| trained by | `guided-sr train recipe pretrained/recipes/{name}.toml` |
| start | {start} |
| training | {learning}, {steps} steps a stage, seed {seed}, {precision}, \
{minutes:.0f} minutes on {where} |

## Data

{subjects}

{data_licence}. No high-resolution T2 of a person was seen: T2s were degraded by the
factor before training, paintings are synthetic. Weights: Apache-2.0,
attribution as above.

## Figures

{figures}

Range of use: {usage}. Nothing is known of children, tumours or strong motion.{guide}
"""

FAILURES = """
## Where it fails

![Squares of painted heads where {name} fails]({picture})

Painted heads that no preset has learnt from: the worst square of the slice that gains
least in the stress set below{others}; and the lesion
of 5 pixels or more that is kept least. PSNR is of the whole slice. From
`python pretrained/failures.py --label-maps MAPS {name}`.
"""

OTHERS = """; the same head with the T1 of another person, which is nearly
always left out unless one insists; the disc in the T1 alone that leaks most, and what
it changes"""

MISPLACED = """ A T1 that
is off by a millimetre or more costs much of the gain, and mostly more than it brings
(*T1 shifted by 1 mm* in the stress set; the paper loses 1.4 dB for 1 mm)."""

JITTERED = """ It has
learnt with T1s moved by up to {:g} mm along each axis: a right T1 adds less to it than
to others, and one that lies a millimetre off takes less away."""

LEFT_OUT = """The recipe trained *without* the test subject (leave one out), mean of
the 60 central axial slices, mean over {folds} folds with the range of the folds.
**Few subjects: differences under 0.3 dB mean nothing.** Their scans were cut out by a
mask; with a T1 the result ends there, and whole heads have none of what that adds.

| | PSNR [dB] | SSIM |
|---|---|---|
{rows}"""

NOT_MEASURED = "Leave-one-out was not run for this preset: look at docs/benchmarks."

LABEL = "recipe"

PICTURE = "failures.png"

FOUND_BY_EVAL = ("honesty.json", "stress.jsonl")

ROWS = (
    ("cubic", "cubic interpolation"),
    ("cubic_ibp", "cubic + one back-projection"),
    ("ours", "this recipe"),
)


def figures(runs: list[dict[str, Any]], name: str) -> str:
    """Table over the leave-one-out folds of a recipe."""
    folds = [r for r in runs if r["recipe"] == name and r["label"] == LABEL]
    if not folds:
        return NOT_MEASURED
    rows = []
    for key, title in ROWS:
        values = [r[key]["psnr"] for r in folds]
        similar = [r[key]["ssim"] for r in folds]
        rows.append(f"| {title} | {_mean(values, 2)} | {_mean(similar, 3)} |")
    return LEFT_OUT.format(folds=len(folds), rows="\n".join(rows))


def _mean(values: list[float], digits: int) -> str:
    mean = sum(values) / len(values)
    spread = f"{min(values):.{digits}f}–{max(values):.{digits}f}"
    return f"{mean:.{digits}f} ({spread})"


def where_it_fails(folder: Path, *, guided: bool) -> str:
    """The picture that `failures.py` has drawn, if it has, and what it shows."""
    if not (folder / PICTURE).exists():
        return ""
    others = OTHERS if guided else ""
    return FAILURES.format(name=folder.name, picture=PICTURE, others=others)


def honest_detail(folder: Path, name: str) -> str:
    """What is known of a preset's honesty and of its gain under stress.

    Args:
        folder: Where the files of `guided-sr eval` lie, if there are any.
        name: Of the preset.
    """
    parts = []
    honesty, stress = (folder / f"{name}_{kind}" for kind in FOUND_BY_EVAL)
    if honesty.exists():
        content = json.loads(honesty.read_text("utf-8"))
        parts += ["", "## Honest detail", "", f"From `{content['command']}`.", ""]
        tables = honesty_tables(content["rows"], model=name)
        parts += [table.markdown(level=3) for table in tables]
    if stress.exists():
        lines = [json.loads(one) for one in stress.read_text("utf-8").splitlines()]
        others = [one for one in lines[0]["models"] if one != name]
        table = stress_table(
            stress_rows(lines), model=name, fallback=others[0] if others else None
        )
        parts += ["", table.markdown(), f"From `{lines[0]['command']}`.", ""]
    return "\n".join(parts)


def store_half(folder: Path) -> None:
    """Store a preset's weights in half precision, and tell how far its probe moved."""
    from guided_sr import GuidedSRModel
    from guided_sr.inference.probe import probe_error

    before = read_metadata(folder)
    if before.get("weights_dtype") == "float16":
        return
    model = GuidedSRModel.from_preset(folder, precision="float32")
    model.save_preset(folder, metadata=before, half=True, force=True)
    moved = probe_error(read_metadata(folder)["probe"], before["probe"])
    print(f"{folder.name}: stored in half precision, probe moved by {moved:.1e}")


RANGES = (
    ("t2_mm", "T2 voxels of {} mm along the axes to be enlarged"),
    ("t1_mm", "T1 voxels of {} mm along the same axes"),
    ("factors", "factors of {}"),
)


def usage(recipe: Recipe) -> str:
    """The images a preset is for, in words; one of a single factor has no others."""
    given = recipe.usage().get("range", {})
    if recipe.scale_range is None:
        given.pop("factors", None)
    told = [
        words.format("{:g} to {:g}".format(*given[name]))
        for name, words in RANGES
        if name in given
    ]
    return ", ".join(told) or "not stated"


def misplaced(recipe: Recipe) -> str:
    """What a T1 does that does not fit, in words."""
    if not recipe.guided:
        return ""
    jitter = recipe.training.get("guide_jitter_mm", 0.0)
    return JITTERED.format(jitter) if jitter else MISPLACED


def learning(recipe: Recipe) -> str:
    """How a preset learnt, in words."""
    if recipe.shared:
        return "paintings whose truth is known at every level"
    way = "external learning on low-resolution T2 only (Iwamoto et al., eq. 4)"
    if recipe.stand_ins:
        way += "; sharp T1s stand in for the sharp T2s there are not"
    if recipe.painted is not None:
        way += f"; {recipe.painted.share:.0%} of the slices drawn are paintings"
    return way


def card(
    folder: Path,
    recipe: Recipe,
    config: PresetConfig,
    metadata: dict[str, Any],
    table: str,
) -> str:
    """The model card of a preset."""
    subjects = [f"- {s.name} (drawn with weight {s.weight:g})" for s in recipe.subjects]
    subjects += [
        f"- {s.name}, `{s.target}` with its grey values turned round, guided by"
        f" `{s.guide}`: stands in for a sharp T2 (drawn with weight {s.weight:g})"
        for s in recipe.stand_ins
    ]
    if recipe.painted is not None:
        subjects.append(
            f"- {recipe.painted.paintings} paintings of each of {recipe.painted.first}"
            " label maps, of random contrast"
        )
    one = "one network" if config.stages == 1 else f"{config.stages} stages"
    t1 = " and T1 of the same person and session, registered" if config.guided else ""
    return CARD.format(
        name=folder.name,
        description=recipe.description,
        factors=served_text(config.scale, config.scale_range),
        stages=one,
        backbone=config.backbone.name.upper(),
        parameters=metadata["parameters"],
        size=sum(path.stat().st_size for path in folder.glob("*.h5")) / 1e6,
        dtype=metadata.get("weights_dtype", "float32"),
        inputs=f"coarse T2{t1}",
        start="random weights" if recipe.init is None else f"`{recipe.init}`",
        learning=learning(recipe),
        steps=recipe.training["max_steps"],
        seed=recipe.training["seed"],
        precision=metadata["precision"],
        minutes=metadata["train_seconds"] / 60,
        where="a GPU" if "gpu" in metadata.get("device", "cpu") else "CPU cores",
        subjects="\n".join(subjects),
        data_licence=recipe.data_licence,
        usage=usage(recipe),
        guide=misplaced(recipe),
        figures=table,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", required=True, type=Path)
    parser.add_argument("--half", action="store_true", help="store weights as float16")
    parser.add_argument("--url", action="append", help="address of the uploaded files")
    args = parser.parse_args()
    lines = args.runs.read_text("utf-8").splitlines()
    runs = [json.loads(line) for line in lines]
    former = json.loads(REGISTRY.read_text("utf-8"))
    registry: dict[str, Any] = {}
    found = [*HERE.glob("*/config.json"), *DOWNLOADS.glob("*/config.json")]
    for config_file in sorted(found, key=lambda file: file.parent.name):
        folder = config_file.parent
        if folder.name in registry:
            parser.error(f"{folder.name} is there twice")
        if args.half:
            store_half(folder)
        config, metadata = read_config(folder), read_metadata(folder)
        recipe = read_recipe(HERE / "recipes" / f"{folder.name}.toml")
        if metadata.get("range") != recipe.usage().get("range"):
            metadata = {**metadata, **recipe.usage()}
            replace_json(folder / "metadata.json", metadata)
        (folder / "README.md").write_text(
            card(folder, recipe, config, metadata, figures(runs, folder.name))
            + where_it_fails(folder, guided=config.guided)
            + honest_detail(args.runs.parent, folder.name),
            encoding="utf-8",
        )
        registry[folder.name] = {
            "description": recipe.description,
            "scale": list(config.scale),
            "scale_range": config.scale_range,
            "stages": config.stages,
            "guided": config.guided,
            "files": {
                path.name: {"sha256": sha256_of(path), "bytes": path.stat().st_size}
                for path in sorted(folder.iterdir())
            },
            "packaged": folder.parent == HERE,
            "urls": args.url or former.get(folder.name, {}).get("urls", []),
        }
    packaged = [entry["files"] for entry in registry.values() if entry["packaged"]]
    size = sum(file["bytes"] for files in packaged for file in files.values())
    if size >= MAX_PACKAGED:
        parser.error(
            f"the packaged presets have {size / 1e6:.1f} MB, more than"
            f" {MAX_PACKAGED / 1e6:g}: use --half, or move some to {DOWNLOADS.name}"
        )
    REGISTRY.write_text(json.dumps(registry, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
