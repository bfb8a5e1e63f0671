"""The paper's comparison on any folder of T1/T2 pairs: ``guided-sr benchmark``.

`read_config` and `cells_of` tell what will run without loading a framework;
`run` (in `guided_sr.evaluation.benchmark.runner`) spends the hours.
"""

from guided_sr.evaluation.benchmark.cells import Cell, cells_of
from guided_sr.evaluation.benchmark.config import BenchmarkConfig, read_config
from guided_sr.evaluation.benchmark.methods import METHODS, Method
from guided_sr.evaluation.benchmark.subjects import Subjects, find_subjects

__all__ = [
    "METHODS",
    "BenchmarkConfig",
    "Cell",
    "Method",
    "Subjects",
    "cells_of",
    "find_subjects",
    "read_config",
]
