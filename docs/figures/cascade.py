"""A cascade of three stages, with the sizes and blurs of its plan, on a drawn head.

`python docs/figures/cascade.py` writes `docs/images/cascade.svg`.
"""

from __future__ import annotations

from matplotlib.figure import Figure
from shapes import INK, NET, OUT, T1, T2, arrow, box, note, path, picture, save, sheet

from guided_sr import CascadePlan, degrade, head_phantom

SHAPE, SCALE, STAGES = (96, 112), 4, 3
STEP, ROW, GUIDE, BACK = 3.0, 2.75, 0.85, 4.0


def draw() -> Figure:
    """T2 above, guide below, stage by stage from left to right."""
    head = head_phantom(SHAPE, 1, seed=1, skull=False)
    low = degrade(head.t2[0], SCALE)
    rows, columns = low.shape
    plan = CascadePlan.create((rows, columns), scale=SCALE, stages=STAGES)
    figure, axis = sheet(0.9 + STEP * STAGES + 0.8, 4.4)
    for level in range(STAGES + 1):
        x = 0.7 + STEP * level
        image = plan.guide(level)(head.t2[0]) if level else low
        size = " × ".join(str(n) for n in plan.level_shape(level))
        sigma = plan.rows.variance(level) ** 0.5
        colour = OUT if level == STAGES else T2
        picture(axis, image, (x, ROW), f"level {level}: {size}", colour=colour)
        note(axis, (x, ROW - 0.92), rf"$\sigma = {sigma:.2f}$ px", fontsize=8)
        if level == 0:
            continue
        middle = x - STEP / 2
        guide = plan.guide(level)(head.t1[0])
        picture(axis, guide, (middle, GUIDE), f"T1 at level {level}", colour=T1)
        box(axis, (middle - 0.42, ROW), "cubic,\nnetwork", size=(0.72, 0.56))
        box(axis, (middle + 0.46, ROW), "back-\nproject", size=(0.72, 0.56), colour=INK)
        arrow(axis, (x - STEP + 0.5, ROW), (middle - 0.8, ROW), colour=T2)
        arrow(axis, (middle - 0.06, ROW), (middle + 0.08, ROW), colour=NET)
        arrow(axis, (middle + 0.84, ROW), (x - 0.5, ROW), colour=colour)
        top = GUIDE + 0.57
        arrow(axis, (middle - 0.3, top), (middle - 0.3, ROW - 0.3), colour=T1)
        corner = (middle + 0.46, BACK)
        path(axis, (0.7, ROW + 0.57), (0.7, BACK), corner, (corner[0], ROW + 0.3))
    note(axis, (0.7 + STEP / 2, BACK + 0.14), "the acquired T2", fontsize=8)
    return figure


if __name__ == "__main__":
    save(draw(), "cascade")
