"""What the networks share: their inputs, their configuration, the one-trunk form."""

from __future__ import annotations

from typing import Any

import keras

from guided_sr.layers.image_output import ImageOutput
from guided_sr.layers.reconstruction import Reconstruction


def image_inputs(*, guided: bool) -> dict[str, Any]:
    """Inputs by name: ``"t2"`` and, if guided, ``"t1"``, of any size, float32."""
    names = ("t2", "t1") if guided else ("t2",)
    return {
        name: keras.Input((None, None, 1), name=name, dtype="float32") for name in names
    }


def shared_config(network: keras.Model) -> dict[str, Any]:
    """The part of a configuration that every network has."""
    # A functional model ignores dtype=; its layers have the policy.
    policy = network.get_layer("trunk").dtype_policy
    return {
        "guided": "t1" in network.input,
        "name": network.name,
        "trainable": network.trainable,
        "dtype": keras.dtype_policies.serialize(policy),
    }


class TrunkNetwork(keras.Model):
    """One trunk of layers over the images laid side by side, and a last convolution.

    Args:
        trunk: Layer called ``"trunk"`` that maps a list of images to features.
        kernel_size: Side of the last kernel; that convolution is float32 whatever
            the precision of the trunk.
        radius: How far, in pixels, an input reaches into the output.
        guided: Whether the T1 is a second input channel.
        residual: Whether the interpolated T2 is added to the output.
        options: Arguments of the subclass, beside ``guided``, as plain data.
    """

    guided_by_default = False

    def __init__(
        self,
        trunk: keras.layers.Layer,
        *,
        kernel_size: int = 3,
        radius: int,
        guided: bool,
        residual: bool = True,
        options: dict[str, Any],
        **kwargs: Any,
    ) -> None:
        inputs = image_inputs(guided=guided)
        features = trunk(list(inputs.values()))
        last: dict[str, Any] = {
            "kernel_size": kernel_size,
            "dtype": "float32",
            "name": "reconstruction",
        }
        if residual:
            outputs = Reconstruction(**last)([inputs["t2"], features])
        else:
            outputs = ImageOutput(**last)(features)
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)
        self.guided = guided
        self.radius = radius
        self.options = options

    @property
    def receptive_radius(self) -> int:
        """How far, in pixels, an input can reach into the output."""
        return self.radius

    def get_config(self) -> dict[str, Any]:
        return {**self.options, **shared_config(self)}
