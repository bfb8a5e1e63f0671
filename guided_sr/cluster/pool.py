"""Tasks on workers that may be lost: each comes back once, with a result or a loss."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

from guided_sr.cluster.deploy import LOSSES, ClusterOptions, open_client
from guided_sr.errors import ClusterError, TryAgainError

__all__ = ["run_tasks"]

Task = TypeVar("Task")
Out = TypeVar("Out")


def run_tasks(
    function: Callable[[Task], Out],
    tasks: Sequence[Task],
    options: ClusterOptions,
) -> Generator[tuple[int, Out | Exception]]:
    """Run a function on every task, on the workers of a cluster.

    A task whose worker is lost goes to another one; the function must be able to begin
    again. Closing the iterator early drops what has not begun.

    Args:
        function: Importable on the workers.
        tasks: Its arguments, which can be pickled.
        options: Where the workers are.

    Yields:
        The number of a task and what the function returned, in the order in which they
        end; in place of it, the exception that the function raised, or a
        `TryAgainError` if too many workers were lost with this task.

    Raises:
        UsageError: If Dask is not installed.
        ClusterError: If the cluster cannot be reached, or goes away.
    """
    with open_client(options) as client:
        from distributed import as_completed

        run = uuid.uuid4().hex[:8]
        numbers = {
            client.submit(function, task, key=f"{run}-{number}", pure=False): number
            for number, task in enumerate(tasks)
        }
        left = len(numbers)
        for future in as_completed(list(numbers)):
            result = _result(future, options, left)
            left -= 1
            yield numbers[future], result


def _result(future: Any, options: ClusterOptions, left: int) -> Any:
    """What a future holds.

    Raises:
        ClusterError: If the scheduler is gone.
    """
    from distributed import CancelledError, KilledWorker
    from distributed.comm.core import CommClosedError

    try:
        return future.result()
    except KilledWorker as error:
        lost = TryAgainError(
            f"{LOSSES + 1} workers were lost one after the other with this subject",
            mend="give each worker more memory or time: fewer --nprocs, or a larger"
            " --mem-mb",
        )
        lost.__cause__ = error
        return lost
    except (CancelledError, CommClosedError, OSError) as error:
        if future.status == "error":  # the function itself raised it
            return error
        raise ClusterError(
            f"the cluster {options.where} went away with {left} tasks left",
            mend="start it again and run the same command: what is finished is kept",
        ) from error
    except Exception as error:
        return error
