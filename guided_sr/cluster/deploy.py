"""Where the workers are: on this machine, in SLURM jobs, or at a running scheduler."""

from __future__ import annotations

import contextlib
import logging
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from guided_sr.errors import ClusterError, UsageError, warn_user

__all__ = ["ClusterOptions", "is_cluster", "open_client"]

LOCAL, SLURM = "local", "slurm"
_CONNECT = 15  # seconds
_ENDINGS = 2  # tries to end a cluster
_PAUSE = 1  # seconds between them
_LOSSES = 1  # workers that may be lost with a task before Dask gives it up
_ADDRESS = re.compile(r"(tcp|tls|ucx)://\S+")


@dataclass(frozen=True)
class ClusterOptions:
    """Where and how large.

    Attributes:
        where: ``"local"``, ``"slurm"`` or the address of a scheduler, ``tcp://...``.
        workers: Number of workers, or of SLURM jobs; an address has its own.
        memory_mb: Limit of each worker in MiB; None sets none.
        scratch: Folder for what Dask itself writes.
    """

    where: str
    workers: int = 1
    memory_mb: int | None = None
    scratch: str | None = None


def is_cluster(text: str) -> bool:
    """Whether a text says where workers are."""
    return text in (LOCAL, SLURM) or _ADDRESS.fullmatch(text) is not None


@contextlib.contextmanager
def open_client(options: ClusterOptions) -> Iterator[Any]:
    """Start workers, or find a scheduler, and be its client.

    Args:
        options: Where and how large.

    Yields:
        A ``distributed.Client``.

    Raises:
        UsageError: If Dask is not installed, or SLURM jobs are not described.
        ClusterError: If no scheduler answers, or no worker can be started.
    """
    try:
        import dask
        import distributed
    except ImportError as error:
        raise UsageError(
            f"a cluster needs Dask ({error})",
            mend="pip install 'guided-sr[cluster]'",
        ) from error
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    settings = {
        "distributed.scheduler.allowed-failures": _LOSSES,
        "distributed.scheduler.worker-saturation": 1.0,
        "distributed.comm.timeouts.connect": f"{_CONNECT}s",
    }
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(settings))
        place: Any = options.where
        if options.where in (LOCAL, SLURM):
            start = _local if options.where == LOCAL else _slurm
            place = stack.enter_context(start(options))
        try:
            client = distributed.Client(place, timeout=_CONNECT)
        except (OSError, TimeoutError) as error:
            raise ClusterError(
                f"no Dask scheduler answers at {options.where}",
                mend="check the address; 'dask scheduler' prints it when it starts",
            ) from error
        stack.callback(_close, client)
        if place is options.where and not client.scheduler_info()["workers"]:
            warn_user(
                f"the scheduler at {options.where} has no workers yet; they are waited"
                " for",
                mend=f"start some with 'dask worker {options.where} --nthreads 1'",
            )
        yield client


@contextlib.contextmanager
def _local(options: ClusterOptions) -> Iterator[Any]:
    import distributed

    limit = None if options.memory_mb is None else f"{options.memory_mb}MiB"
    try:
        cluster = distributed.LocalCluster(
            n_workers=options.workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=limit or 0,
            dashboard_address=None,
            local_directory=options.scratch,
            silence_logs=logging.CRITICAL,
        )
    except (OSError, TimeoutError, RuntimeError) as error:
        raise ClusterError(
            f"the workers cannot be started ({error})",
            mend="ask for fewer with --nprocs, or leave --cluster out",
        ) from error
    with _ended(cluster):
        yield cluster


@contextlib.contextmanager
def _slurm(options: ClusterOptions) -> Iterator[Any]:
    try:
        import dask
        from dask_jobqueue.slurm import SLURMCluster
    except ImportError as error:
        raise UsageError(
            f"SLURM jobs need dask-jobqueue ({error})",
            mend="pip install 'guided-sr[cluster]'",
        ) from error
    own = dask.config.get("jobqueue.slurm.worker-extra-args", None) or []
    # one task at a time, which may use all cores of its job
    given: dict[str, Any] = {
        "processes": 1,
        "worker_extra_args": [*own, "--nthreads", "1"],
    }
    if options.memory_mb is not None:
        given["memory"] = f"{options.memory_mb}MiB"
    if options.scratch is not None:
        given["local_directory"] = options.scratch
    try:
        cluster = SLURMCluster(**given)
    except ValueError as error:  # it names the setting
        raise UsageError(
            f"the SLURM jobs are not described ({error})",
            mend="give cores, memory and walltime under jobqueue: slurm: in"
            " ~/.config/dask/jobqueue.yaml",
        ) from error
    with _ended(cluster):
        try:
            cluster.scale(jobs=options.workers)
        except (OSError, RuntimeError) as error:
            raise ClusterError(
                f"SLURM does not take the jobs ({error})",
                mend="run it where sbatch works, or use --cluster local",
            ) from error
        yield cluster


@contextlib.contextmanager
def _ended(cluster: Any) -> Iterator[None]:
    """End a cluster, whatever comes, without losing what its workers have brought.

    Dask cannot stop a worker that is being started at that moment, in place of a lost
    one, and raises instead.
    """
    try:
        yield
    finally:
        for _ in range(_ENDINGS):
            with contextlib.suppress(Exception):
                cluster.close()
                break
            time.sleep(_PAUSE)


def _close(client: Any) -> None:
    with contextlib.suppress(Exception):  # of a scheduler that is gone
        client.close(timeout=2)
