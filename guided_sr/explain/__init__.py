"""Where a result comes from: guide ablation, input gradients, saliency and Grad-CAM."""
