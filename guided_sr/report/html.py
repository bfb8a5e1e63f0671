"""One page on one result: pictures, figures and provenance, in a single file.

The page holds everything in itself, asks nothing of a network and runs no script:
before and after lie on each other, and the upper one goes while the mouse is over it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

from guided_sr._about import CITATION
from guided_sr._version import __version__
from guided_sr.errors import GuidedSRError, PathLike
from guided_sr.inference.map_meanings import MAPS
from guided_sr.inference.recall import recall_t1
from guided_sr.inference.result import INTENDED_USE, Result
from guided_sr.physics.operators import SeparableOperator
from guided_sr.report.facts import plan_rows, provenance_rows, quality_rows
from guided_sr.report.histogram import histogram
from guided_sr.report.panel import error_window, grey_window, magnitude_window
from guided_sr.report.planes import (
    PLANES,
    Upright,
    data_uri,
    edges,
    head_centre,
    shade,
)
from guided_sr.volumes import Volume, bring_to_grid
from guided_sr.volumes.writing import json_text, write_file

__all__ = ["render_report", "write_report"]

At = tuple[float, float, float]


def write_report(
    result: Result,
    path: PathLike,
    *,
    t1: Volume | None = None,
    force: bool = False,
) -> Path:
    """Write a self-contained HTML page on a result.

    It shows the plan, cubic interpolation and result by turns in three planes, the
    edges of the T1 over the result, the maps that the result carries, histograms,
    figures of quality, warnings and provenance.

    Args:
        result: What `GuidedSRModel.predict_cascade` returned for files or images.
        path: The ``.html`` file.
        t1: The T1 where it lies on the T2; read again from its file by default. Without
            either, the page has no edges.
        force: Whether an existing file is replaced.

    Returns:
        The path.

    Raises:
        CannotCreateError: If the file exists (without `force`) or cannot be made.
        IOFailure: If writing fails.

    Example:
        >>> import guided_sr
        >>> result = model.predict_cascade("T2.nii.gz", "T1.nii.gz")  # doctest: +SKIP
        >>> guided_sr.write_report(result, "report.html")  # doctest: +SKIP
    """
    page = render_report(result, t1=t1)

    def write(file: Path) -> None:
        file.write_text(page, encoding="utf-8")

    return write_file(Path(path), write, force=force)


def render_report(result: Result, *, t1: Volume | None = None) -> str:
    """The text of the page that `write_report` writes.

    Args:
        result: As there.
        t1: As there.
    """
    ours = Upright.of(Volume(result.data, result.affine))
    low = Upright.of(result.source)
    cubic = _cubic(low, ours)
    at = head_centre(low)
    guide, missing = _guide(result, t1)
    qc = dict(result.qc)
    verdict, reasons = qc.pop("verdict", None), qc.pop("reasons", ())
    reasons = [reasons] if isinstance(reasons, str) else [str(r) for r in reasons]
    source = result.source.path
    environment = Environment(
        loader=PackageLoader("guided_sr.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.jinja").render(
        title="a T2 in memory" if source is None else source.name,
        version=__version__,
        intended_use=INTENDED_USE,
        citation=CITATION,
        verdict=None if verdict is None else str(verdict),
        reasons=reasons,
        warnings=[one for one in result.warnings if one not in reasons],
        plan=plan_rows(result),
        swap=_swap(cubic, ours, at),
        edges=None if guide is None else _edges(ours, guide, at),
        no_edges=missing,
        maps=[_map(name, volume, at) for name, volume in result.maps.items()],
        histogram=histogram(
            {"T2 as acquired": low.data, "cubic": cubic.data, "result": ours.data}
        ),
        quality=quality_rows(qc),
        provenance=provenance_rows(result.provenance),
        everything=json_text(result.sidecar()),
    )


def _cubic(low: Upright, ours: Upright) -> Upright:
    """Cubic interpolation of the T2 on the grid of the result."""
    operator = SeparableOperator.interpolation(low.data.shape, ours.data.shape)
    return Upright(operator(low.data).astype(np.float32), ours.voxel_mm)


def _guide(result: Result, t1: Volume | None) -> tuple[Upright | None, str]:
    """The T1 on the grid of the result, or why there is none."""
    if t1 is None:
        if not result.provenance.get("inputs", {}).get("t1"):
            return None, "The result was made without a T1."
        try:
            t1 = recall_t1(result.provenance)
        except GuidedSRError as error:
            return None, f"They are left out: {error}"
        if t1 is None:
            return None, "They are left out: the T1 did not come from a file."
    data = bring_to_grid(t1, result.affine, result.data.shape)
    return Upright.of(Volume(data, result.affine)), ""


def _swap(cubic: Upright, ours: Upright, at: At) -> list[dict[str, Any]]:
    window = grey_window(cubic.data)
    return [
        _figure(
            ours,
            plane,
            shade(cubic.cut(plane, at), window),
            shade(ours.cut(plane, at), window),
        )
        for plane in PLANES
    ]


def _edges(ours: Upright, guide: Upright, at: At) -> list[dict[str, Any]]:
    window = grey_window(ours.data)
    return [
        _figure(
            ours, plane, shade(ours.cut(plane, at), window), edges(guide.cut(plane, at))
        )
        for plane in PLANES
    ]


def _figure(
    of: Upright, plane: Any, below: NDArray[np.uint8], above: NDArray[np.uint8] | None
) -> dict[str, Any]:
    """What the template needs of one plane: two layers of one size in mm."""
    width, height = of.size_mm(plane)
    return {
        "name": plane.name,
        "ends": plane.ends,
        "width": width,
        "height": height,
        "below": data_uri(below),
        "above": None if above is None else data_uri(above),
    }


def _map(name: str, volume: Volume, at: At) -> dict[str, Any]:
    title, *notes = MAPS.get(name, (name.replace("_", " "),))
    upright = Upright.of(volume)
    window = _map_window(volume.data)
    ramp = np.linspace(window["vmin"], window["vmax"], 128)[None]
    return {
        "name": name,
        "title": title,
        "note": " ".join(notes),
        "low": f"{window['vmin']:.3g}",
        "high": f"{window['vmax']:.3g}",
        "ramp": data_uri(shade(ramp, window)),
        "figures": [
            _figure(upright, plane, shade(upright.cut(plane, at), window), None)
            for plane in PLANES
        ],
    }


def _map_window(data: NDArray[Any]) -> Mapping[str, Any]:
    return error_window(data) if data.min() < 0.0 else magnitude_window(data)
