"""
What came from the T1
=====================

Where a result hangs on its guide: the same T2 once more with a T1 that has lost its
detail, and with a T1 that shows something that is not there.
"""

# %%
# A head with lesions that the T1 does not show, four times coarser, and its result.

import matplotlib.pyplot as plt
import numpy as np

from guided_sr import GuidedSRModel, degrade, head_phantom, psnr, upsample
from guided_sr.explain.ablation import ablate_guide
from guided_sr.explain.subject import ExplainedSlice
from guided_sr.report.panel import (
    error_window,
    grey_window,
    magnitude_window,
    outline,
    show_slice,
)

head = head_phantom((180, 216), n_slices=1, seed=4, skull=False)
truth, t1 = head.t2[0], head.t1[0]
coarse = degrade(head.t2, 4)
model = GuidedSRModel.from_preset("grdn_t2_x4")
subject = ExplainedSlice.of(model, coarse, head.t1)

# %%
# `ablate_guide` runs the cascade twice. The map is the difference of both results:
# detail that would not be there without the T1. Green outlines are the lesions.

ablation = ablate_guide(subject)
images = {
    "cubic": upsample(coarse, truth.shape)[0],
    "blurred T1": ablation.without,
    "T1": ablation.result,
}
grey, whole = grey_window(truth), outline(truth)
figure, axes = plt.subplots(1, 4, figsize=(12, 4.0), layout="constrained")
for axis, (name, image) in zip(axes, images.items(), strict=False):
    show_slice(axis, image, f"{name}: {psnr(truth, image):.1f} dB", whole, grey)
window = magnitude_window(ablation.map)
shown = show_slice(axes[3], ablation.map, "what came from the T1", whole, window)
x, y = (np.arange(n) + 0.5 for n in truth.shape)
lesions = head.lesion_mask[0].T
axes[3].contour(x, y, lesions, levels=[0.5], colors="lime", linewidths=0.8)
figure.colorbar(shown, ax=axes[3], shrink=0.7, label="units of the T2")
plt.show()

# %%
# Now a T1 with a bright disc, 9 pixels across, that neither head nor T2 has. What the
# two results differ in, the disc has caused.

rows, columns = np.ogrid[: truth.shape[0], : truth.shape[1]]
disc = (rows - 108) ** 2 + (columns - 140) ** 2 <= 4**2
height = 0.3 * np.percentile(t1, 99.5)
marked = t1 + np.where(disc, height, 0.0).astype("float32")
(with_disc,), _ = model.predict_inputs(subject.with_guide(marked))
difference = with_disc - ablation.result

figure, axes = plt.subplots(1, 3, figsize=(9.5, 4.0), layout="constrained")
show_slice(axes[0], marked, "T1 with a disc", whole, grey_window(marked))
heading = f"result with it: {psnr(truth, with_disc):.1f} dB"
show_slice(axes[1], with_disc, heading, whole, grey)
window = error_window(difference[disc])
shown = show_slice(axes[2], difference, "what the disc changed", whole, window)
for axis in axes:  # a closer look
    axis.set(xlim=(78, 138), ylim=(110, 170))
figure.colorbar(shown, ax=axes[2], shrink=0.7, label="units of the T2")
plt.show()

# %%
# The change over the disc, as a share of the disc's height in the T1, each in spans of
# its image: its mean, and its root mean square, which sees the rim as well.

spans = height / np.percentile(t1, 99.5) * np.percentile(truth, 99.5)
print(f"mean {100 * difference[disc].mean() / spans:.1f} %")
print(f"rms {100 * np.sqrt((difference[disc] ** 2).mean()) / spans:.1f} %")

# %%
# Figures for many discs, sizes and contrasts are in the presets' cards:
# :doc:`/presets/index`.
