"""The last layer: features to a residual, added to the interpolated image."""

from __future__ import annotations

from typing import Any

import keras

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable(package="guided_sr")
class Reconstruction(keras.layers.Layer):
    """Residual image by one convolution, added to the interpolated T2 in float32.

    The sum is float32 whatever the precision of the network, so that a network
    of bfloat16 loses nothing of the image it is given.

    Args:
        kernel_size: Side of the kernel in pixels.

    Call arguments:
        inputs: ``[image, features]`` of shapes ``(batch, height, width, 1)`` and
            ``(batch, height, width, channels)``.

    Returns:
        Image of shape ``(batch, height, width, 1)``, float32.
    """

    def __init__(self, *, kernel_size: int = 3, **kwargs: Any) -> None:
        kwargs.setdefault("autocast", False)
        super().__init__(**kwargs)
        self.kernel_size = kernel_size
        self.residual = keras.layers.Conv2D(
            1,
            kernel_size,
            padding="same",
            kernel_initializer=keras.initializers.RandomNormal(stddev=1e-3),
            dtype=self.dtype_policy,
            name="residual",
        )

    def build(self, input_shape: list[Shape]) -> None:
        self.residual.build(input_shape[1])
        self.built = True

    def call(self, inputs: list[Any]) -> Any:
        image, features = inputs
        residual = keras.ops.cast(self.residual(features), "float32")
        return keras.ops.cast(image, "float32") + residual

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        return tuple(input_shape[0])

    def compute_output_spec(self, inputs: list[Any]) -> Any:
        return keras.KerasTensor(inputs[0].shape, dtype="float32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kernel_size": self.kernel_size}
