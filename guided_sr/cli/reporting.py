"""The page beside a result. It never costs the image: a failure is a warning."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from guided_sr.cli.console import Console
from guided_sr.cli.outputs import sidecar_of

if TYPE_CHECKING:
    from guided_sr.inference.result import Result
    from guided_sr.inference.volume_plan import VolumePlan
    from guided_sr.volumes import Volume


def report_of(image: Path) -> Path:
    """The HTML file beside an image."""
    return sidecar_of(image).with_suffix(".html")


def write_beside(
    result: Result, image: Path, console: Console, *, t1: Volume | None, force: bool
) -> None:
    """Write the report of a result that has been saved; warn where that fails.

    Args:
        result: The result.
        image: Where it was saved.
        console: Where to name the report.
        t1: The T1 where it lies on the T2; read again by default.
        force: Whether an existing report is replaced.
    """
    from guided_sr.errors import warn_user

    path = report_of(image)
    try:
        from guided_sr.report.html import write_report

        write_report(result, path, t1=t1, force=force)
    except Exception as error:  # a page is made of much that can fail
        warn_user(
            f"the image is complete and kept, but its report failed ({error})",
            path=path,
            mend="run the same command again, which makes the report alone",
        )
    else:
        console.note(f"report: {path}")


def report_again(image: Path, plan: VolumePlan, console: Console) -> None:
    """Write the report of a result that was made earlier; warn where that fails.

    Args:
        image: The result.
        plan: How it was made.
        console: As for `write_beside`.
    """
    from guided_sr.errors import GuidedSRError, warn_user
    from guided_sr.inference.recall import recall_result

    try:
        result = recall_result(image, plan)
    except GuidedSRError as error:
        warn_user(f"no report was made: {error}", path=image)
        return
    write_beside(result, image, console, t1=None, force=False)
