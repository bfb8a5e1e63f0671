"""Checkpoints from which a killed training goes on exactly.

A folder holds the options of the training (`run.json`), the weights of finished
stages and, for the stage under way, two slots of weights and optimizer state
written in turn. ``stage_N.state.json`` names the good slot and is replaced
atomically and last: whatever moment a kill comes, it names a whole file.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from guided_sr.errors import UsageError, WeightsError, warn_user
from guided_sr.networks.weights import save_weights
from guided_sr.training.schedule import StatefulCallback
from guided_sr.volumes.writing import replace_json


class TrainingFolder:
    """The checkpoint folder of one training.

    Args:
        folder: Created if missing.
        options: Everything that determines the training, as plain data.

    Raises:
        UsageError: If the folder holds a training with other options; the
            differing ones are named.
    """

    def __init__(self, folder: str | os.PathLike[str], options: dict[str, Any]) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        run = self.folder / "run.json"
        options = json.loads(json.dumps(options))
        if run.exists():
            before = json.loads(run.read_text("utf-8"))
            differing = list(_differences(before, options))
            if differing:
                raise UsageError(
                    "the checkpoint was made with other options"
                    f" ({'; '.join(differing)})",
                    path=self.folder,
                    mend="give the same options and data, or another folder, or drop"
                    " the checkpoint with --fresh",
                )
        else:
            replace_json(run, options)

    def finished(self, stage: int) -> Path:
        """Weights of a finished stage."""
        return self.folder / f"stage_{stage}.weights.h5"

    def slot(self, stage: int, number: int) -> Path:
        """One of the two slots of a stage under way."""
        return self.folder / f"stage_{stage}.slot{number}.weights.h5"

    def best(self, stage: int, number: int) -> Path:
        """One of the two files of the best weights of a stage under way."""
        return self.folder / f"stage_{stage}.best{number}.weights.h5"

    def load(self, network: keras.Model, path: Path) -> None:
        """Bring weights back that the state names.

        Raises:
            WeightsError: If the file cannot be read.
        """
        try:
            network.load_weights(path)
        except (OSError, ValueError, KeyError) as error:
            raise WeightsError(
                "the checkpoint cannot be read",
                path=path,
                mend="train afresh: remove the folder, or give --fresh",
            ) from error

    def state_file(self, stage: int) -> Path:
        """State of a stage under way."""
        return self.folder / f"stage_{stage}.state.json"

    def log_file(self, stage: int) -> Path:
        """CSV log of a stage."""
        return self.folder / f"stage_{stage}.csv"

    def finish(self, stage: int, network: keras.Model) -> None:
        """Keep a stage's final weights and drop its slots."""
        save_weights(network, self.finished(stage))
        slots = [file(stage, n) for file in (self.slot, self.best) for n in (0, 1)]
        for path in (*slots, self.state_file(stage)):
            path.unlink(missing_ok=True)


def drop_checkpoints(folder: Path) -> None:
    """Remove the files of a training, and nothing else, from its folder."""
    if not (folder / "run.json").exists():
        return  # what lies there is no training's
    for path in [folder / "run.json", *folder.glob("stage_*")]:
        path.unlink(missing_ok=True)


def _differences(before: Any, now: Any, name: str = "") -> Iterator[str]:
    """Every entry that is not the same, with both values where they are short."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(before.keys() | now.keys()):
            if key == "versions" and key not in before:  # of an older version
                continue
            inner = f"{name}.{key}" if name else key
            yield from _differences(before.get(key), now.get(key), inner)
    elif before != now:
        values = f"{before}, now {now}"
        yield f"{name}: {values}" if len(values) <= 60 else name


def read_log(file: Path) -> dict[int, dict[str, float]]:
    """Figures of each epoch in a stage's CSV log; none if there is no log.

    An epoch that stands there twice, after a kill, counts as last written; figures
    that Keras had not got ("NA") are left out.
    """
    if not file.exists():
        return {}
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {
        int(row.pop("epoch")): {
            k: float(v) for k, v in row.items() if k and v not in (None, "", "NA")
        }
        for row in rows
    }


def digest_of_arrays(arrays: Sequence[Any]) -> str:
    """sha256 over the bytes of arrays, to notice other data on a resume."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(b"none" if array is None else np.asarray(array).tobytes())
    return digest.hexdigest()


class Checkpoint(StatefulCallback):
    """Save weights, optimizer and callback states at each epoch's end.

    Args:
        folder: The training's folder.
        stage: Number of the stage.
        callbacks: Callbacks whose state is saved with the weights.
    """

    def __init__(
        self, folder: TrainingFolder, stage: int, callbacks: Sequence[StatefulCallback]
    ) -> None:
        super().__init__()
        self.folder = folder
        self.stage = stage
        self.callbacks = list(callbacks)
        self.before: dict[str, Any] | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the slot that is not in use, then point to it."""
        number = (epoch + 1) % 2
        save_weights(self.model, self.folder.slot(self.stage, number))
        states = {type(c).__name__: c.state() for c in self.callbacks}
        saved = {
            "epoch": epoch + 1,
            "slot": number,
            "stopped": bool(self.model.stop_training),
            "callbacks": states,
        }
        file = self.folder.state_file(self.stage)
        replace_json(file, {**saved, "before": self.before})
        self.before = saved

    def resume(self, network: keras.Model) -> tuple[int, bool]:
        """Bring a compiled network back to its last epoch.

        Args:
            network: Compiled network, its optimizer built.

        Returns:
            The epoch to go on with, and whether training had stopped by itself.

        Where its file is damaged, the epoch before is taken, with a warning.

        Raises:
            WeightsError: If neither can be read.
        """
        file = self.folder.state_file(self.stage)
        if not file.exists():
            return 0, False
        newest = json.loads(file.read_text("utf-8"))
        before = newest.pop("before", None)
        for state in (newest, before):
            slot = self.folder.slot(self.stage, newest["slot"])
            if state is None:
                break
            try:
                network.load_weights(self.folder.slot(self.stage, state["slot"]))
            except (OSError, ValueError, KeyError):
                continue
            if state is before:
                warn_user(
                    "the newest checkpoint cannot be read; the one before it is used",
                    path=slot,
                )
            for callback in self.callbacks:
                callback.restore(state["callbacks"].get(type(callback).__name__, {}))
            self.before = state
            return int(state["epoch"]), bool(state["stopped"])
        raise WeightsError(
            "the checkpoint cannot be read",
            path=slot,
            mend="train afresh: remove the folder, or give --fresh",
        )
