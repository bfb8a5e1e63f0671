"""Recipes: the file from which a preset is trained, and trained again.

A recipe is a TOML file that names the data, the model and every option of the
training. ``guided-sr train recipe FILE --data DIR`` follows it.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from guided_sr.datasets.simulated import simulate_pair
from guided_sr.errors import DataError, MissingInputError
from guided_sr.presets.usage_range import UsageRange

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]


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
    """

    name: str
    t2: str
    t1: str
    in_plane_mm: float | None = None
    weight: float = Field(default=1.0, gt=0)


class Recipe(_Strict):
    """What a preset is made from.

    Attributes:
        name: Name of the preset.
        description: One line for lists.
        scale: In-plane factor.
        stages: Number of stages.
        backbone: Registered name of the network.
        guided: Whether it takes the T1.
        back_projection: What follows each stage.
        options: Arguments of the network.
        training: Fields of `TrainingOptions`.
        licence: Licence of the weights.
        data_licence: Licence and citation of the data.
        range: The images it is made for, for the card and the metadata.
        subjects: The training subjects.
    """

    name: str
    description: str
    scale: float = Field(gt=1)
    stages: int = Field(default=3, ge=1)
    backbone: str = "grdn"
    guided: bool = True
    back_projection: Literal["ibp", "exact"] | None = "ibp"
    options: dict[str, Any] = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)
    licence: str
    data_licence: str
    range: UsageRange | None = None
    subjects: list[SubjectRecipe] = Field(min_length=1)

    def usage(self) -> dict[str, Any]:
        """The entry ``range`` of the preset's metadata, if there is one."""
        if self.range is None:
            return {}
        return {"range": self.range.model_dump(exclude_none=True, mode="json")}

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
        unknown = set(leave_out) - {subject.name for subject in self.subjects}
        if unknown:
            raise DataError(f"the recipe has no subject {', '.join(sorted(unknown))}")
        kept = [s for s in self.subjects if s.name not in leave_out]
        for subject in kept:
            for file in (subject.t2, subject.t1):
                if not (Path(data) / file).is_file():
                    raise MissingInputError(
                        f"a file of the recipe's subject {subject.name} is missing",
                        path=Path(data) / file,
                        mend="give the folder that holds the recipe's data as --data",
                    )
        simulated = [
            simulate_pair(
                Path(data) / subject.t2,
                Path(data) / subject.t1,
                scale=self.scale,
                in_plane_mm=subject.in_plane_mm,
            )
            for subject in kept
        ]
        pairs = [(pair.low, pair.guide) for pair in simulated]
        return pairs, [subject.weight for subject in kept]


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
