"""Time a whole volume against what this machine can multiply. Run by hand.

Prints start-up, seconds for an output of 180 x 216 x 182 (or `--volume`) at 4x, of
phantom slices, the network's FLOP, the matrix-product rate of this machine in the same
precision, the ratio of the two times and its inverse, the share of that rate, peak
memory, and the time as a multiple of what a float32 product of 1 TFLOP takes in NumPy;
with `--plain` the same beside a plain loop over the same networks, ten slices at a
time, every slice whole.

    python benchmarks/speed.py [--precision float32] [--volume 256 256 176] [--plain]
    KERAS_BACKEND=jax python benchmarks/speed.py
"""

from __future__ import annotations

import argparse
import os
import resource
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as guided_sr sets it

BEGUN = time.perf_counter()

import keras
import numpy as np

from guided_sr import (
    CascadePlan,
    GuidedSRModel,
    back_project,
    degrade,
    head_phantom,
    upsample,
)
from guided_sr.runtime import compiled_call, list_devices

SCALE = 4


def matmul_rate(dtype: str, repeat: int = 3) -> float:
    """FLOP/s of a square matrix product on this machine, best of some."""
    size = 16384 if list_devices("gpu") else 4096
    a = keras.ops.cast(keras.random.uniform((size, size), seed=0), dtype)
    b = keras.ops.cast(keras.random.uniform((size, size), seed=1), dtype)
    best = np.inf
    for _ in range(repeat + 1):
        begun = time.perf_counter()
        product = keras.ops.matmul(a, b)
        keras.ops.convert_to_numpy(product[:1, :1])
        best = min(best, time.perf_counter() - begun)
    return 2.0 * size**3 / best


def numpy_seconds(size: int = 4096, repeat: int = 3) -> float:
    """Seconds of a float32 matrix product of 1 TFLOP in NumPy, best of some."""
    a, b = np.random.default_rng(0).random((2, size, size), np.float32)
    best = np.inf
    for _ in range(repeat):
        begun = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - begun)
    return 1e12 / (2.0 * size**3) * best


def plain_loop(
    model: GuidedSRModel, plan: CascadePlan, t2: np.ndarray, t1: np.ndarray
) -> np.ndarray:
    """What anybody would write first: up, network, back-projection, in NumPy."""
    x = t2
    for stage, network in enumerate(model.networks, 1):
        shape = plan.level_shape(stage)
        x, guide = upsample(x, shape), plan.guide(stage)(t1)
        parts = [
            network.predict_on_batch(
                {"t2": x[k : k + 10, ..., None], "t1": guide[k : k + 10, ..., None]}
            )
            for k in range(0, len(x), 10)
        ]
        x = np.concatenate(parts)[..., 0].astype(np.float32)
        x = back_project(x, t2, plan.observation(stage), method="exact")
    return x


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--plain", action="store_true", help="a plain loop, too")
    parser.add_argument("--preset", default="grdn_t2_x4")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--volume", type=int, nargs=3, default=(180, 216, 182))
    args = parser.parse_args()
    *shape, slices = args.volume

    model = GuidedSRModel.from_preset(args.preset, precision=args.precision)
    startup = time.perf_counter() - BEGUN
    head = head_phantom(tuple(shape), n_slices=slices, skull=False)
    t1, t2 = head.t1, degrade(head.t2, SCALE)
    filled = np.mean([np.any(s > 0.1 * head.t2.max()) for s in head.t2])

    begun = time.perf_counter()
    for network in model.networks:
        zeros = np.zeros((1, 64, 64, 1), np.float32)
        call = compiled_call(network)
        call({"t2": zeros, "t1": zeros})
    tracing = time.perf_counter() - begun
    seconds = []
    for _ in range(args.repeat):
        begun = time.perf_counter()
        model.predict_cascade(t2, t1)
        seconds.append(time.perf_counter() - begun)

    plan = CascadePlan.create(t2.shape[-2:], scale=SCALE, stages=model.stages)
    pixels = sum(
        np.prod(plan.level_shape(k)) * slices for k in range(1, model.stages + 1)
    )
    flop = 2.0 * model.networks[0].count_params() * float(pixels)
    dtype = "bfloat16" if "bfloat16" in model.dtype else "float32"
    rate = matmul_rate(dtype)
    median = float(np.median(seconds))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"backend {keras.backend.backend()}, {dtype}, {os.cpu_count()} cores")
    print(f"start-up to a loaded model   {startup:8.1f} s, tracing {tracing:.1f} s")
    print(
        f"volume {shape[0]} x {shape[1]} x {slices} at {SCALE}x  {median:8.1f} s",
        end="",
    )
    print(f"  (median of {args.repeat}: {min(seconds):.1f}-{max(seconds):.1f})")
    print(f"slices that hold a head       {100 * filled:8.0f} %")
    print(f"network, whole field of view {flop / 1e12:8.2f} TFLOP")
    print(f"matrix product               {rate / 1e9:8.0f} GFLOP/s")
    print(f"that many products take      {flop / rate:8.1f} s")
    print(f"ratio                        {median * rate / flop:8.2f}")
    print(f"share of matrix product      {100 * flop / rate / median:8.0f} %")
    print(f"peak memory                  {peak:8.2f} GiB")
    one = numpy_seconds()
    print(f"1 TFLOP float32 in NumPy     {one:8.1f} s")
    print(f"as many of these             {median / one:8.1f}")
    if args.plain:
        low, guide = (x.astype(np.float32) / x.max() for x in (t2, t1))
        plain_loop(model, plan, low[:12], guide[:12])  # traces both sizes of batch
        begun = time.perf_counter()
        plain_loop(model, plan, low, guide)
        print(f"plain loop                   {time.perf_counter() - begun:8.1f} s")


if __name__ == "__main__":
    main()
