"""
A cascade of one, two and three stages
======================================

Enlarging four times in one step, in two or in three: the same small network in each
stage, and the same number of training steps in all.
"""

# %%
# Training on the coarse T2s of two drawn heads, 240 steps shared by the stages.

import matplotlib.pyplot as plt
import numpy as np

from guided_sr import CascadePlan, GuidedSRModel, degrade, head_phantom, psnr, upsample
from guided_sr.report.panel import error_window, grey_window, outline, show_slice

shape = (160, 192)
*people, test = (head_phantom(shape, n_slices=4, seed=s, skull=False) for s in range(3))
pairs = [(degrade(person.t2, 4), person.t1) for person in people]
coarse = degrade(test.t2, 4)

results = {"cubic": upsample(coarse, shape)}
for stages in (1, 2, 3):
    plan = CascadePlan.create(coarse.shape[1:], scale=4, stages=stages)
    levels = " -> ".join(str(plan.level_shape(k)[0]) for k in range(stages + 1))
    print(f"r = {stages}: rows {levels}")
    model = GuidedSRModel(
        blocks=1, convolutions=3, filters=16, growth=16, back_projection="exact"
    )
    model.fit_external(
        pairs,
        scale=4,
        stages=stages,
        max_steps=240 // stages,
        schedule="cosine",
        batch_size=8,
        patch_size=32,
        verbose=0,
    )
    results[f"r = {stages}"] = model.predict_cascade(coarse, test.t1)

# %%
# PSNR of the head that was not trained on, mean of its four slices.

for name, stack in results.items():
    values = [psnr(*pair) for pair in zip(test.t2, stack, strict=True)]
    print(f"{name}: {np.mean(values):.2f} dB")

# %%
# One slice of each, and its error.

truth = test.t2[1]
colour = error_window(results["cubic"][1] - truth)
grey, whole = grey_window(truth), outline(truth)
figure, axes = plt.subplots(2, 4, figsize=(12, 7.4), layout="constrained")
for (above, below), (name, stack) in zip(axes.T, results.items(), strict=True):
    heading = f"{name}: {psnr(truth, stack[1]):.1f} dB"
    show_slice(above, stack[1], heading, whole, grey)
    errors = show_slice(below, stack[1] - truth, "error", whole, colour)
figure.colorbar(errors, ax=axes, shrink=0.4, anchor=(0, 0.05), label="error")
plt.show()

# %%
# One drawn head, one seed and few steps prove nothing about the number of stages.
# Scans, and the paper's Table III: :doc:`/benchmarks/paper`.
