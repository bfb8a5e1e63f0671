"""Tasks on workers that may be lost: each comes back once, with a result or a loss."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

from guided_sr.cluster.deploy import ClusterOptions, open_client
from guided_sr.errors import ClusterError, TryAgainError

__all__ = ["run_tasks"]

Task = TypeVar("Task")
Out = TypeVar("Out")


class _LostError(TryAgainError):
    """Workers were lost with a task (75)."""


def run_tasks(
    function: Callable[[Task], Out],
    tasks: Sequence[Task],
    options: ClusterOptions,
) -> Generator[tuple[int, Out | Exception]]:
    """Run a function on every task, on the workers of a cluster.

    A task whose worker is lost goes to another one; the function must be able to begin
    again. Dask blames all tasks of a lost worker, also those that only waited there:
    one that was blamed too often is tried once more, alone, after all others. Closing
    the iterator early drops what has not begun.

    Args:
        function: Importable on the workers.
        tasks: Its arguments, which can be pickled.
        options: Where the workers are.

    Yields:
        The number of a task and what the function returned, in the order in which they
        end; in place of it, the exception that the function raised, or a
        `TryAgainError` if workers were lost with this task again and again.

    Raises:
        UsageError: If Dask is not installed.
        ClusterError: If the cluster cannot be reached, or goes away.
    """
    with open_client(options) as client:
        blamed = []
        for number, end in _ends(client, function, tasks, range(len(tasks)), options):
            if isinstance(end, _LostError) and len(tasks) > 1:
                blamed.append(number)
            else:
                yield number, end
        for number in blamed:
            yield from _ends(client, function, tasks, [number], options)


def _ends(
    client: Any,
    function: Callable[[Task], Out],
    tasks: Sequence[Task],
    numbers: Sequence[int],
    options: ClusterOptions,
) -> Generator[tuple[int, Out | Exception]]:
    from distributed import as_completed

    run = uuid.uuid4().hex[:8]
    keys = {f"{run}-{number}": number for number in numbers}
    ended = as_completed(
        [
            client.submit(function, tasks[number], key=key, pure=False)
            for key, number in keys.items()
        ]
    )
    left = len(keys)
    for future in ended:
        end = _end(future, options, left)
        left -= 1
        number = keys[future.key]
        # else it would be done again when the worker that holds the result is lost
        future.release()
        yield number, end


def _end(future: Any, options: ClusterOptions, left: int) -> Any:
    """What a future holds.

    Raises:
        ClusterError: If the scheduler is gone.
    """
    from distributed import CancelledError, KilledWorker
    from distributed.comm.core import CommClosedError

    try:
        return future.result()
    except KilledWorker as error:
        lost = _LostError(
            "the worker was lost each time that it came to this subject",
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
