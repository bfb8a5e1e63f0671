"""The group level: one table of quality over the results of a derivative data set."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from guided_sr.bids.entities import parse_name
from guided_sr.bids.records import table_text
from guided_sr.errors import MissingInputError
from guided_sr.volumes.writing import replace_json, write_file

__all__ = ["OUTLIER", "flag_outliers", "write_group_table"]

OUTLIER = 3.5  # robust z, after Iglewicz and Hoaglin (1993)
_NORMAL = 0.6745  # quartile of the normal distribution
_FEWEST = 5  # results below which nothing stands out
_FIGURES = {
    "consistency_before": "what the last stage leaves unexplained of the T2, before its"
    " back-projection: root mean square as a share of the T2's intensity range",
    "consistency_after": "the same after the back-projection",
    "largest_residual": "largest of what is left unexplained, in units of the T2",
    "guide_overlap": "share of the T2's field of view that the T1 covers",
    "guide_gain_db": "gain by the T1 on slices of the T2 that were made coarser and"
    " brought back, in dB",
    "seconds": "time in the networks",
    "warnings": "number of warnings",
}


def write_group_table(out: Path) -> tuple[Path, int]:
    """Gather the quality of every result, and flag what stands out.

    Args:
        out: Top of the derivative data set.

    Returns:
        The table ``group_T2w.tsv`` (its columns are told in the ``.json`` beside it),
        and the number of results with a flag.

    Raises:
        MissingInputError: If there is no result.
    """
    rows = [
        (path, block)
        for path in sorted(out.glob("sub-*/**/anat/*_desc-guidedsr_T2w.nii.gz"))
        if (block := _block(path))
    ]
    if not rows:
        raise MissingInputError(
            "there is no result to make a table of",
            path=out,
            mend="run the participant level first",
        )
    values = {name: [_figure(block, name) for _, block in rows] for name in _FIGURES}
    flags = flag_outliers({n: v for n, v in values.items() if n != "seconds"})
    header = (
        *("bids_name", "subject", "session", "verdict"),
        *_FIGURES,
        *("model", "outlier"),
    )
    lines = [
        (
            path.name.removesuffix(".nii.gz"),
            *_who(path),
            str(block.get("qc", {}).get("verdict", "n/a")),
            *(_text(values[name][number]) for name in _FIGURES),
            str(block.get("model", {}).get("name", "n/a")),
            ",".join(flags[number]) or "n/a",
        )
        for number, (path, block) in enumerate(rows)
    ]
    table = out / "group_T2w.tsv"
    text = table_text(header, lines)

    def write(file: Path) -> None:
        file.write_text(text, encoding="utf-8")

    write_file(table, write, force=True)
    told: dict[str, Any] = {name: {"Description": w} for name, w in _FIGURES.items()}
    told["verdict"] = {
        "Description": "what the figures come to; the reasons are in the sidecar under"
        " qc. PASS says that nothing stood out, not that the result is right",
        "Levels": {
            "PASS": "nothing stood out",
            "LOOK": "something asks for a look",
            "FAIL": "not to be used",
        },
    }
    told["outlier"] = {
        "Description": f"columns whose robust z is over {OUTLIER:g} (distance from the"
        f" median over the median distance); none below {_FEWEST} results"
    }
    replace_json(out / "group_T2w.json", told)
    return table, sum(map(bool, flags))


def flag_outliers(
    columns: Mapping[str, Sequence[float | None]],
) -> list[list[str]]:
    """Names of the columns in which each row stands out.

    Args:
        columns: Values of each, None where there is none; all of one length.

    Returns:
        A list a row. A column whose median distance is 0 flags whatever differs from
        its median by more than rounding.
    """
    count = len(next(iter(columns.values()), ()))
    flags: list[list[str]] = [[] for _ in range(count)]
    for name, column in columns.items():
        numbers = np.array([np.nan if v is None else v for v in column], np.float64)
        known = numbers[np.isfinite(numbers)]
        if known.size < _FEWEST:
            continue
        distance = np.abs(numbers - np.median(known))
        spread = float(np.median(distance[np.isfinite(distance)]))
        least = 1e-6 * max(1.0, abs(float(np.median(known))))
        for row in np.flatnonzero(_NORMAL * distance > OUTLIER * max(spread, least)):
            flags[int(row)].append(name)
    return flags


def _block(path: Path) -> dict[str, Any]:
    sidecar = path.with_name(path.name.removesuffix(".nii.gz") + ".json")
    try:
        block = json.loads(sidecar.read_text("utf-8"))["GuidedSR"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return block if isinstance(block, dict) else {}


def _figure(block: Mapping[str, Any], name: str) -> float | None:
    if name == "warnings":
        return float(len(block.get("warnings", ())))
    value = block.get("seconds") if name == "seconds" else block.get("qc", {}).get(name)
    return float(value) if isinstance(value, (int, float)) else None


def _who(path: Path) -> tuple[str, str]:
    name = parse_name(path)
    assert name is not None  # found by its name
    return f"sub-{name.entities['sub']}", name.entities.get("ses", "n/a")


def _text(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.6g}"
