"""Saliency, SmoothGrad and Grad-CAM of tf-keras-vis, on a stage's network.

tf-keras-vis is an extra and works with TensorFlow alone. It takes inputs as a list,
so that the network's own tensors are wrapped in a model with inputs ``[t2, t1]``. Its
maps are left as they are: by default it brings each to 0..1 by itself, after which
those of T1 and T2 cannot be compared.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from guided_sr.errors import UsageError
from guided_sr.explain.region import Region
from guided_sr.explain.subject import ExplainedSlice
from guided_sr.runtime.gradient import require_tensorflow

NOISE = 0.1
SAMPLES = 16


def require_keras_vis() -> None:
    """Refuse where tf-keras-vis cannot work.

    Raises:
        UsageError: If Keras runs on another backend, or tf-keras-vis is missing or
            too old for the SciPy that is there.
    """
    require_tensorflow("tf-keras-vis")
    for module in ("saliency", "gradcam"):
        _tool(module)


def _tool(module: str) -> Any:
    try:
        return import_module(f"tf_keras_vis.{module}")
    except ImportError as error:
        raise UsageError(
            f"tf-keras-vis cannot be loaded ({error})",
            mend='pip install "guided-sr[explain]"; SciPy 2 needs a newer tf-keras-vis'
            " than 0.8.7",
        ) from error


class _Tensor(keras.layers.Layer):
    """What Grad-CAM takes for a layer: one of a layer's several outputs."""

    def __init__(self, tensor: Any) -> None:
        super().__init__()
        self.tensor = tensor

    @property
    def output(self) -> Any:
        return self.tensor


def list_model(network: keras.Model) -> keras.Model:
    """The same network with inputs ``[t2, t1]`` in place of names.

    Args:
        network: A functional model with inputs ``t2`` and ``t1``.
    """
    images = network.input
    return keras.Model([images["t2"], images["t1"]], network.output)


def saliency(
    subject: ExplainedSlice,
    region: Region,
    *,
    stage: int | None = None,
    samples: int = 0,
    noise: float = NOISE,
    seed: int = 0,
) -> dict[str, NDArray[np.float32]]:
    """Magnitude of the gradient of a region's mean by both inputs of a network.

    Args:
        subject: The slice.
        region: In pixels of the target grid.
        stage: 1 to r; the last by default.
        samples: Number of noisy inputs to average over (SmoothGrad); 0 for none.
        noise: Standard deviation of that noise, as a part of each input's range.
        seed: Of the noise.

    Returns:
        Maps ``"t2"`` and ``"t1"``, ``(h_k, w_k)``, not normalised.

    Raises:
        UsageError: If tf-keras-vis cannot work, or an argument makes no sense.
    """
    model, images, score = _prepared(subject, region, stage)
    saved = np.random.get_state()  # tf-keras-vis draws from there
    np.random.seed(seed)
    try:
        maps = _tool("saliency").Saliency(model)(
            score,
            images,
            smooth_samples=samples,
            smooth_noise=noise,
            normalize_map=False,
        )
    finally:
        np.random.set_state(saved)
    t2, t1 = (np.asarray(x, np.float32)[0] for x in maps)
    return {"t2": t2, "t1": t1}


def grad_cam(
    subject: ExplainedSlice,
    region: Region,
    *,
    stage: int | None = None,
    layer: str = "guidance_branch",
) -> NDArray[np.float32]:
    """Grad-CAM of a region's mean at a layer that sees the guide alone.

    A layer where T1 and T2 have met (the fusion) is blind to what came from which.

    Args:
        subject: The slice.
        region: In pixels of the target grid.
        stage: 1 to r; the last by default.
        layer: Name of the layer; of several outputs, the last is taken.

    Returns:
        Map of shape ``(h_k, w_k)``, not normalised.

    Raises:
        UsageError: If tf-keras-vis cannot work, the network has no such layer, or an
            argument makes no sense.
    """
    model, images, score = _prepared(subject, region, stage)
    known = {one.name: one for one in model.layers}
    if layer not in known:
        raise UsageError(
            f"the network has no layer {layer!r} that sees the T1 alone",
            mend=f"name a layer of the guide's branch; there are {', '.join(known)}",
        )
    output = known[layer].output
    if isinstance(output, list | tuple):
        output = output[-1]
    maps = _tool("gradcam").Gradcam(model)(
        score,
        images,
        penultimate_layer=_Tensor(output),
        seek_penultimate_conv_layer=False,
        normalize_cam=False,
    )
    return np.asarray(maps[1], np.float32)[0]


def _prepared(
    subject: ExplainedSlice, region: Region, stage: int | None
) -> tuple[keras.Model, list[Any], Callable[[Any], Any]]:
    require_keras_vis()
    number = subject.plan.stages if stage is None else stage
    if not 1 <= number <= subject.plan.stages:
        raise UsageError(
            f"there is no stage {number}", mend=f"give 1 to {subject.plan.stages}"
        )
    whole = subject.plan.target_shape
    region.require_inside(whole)
    rows, columns = region.at(subject.plan.level_shape(number), whole)

    def score(result: Any) -> Any:
        return keras.ops.mean(result[:, rows, columns, :], axis=(1, 2, 3))

    images = subject.stage_images[number - 1]
    model = list_model(subject.model.networks[number - 1])
    return model, [images["t2"], images["t1"]], score
