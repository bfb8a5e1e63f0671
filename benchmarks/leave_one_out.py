"""Train a recipe without one subject and measure on that subject.

Appends one JSON line: the gain over cubic interpolation on the 60 central slices
and the centre one, each with and without back-projection, and the PSNR of every
slice, so that runs can be compared slice by slice. With `--refine` a second line: the
same after learning on from the coarse scan that is tested.

    python benchmarks/leave_one_out.py --data DATA --test mni_patient07 \
        --recipe pretrained/recipes/grdn_t2_x4.toml --out docs/benchmarks/runs.jsonl
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as guided_sr sets it

import keras
import numpy as np

from guided_sr import GuidedSRModel, back_project, psnr, ssim, upsample
from guided_sr.datasets.simulated import SimulatedPair, simulate_pair
from guided_sr.model.recipe import (
    fit_recipe,
    painted_subjects,
    recipe_model,
    recipe_subjects,
)
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.training.recipes import Recipe, read_recipe
from guided_sr.training.subjects import Subject, supervised_subjects_of


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--recipe", required=True, type=Path)
    parser.add_argument("--test", required=True, help="name of the subject left out")
    parser.add_argument("--out", required=True, type=Path, help="JSON lines file")
    parser.add_argument("--label", default="recipe", help="name of the run")
    parser.add_argument("--save", type=Path, help="keep the model as a preset folder")
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--refine", action="store_true", help="on the tested scan, too")
    parser.add_argument("--starts", type=Path, help="folder of the recipe's start")
    parser.add_argument("--supervised", action="store_true", help="learn from truth")
    parser.add_argument("--no-painted", action="store_true", help="real scans alone")
    parser.add_argument("--no-init", action="store_true", help="start from nothing")
    parser.add_argument("--stages", type=int)
    parser.add_argument("--max-steps", type=int)
    parser.add_argument("--loss", choices=["l1", "l2"])
    parser.add_argument("--schedule", choices=["plateau", "cosine"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-guide", action="store_true")
    parser.add_argument("--back-projection", choices=["ibp", "exact", "none"])
    return parser.parse_args()


def changed(recipe: Recipe, args: argparse.Namespace) -> Recipe:
    """The recipe with the options of the command line."""
    training = dict(recipe.training, seed=args.seed)
    for name in ("max_steps", "loss", "schedule"):
        if getattr(args, name) is not None:
            training[name] = getattr(args, name)
    update: dict[str, Any] = {
        "training": training,
        "guided": recipe.guided and not args.no_guide,
    }
    if args.stages is not None:
        update["stages"] = args.stages
    if args.back_projection is not None:
        method = args.back_projection
        update["back_projection"] = None if method == "none" else method
    if args.no_painted:
        update["painted"] = None
    if args.no_init:
        update["init"] = None
    if args.supervised or not update["guided"]:
        update["stand_ins"] = []
    return recipe.model_copy(update=update)


def with_truth(recipe: Recipe, data: Path, test: str) -> list[Subject]:
    """The same subjects with their high-resolution T2s: the upper bound.

    There the recipe's stand-ins, which are no T2s, have no place.
    """
    kept = recipe.require(data, leave_out=[test])
    pairs = [
        simulate_pair(
            data / s.t2, data / s.t1, scale=recipe.scale, in_plane_mm=s.in_plane_mm
        )
        for s in kept
    ]
    real = supervised_subjects_of(
        [(pair.high, pair.guide if recipe.guided else None) for pair in pairs],
        scale=recipe.factors,
        stages=recipe.stages,
        guided=recipe.guided,
        stage_blur="consistent",
        weights=[s.weight for s in kept],
    )
    return [*real, *painted_subjects(recipe, data, beside=real)]


def simulated(recipe: Recipe, data: Path, name: str) -> SimulatedPair:
    """A subject of the recipe, made coarse."""
    subject = next(s for s in recipe.subjects if s.name == name)
    return simulate_pair(
        data / subject.t2,
        data / subject.t1,
        scale=recipe.scale,
        in_plane_mm=subject.in_plane_mm,
    )


def measured(
    model: GuidedSRModel, recipe: Recipe, data: Path, name: str
) -> dict[str, Any]:
    """Figures of a model on a subject: 60 central slices and the centre one."""
    pair = simulated(recipe, data, name)
    middle = len(pair.high) // 2
    part = slice(middle - 30, middle + 30)
    truth, low, guide = pair.high[part], pair.low[part], pair.guide[part]
    t1 = guide if recipe.guided else None
    plan = CascadePlan.create(low.shape[-2:], target_shape=truth.shape[-2:], stages=1)
    begun = time.perf_counter()
    ours = model.predict_cascade(low, t1)
    seconds = time.perf_counter() - begun
    cubic = upsample(low, truth.shape[-2:])
    images = {
        "cubic": cubic,
        "cubic_ibp": back_project(cubic, low, plan.observation()),
        "ours": ours,
        "ours_without": model.predict_cascade(low, t1, back_projection=None),
    }
    figures: dict[str, Any] = {"predict_seconds": round(seconds, 2)}
    for key, stack in images.items():
        values = [psnr(x, z) for x, z in zip(truth, stack, strict=True)]
        similar = [ssim(x, z) for x, z in zip(truth, stack, strict=True)]
        figures[key] = {
            "psnr": round(float(np.mean(values)), 3),
            "psnr_sd": round(float(np.std(values)), 3),
            "ssim": round(float(np.mean(similar)), 4),
            "centre_psnr": round(values[30], 3),
            "centre_ssim": round(similar[30], 4),
            "slices": [round(v, 3) for v in values],
        }
    figures["gain"] = round(figures["ours"]["psnr"] - figures["cubic"]["psnr"], 3)
    return figures


def main() -> None:
    args = arguments()
    recipe = changed(read_recipe(args.recipe), args)
    model = recipe_model(recipe)
    if args.supervised:
        subjects = with_truth(recipe, args.data, args.test)
    else:
        subjects = recipe_subjects(recipe, args.data, leave_out=[args.test])
    begun = time.perf_counter()
    histories = fit_recipe(
        model,
        recipe,
        subjects,
        starts=[args.starts or args.recipe.parent.parent / "starts"],
        checkpoint_dir=args.checkpoint,
        verbose=2,
    )
    record(args, recipe, model, histories, args.label, time.perf_counter() - begun)
    if args.save:
        model.save_preset(args.save, force=True)
    if args.refine:
        begun = time.perf_counter()
        pair = simulated(recipe, args.data, args.test)
        guide = pair.guide if recipe.guided else None
        histories = model.fit_internal(
            pair.low, guide, init=model, max_seconds=None, verbose=2
        )
        label = f"{args.label}, refined"
        record(args, recipe, model, histories, label, time.perf_counter() - begun)


def record(
    args: argparse.Namespace,
    recipe: Recipe,
    model: GuidedSRModel,
    histories: Sequence[Any],
    label: str,
    seconds: float,
) -> None:
    """Measure a model and add its line to the file."""
    line = {
        "label": label,
        "recipe": recipe.name,
        "test": args.test,
        "scale": recipe.scale,
        "stages": recipe.stages,
        "guided": recipe.guided,
        "back_projection": recipe.back_projection,
        "weights": {s.name: s.weight for s in recipe.subjects if s.name != args.test},
        "stand_ins": {
            s.name: s.weight for s in recipe.stand_ins if s.name != args.test
        },
        "supervised": args.supervised,
        "painted": None if recipe.painted is None else recipe.painted.share,
        "init": recipe.init,
        "training": recipe.training,
        "loss": [round(h.history["loss"][-1], 6) for h in histories if h.history],
        "train_seconds": round(seconds),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "precision": model.dtype,
        "backend": keras.backend.backend(),
        "keras": keras.__version__,
        **measured(model, recipe, args.data, args.test),
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with args.out.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")
    print({k: line[k] for k in ("label", "test", "scale", "gain", "train_seconds")})


if __name__ == "__main__":
    main()
