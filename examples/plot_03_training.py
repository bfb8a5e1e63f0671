"""
Training in two minutes
=======================

A small network learns from the coarse T2s of three drawn heads and is tried on a
fourth. No sharp T2 is ever seen in training.
"""

# %%
# The training pairs: coarse T2s, as a scanner would give them, and sharp T1s.

import matplotlib.pyplot as plt

from guided_sr import GuidedSRModel, degrade, head_phantom, psnr, upsample
from guided_sr.report.panel import error_window, grey_window, outline, show_slice

shape = (120, 144)
*people, test = (head_phantom(shape, n_slices=4, seed=s, skull=False) for s in range(4))
pairs = [(degrade(person.t2, 2), person.t1) for person in people]

# %%
# A network of two small blocks, one stage, 200 steps. The coarse T2s are the targets;
# what the network sees is made from them, by making them coarser once more.

model = GuidedSRModel(
    blocks=2, convolutions=3, filters=16, growth=16, back_projection="exact"
)
histories = model.fit_external(
    pairs,
    scale=2,
    stages=1,
    max_steps=200,
    steps_per_epoch=10,
    schedule="cosine",
    batch_size=8,
    verbose=0,
)

figure, axis = plt.subplots(figsize=(6, 2.6), layout="constrained")
axis.plot(range(10, 201, 10), histories[0].history["loss"])
axis.set(xlabel="step", ylabel="L1 loss", yscale="log")
plt.show()

# %%
# The test: a head that was not trained on, its T2 made coarse, and the truth to compare
# with.

# sphinx_gallery_thumbnail_number = 2
coarse, truth = degrade(test.t2, 2), test.t2[1]
ours = model.predict_cascade(coarse, test.t1)[1]
cubic = upsample(coarse, shape)[1]

grey, colour, whole = grey_window(truth), error_window(cubic - truth), outline(truth)
figure, axes = plt.subplots(2, 3, figsize=(9.5, 7.6), layout="constrained")
show_slice(axes[0, 0], truth, "truth", whole, grey)
show_slice(axes[1, 0], test.t1[1], "T1, the guide", whole, grey_window(test.t1[1]))
for (above, below), (name, image) in zip(
    axes.T[1:], {"cubic": cubic, "trained": ours}.items(), strict=True
):
    show_slice(above, image, f"{name}: {psnr(truth, image):.1f} dB", whole, grey)
    errors = show_slice(below, image - truth, f"error of {name}", whole, colour)
figure.colorbar(errors, ax=axes, shrink=0.4, anchor=(0, 0.05), label="error")
plt.show()

# %%
# `model.save_preset("my_preset")` would save it for `guided-sr run --model my_preset`.
# For scans take the default network, three stages and more steps:
# :doc:`/how_to/train_from_scratch`.
