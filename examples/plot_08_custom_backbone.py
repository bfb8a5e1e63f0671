"""
A custom backbone
=================

Any functional Keras model with inputs named ``t2`` and ``t1`` can be the network of
each stage. Degradation, patches, stages and back-projection stay as they are.
"""

# %%
# Three convolutions over both images, added to the interpolated T2. The last layer
# starts at zero, so that the network starts as the interpolation.

import keras
import matplotlib.pyplot as plt
from keras import layers

from guided_sr import GuidedSRModel, degrade, head_phantom, psnr, upsample
from guided_sr.report.panel import error_window, grey_window, outline, show_slice

t2 = keras.Input((None, None, 1), name="t2")
t1 = keras.Input((None, None, 1), name="t1")
x = layers.Concatenate()([t2, t1])
for _ in range(3):
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
residual = layers.Conv2D(1, 3, padding="same", kernel_initializer="zeros")(x)
network = keras.Model({"t2": t2, "t1": t1}, layers.Add()([t2, residual]))
print(f"{network.count_params():,} parameters")

# %%
# It is cloned for each stage, here two, and trained on one drawn head.

shape = (120, 144)
train, test = (head_phantom(shape, n_slices=4, seed=s, skull=False) for s in (1, 2))
model = GuidedSRModel(network, back_projection="exact")
model.fit_external(
    [(degrade(train.t2, 2), train.t1)],
    scale=2,
    stages=2,
    max_steps=150,
    schedule="cosine",
    batch_size=8,
    verbose=0,
)

# %%
# On another head:

coarse, truth = degrade(test.t2, 2), test.t2[1]
ours = model.predict_cascade(coarse, test.t1)[1]
cubic = upsample(coarse, shape)[1]

grey, colour, whole = grey_window(truth), error_window(cubic - truth), outline(truth)
figure, axes = plt.subplots(2, 3, figsize=(9.5, 7.6), layout="constrained")
show_slice(axes[0, 0], truth, "truth", whole, grey)
show_slice(axes[1, 0], test.t1[1], "T1, the guide", whole, grey_window(test.t1[1]))
for (above, below), (name, image) in zip(
    axes.T[1:], {"cubic": cubic, "custom backbone": ours}.items(), strict=True
):
    show_slice(above, image, f"{name}: {psnr(truth, image):.1f} dB", whole, grey)
    errors = show_slice(below, image - truth, f"error of {name}", whole, colour)
figure.colorbar(errors, ax=axes, shrink=0.4, anchor=(0, 0.05), label="error")
plt.show()

# %%
# How to give it a name, options and stable weights: :doc:`/how_to/add_a_backbone`.
