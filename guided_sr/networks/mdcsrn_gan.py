"""mDCSRN-GAN: the multi-level densely connected generator and its critic."""

from __future__ import annotations

from typing import Any

import keras

from guided_sr.layers.critic_trunk import CriticTrunk
from guided_sr.layers.dense_trunk import DenseTrunk
from guided_sr.networks.functional import TrunkNetwork


@keras.saving.register_keras_serializable(package="guided_sr")
class MDCSRN(TrunkNetwork):
    """Generator of mDCSRN-GAN, b4u4 (Chen et al., MICCAI 2018).

    Y. Chen, F. Shi, A. G. Christodoulou, Y. Xie, Z. Zhou, D. Li: Efficient and
    Accurate MRI Super-Resolution Using a Generative Adversarial Network and 3D
    Multi-level Densely Connected Network, arXiv 1803.01417, Fig. 1. A first
    convolution of 2k channels (k = 16) and blocks of densely connected units (batch
    normalisation, ELU, 3x3 convolution of k channels). Every later block gets the
    first convolution and all earlier blocks, compressed to 2k channels by a 1x1
    convolution; a last 1x1 convolution sees all of them. The authors' code is not
    public; what is concatenated follows the re-implementations
    quas1009/mDCSRN-WGAN-3D-super-resolution-brain-MRI and
    Sammean/Medical-SR-learning-mDCSRN, which agree (26k channels at the end).

    Changed here: 3x3x3 kernels are 3x3 (as in the comparison of Iwamoto et al.);
    the output is added to the interpolated image; the last convolution has a bias.
    `AdversarialModel` trains it against `Critic`; without that it is mDCSRN.

    Args:
        blocks: Number of blocks (b).
        units: Densely connected units in each (u).
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
        >>> network = MDCSRN(blocks=2, units=2, growth=4)
        >>> slice_ = np.ones((1, 16, 20, 1), "float32")
        >>> tuple(network({"t2": slice_}).shape)
        (1, 16, 20, 1)
    """

    def __init__(
        self,
        *,
        blocks: int = 4,
        units: int = 4,
        growth: int = 16,
        normalization: str | None = "batch",
        residual: bool = True,
        guided: bool = False,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        trunk = DenseTrunk(
            blocks=blocks,
            units=units,
            growth=growth,
            normalization=normalization,
            dtype=dtype,
            name="trunk",
        )
        super().__init__(
            trunk,
            kernel_size=1,
            radius=1 + blocks * units,
            guided=guided,
            residual=residual,
            options={
                "blocks": blocks,
                "units": units,
                "growth": growth,
                "normalization": normalization,
                "residual": residual,
            },
            **kwargs,
        )


@keras.saving.register_keras_serializable(package="guided_sr")
class Critic(keras.Model):
    """Critic of mDCSRN-GAN: one number an image, high for a real one.

    The discriminator of SRGAN (Ledig et al., CVPR 2017, Fig. 4) with layer
    normalisation in place of batch normalisation, as mDCSRN-GAN has it for WGAN-GP
    (Gulrajani et al., NIPS 2017), and without the final sigmoid.

    Changed here: 2-D; the last features are averaged over the image and not
    flattened, so that patches of any size go through one critic (at 64 x 64 the
    published dense layer of 1024 would have 8.4 M weights, here it has 0.5 M).

    Args:
        filters: Channels of the first two convolutions; doubled three times.
            Published is 64; time grows with its square.
        hidden: Width of the dense layer.

    Call arguments:
        inputs: Images of shape ``(batch, height, width, 1)``, of any size.

    Returns:
        Scores of shape ``(batch, 1)``, float32.

    Example:
        >>> import numpy as np
        >>> tuple(Critic(filters=4, hidden=8)(np.ones((2, 17, 20, 1))).shape)
        (2, 1)
    """

    def __init__(
        self,
        *,
        filters: int = 64,
        hidden: int = 1024,
        dtype: Any = "float32",
        **kwargs: Any,
    ) -> None:
        trunk = CriticTrunk(filters=filters, hidden=hidden, dtype=dtype, name="trunk")
        image = keras.Input((None, None, 1), name="image", dtype="float32")
        super().__init__(inputs=image, outputs=trunk(image), **kwargs)
        self.filters = filters
        self.hidden = hidden

    def get_config(self) -> dict[str, Any]:
        policy = self.get_layer("trunk").dtype_policy
        return {
            "filters": self.filters,
            "hidden": self.hidden,
            "name": self.name,
            "trainable": self.trainable,
            "dtype": keras.dtype_policies.serialize(policy),
        }
