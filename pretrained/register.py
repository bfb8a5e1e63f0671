"""Write the registry and the model cards of the presets in this folder.

Run after a preset has been trained (`guided-sr train recipe`):

    python pretrained/register.py --runs docs/benchmarks/runs.jsonl
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from guided_sr.presets import read_config, read_metadata
from guided_sr.training.recipes import read_recipe
from guided_sr.volumes import sha256_of

HERE = Path(__file__).parent
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
| scale | {scale:g} in-plane, {stages} stages |
| network | GRDN, {parameters} parameters a stage, {size:.1f} MB in all |
| inputs | T2 (coarse in-plane) and T1 of the same person and session, registered |
| trained by | `guided-sr train recipe pretrained/recipes/{name}.toml --data DATA` |
| training | external learning on low-resolution T2 only (Iwamoto et al., eq. 4), \
{steps} steps a stage, seed {seed}, {precision} on 2 CPU cores, {minutes:.0f} minutes |

## Data

{subjects}

{data_licence}. Two MNI-space brains (skull-stripped, 1 mm, multiple sclerosis) and
three clinical whole-head scans brought to 1 mm in-plane, degraded by the scale before
training. No high-resolution T2 was seen. Weights: Apache-2.0, attribution as above.

## Figures

The recipe trained *without* the test subject (leave one out), mean of the 60 central
axial slices, mean over {folds} folds with the range of the folds. **Few subjects:
differences under 0.3 dB mean nothing.**

| | PSNR [dB] | SSIM |
|---|---|---|
{figures}

Range of use: axial slices whose voxels are about {scale:g} mm in-plane, 1 mm T1.
Nothing is known of other contrasts, children, tumours, strong motion or a T1 that is
off by a millimetre or more (the paper loses 1.4 dB for 1 mm).
"""

ROWS = (
    ("cubic", "cubic interpolation"),
    ("cubic_ibp", "cubic + one back-projection"),
    ("ours", "this recipe"),
)


def figures(runs: list[dict[str, Any]], name: str) -> tuple[str, int]:
    """Table rows over the leave-one-out folds of a recipe."""
    folds = [r for r in runs if r["recipe"] == name and r["label"] == "recipe"]
    rows = []
    for key, title in ROWS:
        values = [r[key]["psnr"] for r in folds]
        similar = [r[key]["ssim"] for r in folds]
        rows.append(f"| {title} | {_mean(values, 2)} | {_mean(similar, 3)} |")
    return "\n".join(rows), len(folds)


def _mean(values: list[float], digits: int) -> str:
    mean = sum(values) / len(values)
    spread = f"{min(values):.{digits}f}–{max(values):.{digits}f}"
    return f"{mean:.{digits}f} ({spread})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", required=True, type=Path)
    lines = parser.parse_args().runs.read_text("utf-8").splitlines()
    runs = [json.loads(line) for line in lines]
    registry = {}
    for config_file in sorted(HERE.glob("*/config.json")):
        folder = config_file.parent
        config, metadata = read_config(folder), read_metadata(folder)
        recipe = read_recipe(HERE / "recipes" / f"{folder.name}.toml")
        table, folds = figures(runs, folder.name)
        sizes = [path.stat().st_size for path in folder.glob("*.h5")]
        card = CARD.format(
            name=folder.name,
            description=recipe.description,
            scale=recipe.scale,
            stages=config.stages,
            parameters=metadata["parameters"],
            size=sum(sizes) / 1e6,
            steps=recipe.training["max_steps"],
            seed=recipe.training["seed"],
            precision=metadata["precision"],
            minutes=metadata["train_seconds"] / 60,
            subjects="\n".join(
                f"- {s.name} (drawn with weight {s.weight:g})" for s in recipe.subjects
            ),
            data_licence=recipe.data_licence,
            folds=folds,
            figures=table,
        )
        (folder / "README.md").write_text(card, encoding="utf-8")
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
            "urls": [],
        }
    REGISTRY.write_text(json.dumps(registry, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
