"""The small network of zero-shot super-resolution (ZSSR)."""

from __future__ import annotations

from typing import Any

import keras

from guided_sr.layers.plain_trunk import PlainTrunk
from guided_sr.networks.functional import TrunkNetwork


@keras.saving.register_keras_serializable(package="guided_sr")
class ZSSRNet(TrunkNetwork):
    """Network of "Zero-Shot" Super-Resolution (Shocher et al., CVPR 2018).

    A. Shocher, N. Cohen, M. Irani: "Zero-Shot" Super-Resolution using Deep Internal
    Learning, arXiv 1712.06087, 3.2: eight hidden layers of 64 channels, ReLU, the
    residual to the interpolated image is learnt. The authors' code
    (assafshocher/ZSSR, ``configs.py``) counts the last convolution among the eight:
    ``hidden_layers=7`` is that. It is the network only; that it learns on the test
    image alone is the matter of the training.

    Changed here: one channel instead of three; convolutions have biases; the
    last one starts near zero, the others from He's initialisation.

    Args:
        hidden_layers: Number of convolutions before the last one.
        filters: Channels of the features.
        guided: Whether the T1 is a second input channel. Published is `False`.

    Call arguments:
        inputs: Mapping of ``"t2"`` (interpolated to the target grid) and, if guided,
            ``"t1"``, each of shape ``(batch, height, width, 1)``, of any size.

    Returns:
        Super-resolved T2 of shape ``(batch, height, width, 1)``, float32.

    Example:
        >>> import numpy as np
        >>> network = ZSSRNet(hidden_layers=2, filters=4)
        >>> slice_ = np.ones((1, 16, 20, 1), "float32")
        >>> tuple(network({"t2": slice_}).shape)
        (1, 16, 20, 1)
    """

    def __init__(
        self,
        *,
        hidden_layers: int = 8,
        filters: int = 64,
        guided: bool = False,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        trunk = PlainTrunk(
            filters=[filters] * hidden_layers,
            kernel_sizes=[3] * hidden_layers,
            dtype=dtype,
            name="trunk",
        )
        super().__init__(
            trunk,
            radius=hidden_layers + 1,
            guided=guided,
            options={"hidden_layers": hidden_layers, "filters": filters},
            **kwargs,
        )
