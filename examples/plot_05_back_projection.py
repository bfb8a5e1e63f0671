"""
Back-projection
===============

Made coarse again, a result should give back the T2 that was acquired. Back-projection
sees to that, here on top of cubic interpolation, without any network.
"""

# %%
# A T2 four times coarser, without noise and with some. `A` is blur and sampling.

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np

from guided_sr import CascadePlan, back_project, degrade, head_phantom, psnr, upsample
from guided_sr.report.panel import error_window, grey_window, outline, show_slice

head = head_phantom((180, 216), n_slices=1, seed=3, noise=0.0)
truth = head.t2[0]
white = float(np.percentile(truth, 99.5))
observed = {
    "clean": degrade(truth, 4),
    "noise 3 %": degrade(truth, 4, noise=0.03 * white, seed=1),
}
plan = CascadePlan.create((45, 54), scale=4)
A = plan.observation()

# %%
# The paper's iteration (``ibp``), and where it ends up, in one step (``exact``). The
# left curves tell how far the result contradicts the T2, the right ones how close it is
# to the truth.

steps = [0, 1, 2, 5, 10, 20, 50, 100]
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.4), layout="constrained")
for colour, (name, y) in zip(("C0", "C1"), observed.items(), strict=True):
    cubic = upsample(y, truth.shape)
    images = [cubic]
    for done, upto in pairwise(steps):
        images.append(back_project(images[-1], y, A, iterations=upto - done))
    exact = back_project(cubic, y, A, method="exact")
    for axis, measure in (
        (left, lambda x, y=y: np.sqrt(np.mean((y - A(x)) ** 2))),
        (right, lambda x: psnr(truth, x)),
    ):
        axis.plot([measure(x) for x in images], "o-", color=colour, label=name)
        axis.axhline(measure(exact), color=colour, linestyle=":")
for axis in (left, right):
    axis.set_xticks(range(len(steps)), steps)
    axis.set_xlabel("iterations (0 is cubic; dotted: exact)")
left.set(ylabel="residual, units of the T2", yscale="log")
right.set(ylabel="PSNR in dB")
right.legend()
plt.show()

# %%
# What it looks like. With noise the exact form fits the noise too, which one iteration
# hardly does.

# sphinx_gallery_thumbnail_number = 2
grey, whole = grey_window(truth), outline(truth)
figure, axes = plt.subplots(2, 4, figsize=(12, 7.4), layout="constrained")
show = error_window(upsample(observed["clean"], truth.shape) - truth)
for row, (name, y) in zip(axes, observed.items(), strict=True):
    cubic = upsample(y, truth.shape)
    once = back_project(cubic, y, A)
    exact = back_project(cubic, y, A, method="exact")
    for axis, (how, image) in zip(
        row, {"cubic": cubic, "ibp, once": once, "exact": exact}.items(), strict=False
    ):
        heading = f"{name}, {how}: {psnr(truth, image):.1f} dB"
        show_slice(axis, image, heading, whole, grey)
    errors = show_slice(row[3], exact - truth, f"{name}, error of exact", whole, show)
figure.colorbar(errors, ax=axes[:, 3], shrink=0.6, label="image - truth")
plt.show()

# %%
# After a network the gain in PSNR is smaller; what counts there is the agreement with
# the T2. The formulas are in :doc:`/concepts/method`.
