"""Time steps of a training against what this machine can multiply. Run by hand.

Prints the seconds of a step of `fit_external` (augmentation, degradation, patches and
all), of the same network on one batch that is there already (`train_on_batch`: what
is left if data cost nothing), their ratio, the FLOP of a step, its share of this
machine's matrix product, and peak memory.

    python benchmarks/training_speed.py [--precision auto|float32|bfloat16]
    KERAS_BACKEND=jax python benchmarks/training_speed.py
"""

from __future__ import annotations

import argparse
import os
import resource
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as guided_sr sets it

import keras
import numpy as np
from speed import matmul_rate

from guided_sr import GuidedSRModel, degrade, head_phantom
from guided_sr.runtime import jit_compile

PASSES = 3  # forward, and twice as much backward


class EpochTimes(keras.callbacks.Callback):
    """Seconds of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.begun = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.seconds.append(time.perf_counter() - self.begun)


def fitted(model: GuidedSRModel, args: argparse.Namespace) -> list[float]:
    """Seconds a step of each epoch, the first left out, which compiles."""
    head = head_phantom((180, 216), n_slices=20, skull=False)
    times = EpochTimes()
    model.fit_external(
        [(degrade(head.t2, 2), head.t1)],
        scale=2,
        stages=1,
        max_steps=args.steps * (args.repeat + 1),
        steps_per_epoch=args.steps,
        batch_size=args.batch_size,
        patch_size=args.patch_size,
        callbacks=[times],
        verbose=0,
    )
    return [seconds / args.steps for seconds in times.seconds[1:]]


def plain(model: GuidedSRModel, args: argparse.Namespace) -> list[float]:
    """Seconds a step of the same network on one batch that is there already."""
    network = model.build()
    network.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss="mean_absolute_error",
        jit_compile=jit_compile(),
    )
    shape = (args.batch_size, args.patch_size, args.patch_size, 1)
    t2, t1, target = (np.random.default_rng(k).random(shape, "f") for k in range(3))
    seconds = []
    for _ in range(args.repeat + 1):
        begun = time.perf_counter()
        for _ in range(args.steps):
            network.train_on_batch({"t2": t2, "t1": t1}, target)
        seconds.append((time.perf_counter() - begun) / args.steps)
    return seconds[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--patch-size", type=int, default=48)
    parser.add_argument("--steps", type=int, default=20, help="of an epoch")
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()

    model = GuidedSRModel("grdn", precision=args.precision)
    ours, bare = fitted(model, args), plain(model, args)
    pixels = args.batch_size * args.patch_size**2
    flop = PASSES * 2.0 * model.networks[0].count_params() * pixels
    dtype = "bfloat16" if "bfloat16" in model.dtype else "float32"
    rate = matmul_rate(dtype)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"backend {keras.backend.backend()}, {dtype}, {os.cpu_count()} cores")
    for name, seconds in (("fit_external", ours), ("train_on_batch", bare)):
        median = float(np.median(seconds))
        spread = f"({min(seconds):.3f}-{max(seconds):.3f})"
        share = 100 * flop / median / rate
        print(
            f"{name:15}  {median:.3f} s a step {spread},"
            f" {flop / median / 1e9:.0f} GFLOP/s, {share:.0f} % of matrix product"
        )
    print(f"ratio            {np.median(ours) / np.median(bare):.2f}")
    print(f"a step           {flop / 1e9:.0f} GFLOP")
    print(f"matrix product   {rate / 1e9:.0f} GFLOP/s")
    print(f"peak memory      {peak:.2f} GiB")


if __name__ == "__main__":
    main()
