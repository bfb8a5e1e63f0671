"""Patches of degraded slices, as a Keras `PyDataset`.

A batch is a function of (seed, epoch, index) alone, whatever was drawn before,
so that a training resumed at any epoch sees what the uninterrupted one saw.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from guided_sr.errors import UsageError
from guided_sr.layers.projection import back_project_tensor, separable
from guided_sr.physics.back_projection import BackProjection
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.physics.operators import LineOperator, SeparableOperator
from guided_sr.training.augmentation import (
    Augmentation,
    Draw,
    quarter_turns_and_flip,
    rotate_and_flip,
    spline_coefficients,
)
from guided_sr.training.masks import StrippingMask
from guided_sr.training.options import SMALLEST_PATCH

PATCHES_A_SLICE = 4
Batch = tuple[dict[str, NDArray], NDArray]

_AHEAD = 4  # batches
_FOREGROUND = 0.05
_TRIES = 6
_SAME_FACTOR = 0.1


@dataclass
class LevelStack:
    """Slices of one subject at the level that a stage is trained on.

    Attributes:
        target: Slices of shape ``(n, h, w)``: what the network shall give.
        guide: Guide at the same level, of the same shape, or `None`.
        plan: The subject's cascade plan.
        level: The level of the target: the stage's number less one, or the stage's
            number where the truth is known.
        weight: How often a slice of this subject is drawn, against the others'.
        source: What the network's input is interpolated from, one level below the
            target, where the truth is known (eqs. 1-2); else the input is made by
            degrading the target (eqs. 3-4).
        spacing_mm: Distance of slices, rows and columns at this level.
        mask: What target and guide are cut out by, on this level's grid, if that is to
            stay as sharp when slices are turned and shrunk.
    """

    target: NDArray[np.float32]
    guide: NDArray[np.float32] | None
    plan: CascadePlan
    level: int
    weight: float = 1.0
    source: NDArray[np.float32] | None = None
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)
    mask: StrippingMask | None = None
    splines: list[NDArray[np.float32]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Prefilter every slice that will be rotated by any angle."""
        images = [self.target] if self.guide is None else [self.target, self.guide]
        if self.mask is not None:
            images.append(self.mask.kept)
        if self.source is not None:
            images = []
        self.splines = [
            np.stack([spline_coefficients(image) for image in stack])
            for stack in images
        ]

    def __len__(self) -> int:
        """Number of slices."""
        return len(self.target)

    def allowed(self, augmentation: Augmentation) -> Augmentation:
        """The part of an augmentation that keeps the plan true.

        Where rows and columns have factors of their own, they must not be mixed.
        """
        rows, columns = self.plan.scale
        if abs(rows - columns) > _SAME_FACTOR * min(rows, columns):
            return augmentation.along_one_axis()
        return augmentation

    def augmented(
        self, index: int, draw: Draw, shift_mm: NDArray[np.float64]
    ) -> tuple[list[NDArray[np.float32]], NDArray[np.float32] | None]:
        """A slice as drawn.

        Args:
            index: Number of the slice.
            draw: Rotation and flip; the rescaling is left to the caller.
            shift_mm: Shift of the guide across slices, along rows and columns.

        Returns:
            Target and guide (if any), and the source, or `None`. Where there is a mask,
            what it keeps of either comes after them, for `laid`.
        """
        across, *along = shift_mm / np.array(self.spacing_mm)
        other = min(max(index + round(across), 0), len(self) - 1)
        moved = (float(along[0]), float(along[1]))
        stacks = [(self.target, index, (0.0, 0.0))]
        if self.guide is not None:
            stacks.append((self.guide, other, moved))
        splines = self.splines
        if self.mask is not None:
            stacks += [(self.mask.kept, k, shift) for _, k, shift in stacks]
            splines = [*splines, splines[-1]]
        if self.source is not None:
            images = [
                quarter_turns_and_flip(stack[k], draw, shift=shift)
                for stack, k, shift in stacks
            ]
            return images, quarter_turns_and_flip(self.source[index], draw)
        images = [
            rotate_and_flip(stack[k], spline[k], draw, shift=shift)
            for (stack, k, shift), spline in zip(stacks, splines, strict=True)
        ]
        return images, None

    def laid(self, images: NDArray) -> NDArray:
        """Target and guide as `augmented` gives them, cut out by their mask anew."""
        if self.mask is None:
            return images
        pairs = zip(images[:2], images[2:], self.mask.air, strict=True)
        return np.stack([self.mask.laid_over(x, kept, air) for x, kept, air in pairs])


class PatchDataset(keras.utils.PyDataset):
    """Batches of ``({"t2": input, "t1": guide}, target)`` patches (eqs. 1-4).

    Whole slices are rotated, flipped and rescaled, then degraded by the plan's
    operators, or interpolated from the source where the truth is known; aligned
    patches are cut last. All of it runs on the processor, some batches ahead of the
    device.

    Args:
        levels: The subjects' slices.
        patch: Side of the patches in pixels, a multiple of 4.
        batch_size: Patches a batch.
        augmentation: What is drawn for each slice.
        guide_jitter_mm: Largest shift of the guide along each axis.
        guide_noise: Largest deviation of noise that the guide gets where the input is
            made by degrading; its air stays silent.
        seed: Seed of all that is drawn.
        steps_per_epoch: Batches an epoch.
        first_epoch: Epoch of the first batch.
        epochs: Epoch at which the data end.
        blur: Factor on the blur of the degradation, as a function of the epoch.

    Raises:
        UsageError: If a size is not positive.
    """

    def __init__(
        self,
        levels: Sequence[LevelStack],
        *,
        patch: int,
        batch_size: int,
        augmentation: Augmentation,
        guide_jitter_mm: float = 0.0,
        guide_noise: float = 0.0,
        seed: int,
        steps_per_epoch: int,
        first_epoch: int,
        epochs: int,
        blur: Callable[[int], float] | None = None,
    ) -> None:
        # With more workers Keras would begin each epoch at the first batch again.
        super().__init__(workers=1, use_multiprocessing=False)
        if min(patch, batch_size, steps_per_epoch) < 1:
            raise UsageError(
                "patch, batch_size and steps_per_epoch must be at least 1",
                mend="leave them at their defaults",
            )
        self.levels = list(levels)
        self.patch = patch
        self.batch_size = batch_size
        self.augmentation = augmentation
        self.guide_jitter_mm = guide_jitter_mm
        self.guide_noise = guide_noise
        self.seed = seed
        self.steps_per_epoch = steps_per_epoch
        self.first_epoch = first_epoch
        self.epochs = epochs
        self.blur = blur or (lambda epoch: 1.0)
        threads = min(_AHEAD, max(1, (os.cpu_count() or 1) // 2))
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="patches")
        self._ahead: dict[int, Future[Batch]] = {}
        shares = np.array([len(level) * level.weight for level in self.levels])
        self._shares = shares / shares.sum()

    def __len__(self) -> int:
        """Number of batches left."""
        return (self.epochs - self.first_epoch) * self.steps_per_epoch

    def __getitem__(self, index: int) -> Batch:
        """Batch of a number of steps after `first_epoch`."""
        ready = self._ahead.pop(index, None)
        self._ahead = {k: v for k, v in self._ahead.items() if k > index}
        for later in range(index + 1, min(index + 1 + _AHEAD, len(self))):
            if later not in self._ahead:
                self._ahead[later] = self._pool.submit(self._batch, later)
        return self._batch(index) if ready is None else ready.result()

    def _batch(self, index: int) -> Batch:
        epoch, step = divmod(index, self.steps_per_epoch)
        epoch += self.first_epoch
        rng = np.random.default_rng([self.seed, epoch, step])
        parts: list[NDArray] = []
        left = self.batch_size
        while left > 0:
            count = min(PATCHES_A_SLICE, left)
            parts += self._patches(rng, count, self.blur(epoch))
            left -= count
        batch = np.stack(parts)[..., None]
        inputs = {"t2": batch[:, 0]}
        if batch.shape[1] == 3:
            inputs["t1"] = batch[:, 2]
        return inputs, batch[:, 1]

    def _patches(
        self, rng: np.random.Generator, count: int, blur: float
    ) -> list[NDArray]:
        level = self.levels[int(rng.choice(len(self.levels), p=self._shares))]
        slice_ = int(rng.integers(len(level)))
        draw = level.allowed(self.augmentation).draw(rng)
        shift = np.zeros(3)
        if self.guide_jitter_mm > 0.0:
            shift = rng.uniform(-1.0, 1.0, 3) * self.guide_jitter_mm
        images, source = level.augmented(slice_, draw, shift)
        if source is None:
            stack = self._degraded(np.stack(images), level, draw.rescale, blur)
            if self.guide_noise > 0.0 and len(stack) == 3:
                stack[2] = _noisy(stack[2], self.guide_noise, rng.spawn(1)[0])
        else:
            stack = self._interpolated(np.stack(images), source)
        return [self._crop(stack, rng) for _ in range(count)]

    def _interpolated(self, images: NDArray, source: NDArray) -> NDArray:
        rows, columns = images.shape[-2:]
        up = SeparableOperator.interpolation(source.shape[-2:], (rows, columns))
        return np.concatenate([_applied(up, source[None]), images])

    def _degraded(
        self, images: NDArray, level: LevelStack, rescale: float, blur: float
    ) -> NDArray:
        shape = level.plan.level_shape(level.level)
        small = (_rescaled(shape[0], rescale), _rescaled(shape[1], rescale))
        if small != shape:
            images = _applied(SeparableOperator.interpolation(shape, small), images)
        images = level.laid(images)
        down = level.plan.degradation(level.level, blur=blur, shape=small)
        coarse = (down.rows.n_to, down.columns.n_to)
        up = SeparableOperator.interpolation(coarse, small)
        low = _applied(up, _applied(down, images[:1]))
        return np.concatenate([low, images])

    def _crop(self, stack: NDArray, rng: np.random.Generator) -> NDArray:
        missing = [max(0, self.patch - n) for n in stack.shape[-2:]]
        if any(missing):
            around = [(0, 0), *((m // 2, m - m // 2) for m in missing)]
            stack = np.pad(stack, around, mode="edge")
        height, width = stack.shape[-2:]
        patch = stack
        for _ in range(_TRIES):
            row = int(rng.integers(height - self.patch + 1))
            column = int(rng.integers(width - self.patch + 1))
            patch = stack[:, row : row + self.patch, column : column + self.patch]
            if float(np.mean(patch[1] > _FOREGROUND)) > 0.25:
                break
        return patch


def _noisy(
    guide: NDArray, most: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    deviation = np.float32(rng.uniform(0.0, most))
    noise = deviation * rng.standard_normal(guide.shape, np.float32)
    noisy: NDArray[np.float32] = np.where(guide > _FOREGROUND, guide + noise, guide)
    return noisy


@functools.lru_cache(maxsize=512)
def _sparse(line: LineOperator) -> sparse.csr_array:
    return sparse.csr_array(line.matrix.astype(np.float32))


def _applied(operator: SeparableOperator, images: NDArray) -> NDArray:
    """The operator on a few slices, on one thread.

    Its matrices are narrow bands. As dense products they would leave the threads of the
    BLAS waiting in a loop, which take the processor from the training.
    """
    moved = []
    for image in images:
        if not operator.rows.is_identity:
            image = _sparse(operator.rows) @ image
        if not operator.columns.is_identity:
            image = (_sparse(operator.columns) @ image.T).T
        moved.append(image)
    return np.stack(moved)


def _rescaled(size: int, factor: float) -> int:
    return min(size, max(SMALLEST_PATCH, round(size * factor)))


def training_inputs(level: LevelStack, part: slice) -> dict[str, Any]:
    """Whole slices as the network sees them in training, without augmentation.

    Args:
        level: A subject's slices.
        part: Which of them.

    Returns:
        Mapping of tensors of shape ``(n, h, w, 1)``, and under ``"observed"`` the
        degraded slices.
    """
    operator = level.plan.degradation(level.level)
    shape = level.plan.level_shape(level.level)
    if level.source is None:
        observed = separable(level.target[part][..., None], operator)
    else:
        observed = keras.ops.convert_to_tensor(level.source[part][..., None])
    coarse = (int(observed.shape[1]), int(observed.shape[2]))
    image = separable(observed, SeparableOperator.interpolation(coarse, shape))
    inputs = {"t2": image, "observed": observed}
    if level.guide is not None:
        inputs["t1"] = keras.ops.convert_to_tensor(level.guide[part][..., None])
    return inputs


def projected(
    network: Callable[[dict[str, Any]], Any],
    level: LevelStack,
    part: slice,
    back_projection: BackProjection,
) -> tuple[Any, Any, Any]:
    """Whole slices brought back from their degradation, as in use.

    Args:
        network: Network, or its compiled call.
        level: A subject's slices.
        part: Which of them.
        back_projection: What follows the network.

    Returns:
        The images without and with back-projection, and the slices that they were
        made from: tensors of shape ``(n, h, w, 1)``.
    """
    inputs = training_inputs(level, part)
    observed = inputs.pop("observed")
    plain = network(inputs)
    operator = level.plan.degradation(level.level)
    image = back_project_tensor(plain, observed, operator, back_projection)
    return plain, image, observed
