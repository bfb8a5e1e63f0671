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

head = head_phantom((180, 216), n_slices=1, seed=1)
coarse = degrade(head.t2, 4)

# %%
# The result, in the units of the T2.

model = GuidedSRModel.from_preset("grdn_t2_x4")
ours = model.predict_cascade(coarse, head.t1, scale=4)[0]
cubic = upsample(coarse, (180, 216))[0]
truth = head.t2[0]

# %%
# Side by side, in one window of intensities.

images = {
    "T1 (guide)": head.t1[0],
    f"cubic, {psnr(truth, cubic):.1f} dB": cubic,
    f"guided-sr, {psnr(truth, ours):.1f} dB": ours,
    "truth": truth,
}
figure, axes = plt.subplots(1, len(images), figsize=(12, 4), layout="constrained")
for axis, (title, image) in zip(axes, images.items(), strict=True):
    top = image.max() if title.startswith("T1") else truth.max()
    axis.imshow(image, cmap="gray", vmin=0, vmax=top)
    axis.set_title(title)
    axis.axis("off")
plt.show()
