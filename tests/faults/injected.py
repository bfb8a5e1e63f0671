"""Run the program with a fault that cannot be had from files alone.

Usage: ``python injected.py NAME ARGUMENTS``.
"""

from __future__ import annotations

import errno
import itertools
import json
import math
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def replaced() -> None:
    """The T2 is written anew between the look at its header and the reading."""
    from guided_sr.volumes import nifti

    read = nifti.read_payload

    def late(path: Path, *args: Any, **options: Any) -> Any:
        content = bytearray(path.read_bytes())
        content[60] ^= 1
        path.write_bytes(content)
        return read(path, *args, **options)

    nifti.read_payload = late


def growing() -> None:
    """The T2 is touched by another program while it is read."""
    from guided_sr.volumes import container

    pieces, ticks = container._chunks, itertools.count(1)

    def touched(path: Path, **options: Any) -> Any:
        for piece in pieces(path, **options):
            os.utime(path, ns=(0, next(ticks)))
            yield piece

    container._chunks = touched


def terminated() -> None:
    """A batch system ends the job while the result is being checked."""
    from guided_sr.volumes import saving

    def stop(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    saving._verify = stop


def interrupted() -> None:
    """Ctrl-C comes while the result is being checked."""
    from guided_sr.volumes import saving

    # A shell that starts the tests in the background lets them ignore the signal.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def stop(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    saving._verify = stop


def killed() -> None:
    """The power goes while the result is being checked."""
    from guided_sr.volumes import saving

    def stop(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    saving._verify = stop


def full_disk() -> None:
    """The disk fills up between the check of its space and the writing."""
    from guided_sr.volumes import writing

    def fail(path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    writing._sync = fail


def little_space() -> None:
    """The disk has next to no space left."""
    import shutil

    usage = shutil.disk_usage

    def short(path: Any) -> Any:
        return usage(path)._replace(free=1000)

    shutil.disk_usage = short


def little_memory() -> None:
    """The machine has next to no memory left."""
    from guided_sr.volumes import memory

    memory.available_memory = lambda: 1e-6


def device_memory() -> None:
    """The device's memory holds batches of one slice at most."""
    from guided_sr.inference import cascade

    cascade.PIXELS_A_BATCH = 4 * 48 * 48  # slices of this size at once

    class ResourceExhaustedError(Exception):
        pass

    real = cascade.StageRunner.__call__

    def starved(self: Any, x: Any, y: Any, t1: Any, **options: Any) -> Any:
        if len(x) > 1:
            raise ResourceExhaustedError("OOM when allocating tensor on GPU:0")
        return real(self, x, y, t1, **options)

    cascade.StageRunner.__call__ = starved


def no_device_memory() -> None:
    """The device's memory holds nothing."""
    from guided_sr.inference import cascade

    class ResourceExhaustedError(Exception):
        pass

    def starved(*_: Any, **__: Any) -> Any:
        raise ResourceExhaustedError("OOM when allocating tensor on GPU:0")

    cascade.StageRunner.__call__ = starved


def another_registry() -> None:
    """The registry of presets is that of the file named by ``TEST_REGISTRY``."""
    from guided_sr.presets import download, entries

    known = json.loads(Path(os.environ["TEST_REGISTRY"]).read_text("utf-8"))
    entries.registry = lambda: known
    download.PAUSE_SECONDS = 0.0


def diverging() -> None:
    """The loss is no longer a number from the second epoch on."""
    from guided_sr.training import patches

    draw = patches.PatchDataset.__getitem__

    def broken(self: Any, index: int) -> Any:
        inputs, target = draw(self, index)
        return inputs, target if index < self.steps_per_epoch else target * math.nan

    patches.PatchDataset.__getitem__ = broken


def training_killed() -> None:
    """The power goes during the second epoch of the first stage."""
    from guided_sr.training import checkpoint

    save = checkpoint.Checkpoint.on_epoch_end

    def stop(self: Any, epoch: int, logs: Any = None) -> None:
        if (self.stage, epoch) == (1, 1):
            os.kill(os.getpid(), signal.SIGKILL)
        save(self, epoch, logs)

    checkpoint.Checkpoint.on_epoch_end = stop


def training_killed_late() -> None:
    """The power goes during the third epoch of the first stage."""
    from guided_sr.training import checkpoint

    save = checkpoint.Checkpoint.on_epoch_end

    def stop(self: Any, epoch: int, logs: Any = None) -> None:
        if (self.stage, epoch) == (1, 2):
            os.kill(os.getpid(), signal.SIGKILL)
        save(self, epoch, logs)

    checkpoint.Checkpoint.on_epoch_end = stop


def no_picture() -> None:
    """The library that draws is broken."""
    from guided_sr import report

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no font was found")

    report.draw_panel = fail


FAULTS: dict[str, Callable[[], None]] = {
    name: value
    for name, value in list(globals().items())
    if callable(value) and getattr(value, "__module__", "") == __name__
}


if __name__ == "__main__":
    FAULTS[sys.argv[1]]()
    del sys.argv[1]
    from guided_sr.cli.main import main

    sys.exit(main())
