"""Draw where the presets fail, for their cards: ``failures.png`` beside the weights.

On heads painted from label maps 17 to 20, which no preset has learnt from: the worst
square of the slice that gains least in ``docs/benchmarks/NAME_stress.jsonl``, the same
head with the T1 of another person, used all the same, the disc of the T1 alone that
leaks most, and the lesion of the T2 alone that is kept least. Run it after a training,
before ``register.py``, which puts the picture into the card.

    python pretrained/failures.py --label-maps MAPS [NAME ...]
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from guided_sr import GuidedSRModel, degrade, psnr, upsample
from guided_sr.datasets.label_maps import Labels, read_label_map
from guided_sr.evaluation.honesty import Scene, measure_honesty, painted_scenes
from guided_sr.evaluation.inserts import Disc, with_discs
from guided_sr.evaluation.stress import CONDITIONS, Line, StressSet
from guided_sr.inference.guide_test import GuideUse
from guided_sr.physics.degrade import crop_to_multiple
from guided_sr.presets import rows_only
from guided_sr.report.benchmark_figures import worst_square
from guided_sr.report.panel import error_window, grey_window, new_figure, save_figure
from guided_sr.volumes import fit_intensity

HERE = Path(__file__).parent
FOUND = HERE.parent / "docs" / "benchmarks"
HEADS = (17, 18, 19, 20)
OTHER = "T1 of another person"
SIDE = 64  # pixels of a square
COLOURS = 128  # of the picture, which lies in every wheel


@dataclass(frozen=True)
class Failure:
    """A row of the picture.

    Attributes:
        what: What happens there.
        images: Squares by heading: T1, truth, cubic interpolation and the preset.
        error: What the preset does wrong there.
    """

    what: str
    images: Mapping[str, NDArray]
    error: NDArray


def square(truth: NDArray, ours: NDArray, disc: Disc | None = None) -> tuple:
    """Window around a disc, or around the largest error."""
    side = min(SIDE, *truth.shape)
    if disc is None:
        row, column, _ = worst_square(truth, ours, side)
    else:
        row, column = (
            int(np.clip(round(centre) - side // 2, 0, size - side))
            for centre, size in zip((disc.row, disc.column), truth.shape, strict=True)
        )
    return slice(row, row + side), slice(column, column + side)


def failure(
    what: str,
    t1: NDArray,
    truth: NDArray,
    low: NDArray,
    ours: NDArray,
    *,
    without: NDArray | None = None,
    disc: Disc | None = None,
) -> Failure:
    """Cut a row out of one slice.

    Args:
        what: What happens there.
        t1: Slice of the T1.
        truth: Sharp slice of the T2.
        low: Coarse slice of the T2.
        ours: What the preset makes of it.
        without: What the preset makes of it without the disc, where that is wrong.
        disc: In the middle of the square, in place of the largest error.
    """
    plain = upsample(low[None], truth.shape)[0]
    part = square(truth, ours, disc)
    heads = {
        "T1": t1,
        "true T2": truth,
        f"cubic, {psnr(truth, plain):.1f} dB": plain,
        f"this preset, {psnr(truth, ours):.1f} dB": ours,
    }
    wrong = ours - (truth if without is None else without)
    return Failure(what, {k: image[part] for k, image in heads.items()}, wrong[part])


def under_stress(
    model: GuidedSRModel, maps: Mapping[str, Labels], lines: Sequence[Line]
) -> list[Failure]:
    """The slice that gained least, and the T1 of another person used all the same."""
    scale = model.known_scale()
    plane = "coronal" if rows_only(scale) else "axial"
    heads = StressSet(maps, scale=scale, plane=plane, planes=1)

    def shown(what: str, name: str, k: int, use: GuideUse | None) -> Failure:
        pair = heads.pair(k, CONDITIONS[name])
        t1 = pair.t1 if model.guided else None
        ours = model.predict_cascade(pair.low, t1, scale=scale, guide_use=use)
        return failure(what, pair.t1[0], pair.truth[0], pair.low[0], ours[0])

    def gain(line: Line) -> float:
        return line["psnr"][str(model.name)][0] - line["psnr"]["cubic"][0]

    least = min(lines, key=gain)
    name = least["condition"]
    k = [line["head"] for line in lines if line["condition"] == name].index(
        least["head"]
    )
    rows = [shown(f"least gain:\n{name}", name, k, "auto")]
    if model.guided:
        rows.append(shown(f"{OTHER},\nused all the same", OTHER, k, None))
    return rows


def of_discs(model: GuidedSRModel, maps: Mapping[str, Labels]) -> list[Failure]:
    """The disc of the T1 that leaks most, and that of the T2 that is kept least."""
    scale = model.known_scale()

    def predict(low: NDArray, t1: NDArray) -> NDArray:
        guide = t1 if model.guided else None
        return model.predict_cascade(low, guide, scale=scale, guide_use=None)

    scenes = painted_scenes(maps, scale=scale, planes=1)
    found = measure_honesty({"this": predict}, scenes, scale=scale).findings
    known: dict[str, Scene] = {scene.name: scene for scene in scenes}
    rows = []
    if model.guided:
        leaks = [one for one in found if one.seen_in == "t1"]
        one = max(leaks, key=lambda f: abs(f.figures["leak"] * f.disc.contrast))
        t2, t1, units = _slice(known[one.scene], one.disc, scale)
        with_disc = units[1].inverse(
            with_discs(units[1].forward(t1), [replace(one.disc, index=0)])
        )
        low = degrade(t2, scale)
        ours = predict(low, with_disc)
        what = f"disc of {one.disc.diameter:g} px in the T1 alone:\n"
        what += f"{abs(one.figures['leak']):.0%} of its contrast leak"
        images = with_disc[0], t2[0], low[0], ours[0]
        without = predict(low, t1)[0]
        rows.append(failure(what, *images, without=without, disc=one.disc))
    kept = [one for one in found if one.seen_in == "t2" and one.disc.diameter >= 5.0]
    one = min(kept, key=lambda f: f.figures["mean"])
    t2, t1, units = _slice(known[one.scene], one.disc, scale)
    truth = units[0].inverse(
        with_discs(units[0].forward(t2), [replace(one.disc, index=0)])
    )
    low = degrade(truth, scale)
    what = f"lesion of {one.disc.diameter:g} px in the T2 alone:\n"
    what += f"{one.figures['mean']:.0%} of its mean contrast kept"
    images = t1[0], truth[0], low[0], predict(low, t1)[0]
    return [*rows, failure(what, *images, disc=one.disc)]


def _slice(scene: Scene, disc: Disc, scale: tuple[float, float]) -> tuple:
    """T2 and T1 of a disc's slice alone, and their intensity scales in the scene."""
    t2, t1 = (crop_to_multiple(image, scale) for image in (scene.t2, scene.t1))
    units = fit_intensity(t2, name="T2"), fit_intensity(t1, name="T1")
    part = slice(disc.index, disc.index + 1)
    return t2[part], t1[part], units


def draw(path: Path, rows: list[Failure]) -> None:
    """Write the picture, with few colours."""
    figure = new_figure(11.0, 2.3 * len(rows))
    axes = figure.subplots(len(rows), 5, squeeze=False)
    for line, row in zip(axes, rows, strict=True):
        truth = row.images["true T2"]
        for axis, (heading, image) in zip(line, row.images.items(), strict=False):
            shown = grey_window(image if heading == "T1" else truth)
            axis.imshow(image, **shown)
            axis.set_title(heading, fontsize=9)
        axis = line[-1]
        axis.imshow(row.error, **error_window(truth - truth.mean()))
        axis.set_title("what is wrong", fontsize=9)
        for one in line:
            one.set_xticks([])
            one.set_yticks([])
        line[0].set_ylabel(row.what, fontsize=8)
    save_figure(figure, path)
    with Image.open(path) as image:
        small = image.convert("RGB").quantize(COLOURS)
    small.save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="presets; all by default")
    parser.add_argument("--label-maps", required=True, type=Path)
    args = parser.parse_args()
    files = [args.label_maps / f"training_seg_{k}.nii.gz" for k in HEADS]
    maps = {file.name: read_label_map(file) for file in files}
    names = args.names or sorted(p.parent.name for p in HERE.glob("*/config.json"))
    for name in names:
        model = GuidedSRModel.from_preset(name)
        text = (FOUND / f"{name}_stress.jsonl").read_text("utf-8")
        lines = [json.loads(line) for line in text.splitlines()]
        rows = [*under_stress(model, maps, lines), *of_discs(model, maps)]
        draw(HERE / name / "failures.png", rows)
        print(name, flush=True)


if __name__ == "__main__":
    main()
