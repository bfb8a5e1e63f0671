"""One slice of a pair, with the model that is to be explained."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from guided_sr.errors import DataError, UsageError
from guided_sr.inference.cascade import StageRunner, Window
from guided_sr.inference.filled import FOREGROUND
from guided_sr.inference.inputs import Inputs, prepare
from guided_sr.inference.maps import DETAIL
from guided_sr.inference.noise import settled
from guided_sr.model import GuidedSRModel
from guided_sr.physics.back_projection import BackProjection
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.physics.operators import (
    FWHM_PER_SIGMA,
    LineOperator,
    SeparableOperator,
)

BLUR = DETAIL
"""The blur, in observed pixels, that tells detail apart; see `DETAIL`."""


@dataclass(frozen=True, eq=False)
class ExplainedSlice:
    """One slice of a pair, with the model that is to be explained.

    Make one with `ExplainedSlice.of`.

    Attributes:
        model: A trained, guided model.
        inputs: The whole pair, checked.
        index: The slice.
        plan: The cascade plan.
    """

    model: GuidedSRModel
    inputs: Inputs
    index: int
    plan: CascadePlan

    @classmethod
    def of(
        cls, model: GuidedSRModel, t2: Any, t1: Any = None, *, index: int | None = None
    ) -> ExplainedSlice:
        """Check a pair and choose a slice of it.

        Args:
            model: A trained, guided model.
            t2: As in `GuidedSRModel.predict_cascade`, or `Inputs` that hold both.
            t1: As there.
            index: The slice, from 0; by default the one whose T2 is brightest.

        Raises:
            UsageError: If the model has no guide or no weights, or there is no such
                slice.
            DataError: If an image cannot be used, or the slice holds nothing.
            GeometryError: If T1 and T2 do not overlap.
        """
        if not model.guided:
            raise UsageError(
                "the model has no guide: there is no influence of a T1 to explain",
                mend="choose a guided model",
            )
        scale = model.known_scale()
        inputs = t2 if isinstance(t2, Inputs) else None
        if inputs is None:
            inputs = prepare(t2, t1, guided=True, scale=scale)
        chosen = fullest_slice(inputs) if index is None else index
        check_slice(inputs, chosen)
        plan = inputs.plan(stages=model.stages, stage_blur=model.stage_blur)
        return cls(model, inputs, chosen, plan)

    def with_guide(self, t1: NDArray[np.float32]) -> Inputs:
        """This slice alone with another guide, in unchanged intensity scales.

        Args:
            t1: Guide of shape ``(H, W)`` in units of the T1.
        """
        part = slice(self.index, self.index + 1)
        return dataclasses.replace(self.inputs, t2=self.inputs.t2[part], t1=t1[None])

    @functools.cached_property
    def t1(self) -> NDArray[np.float32]:
        """The guide on the target grid, ``(H, W)``, in its own units."""
        assert self.inputs.t1 is not None  # `of` asks for a guided pair
        found: NDArray[np.float32] = self.inputs.t1[self.index]
        return found

    @functools.cached_property
    def images(self) -> dict[str, NDArray[np.float32]]:
        """T2 ``(1, h, w, 1)`` and T1 ``(1, H, W, 1)``, normalised."""
        t2, t1 = self.with_guide(self.t1).normalised()
        assert t1 is not None
        return {"t2": t2[..., None], "t1": t1[..., None]}

    @functools.cached_property
    def back_projection(self) -> BackProjection:
        """What follows each stage, regularised by the noise of the whole T2."""
        images = self.inputs.normalised()
        model = self.model
        how, _ = settled(model.back_projection, model.networks, *images, plan=self.plan)
        return how

    @functools.cached_property
    def _runners(self) -> list[StageRunner]:
        window = Window.of(self.images["t2"][..., 0])
        return [
            StageRunner(
                network,
                plan=self.plan,
                stage=k,
                back_projection=self.back_projection,
                window=window,
                differentiable=True,
            )
            for k, network in enumerate(self.model.networks, 1)
        ]

    def forward(self, images: Any) -> Any:
        """The whole cascade, differentiable.

        Args:
            images: Tensors as in `images`.

        Returns:
            Tensor of shape ``(1, H, W, 1)``, normalised.
        """
        x = images["t2"]
        for runner in self._runners:
            x = runner(x, images["t2"], images["t1"])
        return x

    @functools.cached_property
    def stage_images(self) -> list[dict[str, NDArray[np.float32]]]:
        """What each stage's network sees, ``(1, h_k, w_k, 1)``, normalised."""
        given = {n: keras.ops.convert_to_tensor(x) for n, x in self.images.items()}
        x, seen = given["t2"], []
        for runner in self._runners:
            inputs = runner.inputs(x, given["t1"])
            seen.append({n: keras.ops.convert_to_numpy(v) for n, v in inputs.items()})
            x = runner(x, given["t2"], given["t1"])
        return seen

    def detail(
        self, image: NDArray[np.float32], *, blur: float = BLUR
    ) -> NDArray[np.float32]:
        """An image less its blurred form.

        Args:
            image: Image of any level, ``(..., h, w)``.
            blur: Full width at half maximum in observed pixels.

        Raises:
            UsageError: If the blur is not above 0.
        """
        if not 0.0 < blur < np.inf:
            raise UsageError(f"blur={blur} is no width", mend="give a number above 0")
        lines = []
        for axis, n in zip(self.plan.axes, image.shape[-2:], strict=True):
            sigma = blur / FWHM_PER_SIGMA * n / axis.size(0)
            lines.append(LineOperator(n, n, sigma))
        return image - SeparableOperator(*lines)(image).astype(np.float32)


def fullest_slice(inputs: Inputs) -> int:
    """The slice whose T2 is brightest on average."""
    return int(np.argmax(inputs.t2.mean(axis=(1, 2))))


def check_slice(inputs: Inputs, index: int) -> None:
    """Refuse a slice that is not there or holds nothing.

    Raises:
        UsageError: If there is no such slice.
        DataError: If nothing in it is above the background.
    """
    count = len(inputs.t2)
    if not 0 <= index < count:
        raise UsageError(
            f"there is no slice {index}", mend=f"give a number from 0 to {count - 1}"
        )
    if not np.any(inputs.t2_scale.forward(inputs.t2[index]) > FOREGROUND):
        raise DataError(
            f"slice {index} of the T2 holds nothing but background",
            mend="choose a slice inside the head",
        )
