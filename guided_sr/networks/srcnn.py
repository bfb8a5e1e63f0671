"""SRCNN, the first convolutional network for super-resolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from guided_sr.layers.plain_trunk import PlainTrunk
from guided_sr.networks.functional import TrunkNetwork


@keras.saving.register_keras_serializable(package="guided_sr")
class SRCNN(TrunkNetwork):
    """Super-resolution by three convolutions (Dong et al., IEEE TPAMI 2016).

    C. Dong, C. C. Loy, K. He, X. Tang: Image Super-Resolution Using Deep
    Convolutional Networks, arXiv 1501.00092 (2015). Patch extraction, non-linear
    mapping and reconstruction by kernels 9-5-5 with 64 and 32 filters: the form
    that the paper compares with other methods (57,184 weights without biases).
    ``kernel_sizes=(9, 1, 5)`` is its small form (8,032).

    Changed here: the image keeps its size by zero padding (the paper's shrinks in
    training); the output is added to the interpolated image; weights start from
    He's initialisation and not from a standard deviation of 0.001; one learning
    rate for all layers.

    Args:
        filters: Channels of the first and the second convolution.
        kernel_sizes: Sides of the three kernels, in pixels.
        residual: Whether the interpolated T2 is added to the output. The published
            form is `False`; it has to learn the image itself, which takes 1e5 steps
            and more.
        guided: Whether the T1 is a second input channel. Published is `False`.

    Call arguments:
        inputs: Mapping of ``"t2"`` (interpolated to the target grid) and, if guided,
            ``"t1"``, each of shape ``(batch, height, width, 1)``, of any size.

    Returns:
        Super-resolved T2 of shape ``(batch, height, width, 1)``, float32.

    Raises:
        ValueError: If there are not two numbers of filters and three kernels.

    Example:
        >>> import numpy as np
        >>> network = SRCNN(filters=(8, 4))
        >>> slice_ = np.ones((1, 16, 20, 1), "float32")
        >>> tuple(network({"t2": slice_}).shape)
        (1, 16, 20, 1)
    """

    def __init__(
        self,
        *,
        filters: Sequence[int] = (64, 32),
        kernel_sizes: Sequence[int] = (9, 5, 5),
        residual: bool = True,
        guided: bool = False,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        filters, kernel_sizes = tuple(filters), tuple(kernel_sizes)
        if (len(filters), len(kernel_sizes)) != (2, 3):
            raise ValueError(
                "SRCNN has two numbers of filters and three kernels, got"
                f" {filters} and {kernel_sizes}"
            )

        trunk = PlainTrunk(
            filters=filters, kernel_sizes=kernel_sizes[:2], dtype=dtype, name="trunk"
        )
        super().__init__(
            trunk,
            kernel_size=kernel_sizes[2],
            radius=sum(side // 2 for side in kernel_sizes),
            guided=guided,
            residual=residual,
            options={
                "filters": list(filters),
                "kernel_sizes": list(kernel_sizes),
                "residual": residual,
            },
            **kwargs,
        )
