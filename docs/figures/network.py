"""The guided residual dense network (after Iwamoto et al., Fig. 2), from its defaults.

`python docs/figures/network.py` writes `docs/images/network.svg`.
"""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from shapes import INK, NET, OUT, T1, T2, arrow, box, note, path, save, sheet

from guided_sr import GRDN

TRUNK, BRANCH, SKIP = 3.75, 2.4, 4.75  # heights of the rows
TALL = (0.42, 1.1)
DENSE = "#8a78a8"


def tall(axis: Axes, x: float, y: float, text: str, colour: str) -> None:
    """A layer, standing upright."""
    box(axis, (x, y), text, size=TALL, colour=colour, turned=True, fontsize=8)


def plus(axis: Axes, x: float, y: float) -> None:
    """A sum."""
    axis.plot(x, y, "o", markersize=14, markerfacecolor="white", markeredgecolor=INK)
    axis.text(x, y - 0.01, "+", ha="center", va="center", fontsize=11, color=INK)


def whole(axis: Axes, network: GRDN) -> None:
    """Guidance branch below, trunk above, both skips over it."""
    y, features = TRUNK, f"3×3×{network.filters} Conv"
    note(axis, (0.5, y), "T2,\ninterpolated", color=T2)
    note(axis, (0.5, BRANCH), "T1", color=T1)
    first, second = 1.55, 2.25
    for x in (first, second):
        tall(axis, x, y, features, T2)
    tall(axis, first, BRANCH, features, T1)
    arrow(axis, (0.98, y), (first - 0.23, y), colour=T2)
    arrow(axis, (first + 0.23, y), (second - 0.23, y))
    arrow(axis, (0.65, BRANCH), (first - 0.23, BRANCH), colour=T1)

    left, tap, outputs = second + 0.23, first + 0.23, []
    for k in range(network.blocks):
        x = 3.4 + 1.75 * k
        tall(axis, x - 0.45, BRANCH, features, T1)
        arrow(axis, (tap, BRANCH), (x - 0.68, BRANCH), colour=T1)
        tap, up = x - 0.22, x + 0.05
        path(axis, (tap, BRANCH), (up, BRANCH), (up, y - 0.32), colour=T1)
        box(axis, (x, y), f"GRD block {k + 1}", size=(1.1, 0.62), colour=NET)
        arrow(axis, (left, y), (x - 0.57, y))
        left = x + 0.56
        outputs.append(x + 0.68)

    x, over = left + 0.74, y + 0.44
    tall(axis, x, y, "join", INK)
    arrow(axis, (left, y), (x - 0.23, y))
    for start in outputs[:-1]:
        path(axis, (start, y), (start, over), (x - 0.3, over), (x - 0.23, over))
    for text in (f"1×1×{network.filters} Conv", features):
        arrow(axis, (x + 0.23, y), (x + 0.47, y))
        x += 0.7
        tall(axis, x, y, text, T2)
    added = ((first + 0.36, SKIP, INK, "features of the first layer"),)
    added += ((1.14, SKIP + 0.42, T2, "the T2 itself"),)
    for start, high, colour, text in added:
        arrow(axis, (x + 0.23, y), (x + 0.52, y))
        x += 0.65
        plus(axis, x, y)
        corners = ((start, y), (start, high), (x, high), (x, y + 0.12))
        path(axis, *corners, colour=colour)
        note(axis, (5.5, high + 0.12), text, fontsize=8, color=colour)
        if colour == INK:
            arrow(axis, (x + 0.12, y), (x + 0.37, y))
            x += 0.6
            tall(axis, x, y, "3×3×1 Conv", OUT)
    arrow(axis, (x + 0.12, y), (x + 0.42, y), colour=OUT)
    note(axis, (x + 0.75, y), "sharper\nT2", color=OUT)


def block(axis: Axes, network: GRDN) -> None:
    """The inside of a GRD block."""
    y, x, step = 0.65, 3.5, 1.5
    note(axis, (1.1, y), "GRD block", weight="bold", color=NET)
    note(axis, (x - 1.3, y + 0.2), "T2 features", color=T2, fontsize=8)
    note(axis, (x - 1.3, y - 0.2), "T1 features", color=T1, fontsize=8)
    box(axis, (x, y), "join", size=(0.5, 0.6), colour=INK, fontsize=8)
    arrow(axis, (x - 0.8, y + 0.2), (x - 0.27, y + 0.2), colour=T2)
    arrow(axis, (x - 0.8, y - 0.2), (x - 0.27, y - 0.2), colour=T1)

    count, last = network.convolutions, x + 0.25
    layers = [(f"3×3×{network.growth} Conv", NET)] * count
    for k, (text, colour) in enumerate([*layers, (f"1×1×{network.filters} Conv", T2)]):
        centre = x + step * (k + 1)
        box(axis, (centre, y), text, size=(0.95, 0.42), colour=colour, fontsize=8)
        arrow(axis, (last, y), (centre - 0.49, y))
        for target in range(k + 2, count + 2):  # each sees the maps of all before it
            start, end = last + 0.1, x + step * target - 0.72 + 0.05 * k
            level = y + 0.34 + 0.11 * (count - k)
            corners = ((start, y), (start, level), (end, level), (end, y + 0.02))
            path(axis, *corners, colour=DENSE)
        last = centre + 0.48

    low, left, right = y - 0.45, x - 0.6, last + 0.35
    plus(axis, right, y)
    arrow(axis, (last, y), (right - 0.12, y))
    skip = ((left, y + 0.2), (left, low), (right, low), (right, y - 0.12))
    path(axis, *skip, colour=T2)
    arrow(axis, (right + 0.12, y), (right + 0.4, y))


def draw() -> Figure:
    """The network above, one of its blocks below."""
    network = GRDN()
    figure, axis = sheet(13.0, 5.5)
    whole(axis, network)
    block(axis, network)
    return figure


if __name__ == "__main__":
    save(draw(), "network")
