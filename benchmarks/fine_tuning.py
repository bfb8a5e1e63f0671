"""Fine-tune a preset on the coarse scans of one scanner and measure on another person.

The fine T2s of the subjects are brought to 1 mm in-plane and degraded by the preset's
scale; the fine-tuning sees the coarse ones and their T1s alone. Appends one JSON line:
PSNR and SSIM of the central slices of the test subject, of cubic interpolation and of
the preset before and after, the decision of each stage, and the PSNR of every slice.

    python benchmarks/fine_tuning.py --data DATA --out docs/benchmarks/fine_tuning.jsonl

The line tells whether the recipe of the preset names the test subject
(`test_was_seen`): then its figure before is that of a scan it knows. For an unseen one,
train without it by `benchmarks/leave_one_out.py --save DIR` and give that folder as
`--preset`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as guided_sr sets it

import keras
import numpy as np

from guided_sr import GuidedSRModel, psnr, ssim, upsample
from guided_sr.datasets.simulated import SimulatedPair, simulate_pair
from guided_sr.evaluation.measures import central_slices

TUNE = ["long_patient01_study1", "long_patient01_study2"]
TEST = "long_patient04_study1"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, type=Path, help="holds open_ms")
    parser.add_argument("--out", required=True, type=Path, help="JSON lines file")
    parser.add_argument("--preset", default="grdn_t2_x2", help="name or folder")
    parser.add_argument(
        "--tune", nargs="+", default=TUNE, help="subjects to learn from"
    )
    parser.add_argument("--test", default=TEST, help="subject to measure on")
    parser.add_argument("--slices", type=int, default=20, help="central ones measured")
    parser.add_argument("--max-steps", type=int, help="steps a stage")
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--register",
        choices=["auto", "none"],
        default="auto",
        help="how all T1s are placed, as `fit_external` and `run` place those of scans",
    )
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--save", type=Path, help="keep the model as a preset folder")
    return parser.parse_args()


def simulated(data: Path, name: str, scale: float, register: str) -> SimulatedPair:
    folder = data / "open_ms" / name
    files = folder / "t2.nii.gz", folder / "t1.nii.gz"
    return simulate_pair(*files, scale=scale, in_plane_mm=1.0, register=register)


def figures(truth: np.ndarray, stack: np.ndarray) -> dict[str, Any]:
    values = [psnr(x, z) for x, z in zip(truth, stack, strict=True)]
    similar = [ssim(x, z) for x, z in zip(truth, stack, strict=True)]
    return {
        "psnr": round(float(np.mean(values)), 3),
        "ssim": round(float(np.mean(similar)), 4),
        "slices": [round(v, 3) for v in values],
    }


def main() -> None:
    args = arguments()
    model = GuidedSRModel.from_preset(args.preset)
    name, digests, recipe = model.name, model.weights, model.metadata.get("recipe", {})
    scale = model.known_scale()[0]
    test = simulated(args.data, args.test, scale, args.register)
    part = central_slices(len(test.high), args.slices)
    truth, low, guide = test.high[part], test.low[part], test.guide[part]
    measured = {
        "cubic": figures(truth, upsample(low, truth.shape[-2:])),
        "before": figures(truth, model.predict_cascade(low, guide)),
    }
    tuning = [simulated(args.data, one, scale, args.register) for one in args.tune]
    given = {"max_steps": args.max_steps, "learning_rate": args.learning_rate}
    options = {key: value for key, value in given.items() if value is not None}
    begun = time.perf_counter()
    model.fit_external(
        [(pair.low, pair.guide) for pair in tuning],
        init=model,
        checkpoint_dir=args.checkpoint,
        verbose=2,
        seed=args.seed,
        **options,
    )
    seconds = time.perf_counter() - begun
    measured["after"] = figures(truth, model.predict_cascade(low, guide))
    if args.save is not None:
        model.save_preset(args.save)
    gained = np.subtract(measured["after"]["slices"], measured["before"]["slices"])
    line = {
        "preset": name,
        "weights_sha256": digests,
        "scale": scale,
        "tune": args.tune,
        "test": args.test,
        "register": args.register,
        "test_was_seen": args.test in [s["name"] for s in recipe.get("subjects", [])],
        "options": {**options, "seed": args.seed},
        "tune_seconds": round(seconds),
        "held_out": model.learnt.get("held_out", []),
        **measured,
        "gain": round(float(np.mean(gained)), 3),
        "worst_slice": round(float(np.min(gained)), 3),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "precision": model.dtype,
        "backend": keras.backend.backend(),
        "keras": keras.__version__,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with args.out.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")
    print({key: line[key] for key in ("preset", "test", "gain", "tune_seconds")})


if __name__ == "__main__":
    main()
