"""A table of the presets and a page for each card, from the registry and the cards."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from sphinx.application import Sphinx

from guided_sr.presets import (
    describe_preset,
    list_presets,
    locate_preset,
    read_config,
    read_metadata,
    served_text,
)
from guided_sr.presets.usage_range import usage_range

FOLDER = "presets"  # below docs/, written by the build
HEAD = """\
# Presets

Trained networks that come with the package. `GuidedSRModel.from_preset(NAME)` and
`--model NAME` take one; `guided-sr models list` prints this list. Without `--model`,
the factors choose.

PSNR is that of the recipe trained without the person it is tested on, two people, mean
of 60 slices each. Stress is the gain over cubic interpolation on
[painted heads](../concepts/guide_and_limits.md#under-stress) that no training uses. A
dash says that the preset's card has no such figure. The cards say on what the networks
were trained, and how much they [leak from the
T1](../concepts/guide_and_limits.md#honesty-measured); those of guided presets have the
stress of their partner without T1 beside their own.

"""
COLUMNS = (
    "preset",
    "factors",
    "T1",
    "T2 voxels [mm]",
    "size [MB]",
    "cubic [dB]",
    "preset [dB]",
    "stress [dB]",
)
FOOT = """
`_light` has a quarter of the parameters, `_robust` bears [a T1 that does not quite
fit](../concepts/guide_and_limits.md#a-trade), `_noguide` takes no T1, and `slice`
enlarges the slice axis. `guided-sr models path NAME` prints where the files lie.
"""
NUMBER = r"([\d.]+)"
PICTURE = "failures.png"


def card_of(name: str) -> str:
    """The model card without the header that model hubs read."""
    text = (locate_preset(name) / "README.md").read_text("utf-8")
    text = text.replace(f"({PICTURE})", f"({picture_of(name)})")
    return re.sub(r"\A---\n.*?\n---\n+", "", text, flags=re.DOTALL)


def picture_of(name: str) -> str:
    """Name of the card's picture beside its page."""
    return f"{name}_{PICTURE}"


def figures_of(card: str) -> list[str]:
    """PSNR of cubic and of the recipe, and the mean gain under stress."""
    cubic = re.search(rf"(?m)^\| cubic interpolation \| {NUMBER} ", card)
    ours = re.search(rf"(?m)^\| this recipe \| {NUMBER} ", card)
    stress = re.search(
        rf"(?m)^\| mean of all \| \d+ \| {NUMBER} \| ([−-]?[\d.]+)", card
    )
    shown = [match[1] if match else "–" for match in (cubic, ours)]
    return [*shown, stress[2] if stress else "–"]


def row_of(name: str) -> list[str]:
    """A line of the table."""
    folder = locate_preset(name)
    config = read_config(folder)
    known = usage_range(read_metadata(folder))
    voxels = known.t2_mm if known else None
    size = sum(file["bytes"] for file in describe_preset(name)["files"].values())
    return [
        f"[{name}]({name}.md)",
        served_text(config.scale, config.scale_range),
        "yes" if config.guided else "no",
        f"{voxels[0]:g} to {voxels[1]:g}" if voxels else "–",
        f"{size / 1e6:.1f}",
        *figures_of(card_of(name)),
    ]


def table() -> str:
    """All presets as a Markdown table."""
    rows = [COLUMNS, ["---", "---", "---", "---", *["--:"] * 4]]
    rows += [row_of(name) for name in list_presets()]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def write_pages(app: Sphinx) -> None:
    """Write the table and the cards where Sphinx finds them."""
    names = list_presets()
    tree = "\n```{toctree}\n:hidden:\n\n" + "\n".join(names) + "\n```\n"
    pages = {"index": HEAD + table() + FOOT + tree}
    pages |= {name: card_of(name) for name in names}
    folder = Path(app.srcdir) / FOLDER
    folder.mkdir(exist_ok=True)
    for name, text in pages.items():
        path = folder / f"{name}.md"
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
    for name in names:
        shutil.copy2(locate_preset(name) / PICTURE, folder / picture_of(name))


def setup(app: Sphinx) -> dict[str, bool]:
    """Have the pages written before Sphinx looks for sources."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True}
