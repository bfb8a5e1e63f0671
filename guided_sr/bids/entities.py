"""Names of BIDS files: entities, their order, and how a filter compares them.

The order is that of ``schema/rules/entities.yaml`` of the specification (BIDS 1.10).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["ENTITIES", "BidsName", "matches", "parse_name"]

ENTITIES = {
    "sub": "subject",
    "ses": "session",
    "sample": "sample",
    "task": "task",
    "tracksys": "tracksys",
    "acq": "acquisition",
    "nuc": "nucleus",
    "voi": "volume",
    "ce": "ceagent",
    "trc": "tracer",
    "stain": "staining",
    "rec": "reconstruction",
    "dir": "direction",
    "run": "run",
    "mod": "modality",
    "echo": "echo",
    "flip": "flip",
    "inv": "inversion",
    "mt": "mt",
    "part": "part",
    "proc": "proc",
    "hemi": "hemisphere",
    "space": "space",
    "split": "split",
    "recording": "recording",
    "chunk": "chunk",
    "seg": "segmentation",
    "res": "resolution",
    "den": "density",
    "label": "label",
    "desc": "description",
}
"""Key of each entity and its long name, in the order in which a name has them."""

_PART = re.compile(r"([A-Za-z]+)-([A-Za-z0-9+]+)")
_SUFFIX = re.compile(r"[A-Za-z0-9]+")
_OF_THE_FILE = ("suffix", "extension", "datatype")


@dataclass(frozen=True)
class BidsName:
    """The parts of a file name.

    Attributes:
        entities: Keys and labels, e.g. ``{"sub": "01", "run": "2"}``.
        suffix: What ends the name, e.g. ``"T2w"``.
        extension: With its dot, e.g. ``".nii.gz"``.
    """

    entities: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""
    extension: str = ""

    def __str__(self) -> str:
        """The name, its entities in the order of the specification."""
        order = list(ENTITIES)
        keys = sorted(self.entities, key=order.index)
        parts = [f"{key}-{self.entities[key]}" for key in keys]
        return "_".join([*parts, self.suffix]) + self.extension

    def having(
        self, suffix: str | None = None, extension: str | None = None, **labels: str
    ) -> BidsName:
        """The same name with other or further parts."""
        return BidsName(
            {**self.entities, **labels},
            self.suffix if suffix is None else suffix,
            self.extension if extension is None else extension,
        )


def parse_name(path: Path) -> BidsName | None:
    """Take a file name apart.

    Args:
        path: Its last part is looked at.

    Returns:
        The parts, or None if it is no name of the specification.
    """
    stem, dot, extension = path.name.partition(".")
    *parts, suffix = stem.split("_")
    entities = {}
    for part in parts:
        found = _PART.fullmatch(part)
        if found is None or found[1] not in ENTITIES or found[1] in entities:
            return None
        entities[found[1]] = found[2]
    if not entities or not _SUFFIX.fullmatch(suffix):
        return None
    return BidsName(entities, suffix, dot + extension)


def matches(name: BidsName, wanted: Mapping[str, Any]) -> bool:
    """Whether a name passes a filter.

    Args:
        name: The name.
        wanted: Long names of entities with a label, a list of labels, or None for "the
            entity is absent"; numbers compare as numbers, so that 1 is ``"01"``.
            ``suffix``, ``extension`` and ``datatype`` are understood as well.
    """
    long = {ENTITIES[key]: label for key, label in name.entities.items()}
    long.update(suffix=name.suffix, extension=name.extension, datatype="anat")
    for entity, labels in wanted.items():
        allowed = labels if isinstance(labels, list) else [labels]
        if not any(_same(long.get(entity), one) for one in allowed):
            return False
    return True


def known_filter_keys() -> set[str]:
    """What a filter may name."""
    return {*ENTITIES.values(), *_OF_THE_FILE}


def _same(label: str | None, wanted: Any) -> bool:
    if label is None or wanted is None:
        return label is None and wanted is None
    text = str(wanted)
    if label.isdigit() and text.isdigit():
        return int(label) == int(text)
    return label == text
