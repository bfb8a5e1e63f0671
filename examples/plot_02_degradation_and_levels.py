"""
Degradation and levels
======================

How a coarse T2 is simulated, and the levels that lie between it and the sharp one. No
network is needed for this page.
"""

# %%
# `degrade` blurs by a Gaussian whose full width at half maximum is one coarse pixel,
# and samples. A factor for each axis makes one axis coarse, as thick slices are.

import warnings

import matplotlib.pyplot as plt
import numpy as np

from guided_sr import CascadePlan, degrade, head_phantom, psnr, upsample
from guided_sr.report.panel import grey_window, outline, show_slice

head = head_phantom((180, 216), n_slices=1, seed=2)
truth = head.t2[0]
grey, whole = grey_window(truth), outline(truth)

figure, axes = plt.subplots(2, 4, figsize=(11, 6.6), layout="constrained")
for (above, below), scale in zip(axes.T, (1, 2, 4, (1, 4)), strict=True):
    if scale == 1:
        show_slice(above, truth, "truth, 180 x 216", whole, grey)
        show_slice(below, head.t1[0], "T1", whole, grey_window(head.t1[0]))
        continue
    coarse = degrade(truth, scale)
    cubic = upsample(coarse, truth.shape)
    name = "x".join(map(str, np.atleast_1d(scale)))
    size = " x ".join(map(str, coarse.shape))
    show_slice(above, coarse, f"scale {name}: {size}", whole, grey)
    show_slice(below, cubic, f"cubic: {psnr(truth, cubic):.1f} dB", whole, grey)
plt.show()

# %%
# A cascade of three stages climbs from the coarse grid (level 0) to the fine one (level
# 3). `CascadePlan` holds the size of each level and the blur that is left at it.

plan = CascadePlan.create((45, 54), scale=4, stages=3)
for level in range(plan.stages + 1):
    rows, columns = plan.level_shape(level)
    sigma = np.sqrt(plan.rows.variance(level))
    print(f"level {level}: {rows:3} x {columns:3} pixels, sigma {sigma:.2f}")

# %%
# `guide` brings an image to a level, with the level's own blur. This is what the T1
# undergoes, so that both inputs of a network are equally sharp; here it shows the T2.

figure, axes = plt.subplots(1, 4, figsize=(11, 3.6), layout="constrained")
for level, axis in enumerate(axes):
    image = plan.guide(level)(truth)
    size = " x ".join(map(str, image.shape))
    show_slice(axis, image, f"level {level}: {size}", whole, grey)
plt.show()

# %%
# Variances add up: the blurs of the stages must make that of the observation (dotted).
# With the consistent constant they do; with the paper's, 2 for any scale, they fall
# short at 4x.

figure, axis = plt.subplots(figsize=(9, 2.2), layout="constrained")
with warnings.catch_warnings(action="ignore"):  # the plan warns of the difference
    paper = CascadePlan.create((45, 54), scale=4, stages=3, stage_blur=2.0)
plans = {"consistent": plan, "paper": paper}
for name, one in plans.items():
    left = 0.0
    for stage in (3, 2, 1):
        share = one.rows.variance(stage - 1) - one.rows.variance(stage)
        axis.barh(name, share, left=left, color=f"C{stage - 1}", edgecolor="white")
        axis.text(left + share / 2, name, f"stage {stage}", ha="center", va="center")
        left += share
axis.axvline(plan.rows.observation_variance, color="black", linestyle=":")
axis.set_xlabel("variance of the blur, in squared pixels of the result")
axis.invert_yaxis()
plt.show()
