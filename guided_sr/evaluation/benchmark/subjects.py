"""The subjects of a benchmark: found, split into folds, degraded when asked for."""

from __future__ import annotations

import functools
import zlib
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from guided_sr.datasets.pairs import PairOfPaths, pairs_from_folders
from guided_sr.datasets.simulated import SimulatedPair, simulate_pair
from guided_sr.errors import DataError, UsageError
from guided_sr.evaluation.benchmark.config import BenchmarkConfig
from guided_sr.volumes import read_volume, require_overlap, sha256_of

_MOST_FOLDS = 4
_KEPT = 24


@dataclass(frozen=True, eq=False)
class Subjects:
    """Those who are tested, those who only train, and their files.

    Attributes:
        test: Names of the tested, sorted.
        extra: Names of those who only ever train, sorted.
        files: T2 and T1 of each of them.
        digests: sha256 of both files of each.
        folds: The tested of each fold.
        config: The benchmark.
    """

    test: tuple[str, ...]
    extra: tuple[str, ...]
    files: dict[str, PairOfPaths]
    digests: dict[str, tuple[str, str]]
    folds: tuple[tuple[str, ...], ...]
    config: BenchmarkConfig

    def trained(self, fold: int) -> list[str]:
        """Who trains for a fold."""
        kept = [name for name in self.test if name not in self.folds[fold]]
        return [*kept, *self.extra]

    def weight(self, name: str) -> float:
        """How often a slice of a subject is drawn, against the others'."""
        return self.config.data.extra_weight if name in self.extra else 1.0

    def check(self) -> None:
        """Read every pair once, so that a bad file stops a run at its beginning.

        Raises:
            GuidedSRError: If a file cannot be used or a T1 does not overlap its T2.
        """
        for pair in self.files.values():
            low = read_volume(pair.t2, name="T2")
            if pair.t1 is not None:
                require_overlap(read_volume(pair.t1, name="T1"), low)

    def pair(self, name: str, scale: float, shift_mm: float) -> SimulatedPair:
        """A subject degraded by a factor, its guide shifted, signs at random.

        The signs are drawn once a subject, so that training and test, and every
        method, see the same guide.
        """
        return self._pairs(name, scale, shift_mm)

    @functools.cached_property
    def _pairs(self) -> functools._lru_cache_wrapper[SimulatedPair]:
        @functools.lru_cache(maxsize=_KEPT)
        def load(name: str, scale: float, shift_mm: float) -> SimulatedPair:
            rng = np.random.default_rng(zlib.crc32(name.encode()))
            x, y, z = (rng.choice([-1.0, 1.0], 3) * shift_mm).tolist()
            files = self.files[name]
            if files.t1 is None:
                raise DataError("the subject has no T1", path=files.t2)
            pixel = None
            if name in self.extra:
                pixel = self.config.data.extra_in_plane_mm
            return simulate_pair(
                files.t2,
                files.t1,
                scale=scale,
                in_plane_mm=pixel,
                guide_shift_mm=(x, y, z),
            )

        return load


def find_subjects(folder: Path, config: BenchmarkConfig) -> Subjects:
    """Find the subjects below a folder and check that there can be folds.

    Args:
        folder: One folder a subject, each with a T2 and a T1.
        config: The benchmark.

    Raises:
        MissingInputError: If the folder is not there or holds no pair.
        UsageError: If fewer than two subjects can be tested, or two have one name.
    """
    files: dict[str, PairOfPaths] = {}
    for pair in pairs_from_folders(folder):
        name = pair.t2.parent.relative_to(folder).as_posix()
        if name in files:
            raise UsageError(f"there are two subjects called {name}", path=folder)
        files[name] = pair
    data = config.data
    extra = sorted(n for n in files if _any_matches(n, data.extra_training))
    test = sorted(n for n in files if n not in extra and _any_matches(n, data.test))
    if len(test) < 2:
        raise UsageError(
            f"{len(test)} subject to test ({', '.join(test) or 'none matches'}): no"
            " fold is possible",
            path=folder,
            mend="give two subjects or more, or widen [data] test in the file",
        )
    count = min(data.folds or _MOST_FOLDS, len(test))
    folds = tuple(tuple(test[k::count]) for k in range(count))
    digests = {
        name: (sha256_of(files[name].t2), sha256_of(files[name].t1 or files[name].t2))
        for name in [*test, *extra]
    }
    files = {name: files[name] for name in digests}
    return Subjects(tuple(test), tuple(extra), files, digests, folds, config)


def _any_matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)
