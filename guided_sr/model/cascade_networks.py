"""The networks of a cascade and the factors that they serve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras

from guided_sr.errors import UnknownScaleError, UsageError
from guided_sr.networks.registry import build_backbone, takes_guide
from guided_sr.physics.back_projection import BackProjection, Method
from guided_sr.physics.cascade_plan import StageBlur
from guided_sr.presets import (
    list_presets,
    model_text,
    served_factors,
    served_text,
)
from guided_sr.runtime import resolve_precision

if TYPE_CHECKING:
    from guided_sr.model.learning import LearningModel


class CascadeNetworks:
    """One network a stage, what they are made of and serve; see `GuidedSRModel`."""

    def __init__(
        self,
        backbone: str | keras.Model = "grdn",
        *,
        guided: bool | None = None,
        back_projection: Method | BackProjection = "ibp",
        stage_blur: StageBlur = "consistent",
        precision: str = "auto",
        **options: Any,
    ) -> None:
        self.backbone = backbone
        self.options = options
        self.guided = takes_guide(backbone) if guided is None else guided
        self.back_projection = BackProjection.of(back_projection)
        self.stage_blur = stage_blur
        self.dtype = resolve_precision(precision)
        self.networks: list[keras.Model] = []
        self.scale: tuple[float, float] | None = None
        self.scale_range: tuple[float, float] | None = None
        self.metadata: dict[str, Any] = {}
        self.learnt: dict[str, Any] = {}
        self.name: str | None = None
        self.weights: dict[str, str] = {}
        self.unguided: LearningModel | str | None = None
        self.build()

    def build(self) -> keras.Model:
        """A fresh network for one stage."""
        return build_backbone(
            self.backbone, guided=self.guided, dtype=self.dtype, options=self.options
        )

    @property
    def stages(self) -> int:
        """Number of trained stages; 0 before any training."""
        return len(self.networks)

    def known_scale(
        self, scale: float | Sequence[float] | None = None
    ) -> tuple[float, float]:
        """The factors of rows and columns, if the model serves what is asked for.

        Args:
            scale: A number or a pair; `None` for what the model was trained for.

        Raises:
            UnknownScaleError: If the model does not serve it.
            UsageError: If the model was not trained at all.
        """
        if self.scale is None:
            raise UsageError(
                "the model has no weights yet",
                mend="call fit_external, or GuidedSRModel.from_preset",
            )
        factors = served_factors(scale, self.scale, self.scale_range)
        if factors is None:
            known = served_text(self.scale, self.scale_range)
            raise UnknownScaleError(
                f"{model_text(self.name)} was not trained for scale {scale}; it knows"
                f" {known}",
                mend=f"presets are {', '.join(list_presets())}; or train with"
                " fit_external",
            )
        return factors
