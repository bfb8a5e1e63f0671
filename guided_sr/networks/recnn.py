"""ReCNN, the residual network that was first to be guided by a second contrast."""

from __future__ import annotations

from typing import Any

import keras

from guided_sr.layers.plain_trunk import PlainTrunk
from guided_sr.networks.functional import TrunkNetwork


@keras.saving.register_keras_serializable(package="guided_sr")
class ReCNN(TrunkNetwork):
    """Residual convolutional network, 10L-ReCNN (Pham et al., 2019).

    C.-H. Pham, C. Tor-Diez, H. Meunier, N. Bednarek, R. Fablet, N. Passat, F.
    Rousseau: Multiscale brain MRI super-resolution using deep 3D convolutional
    networks, Computerized Medical Imaging and Graphics 77 (2019) 101647. Ten 3x3
    convolutions, 64 filters, ReLU after all but the last, which gives the residual
    to the interpolated image.
    The multimodal form takes the other contrast as a second channel, as in the
    authors' rousseau/deepBrain (SRReCNN3D/Multimodal, 10 layers).

    Changed here: 3x3x3 kernels are 3x3 (as in the comparison of Iwamoto et al.);
    the last convolution starts near zero; biases learn as fast as weights.

    Args:
        depth: Number of convolutions, the last one included.
        filters: Channels of the features.
        guided: Whether the T1 is a second input channel. Published is both;
            the comparison of Iwamoto et al. uses `True`.

    Call arguments:
        inputs: Mapping of ``"t2"`` (interpolated to the target grid) and, if guided,
            ``"t1"``, each of shape ``(batch, height, width, 1)``, of any size.

    Returns:
        Super-resolved T2 of shape ``(batch, height, width, 1)``, float32.

    Example:
        >>> import numpy as np
        >>> network = ReCNN(depth=3, filters=4)
        >>> slice_ = np.ones((1, 16, 20, 1), "float32")
        >>> tuple(network({"t2": slice_, "t1": slice_}).shape)
        (1, 16, 20, 1)
    """

    guided_by_default = True

    def __init__(
        self,
        *,
        depth: int = 10,
        filters: int = 64,
        guided: bool = True,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        trunk = PlainTrunk(
            filters=[filters] * (depth - 1),
            kernel_sizes=[3] * (depth - 1),
            dtype=dtype,
            name="trunk",
        )
        super().__init__(
            trunk,
            radius=depth,
            guided=guided,
            options={"depth": depth, "filters": filters},
            **kwargs,
        )
