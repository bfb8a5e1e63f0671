"""Train what a cell needs, or take it up where it was left, and apply it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from guided_sr.datasets.simulated import SimulatedPair
from guided_sr.evaluation.benchmark.cells import Cell
from guided_sr.evaluation.benchmark.subjects import Subjects
from guided_sr.inference.cascade import run_cascade
from guided_sr.inference.inputs import prepare
from guided_sr.model import GuidedSRModel
from guided_sr.physics.back_projection import BackProjection

Stack = NDArray[np.float32]
Tick = Callable[[int], None]

_NO_BACK_PROJECTION = BackProjection.of(None)
_EPOCH = 100
_EPOCH_OF_ITS_OWN = 50


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained model and what it took.

    Attributes:
        model: The model.
        seconds: Of training, interruptions left out.
        steps: Steps that were run.
        precision: Of the convolutions.
    """

    model: GuidedSRModel
    seconds: float
    steps: int
    precision: str


class Learner:
    """Trains models for cells; each is kept in a folder and made once.

    Args:
        subjects: The subjects.
        folder: Where models and checkpoints are kept.
        tick: Called with the number of steps done since the last call.
    """

    def __init__(self, subjects: Subjects, folder: Path, *, tick: Tick) -> None:
        self.subjects = subjects
        self.config = subjects.config
        self.folder = folder
        self.tick = tick

    def shared(self, cell: Cell) -> Trained:
        """The model of a cell that learns from other subjects."""
        training = cell.training()
        how = training.how

        def fit(model: GuidedSRModel, checkpoints: Path) -> list[Any]:
            names = self.subjects.trained(cell.fold)
            pairs = [
                self.subjects.pair(name, cell.scale, training.shift_mm)
                for name in names
            ]
            shared = {
                "weights": [self.subjects.weight(name) for name in names],
                **self._options(training, checkpoints),
            }
            if how.kind == "supervised":
                return model.fit_supervised(
                    [(p.high, p.guide) for p in pairs], cell.scale, **shared
                )
            if how.started:  # nothing is held out: the last weights are kept
                shared |= {"init": self.config.start, "validation": 0}
            return model.fit_external(
                [(p.low, p.guide) for p in pairs],
                cell.scale,
                cell.stages,
                guide_jitter_mm=cell.jitter_mm,
                **shared,
            )

        return self._kept(training, self._folder(training), fit)

    def own(self, cell: Cell, name: str, index: int) -> Trained:
        """The model of a cell that learns from the tested slice itself."""
        return self._own(cell, name, slice(index, index + 1), start=None)

    def refined(self, cell: Cell, name: str) -> Trained:
        """The external model of a cell, refined on the whole scan that is tested."""
        return self._own(cell, name, slice(None), start=self.shared(cell).model)

    def _own(
        self, cell: Cell, name: str, part: slice, *, start: GuidedSRModel | None
    ) -> Trained:
        pair = self.subjects.pair(name, cell.scale, cell.shift_mm)

        def fit(model: GuidedSRModel, checkpoints: Path) -> list[Any]:
            options = self._options(cell, checkpoints)
            return model.fit_internal(
                pair.low[part],
                pair.guide[part] if cell.how.guided else None,
                cell.scale,
                cell.stages,
                init=start,
                max_seconds=None,
                **options,
            )

        which = "scan" if part.start is None else str(part.start)
        return self._kept(cell, self._folder(cell) / f"{name}_{which}", fit)

    def _folder(self, cell: Cell) -> Path:
        return self.folder / f"{cell.method}_{cell.key(self.config, self._data(cell))}"

    def _data(self, cell: Cell) -> dict[str, Any]:
        names = [*self.subjects.trained(cell.fold), *self.subjects.folds[cell.fold]]
        return {name: self.subjects.digests[name] for name in names}

    def key(self, cell: Cell) -> str:
        """Digest of all that determines a cell."""
        return cell.key(self.config, self._data(cell))

    def _stage_steps(self, cell: Cell) -> int:
        return max(1, cell.steps(self.config) // cell.stages)

    def _epoch(self, cell: Cell) -> int:
        own = cell.how.kind in ("internal", "refined")
        return min(_EPOCH_OF_ITS_OWN if own else _EPOCH, self._stage_steps(cell))

    def _options(self, cell: Cell, checkpoints: Path) -> dict[str, Any]:
        budget = self.config.budget
        return {
            "max_steps": self._stage_steps(cell),
            "steps_per_epoch": self._epoch(cell),
            "loss": cell.loss,
            "schedule": budget.schedule,
            "learning_rate": budget.learning_rate,
            "batch_size": budget.batch_size,
            "patch_size": budget.patch_size,
            "seed": cell.seed,
            "checkpoint_dir": checkpoints,
            "callbacks": [_Ticks(self.tick)],
            "verbose": 0,
        }

    def check(self, cells: Sequence[Cell]) -> None:
        """Build every network once, so that a wrong option stops a run at once.

        Raises:
            UsageError: If a network has no such option, or the start does not fit.
        """
        for cell in {(c.method, c.scale, c.stages): c for c in cells}.values():
            if cell.how.kind != "classical":
                model = self._model(cell)
                if cell.how.started:
                    model._start(self.config.start, cell.scale, cell.stages)

    def _model(self, cell: Cell) -> GuidedSRModel:
        return GuidedSRModel(
            cell.how.backbone,
            guided=cell.how.guided,
            back_projection=self.config.budget.back_projection,
            **self.config.network(cell.method),
        )

    def _kept(
        self,
        cell: Cell,
        folder: Path,
        fit: Callable[[GuidedSRModel, Path], list[Any]],
    ) -> Trained:
        if not (folder / "config.json").exists():
            model = self._model(cell)
            checkpoints = folder / "checkpoints"
            histories = fit(model, checkpoints)
            record = {
                "cell": cell.facts(),
                "seconds": sum(h.history["seconds"][-1] for h in histories),
                "steps": sum(len(h.epoch) for h in histories) * self._epoch(cell),
                "precision": model.dtype,
            }
            model.save_preset(folder, metadata={"benchmark": record})
            shutil.rmtree(checkpoints, ignore_errors=True)
        model = GuidedSRModel.from_preset(folder)
        record = model.metadata["benchmark"]
        return Trained(
            model,
            float(record["seconds"]),
            int(record["steps"]),
            str(record["precision"]),
        )


class _Ticks(keras.callbacks.Callback):
    """Tell the progress of a training."""

    def __init__(self, tick: Tick) -> None:
        super().__init__()
        self.tick = tick

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.tick(int(self.params["steps"]))


def applied(
    model: GuidedSRModel, pair: SimulatedPair, indices: Sequence[int]
) -> tuple[Stack, float]:
    """Super-resolve slices of a pair, without the last back-projection.

    Intensities are normalised over the slices given.

    Returns:
        Slices ``(n, H, W)`` in the T2's units, and the seconds a slice.
    """
    chosen = list(indices)
    guide = pair.guide[chosen] if model.guided else None
    inputs = prepare(
        pair.low[chosen], guide, guided=model.guided, scale=model.known_scale()
    )
    plan = inputs.plan(stages=model.stages, stage_blur=model.stage_blur)

    def run(part: slice) -> Stack:
        t2, t1 = inputs.normalised()
        return run_cascade(
            model.networks,
            t2[part],
            None if t1 is None else t1[part],
            plan=plan,
            back_projection=model.back_projection,
            last=_NO_BACK_PROJECTION,
        )

    run(slice(0, 1))  # traces
    begun = time.perf_counter()
    stack = run(slice(None))
    seconds = (time.perf_counter() - begun) / len(chosen)
    return np.maximum(inputs.t2_scale.inverse(stack), 0.0), seconds
