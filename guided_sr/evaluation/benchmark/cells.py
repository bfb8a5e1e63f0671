"""The cells of the tables, each a training and a test."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from guided_sr.evaluation.benchmark.config import BenchmarkConfig
from guided_sr.evaluation.benchmark.methods import METHODS, Method

FORMAT = 1
"""Raised when what a cell means changes, so that it is run again."""


@dataclass(frozen=True)
class Cell:
    """One training (if any) and one test of a method on one fold.

    Attributes:
        method: Name out of `METHODS`.
        scale: In-plane factor.
        stages: Stages of the cascade.
        loss: Loss of the training.
        shift_mm: Shift of the guide, with random sign on all three axes.
        jitter_mm: ``guide_jitter_mm`` of the training; a training with it sees
            guides that are not shifted otherwise.
        fold: Number of the fold that is tested.
        seed: Seed of the training.
    """

    method: str
    scale: float
    stages: int
    loss: str
    shift_mm: float
    jitter_mm: float
    fold: int
    seed: int

    @property
    def how(self) -> Method:
        """The method."""
        return METHODS[self.method]

    def training(self) -> Cell:
        """The cell whose training this one uses: itself, but for the test's shift.

        That of a refinement is the external training it starts from.
        """
        method = self.how.refines or self.method
        shift = 0.0 if self.jitter_mm else self.shift_mm
        return replace(self, method=method, shift_mm=shift)

    def steps(self, config: BenchmarkConfig) -> int:
        """Steps of one training of the cell."""
        kind = self.how.kind
        if kind == "classical":
            return 0
        if kind == "refined":
            return config.budget.refinement_steps
        return config.budget.steps

    def trainings(self, config: BenchmarkConfig, subjects: int) -> int:
        """How often the cell trains: once, or for each subject or slice tested."""
        if self.how.kind == "internal":
            return config.cells.internal_slices * subjects
        if self.how.kind == "refined":
            return subjects
        return int(self.how.kind != "classical")

    def facts(self) -> dict[str, Any]:
        """The cell as plain data."""
        return asdict(self)

    def key(self, config: BenchmarkConfig, data: Mapping[str, Any]) -> str:
        """Digest of all that determines the cell.

        Args:
            config: The benchmark.
            data: Digests of the files of the subjects that take part.
        """
        kind = self.how.kind
        budget = config.budget.model_dump(mode="json")
        if kind != "refined":
            del budget["refinement_steps"]
        facts: dict[str, Any] = {
            "format": FORMAT,
            "cell": self.facts(),
            "slices": config.cells.slices,
            "data": dict(data),
        }
        if kind == "internal":
            facts["internal_slices"] = config.cells.internal_slices
        if kind != "classical":
            facts["budget"] = budget
            facts["options"] = config.network(self.method)
            if self.how.started:
                facts["start"] = config.start_digest()
            facts["extra"] = config.data.model_dump(
                include={"extra_in_plane_mm", "extra_weight"}
            )
        text = json.dumps(facts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def cells_of(config: BenchmarkConfig, folds: int) -> list[Cell]:
    """All cells of Tables I to V, each once, the shortest way to the answer first.

    Args:
        config: The benchmark.
        folds: Number of folds.
    """
    cells = config.cells
    largest, scale = max(cells.stages), max(cells.scales)
    wanted = range(folds) if cells.only_folds is None else cells.only_folds
    found: list[Cell] = []

    def add(method: str, s: float, r: int, loss: str, mm: float, jitter: float) -> None:
        how = METHODS[method]
        seeds = cells.seeds[:1] if how.kind == "classical" else cells.seeds
        if how.kind in ("classical", "supervised"):
            r = 1
        for seed in seeds:
            for fold in (fold for fold in range(folds) if fold in wanted):
                cell = Cell(method, s, r, how.loss or loss, mm, jitter, fold, seed)
                if cell not in found:
                    found.append(cell)

    loss = cells.losses[0]
    known = [m for m in METHODS if m in config.methods]
    external = [m for m in known if METHODS[m].kind == "external"]
    for kind in ("classical", "external", "internal", "supervised"):
        for s in cells.scales:
            for method in known:
                if METHODS[method].kind == kind:
                    add(method, s, largest, loss, 0.0, 0.0)
    if "proposed" in external:
        for r in cells.stages:
            add("proposed", scale, r, loss, 0.0, 0.0)
        for other in cells.losses:
            add("proposed", scale, largest, other, 0.0, 0.0)
        for mm in cells.shifts_mm:
            add("proposed", scale, largest, loss, mm, 0.0)
        for jitter in cells.jitters_mm:
            for mm in cells.shifts_mm:
                add("proposed", scale, largest, loss, mm, jitter)
    for method in known:
        if METHODS[method].kind == "refined":
            for s in cells.scales:
                add(method, s, largest, loss, 0.0, 0.0)
    return found
