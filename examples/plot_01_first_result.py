"""
First result
============

A head drawn by formula, its T2 made four times coarser in-plane, and brought back with
a packaged preset and the T1. Cubic interpolation on the same grid stands beside it.
"""

# %%
# The pair: a coarse T2 and the T1 of the same head on the fine grid.

import matplotlib.pyplot as plt

from guided_sr import GuidedSRModel, degrade, head_phantom, psnr, upsample
from guided_sr.report.panel import error_window, grey_window, outline, show_slice

head = head_phantom((180, 216), n_slices=1, seed=1)
truth = head.t2[0]
coarse = degrade(head.t2, 4)

# %%
# The result, in the units of the T2.

model = GuidedSRModel.from_preset("grdn_t2_x4")
ours = model.predict_cascade(coarse, head.t1, scale=4)[0]
cubic = upsample(coarse, truth.shape)[0]

# %%
# Side by side, in one window of intensities, and below it what is wrong with either, in
# one window of errors: red is too bright, blue too dark.

grey, colour, whole = grey_window(truth), error_window(cubic - truth), outline(truth)
figure, axes = plt.subplots(2, 3, figsize=(9.5, 7.6), layout="constrained")
show_slice(axes[0, 0], truth, "truth", whole, grey)
show_slice(axes[1, 0], head.t1[0], "T1, the guide", whole, grey_window(head.t1[0]))
for (above, below), (name, image) in zip(
    axes.T[1:], {"cubic": cubic, "guided-sr": ours}.items(), strict=True
):
    show_slice(above, image, f"{name}: {psnr(truth, image):.1f} dB", whole, grey)
    errors = show_slice(below, image - truth, f"error of {name}", whole, colour)
figure.colorbar(errors, ax=axes, shrink=0.4, anchor=(0, 0.05), label="error")
plt.show()

# %%
# A drawing is easier than a person: these figures say that all works, not how well. The
# preset was trained without skulls, and this head has one; the ripples in it show that.
