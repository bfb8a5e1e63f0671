"""Internal and external learning (after Iwamoto et al., Fig. 1), on a drawn head.

`python docs/figures/learning.py` writes `docs/images/learning.svg`.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from shapes import NET, OUT, T1, T2, arrow, box, note, path, picture, save, sheet

from guided_sr import degrade, head_phantom, upsample

SHAPE, SCALE = (80, 96), 2
TRAINING, USE, GUIDE = 5.75, 2.45, -1.55  # heights of the rows; the guide lies below

Slices = dict[str, np.ndarray]


def slices(seed: int) -> Slices:
    """T2 and T1 of one head at the levels that the figure shows."""
    head = head_phantom(SHAPE, 1, seed=seed, skull=False)
    low = degrade(head.t2[0], SCALE)
    return {
        "X": head.t2[0],
        "G": head.t1[0],
        "Y": low,
        "up Y": upsample(low, SHAPE),
        "DBG": degrade(head.t1[0], SCALE),
        "up DBY": upsample(degrade(low, SCALE), low.shape),
    }


def training(axis: Axes, person: Slices, x: float, of: str, *, guided: bool) -> None:
    """The coarse T2 is the target, and made coarser it is the input."""
    y, who = TRAINING, rf"\mathrm{{{of}}}"
    picture(axis, person["up DBY"], (x, y), rf"$D^T DB\,Y_{who}$", colour=T2)
    picture(axis, person["Y"], (x + 3.6, y), rf"$Y_{who}$", colour=T2)
    corners = ((x + 3.6, y + 0.57), (x + 3.6, y + 0.8), (x, y + 0.8), (x, y + 0.57))
    path(axis, *corners, colour=T2)
    note(axis, (x + 1.8, y + 0.92), "blur, sample, interpolate", fontsize=8)
    box(axis, (x + 1.8, y), "network\nlearns", size=(1.1, 0.7))
    arrow(axis, (x + 0.48, y), (x + 1.23, y), colour=T2)
    arrow(axis, (x + 3.12, y), (x + 2.37, y), colour=T2, dashed=True)
    note(axis, (x + 2.75, y + 0.13), "target", color=T2, fontsize=8)
    if guided:
        guide(axis, person["DBG"], x, y, rf"$DB\,G_{who}$")


def use(axis: Axes, person: Slices, x: float, *, guided: bool) -> None:
    """The same network, one scale further up."""
    y = USE
    picture(axis, person["up Y"], (x, y), r"$D^T Y_\mathrm{test}$", colour=T2)
    picture(axis, person["X"], (x + 3.6, y), r"$\hat X_\mathrm{test}$", colour=OUT)
    box(axis, (x + 1.8, y), "network\nis applied", size=(1.1, 0.7))
    arrow(axis, (x + 0.48, y), (x + 1.23, y), colour=T2)
    arrow(axis, (x + 2.37, y), (x + 3.12, y), colour=OUT)
    down = ((x + 2.1, TRAINING - 0.37), (x + 2.1, y + 0.37))
    arrow(axis, *down, colour=NET, dashed=True)
    note(
        axis, (x + 2.2, (TRAINING + y) / 2), "weights", ha="left", color=NET, fontsize=8
    )
    if guided:
        guide(axis, person["G"], x, y, r"$G_\mathrm{test}$")


def guide(axis: Axes, image: np.ndarray, x: float, y: float, name: str) -> None:
    """The T1 enters the network from below."""
    picture(axis, image, (x, y + GUIDE), name, colour=T1)
    corners = ((x + 0.48, y + GUIDE), (x + 1.65, y + GUIDE), (x + 1.65, y - 0.37))
    path(axis, *corners, colour=T1)


def draw() -> Figure:
    """Both ways beside each other: training above, use below."""
    figure, axis = sheet(10.9, 7.4)
    person, other = slices(1), slices(2)
    for x, title, line in (
        (2.6, "Internal learning", "from the scan itself, anew for each one (eq. 3)"),
        (
            8.3,
            "External learning with a guide",
            "from other people's coarse scans (eq. 4)",
        ),
    ):
        note(axis, (x, 7.2), title, fontsize=12, weight="bold")
        note(axis, (x, 6.93), line)
    training(axis, person, 0.8, "test", guided=False)
    use(axis, person, 0.8, guided=False)
    training(axis, other, 6.5, "train", guided=True)
    use(axis, person, 6.5, guided=True)
    axis.plot((5.45, 5.45), (0.2, 7.2), color="#bbbbbb", linewidth=0.8)
    return figure


if __name__ == "__main__":
    save(draw(), "learning")
