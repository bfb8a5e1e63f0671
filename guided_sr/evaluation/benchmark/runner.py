"""Run the cells of a benchmark: one JSON line each, none twice."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from guided_sr._version import __version__
from guided_sr.datasets.simulated import SimulatedPair
from guided_sr.evaluation.benchmark.cells import FORMAT, Cell, cells_of
from guided_sr.evaluation.benchmark.learned import Learner, Trained, applied
from guided_sr.evaluation.benchmark.lines import (
    Line,
    append_line,
    image_file,
    lines_file,
    read_lines,
)
from guided_sr.evaluation.benchmark.subjects import Subjects
from guided_sr.evaluation.measures import central_slices
from guided_sr.evaluation.peers import PEERS
from guided_sr.metrics import psnr, ssim
from guided_sr.physics.back_projection import back_project
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.runtime import framework_versions

Stack = NDArray[np.float32]

_REACH = 0.8  # of the central slices, for methods that learn anew for each


class Watcher(Protocol):
    """What is told while a benchmark runs."""

    def begin(self, cell: Cell, number: int, count: int) -> None:
        """A cell begins."""

    def steps(self, done: int, left: int) -> None:
        """Training steps done in all since the start, and still to do."""

    def end(self, line: Line) -> None:
        """A cell is done, and its line written."""


@dataclass(frozen=True, eq=False)
class Tested:
    """Results of a cell on one subject.

    Attributes:
        indices: Slices of the subject.
        images: The results on them, ``(n, H, W)``, before the last back-projection.
        trainings: What was trained for it.
        seconds: Of inference, a slice.
    """

    indices: list[int]
    images: Stack
    trainings: list[Trained]
    seconds: float


class Benchmark:
    """All cells of a configuration, run in order.

    Args:
        subjects: The subjects, with the configuration.
        out: Folder for ``cells.jsonl``, models and the images of the centre slices.
        watcher: What is told on the way.
        methods: Run the cells of these methods only.

    Attributes:
        cells: What is run.
        keys: Keys of all cells of the configuration, run or not.
    """

    def __init__(
        self,
        subjects: Subjects,
        out: Path,
        *,
        watcher: Watcher,
        methods: Sequence[str] | None = None,
    ) -> None:
        self.subjects = subjects
        self.config = subjects.config
        self.out = out
        self.watcher = watcher
        self.learner = Learner(subjects, out / "models", tick=self._tick)
        cells = cells_of(self.config, len(subjects.folds))
        self.keys = [self.learner.key(cell) for cell in cells]
        self.cells = [c for c in cells if methods is None or c.method in methods]
        self.done = 0
        self.left = 0

    @property
    def file(self) -> Path:
        """The JSON lines."""
        return lines_file(self.out)

    def run(self) -> list[Line]:
        """Run what is not there yet.

        Returns:
            The lines of all cells of this configuration.

        Raises:
            UsageError: If a network has no such option.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        self.learner.check(self.cells)
        lines = {line["key"]: line for line in read_lines(self.file)}
        due = [c for c in self.cells if self.learner.key(c) not in lines]
        self.left = sum(self._cost(cell) for cell in due)
        for number, cell in enumerate(due, 1):
            self.watcher.begin(cell, number, len(due))
            expected = self.left - self._cost(cell)
            line = self.line(cell)
            append_line(self.file, line)
            lines[line["key"]] = line
            self.left = expected
            self.watcher.end(line)
        keys = [self.learner.key(cell) for cell in self.cells]
        return [lines[key] for key in keys]

    def line(self, cell: Cell) -> Line:
        """Train and test one cell."""
        scores: list[Line] = []
        trainings: list[Trained] = []
        seconds = []
        for name in self.subjects.folds[cell.fold]:
            pair = self.subjects.pair(name, cell.scale, cell.shift_mm)
            tested = self._tested(cell, name, pair)
            trainings += tested.trainings
            seconds.append(tested.seconds)
            scores += self._scores(cell, name, pair, tested)
        spent = [t.seconds for t in trainings]
        return {
            "format": FORMAT,
            "key": self.learner.key(cell),
            **cell.facts(),
            "config": {
                "budget": self.config.budget.model_dump(mode="json"),
                "options": self.config.network(cell.method),
                "extra_weight": self.config.data.extra_weight,
                "extra_in_plane_mm": self.config.data.extra_in_plane_mm,
            },
            "train": self.subjects.trained(cell.fold) if trainings else [],
            "test": list(self.subjects.folds[cell.fold]),
            "parameters": _parameters(trainings),
            "steps": trainings[0].steps if trainings else None,
            "train_seconds": round(float(np.mean(spent)), 2) if spent else None,
            "predict_seconds": round(float(np.mean(seconds)), 4),
            "precision": trainings[0].precision if trainings else "float64",
            "hardware": hardware(),
            "versions": {
                "guided_sr": __version__,
                "numpy": np.__version__,
                **(framework_versions() if trainings else {}),
            },
            "scores": scores,
        }

    def _tested(self, cell: Cell, name: str, pair: SimulatedPair) -> Tested:
        kind = cell.how.kind
        count = self.config.cells.slices
        if kind == "classical":
            indices = central_slices(len(pair.low), count)
            plan = _plan(pair)
            begun = time.perf_counter()
            images = PEERS[cell.method](pair.low[indices], pair.guide[indices], plan)
            seconds = (time.perf_counter() - begun) / len(indices)
            return Tested(indices, images, [], seconds)
        if kind != "internal":
            indices = central_slices(len(pair.low), count)
            if kind == "refined":
                trained = self.learner.refined(cell, name)
            else:
                trained = self.learner.shared(cell)
            images, seconds = applied(trained.model, pair, indices)
            return Tested(indices, images, [trained], seconds)
        indices = spread(len(pair.low), count, self.config.cells.internal_slices)
        trainings, parts, times = [], [], []
        for index in indices:
            trainings.append(self.learner.own(cell, name, index))
            image, seconds = applied(trainings[-1].model, pair, [index])
            parts.append(image)
            times.append(seconds)
            keras.backend.clear_session()
        return Tested(indices, np.concatenate(parts), trainings, float(np.mean(times)))

    def _scores(
        self, cell: Cell, name: str, pair: SimulatedPair, tested: Tested
    ) -> list[Line]:
        """Figures of each slice, before and after the paper's back-projection."""
        operator = _plan(pair).observation()
        low, truth = pair.low[tested.indices], pair.high[tested.indices]
        projected = back_project(tested.images, low, operator)
        centre = len(pair.low) // 2
        scores = []
        for row, index in enumerate(tested.indices):
            plain, final = tested.images[row], projected[row]
            scores.append(
                {
                    "subject": name,
                    "slice": index,
                    "centre": index == centre,
                    "psnr": round(psnr(truth[row], final), 4),
                    "ssim": round(ssim(truth[row], final), 5),
                    "psnr_without": round(psnr(truth[row], plain), 4),
                    "ssim_without": round(ssim(truth[row], plain), 5),
                }
            )
            if index == centre:
                shown = plain if cell.method == "cubic" else final
                self._keep_image(cell, name, truth[row], pair.guide[index], shown)
        return scores

    def _keep_image(
        self, cell: Cell, name: str, truth: Stack, guide: Stack, image: Stack
    ) -> None:
        path = image_file(self.out, self.learner.key(cell), name)
        path.parent.mkdir(parents=True, exist_ok=True)
        image = np.asarray(image, np.float32)
        np.savez_compressed(path, truth=truth, guide=guide, image=image)

    def _cost(self, cell: Cell) -> int:
        subjects = len(self.subjects.folds[cell.fold])
        return cell.steps(self.config) * cell.trainings(self.config, subjects)

    def _tick(self, steps: int) -> None:
        self.done += steps
        self.left = max(0, self.left - steps)
        self.watcher.steps(self.done, self.left)


def hardware() -> str:
    """Number and kind of the cores."""
    kind = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            names = [line for line in stream if line.startswith("model name")]
        kind = names[0].split(":", 1)[1].strip() if names else kind
    except OSError:
        pass
    return f"{os.cpu_count()} cores, {kind}"


def spread(n: int, count: int, few: int) -> list[int]:
    """The centre slice and others evenly around it, among the central ones."""
    reach = _REACH * min(count, n) / 2
    offsets = np.linspace(-reach, reach, few) if few > 1 else np.zeros(1)
    offsets[np.argmin(np.abs(offsets))] = 0.0
    places = {min(max(n // 2 + round(float(o)), 0), n - 1) for o in offsets}
    return sorted(places)


def _plan(pair: SimulatedPair) -> CascadePlan:
    rows, columns = pair.low.shape[-2:]
    height, width = pair.high.shape[-2:]
    return CascadePlan.create((rows, columns), target_shape=(height, width), stages=1)


def _parameters(trainings: Sequence[Trained]) -> int | None:
    if not trainings:
        return None
    return int(trainings[0].model.networks[0].count_params())
