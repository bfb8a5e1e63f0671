"""Recipes: the file from which a preset is trained, and trained again.

A recipe is a TOML file that names the data, the model and every option of the
training. ``guided-sr train recipe FILE --data DIR`` follows it.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from guided_sr.datasets.contrast import SPOTS_A_LITRE
from guided_sr.datasets.simulated import SimulatedPair, inverted, simulate_pair
from guided_sr.errors import DataError, MissingInputError
from guided_sr.physics.back_projection import DEFAULT_EPSILON, BackProjection
from guided_sr.physics.cascade_plan import scale_per_axis
from guided_sr.physics.operators import Profile
from guided_sr.presets.usage_range import UsageRange
from guided_sr.training.painted import Painter
from guided_sr.training.subjects import SharpMasks
from guided_sr.training.thick_views import turned

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]
Factors = tuple[float, float]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SubjectRecipe(_Strict):
    """One subject of a recipe.

    Attributes:
        name: Name to leave it out by.
        t2: File of the T2 below the data folder; degraded by the scale.
        t1: File of the T1 below the data folder.
        in_plane_mm: Pixel size to which the T2's planes are brought first.
        weight: How often a slice of this subject is drawn, against the others'.
        row_factors: For a recipe of rows alone: the factors by which the rows are
            degraded, one version of the subject each, and one more of its planes
            turned by 90 degrees. By default the recipe's scale, not turned.
    """

    name: str
    t2: str
    t1: str
    in_plane_mm: float | None = None
    weight: float = Field(default=1.0, gt=0)
    row_factors: list[float] = Field(default_factory=list)

    def pairs(self, data: Path, scale: Factors) -> list[Pair]:
        """Low-resolution T2 and T1 on the target grid, for each factor."""

        def simulated(factors: Factors) -> SimulatedPair:
            files = data / self.t2, data / self.t1
            return simulate_pair(*files, scale=factors, in_plane_mm=self.in_plane_mm)

        if not self.row_factors:
            pair = simulated(scale)
            return [(pair.low, pair.guide)]
        pairs = []
        for factor in self.row_factors:
            pair = simulated((factor, 1.0))
            pairs.append((pair.low, pair.guide))
            pair = simulated((1.0, factor))
            pairs.append((turned(pair.low), turned(pair.guide)))
        return pairs


class StandInRecipe(_Strict):
    """A sharp image of another contrast, in the place of the sharp T2 there is not.

    Coarse images teach the last step from a level that is coarser than the one to be
    found, and paintings are no scans. A T1 whose grey values are turned round looks
    much as a T2, is as sharp as the result shall be, and its head is a real one.

    Attributes:
        name: Name to leave it out by; that of the subject that it shows.
        target: File below the data folder of what is to be found from its degraded
            form; its skull is stripped off, and its grey values are turned round.
        guide: File below the data folder of another contrast of the same person.
        weight: As in `SubjectRecipe`.
    """

    name: str
    target: str
    guide: str
    weight: float = Field(default=1.0, gt=0)

    def pair(self, data: Path, scale: Factors) -> Pair:
        """Target and guide, both on the target grid."""
        made = simulate_pair(data / self.target, data / self.guide, scale=scale)
        return inverted(made.high), made.guide


class PaintedRecipe(_Strict):
    """Subjects painted from label maps, whose truth is known.

    Attributes:
        maps: Pattern of the label maps below the data folder.
        first: How many of them are used, in the order of their names; the others are
            left for tests.
        share: Share of all slices drawn that are painted.
        scales: Factors of rows and columns that paintings have; by default the
            recipe's.
        row_range: Range of factors of the rows alone, instead of `scales`.
        row_share: Share of the paintings that `row_range` applies to.
        paintings: Paintings a map.
        planes: Planes a painting.
        noise: Most noise in the observed T2, as in `Painter`.
        quiet: Share of the paintings whose air is 0, as in `Painter`.
        profiles: Shapes of the coarse pixels, one of which a painting has.
        spots: Lesions and enhancements a litre of brain, as in `Painter`.
        masked: Share of the paintings without skull that a mask has cut out, as in
            `Painter`.
        seed: Seed of the paintings.
    """

    maps: str
    first: int = Field(ge=1)
    share: float = Field(default=0.5, gt=0, lt=1)
    scales: list[Factors] = Field(default_factory=list)
    row_range: tuple[float, float] | None = None
    row_share: float = Field(default=1.0, gt=0, le=1)
    paintings: int = Field(default=2, ge=1)
    planes: int = Field(default=16, ge=1)
    noise: float = Field(default=0.02, ge=0)
    quiet: float = Field(default=0.0, ge=0, le=1)
    profiles: list[Profile] = Field(default=["gaussian"], min_length=1)
    spots: float = Field(default=SPOTS_A_LITRE, ge=0)
    masked: float = Field(default=0.0, ge=0, le=1)
    seed: int = 0

    def files(self, data: Path) -> list[Path]:
        """The label maps.

        Raises:
            MissingInputError: If there are too few of them.
        """
        found = sorted(data.glob(self.maps))
        if len(found) < self.first:
            raise MissingInputError(
                f"the recipe wants {self.first} label maps, there are {len(found)}",
                path=data / self.maps,
                mend="give the folder that holds the recipe's data as --data",
            )
        return found[: self.first]

    def painter(self, scale: Factors) -> Painter:
        """What paints them."""
        return Painter(
            scales=self.scales or [scale],
            row_range=self.row_range,
            row_share=self.row_share,
            paintings=self.paintings,
            planes=self.planes,
            noise=self.noise,
            quiet=self.quiet,
            profiles=self.profiles,
            spots=self.spots,
            masked=self.masked,
            seed=self.seed,
        )


class Recipe(_Strict):
    """What a preset is made from.

    Attributes:
        name: Name of the preset.
        description: One line for lists.
        scale: In-plane factor, or one for rows and one for columns.
        scale_range: Range of factors that the preset serves; see `PresetConfig`.
        stages: Number of stages.
        init: Name or folder of the model of one network that all stages start from. A
            name is looked for beside the output, in `starts` beside the folder of the
            recipe, and among the presets.
        shared: Whether one network is trained for the steps of all stages, on
            paintings alone, as a start for other recipes.
        backbone: Registered name of the network.
        guided: Whether it takes the T1.
        back_projection: What follows each stage.
        epsilon: Regularisation of ``"exact"`` in use; ``"auto"`` takes it from the
            noise of each T2. Training has no part in that.
        options: Arguments of the network.
        training: Fields of `TrainingOptions`; ``augmentation`` is a table of the
            fields that differ from the default.
        licence: Licence of the weights.
        data_licence: Licence and citation of the data.
        range: The images it is made for, for the card and the metadata.
        painted: Painted subjects among them.
        sharp_masks: Whether the other subjects' masks, where their skulls were stripped
            off, are as sharp at every level, as in `StrippingMask`; ``"drawn"``: and
            stay so when slices are turned and shrunk.
        stand_ins: Sharp images of another contrast among them.
        subjects: The other training subjects.
    """

    name: str
    description: str
    scale: float | Factors
    scale_range: tuple[float, float] | None = None
    stages: int = Field(default=3, ge=1)
    backbone: str = "grdn"
    guided: bool = True
    back_projection: Literal["ibp", "exact"] | None = "ibp"
    epsilon: Annotated[float, Field(ge=0)] | Literal["auto"] = DEFAULT_EPSILON
    options: dict[str, Any] = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)
    licence: str
    data_licence: str
    range: UsageRange | None = None
    init: str | None = None
    shared: bool = False
    painted: PaintedRecipe | None = None
    sharp_masks: SharpMasks = False
    stand_ins: list[StandInRecipe] = Field(default_factory=list)
    subjects: list[SubjectRecipe] = Field(default_factory=list)

    @model_validator(mode="after")
    def _learns_from_something(self) -> Self:
        if self.painted is None and (self.shared or not self.subjects):
            raise ValueError("there are no subjects")
        if self.stand_ins and (self.shared or not self.guided):
            raise ValueError("stand-ins are for guided networks of stages of their own")
        strange = {s.name for s in self.stand_ins} - {s.name for s in self.subjects}
        if strange:  # left out by no test, they would be learnt from
            raise ValueError(f"no subject is called as the stand-in {min(strange)}")
        if self.shared and self.subjects:
            raise ValueError("a shared network learns from paintings alone")
        return self

    @property
    def projection(self) -> BackProjection:
        """What follows each stage, with its numbers."""
        return BackProjection(self.back_projection, epsilon=self.epsilon)

    @property
    def factors(self) -> Factors:
        """Factor of rows and of columns."""
        return scale_per_axis(self.scale)

    def usage(self) -> dict[str, Any]:
        """The entry ``range`` of the preset's metadata, if there is one."""
        if self.range is None:
            return {}
        return {"range": self.range.model_dump(exclude_none=True, mode="json")}

    @property
    def networks(self) -> int:
        """How many networks are trained."""
        return 1 if self.shared else self.stages

    def subjects_text(self) -> str:
        """What it learns from, in words."""
        parts = [f"{len(self.subjects)} scans"] if self.subjects else []
        if self.stand_ins:
            parts.append(f"{len(self.stand_ins)} stand-ins of another contrast")
        if self.painted is not None:
            count = self.painted.first * self.painted.paintings
            parts.append(f"{count} paintings of {self.painted.first} label maps")
        return ", ".join(parts)

    def require(
        self, data: str | os.PathLike[str], *, leave_out: Sequence[str] = ()
    ) -> list[SubjectRecipe]:
        """See that all files are there.

        Args:
            data: Folder that the files lie below.
            leave_out: Names of subjects to leave out.

        Returns:
            The subjects that are not left out.

        Raises:
            MissingInputError: If a file is missing.
            DataError: If a name to leave out is unknown.
        """
        unknown = set(leave_out) - {subject.name for subject in self.subjects}
        if unknown:
            raise DataError(f"the recipe has no subject {', '.join(sorted(unknown))}")
        kept = [s for s in self.subjects if s.name not in leave_out]
        wanted = [(s.name, file) for s in kept for file in (s.t2, s.t1)]
        wanted += [
            (s.name, file)
            for s in self.stand_ins
            if s.name not in leave_out
            for file in (s.target, s.guide)
        ]
        for name, file in wanted:
            if not (Path(data) / file).is_file():
                raise MissingInputError(
                    f"a file of the recipe's subject {name} is missing",
                    path=Path(data) / file,
                    mend="give the folder that holds the recipe's data as --data",
                )
        if self.painted is not None:
            self.painted.files(Path(data))
        return kept

    def training_data(
        self, data: str | os.PathLike[str], *, leave_out: Sequence[str] = ()
    ) -> tuple[list[Pair], list[float]]:
        """Low-resolution T2 and T1, and the weight, of every subject not left out.

        Args:
            data: Folder that the subjects' files lie below.
            leave_out: Names of subjects to leave out, for a test.

        Raises:
            MissingInputError: If a file is missing.
            DataError: If a name to leave out is unknown.
        """
        kept = self.require(data, leave_out=leave_out)
        pairs: list[Pair] = []
        weights: list[float] = []
        for subject in kept:
            made = subject.pairs(Path(data), self.factors)
            pairs += made
            weights += [subject.weight] * len(made)
        return pairs, weights

    def sharp_pairs(
        self, data: str | os.PathLike[str], *, leave_out: Sequence[str] = ()
    ) -> tuple[list[Pair], list[float]]:
        """Target and guide, and the weight, of every stand-in not left out.

        Args:
            data: Folder that the files lie below.
            leave_out: Names of subjects to leave out, for a test.
        """
        kept = [s for s in self.stand_ins if s.name not in leave_out]
        pairs = [s.pair(Path(data), self.factors) for s in kept]
        return pairs, [s.weight for s in kept]


def read_recipe(path: str | os.PathLike[str]) -> Recipe:
    """Read and check a recipe.

    Args:
        path: TOML file.

    Raises:
        MissingInputError: If the file is missing.
        DataError: If it is not TOML, or a field is wrong or unknown; it is named.
    """
    file = Path(path)
    try:
        return Recipe.model_validate(tomllib.loads(file.read_text("utf-8")))
    except OSError as error:
        raise MissingInputError("the recipe cannot be read", path=file) from error
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"the recipe is not TOML: {error}", path=file) from error
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise DataError(
            f"the recipe is wrong at {where}: {fault['msg']}", path=file
        ) from error
