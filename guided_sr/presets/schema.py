"""What a preset's `config.json` may hold. Unknown keys are refused."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from guided_sr.presets.scales import served_factors

FORMAT: Literal[1] = 1

_MOST = 4096
Number = (
    Annotated[int, Field(ge=-_MOST, le=_MOST)]
    | Annotated[float, Field(ge=-_MOST, le=_MOST)]
)
Option = bool | Number | Annotated[str, Field(max_length=64)] | list[Number] | None
"""An option of a network: plain values, of sizes that a network can have."""


class BackboneConfig(BaseModel):
    """The network of every stage.

    Attributes:
        name: Registered name, or ``"custom"`` for a model of the user's own.
        options: Arguments of the named network.
    """

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    options: dict[str, Option] = Field(default_factory=dict)


class BackProjectionConfig(BaseModel):
    """What follows each stage; see `guided_sr.back_project`."""

    model_config = ConfigDict(extra="forbid")

    method: Literal["ibp", "exact"] | None = "ibp"
    iterations: int = Field(default=1, ge=1)
    epsilon: Annotated[float, Field(ge=0)] | Literal["auto"] = 1e-3

    @property
    def automatic(self) -> bool:
        """Whether the noise of each T2 decides on the regularisation."""
        return self.method == "exact" and self.epsilon == "auto"


class PresetConfig(BaseModel):
    """All that is needed to build the networks of a preset.

    Attributes:
        format: Version of this format.
        guided_sr_version: Version of the package that wrote it.
        backbone: The network.
        guided: Whether it takes a T1.
        scale: Factor of rows and columns.
        scale_range: Least and largest factor of the enlarged axes that the networks
            serve; `None` where they serve `scale` alone.
        stages: Number of stages.
        stage_blur: As in `CascadePlan.create`.
        back_projection: What follows each stage.
        unguided: Name of the preset that takes its place where a T1 does not help;
            `None` where there is none, or where it goes by the preset's own name.
        weights: sha256 of each weights file, by file name.
    """

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = FORMAT
    guided_sr_version: str
    backbone: BackboneConfig
    guided: bool
    scale: tuple[float, float]
    scale_range: tuple[float, float] | None = None
    stages: int = Field(ge=1, le=16)
    stage_blur: Literal["consistent"] | float = "consistent"
    back_projection: BackProjectionConfig = BackProjectionConfig()
    unguided: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    weights: dict[Annotated[str, Field(pattern=r"^stage_\d{1,2}\.weights\.h5$")], str]

    @model_validator(mode="after")
    def _range_holds_the_scale(self) -> Self:
        if self.scale_range is not None:
            low, high = self.scale_range
            if not 1.0 < low <= high < float("inf"):
                raise ValueError("scale_range is not a range of factors above 1")
            if served_factors(self.scale, self.scale, self.scale_range) is None:
                raise ValueError("scale_range does not hold the scale")
        return self
