"""Run a cascade on a stack of slices: [up, network, back-project] x r.

Everything between the first array in and the last array out happens on the
device: the plan's matrices, the compiled network and the back-projection. Slices
go in batches, each through all stages, so memory does not grow with the stack; a slice
that is larger than a batch goes through the network in strips. Where a device runs out
of memory all the same, batches and strips are halved, down to an eighth of what the CPU
takes, and then the CPU takes over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from guided_sr.errors import is_out_of_memory, warn_user
from guided_sr.inference.filled import FOREGROUND
from guided_sr.inference.strips import strips
from guided_sr.layers.projection import back_project_tensor, separable
from guided_sr.physics.back_projection import BackProjection
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.runtime import (
    compiled,
    compiled_call,
    device_scope,
    list_devices,
    new_sizes_cost,
    single_images_are_slow,
)
from guided_sr.runtime.gradient import differentiable_call

Stack = NDArray[np.float32]
Progress = Callable[[int, int], None]

PIXELS_A_BATCH = 160_000
_GPU = 16  # times as many there: each launch costs the same
HALVINGS = 3
MARGIN = 16


class Slices(Protocol):
    """Slices of shape ``(n, h, w)`` that can be asked for in parts."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of slices, rows and columns."""

    def __len__(self) -> int:
        """Number of slices."""

    def __getitem__(self, part: slice, /) -> Stack:
        """Some of them."""


def _pixels_a_batch() -> int:
    return PIXELS_A_BATCH * (_GPU if list_devices("gpu") else 1)


@dataclass
class Work:
    """How much goes through the networks at once, and where.

    Attributes:
        pixels: About so many pixels a batch, or a strip.
        device: As in `device_scope`; `None` for the device that is set.
    """

    pixels: int = field(default_factory=_pixels_a_batch)
    device: str | None = None

    def slices(self, shape: tuple[int, int]) -> int:
        """How many slices of a size go at once."""
        return max(1, self.pixels // (shape[0] * shape[1]))

    def less(self) -> bool:
        """Take less at once, or the CPU; False if neither is left."""
        if self.pixels > PIXELS_A_BATCH >> HALVINGS and self.device != "cpu":
            self.pixels //= 2
            return True
        if self.device == "cpu" or not list_devices("gpu"):
            return False
        warn_user("the device has too little memory; the rest is done on the CPU")
        self.pixels, self.device = PIXELS_A_BATCH, "cpu"
        return True

    def scope(self) -> Any:
        """The context to work in."""
        return nullcontext() if self.device is None else device_scope(self.device)


def batches(count: int, shape: tuple[int, int]) -> list[slice]:
    """Slices of a stack that fit one batch each, as in inference."""
    size = Work().slices(shape)
    return [slice(i, min(i + size, count)) for i in range(0, count, size)]


@dataclass(frozen=True)
class Window:
    """The part of the field of view that holds anything, as fractions of it.

    A network leaves a constant background as it is, so that it need not run
    there: outside the window the interpolated image stands. The window is
    widened by `MARGIN` pixels, about the receptive field of the network. The rings that
    a network takes from around a bare edge lie there, too: fewer would leave them.
    """

    rows: tuple[float, float]
    columns: tuple[float, float]

    @classmethod
    def of(cls, t2: Stack) -> Window:
        """Bounding box of everything above `FOREGROUND` in normalised slices."""
        occupied: NDArray[np.bool_] = np.any(t2 > FOREGROUND, axis=0)
        spans = []
        for axis in (1, 0):
            (index,) = np.nonzero(np.any(occupied, axis=axis))
            n = occupied.shape[1 - axis]
            low, high = (index[0], index[-1] + 1) if index.size else (0, n)
            spans.append((low / n, high / n))
        return cls(*spans)

    def at(self, shape: tuple[int, int]) -> tuple[slice, slice]:
        """The window in pixels of a level, margin included."""
        (r0, r1), (c0, c1) = self.rows, self.columns
        rows = slice(
            max(0, int(r0 * shape[0]) - MARGIN),
            min(shape[0], int(np.ceil(r1 * shape[0])) + MARGIN),
        )
        columns = slice(
            max(0, int(c0 * shape[1]) - MARGIN),
            min(shape[1], int(np.ceil(c1 * shape[1])) + MARGIN),
        )
        return rows, columns


class StageRunner:
    """One stage of a cascade on the device.

    Args:
        network: The stage's network.
        plan: The cascade plan.
        stage: 1 to r; the stage leads from level ``stage - 1`` to ``stage``.
        back_projection: What follows the network.
        window: Where the network runs; everywhere by default.
        work: How much goes through the network at once.
        differentiable: Whether gradients are to pass through the network.
        whole: Whether a slice is never cut into strips, as in a graph that is traced
            for batches of any size.
    """

    def __init__(
        self,
        network: keras.Model,
        *,
        plan: CascadePlan,
        stage: int,
        back_projection: BackProjection,
        window: Window | None = None,
        work: Work | None = None,
        differentiable: bool = False,
        whole: bool = False,
    ) -> None:
        self.network = network  # keeps what the compiled call needs
        call = differentiable_call if differentiable else compiled_call
        self.call = call(network)
        radius = None if whole else getattr(network, "receptive_radius", None)
        self.radius: int | None = radius
        self.in_pairs = single_images_are_slow()
        self.operators: dict[str, Any] = (
            {} if differentiable or whole else {"compile": compiled}
        )
        self.guided = "t1" in network.input
        self.plan = plan
        self.stage = stage
        self.back_projection = back_projection
        self.window = window
        self.work = work or Work()

    def __call__(self, x: Any, y: Any, t1: Any, *, empty: bool = False) -> Any:
        """Lead an estimate one level up.

        Args:
            x: Estimate at the level below, ``(batch, h, w, 1)``.
            y: Observation, ``(batch, h_0, w_0, 1)``.
            t1: Guide on the target grid, ``(batch, h_r, w_r, 1)``, or `None`.
            empty: Whether the slices hold nothing, so that interpolation will do.
        """
        inputs = self.inputs(x, t1)
        image = inputs["t2"] if empty else self._refined(inputs)
        operator = self.plan.observation(self.stage)
        return back_project_tensor(
            image, y, operator, self.back_projection, **self.operators
        )

    def inputs(self, x: Any, t1: Any) -> dict[str, Any]:
        """What the network of the stage sees, ``(batch, h_k, w_k, 1)`` each.

        Args:
            x: As in the call.
            t1: As in the call.
        """
        operators = {"t2": (x, self.plan.upsampling(self.stage))}
        if self.guided:
            operators["t1"] = (t1, self.plan.guide(self.stage))
        return {
            name: separable(image, operator, **self.operators)
            for name, (image, operator) in operators.items()
        }

    def _refined(self, inputs: dict[str, Any]) -> Any:
        if self.window is None:
            return self._network(inputs)
        return self._inside(inputs, self.window)

    def _network(self, inputs: dict[str, Any]) -> Any:
        """Run the network, a slice that is too large in strips of rows.

        Strips overlap by the network's receptive field, so that they join without
        a seam; a network that does not tell it is run on whole slices. A slice by
        itself goes as two strips at a time where one image alone is slow.
        """
        if self.radius is None:
            return self.call(inputs)
        batch, height, width, _ = inputs["t2"].shape
        at_once = 2 if self.in_pairs and batch == 1 else 1
        rows = max(1, self.work.pixels // (batch * at_once * width))
        if height <= 2 * self.radius + rows * (at_once == 1):
            return self.call(inputs)
        cuts = strips(height, rows=rows, overlap=self.radius, at_least=at_once)
        parts = []
        for n in range(0, len(cuts), at_once):
            few = cuts[n : n + at_once]
            out = self.call(
                {
                    name: keras.ops.concatenate([x[:, cut.seen] for cut in few])
                    for name, x in inputs.items()
                }
            )
            images = keras.ops.split(out, len(few)) if len(few) > 1 else [out]
            parts += [
                image[:, cut.kept] for image, cut in zip(images, few, strict=True)
            ]
        return keras.ops.concatenate(parts, axis=1)

    def _inside(self, inputs: dict[str, Any], window: Window) -> Any:
        height, width = self.plan.level_shape(self.stage)
        rows, columns = window.at((height, width))
        part = {name: x[:, rows, columns, :] for name, x in inputs.items()}
        residual = self._network(part) - part["t2"]
        around = (
            (0, 0),
            (rows.start, height - rows.stop),
            (columns.start, width - columns.stop),
            (0, 0),
        )
        return inputs["t2"] + keras.ops.pad(residual, around)


def run_cascade(
    networks: Sequence[keras.Model],
    t2: Stack,
    t1: Slices | None,
    *,
    plan: CascadePlan,
    back_projection: BackProjection,
    last: BackProjection | None = None,
    window: Window | None = None,
    out: Stack | None = None,
    share: float = 1.0,
    progress: Progress | None = None,
) -> Stack:
    """Super-resolve a stack of normalised slices (eq. 5, stage by stage).

    Args:
        networks: One network a stage. The first ones alone lead to their own level.
        t2: Observed slices of shape ``(n, h, w)``, normalised.
        t1: Guide slices of shape ``(n, H, W)`` on the target grid, normalised, or
            `None` for networks without guide.
        plan: The cascade plan.
        back_projection: What follows each stage.
        last: What follows the last one in its place.
        window: Where the networks run; by default where a batch of slices holds
            anything, or all of them do, where each new size costs time.
        out: Array of shape ``(n, H, W)``, or a view, to which the result is added; a
            new one by default.
        share: What the result is multiplied by before.
        progress: Called with the slices done and their number.

    Returns:
        Slices of shape ``(n, H, W)``, float32, normalised, ``(H, W)`` being the target
        grid unless there are fewer networks than stages.
    """
    work = Work()
    if window is None and new_sizes_cost():
        window = Window.of(t2)
    runners = [
        StageRunner(
            network,
            plan=plan,
            stage=k,
            back_projection=back_projection,
            work=work,
        )
        for k, network in enumerate(networks, 1)
    ]
    if last is not None:
        runners[-1].back_projection = last
    if out is None:
        out = np.zeros((len(t2), *plan.level_shape(len(networks))), np.float32)
    done = 0
    while done < len(t2):
        part = _next_batch(done, len(t2), work.slices(plan.target_shape))
        where = window or Window.of(t2[part])
        for runner in runners:
            runner.window = where
        try:
            with work.scope():
                slices = _super_resolved(
                    runners, t2[part], None if t1 is None else t1[part]
                )
        except Exception as error:
            if is_out_of_memory(error) and work.less():
                continue
            raise
        new = slices[done - part.start :]
        out[done : part.stop] += new if share == 1.0 else share * new
        done = part.stop
        if progress is not None:
            progress(done, len(t2))
    return out


def part_of(progress: Progress | None, part: int, parts: int) -> Progress | None:
    """Progress of one of several runs of as many slices each, as one count.

    Args:
        progress: Called with the slices done and the number of all.
        part: Number of the run, from 0.
        parts: How many there are.
    """
    if progress is None or parts == 1:
        return progress
    return lambda done, count: progress(part * count + done, parts * count)


def _next_batch(done: int, count: int, most: int) -> slice:
    """The next slices of a stack, as many each time: a graph is compiled once.

    The last batch begins among slices that are done where they do not come out even.
    """
    size = -(-count // -(-count // most))
    stop = min(done + size, count)
    return slice(max(0, stop - size), stop)


def _super_resolved(
    runners: Sequence[StageRunner], t2: Stack, t1: Stack | None
) -> Stack:
    """Lead some slices through all stages."""
    y = keras.ops.convert_to_tensor(t2[..., None])
    guide = None if t1 is None else keras.ops.convert_to_tensor(t1[..., None])
    x, empty = y, not np.any(t2 > FOREGROUND)
    for runner in runners:
        x = runner(x, y, guide, empty=empty)
    slices: Stack = keras.ops.convert_to_numpy(x)[..., 0]
    return slices
