"""DCSRN, one densely connected block for brain MRI."""

from __future__ import annotations

from typing import Any

import keras

from guided_sr.layers.dense_trunk import DenseTrunk
from guided_sr.networks.functional import TrunkNetwork


@keras.saving.register_keras_serializable(package="guided_sr")
class DCSRN(TrunkNetwork):
    """Densely connected super-resolution network (Chen et al., ISBI 2018).

    Y. Chen, Y. Xie, Z. Zhou, F. Shi, A. G. Christodoulou, D. Li: Brain MRI Super
    Resolution Using 3D Deep Densely Connected Neural Networks, arXiv 1801.02728. A
    first convolution of 2k channels, one block of four units (batch normalisation,
    ELU, convolution of k = 24 channels, each unit sees all before it) and a last
    convolution over all of them. Details the paper's text leaves open are as in the
    re-implementation YunzeMan/DCSRN: no biases, nothing after the last unit.

    Changed here: 3x3x3 kernels are 3x3 (as in the comparison of Iwamoto et al.);
    the output is added to the interpolated image; the last convolution has a bias.

    Args:
        units: Densely connected units.
        growth: Channels that each unit adds (k).
        normalization: ``"batch"`` as published, or `None`, which learns in far fewer
            steps.
        residual: Whether the interpolated T2 is added to the output. The published
            form is `False`; it has to learn the image itself, which takes 1e5 steps
            and more.
        guided: Whether the T1 is a second input channel. Published is `False`.

    Call arguments:
        inputs: Mapping of ``"t2"`` (interpolated to the target grid) and, if guided,
            ``"t1"``, each of shape ``(batch, height, width, 1)``, of any size.

    Returns:
        Super-resolved T2 of shape ``(batch, height, width, 1)``, float32.

    Example:
        >>> import numpy as np
        >>> network = DCSRN(units=2, growth=4)
        >>> slice_ = np.ones((1, 16, 20, 1), "float32")
        >>> tuple(network({"t2": slice_}).shape)
        (1, 16, 20, 1)
    """

    def __init__(
        self,
        *,
        units: int = 4,
        growth: int = 24,
        normalization: str | None = "batch",
        residual: bool = True,
        guided: bool = False,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        trunk = DenseTrunk(
            blocks=1,
            units=units,
            growth=growth,
            normalization=normalization,
            dtype=dtype,
            name="trunk",
        )
        super().__init__(
            trunk,
            radius=1 + units + 1,
            guided=guided,
            residual=residual,
            options={
                "units": units,
                "growth": growth,
                "normalization": normalization,
                "residual": residual,
            },
            **kwargs,
        )
