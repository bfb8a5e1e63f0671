"""
Fine-tuning
===========

A packaged preset goes on learning from the coarse T2s of two heads of "our own"
scanner. Held-out slices decide, stage by stage, whether the new weights are kept.
"""

# %%
# Our scanner: noisier than what the preset knows, and with stronger shading.

import matplotlib.pyplot as plt
import numpy as np

from guided_sr import GuidedSRModel, degrade, head_phantom, psnr, upsample
from guided_sr.report.panel import error_window, grey_window, outline, show_slice

shape = (120, 144)
scanner = {"n_slices": 8, "noise": 0.03, "bias": 0.4}
*people, test = (head_phantom(shape, seed=s, **scanner) for s in (1, 2, 3))
pairs = [(degrade(person.t2, 2), person.t1) for person in people]
coarse = degrade(test.t2, 2)

# %%
# Before and after 30 steps a stage. One of the two heads was held out: its slices, made
# coarser once more, tell how good the weights are.

model = GuidedSRModel.from_preset("grdn_t2_x2_light")
results = {
    "cubic": upsample(coarse, shape),
    "preset": model.predict_cascade(coarse, test.t1),
}
histories = model.fit_external(
    pairs, init=model, max_steps=30, steps_per_epoch=15, batch_size=8, verbose=0
)
results["fine-tuned"] = model.predict_cascade(coarse, test.t1)

for stage, one in enumerate(histories, 1):
    before = one.history["held_out_psnr_before"][0]
    after = max(one.history["held_out_psnr"])
    kept = "new" if after > before else "old"
    print(f"stage {stage}: {before:.1f} dB before, {after:.1f} after, {kept} kept")

# %%
# A third head, which was not trained on, mean of its eight slices:

for name, stack in results.items():
    values = [psnr(*pair) for pair in zip(test.t2, stack, strict=True)]
    print(f"{name}: {np.mean(values):.2f} dB")

# %%
# One slice of it.

truth = test.t2[4]
colour = error_window(results["cubic"][4] - truth)
grey, whole = grey_window(truth), outline(truth)
figure, axes = plt.subplots(2, 3, figsize=(9.5, 7.6), layout="constrained")
for (above, below), (name, stack) in zip(axes.T, results.items(), strict=True):
    heading = f"{name}: {psnr(truth, stack[4]):.1f} dB"
    show_slice(above, stack[4], heading, whole, grey)
    errors = show_slice(below, stack[4] - truth, "error", whole, colour)
figure.colorbar(errors, ax=axes, shrink=0.4, anchor=(0, 0.05), label="error")
plt.show()

# %%
# With scans take more steps: :doc:`/how_to/fine_tune`.
