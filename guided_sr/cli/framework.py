"""Load the framework late and silently."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from guided_sr.cli.console import Console
from guided_sr.errors import UsageError
from guided_sr.machine import fast_format


@contextlib.contextmanager
def quiet_framework(*, debug: bool = False) -> Iterator[None]:
    """Load a framework without its messages on standard error.

    TensorFlow's libraries write to the file descriptor itself, before any setting
    of theirs is read; it leads elsewhere until they are loaded. What they wrote is
    shown if loading fails.

    Args:
        debug: Whether to let everything through.
    """
    if debug:
        yield
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import logging

    for name in ("tensorflow", "absl", "jax"):
        logging.getLogger(name).setLevel(logging.ERROR)
    sys.stderr.flush()
    with contextlib.ExitStack() as stack:
        try:
            saved = os.dup(2)
        except OSError:  # there is no standard error
            yield
            return
        stack.callback(os.close, saved)
        hidden = stack.enter_context(tempfile.TemporaryFile())
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except Exception:
            sys.stderr.flush()
            os.dup2(saved, 2)
            hidden.seek(0)
            os.write(2, hidden.read()[-4000:])
            raise
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)


def load_framework(console: Console, *, debug: bool = False) -> None:
    """Import Keras and its backend, silently.

    Args:
        console: Where to say that this takes seconds.
        debug: Whether to show what the framework says.

    Raises:
        UsageError: If the backend that is asked for is not installed.
    """
    if "keras" not in sys.modules:
        console.note("loading Keras ...")
    with quiet_framework(debug=debug):
        try:
            import guided_sr.model  # noqa: F401
            from guided_sr.runtime import list_devices

            list_devices("gpu")  # the drivers, too, have something to say
        except (ImportError, ValueError) as error:
            raise UsageError(
                f"Keras or its backend cannot be loaded ({error})",
                mend="install the backend that KERAS_BACKEND names, or unset it",
            ) from error


def precision_for(device: str, precision: str) -> str:
    """What ``--precision`` means on a device.

    ``auto`` looks at the machine as a whole; on a CPU beside a GPU, it must look at
    the CPU.

    Args:
        device: As in ``--device``.
        precision: As in ``--precision``.

    Returns:
        The argument for `GuidedSRModel`.
    """
    if device != "cpu" or precision != "auto":
        return precision
    import keras

    return fast_format(gpu=False, backend=keras.backend.backend())
