"""The last layer of a network without a residual: features to an image."""

from __future__ import annotations

from typing import Any

import keras

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable(package="guided_sr")
class ImageOutput(keras.layers.Layer):
    """Whole image by one convolution, as published before residual learning.

    `Reconstruction` adds the interpolated image; this layer does not. Give it
    ``dtype="float32"``: bfloat16 would leave 8 bits of the image.

    Args:
        kernel_size: Side of the kernel in pixels.

    Call arguments:
        inputs: Features of shape ``(batch, height, width, channels)``.

    Returns:
        Image of shape ``(batch, height, width, 1)``, float32.
    """

    def __init__(self, *, kernel_size: int = 3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kernel_size = kernel_size
        self.image = keras.layers.Conv2D(
            1, kernel_size, padding="same", dtype=self.dtype_policy, name="image"
        )

    def build(self, input_shape: Shape) -> None:
        self.image.build(input_shape)
        self.built = True

    def call(self, inputs: Any) -> Any:
        return keras.ops.cast(self.image(inputs), "float32")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], 1)

    def compute_output_spec(self, inputs: Any) -> Any:
        shape = self.compute_output_shape(inputs.shape)
        return keras.KerasTensor(shape, dtype="float32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kernel_size": self.kernel_size}
