"""The guided residual dense network of Iwamoto et al. (Fig. 2)."""

from __future__ import annotations

from typing import Any

import keras

from guided_sr.layers.grd_block import GRDTrunk
from guided_sr.layers.guidance_branch import GuidanceBranch
from guided_sr.layers.reconstruction import Reconstruction
from guided_sr.networks.functional import image_inputs, shared_config


@keras.saving.register_keras_serializable(package="guided_sr")
class GRDN(keras.Model):
    """Guided residual dense network: interpolated T2 and T1 in, sharper T2 out.

    The paper gives neither the number of blocks nor of convolutions. The defaults
    have 456 k parameters and no normalisation, which learns in hundreds of steps;
    `GRDN.paper` gives the batch-normalised form of the paper's text.

    Args:
        blocks: Number of guided residual dense blocks.
        convolutions: Densely connected convolutions a block.
        filters: Channels of the features.
        growth: Channels that each dense convolution adds.
        normalization: `None`, or ``"batch"`` as in the paper.
        guided: Whether there is a T1 input. `False` is the paper's Model 1.

    Call arguments:
        inputs: Mapping of ``"t2"`` (interpolated to the target grid) and ``"t1"``,
            each of shape ``(batch, height, width, 1)``, of any size of at least 16.

    Returns:
        Super-resolved T2 of shape ``(batch, height, width, 1)``, float32.

    Example:
        >>> import numpy as np
        >>> network = GRDN(blocks=1, convolutions=2, filters=8, growth=8)
        >>> slice_ = np.ones((1, 16, 20, 1), "float32")
        >>> tuple(network({"t2": slice_, "t1": slice_}).shape)
        (1, 16, 20, 1)
    """

    guided_by_default = True

    def __init__(
        self,
        *,
        blocks: int = 3,
        convolutions: int = 4,
        filters: int = 32,
        growth: int = 32,
        normalization: str | None = None,
        guided: bool = True,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        # === Layers ===
        trunk = GRDTrunk(
            blocks=blocks,
            convolutions=convolutions,
            filters=filters,
            growth=growth,
            normalization=normalization,
            dtype=dtype,
            name="trunk",
        )
        reconstruction = Reconstruction(dtype=dtype, name="reconstruction")

        # === Functional model ===
        inputs = image_inputs(guided=guided)
        t2 = inputs["t2"]
        if guided:
            branch = GuidanceBranch(
                blocks=blocks,
                filters=filters,
                normalization=normalization,
                dtype=dtype,
                name="guidance_branch",
            )
            features = trunk([t2, *branch(inputs["t1"])])
        else:
            features = trunk(t2)
        outputs = reconstruction([t2, features])
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)

        # === Config ===
        self.blocks = blocks
        self.convolutions = convolutions
        self.filters = filters
        self.growth = growth
        self.normalization = normalization
        self.guided = guided

    @classmethod
    def paper(cls, **options: Any) -> GRDN:
        """The network with batch normalisation, as the paper's text has it.

        Args:
            **options: Any other argument of `GRDN`.
        """
        return cls(normalization="batch", **options)

    @property
    def receptive_radius(self) -> int:
        """How far, in pixels, an input can reach into the output.

        Two shallow convolutions (or the head and the first tap of the guide), those
        of the blocks, the fusion and the last one, each of one pixel.
        """
        return 2 + self.blocks * self.convolutions + 2

    def get_config(self) -> dict[str, Any]:
        return {
            "blocks": self.blocks,
            "convolutions": self.convolutions,
            "filters": self.filters,
            "growth": self.growth,
            "normalization": self.normalization,
            **shared_config(self),
        }
