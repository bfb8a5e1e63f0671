"""The TOML file of a benchmark: data, what is compared, and the budget."""

from __future__ import annotations

import hashlib
import os
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from guided_sr.errors import DataError, MissingInputError, UnknownPresetError
from guided_sr.evaluation.benchmark.methods import METHODS
from guided_sr.presets import locate_preset


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DataConfig(_Strict):
    """Which folders are subjects.

    Attributes:
        test: Patterns of the folders whose subjects are tested, each in its fold.
        extra_training: Patterns of folders that only ever train.
        extra_in_plane_mm: Pixel size to which the latter are brought first.
        extra_weight: How often a slice of theirs is drawn, against the others'.
        folds: Number of folds; by default 4, as in the paper, or the number of
            subjects if that is smaller.
    """

    test: list[str] = ["*"]
    extra_training: list[str] = []
    extra_in_plane_mm: float | None = Field(default=None, gt=0)
    extra_weight: float = Field(default=1.0, gt=0)
    folds: int | None = Field(default=None, ge=2)


class BudgetConfig(_Strict):
    """What every training may spend; the same for all methods.

    Attributes:
        steps: Steps of a training, over all its stages; of each slice for the
            methods that learn from the tested slice itself.
        refinement_steps: Steps of external -> internal refinement on the whole
            scan, over all stages.
        batch_size: Patches a step.
        patch_size: Side of a patch in pixels.
        learning_rate: Adam's initial rate.
        schedule: ``"cosine"`` over the budget, or ``"plateau"``.
        back_projection: What follows each stage; one back-projection of the paper
            follows the last stage of every method.
    """

    steps: int = Field(default=1800, ge=1)
    refinement_steps: int = Field(default=1200, ge=1)
    batch_size: int = Field(default=8, ge=1)
    patch_size: int = Field(default=48, ge=16)
    learning_rate: float = Field(default=1e-3, gt=0)
    schedule: Literal["cosine", "plateau"] = "cosine"
    back_projection: Literal["ibp", "exact"] = "ibp"


class CellsConfig(_Strict):
    """What is compared.

    Attributes:
        methods: Names out of `METHODS`.
        scales: In-plane factors (Tables I and II).
        stages: Stages r of the proposed method (Table III); the largest is that of
            every unsupervised method.
        losses: Losses of the proposed method (Table IV); the first is that of
            every method that has no loss of its own.
        shifts_mm: Shifts of the guide (Table V).
        jitters_mm: Values of ``guide_jitter_mm`` that are tried with the shifts.
        seeds: Seeds; every training runs once with each.
        only_folds: Numbers of the folds that are run, from 0; all by default.
        slices: Central slices that are measured.
        internal_slices: How many of them are measured for methods that learn anew
            for each slice; the centre one is always among them.
    """

    methods: list[str] = list(METHODS)
    scales: list[float] = [2.0, 4.0]
    stages: list[int] = [1, 2, 3]
    losses: list[Literal["l1", "l2"]] = ["l1", "l2"]
    shifts_mm: list[float] = [0.0, 1.0, 2.0, 3.0]
    jitters_mm: list[float] = []
    seeds: list[int] = [0]
    only_folds: list[int] | None = None
    slices: int = Field(default=60, ge=1)
    internal_slices: int = Field(default=5, ge=1)

    @model_validator(mode="after")
    def _known(self) -> CellsConfig:
        unknown = [name for name in self.methods if name not in METHODS]
        if unknown:
            raise ValueError(
                f"unknown method {', '.join(unknown)}; known are {', '.join(METHODS)}"
            )
        for name in ("methods", "scales", "stages", "losses", "seeds"):
            if not getattr(self, name):
                raise ValueError(f"{name} is empty")
        if min(self.scales) <= 1 or min(self.stages) < 1:
            raise ValueError("scales must be above 1 and stages at least 1")
        if min([0.0, *self.shifts_mm, *self.jitters_mm]) < 0:
            raise ValueError("shifts and jitters are distances, in mm")
        return self


class BenchmarkConfig(_Strict):
    """A benchmark.

    Attributes:
        data: Which folders are subjects.
        start: Preset or folder, taken from the file's own folder, of one network that
            serves the steps of all cascades; the methods that begin with pretrained
            weights need it.
        budget: What every training may spend.
        cells: What is compared.
        options: Arguments of the networks, by method; ``"none"`` stands for `None`,
            which TOML does not know.
    """

    data: DataConfig = DataConfig()
    start: str | None = None
    budget: BudgetConfig = BudgetConfig()
    cells: CellsConfig = CellsConfig()
    options: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known(self) -> BenchmarkConfig:
        unknown = [name for name in self.options if name not in METHODS]
        if unknown:
            raise ValueError(f"options of an unknown method {', '.join(unknown)}")
        fixed = [n for n in self.options if METHODS[n].kind in ("classical", "refined")]
        if fixed:
            raise ValueError(f"{', '.join(fixed)} has no options of its own")
        if "methods" in self.cells.model_fields_set:
            lacking = [m for m in self.cells.methods if m not in self.methods]
            if lacking:
                raise ValueError(f"{', '.join(lacking)} needs a start")
        return self

    @property
    def methods(self) -> list[str]:
        """What can be compared: without a start, nothing that begins with one."""
        started = self.start is not None
        return [m for m in self.cells.methods if started or not METHODS[m].started]

    def start_digest(self) -> str:
        """Digest of the network and the weights that methods begin with."""
        known = (locate_preset(str(self.start)) / "config.json").read_bytes()
        return hashlib.sha256(known).hexdigest()

    def network(self, method: str) -> dict[str, Any]:
        """Arguments of a method's network; a refinement has those it starts from."""
        given = self.options.get(METHODS[method].refines or method, {})
        return {key: None if v == "none" else v for key, v in given.items()}


def read_config(path: str | os.PathLike[str]) -> BenchmarkConfig:
    """Read and check the TOML file of a benchmark.

    Args:
        path: TOML file with the tables ``data``, ``budget``, ``cells``, ``options``.

    Raises:
        MissingInputError: If the file is missing.
        DataError: If it is not TOML, or a key is wrong or unknown; it is named.
        UnknownPresetError: If the start that it names is no preset or folder.
    """
    file = Path(path)
    try:
        config = BenchmarkConfig.model_validate(tomllib.loads(file.read_text("utf-8")))
    except OSError as error:
        raise MissingInputError(
            "the benchmark file cannot be read", path=file, mend="check the path"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(
            f"the benchmark file is not TOML: {error}", path=file, mend="mend that line"
        ) from error
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"]) or "its contents"
        what = fault["msg"].removeprefix("Value error, ")
        mend = "see docs/how_to/run_the_benchmark.md for what it may be"
        if fault["type"] == "extra_forbidden":
            what, mend = "there is no such key", _known_keys(fault["loc"])
        raise DataError(
            f"the benchmark file is wrong at {where}: {what}", path=file, mend=mend
        ) from error
    if config.start is None:
        return config
    beside = file.parent / config.start
    start = str(beside) if beside.is_dir() else config.start
    try:
        folder = locate_preset(start)
    except UnknownPresetError as error:
        raise UnknownPresetError(
            f"the start {config.start!r} of the benchmark file is no preset and no"
            " folder beside it",
            path=file,
            mend="name the folder of a model, as pretrained/starts/grdn_painted_long",
        ) from error
    return config.model_copy(update={"start": str(folder)})


def _known_keys(place: tuple[int | str, ...]) -> str:
    table: Any = BenchmarkConfig
    for part in place[:-1]:
        table = table.model_fields[str(part)].annotation
    return f"known are {', '.join(table.model_fields)}"
