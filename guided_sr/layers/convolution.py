"""The one convolution of the network: convolution, normalisation, activation."""

from __future__ import annotations

from typing import Any

import keras

NORMALIZATIONS = (None, "batch")


@keras.saving.register_keras_serializable(package="guided_sr")
class ConvUnit(keras.layers.Layer):
    """``k x k`` convolution, optional batch normalisation, optional ReLU.

    "3x3x32" of Iwamoto et al., Fig. 2 is ``ConvUnit(filters=32)``. Image size is
    kept by zero padding.

    Args:
        filters: Number of output channels.
        kernel_size: Side of the square kernel in pixels.
        normalization: `None` or ``"batch"`` (the paper's).
        activation: Name of a Keras activation, or `None`.

    Call arguments:
        inputs: Features of shape ``(batch, height, width, channels)``.
        training: Whether batch statistics are updated.

    Raises:
        ValueError: If the normalisation is unknown.
    """

    def __init__(
        self,
        *,
        filters: int,
        kernel_size: int = 3,
        normalization: str | None = None,
        activation: str | None = "relu",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if normalization not in NORMALIZATIONS:
            raise ValueError(
                f"normalization must be one of {NORMALIZATIONS}, got {normalization!r}"
            )
        self.filters = filters
        self.kernel_size = kernel_size
        self.normalization = normalization
        self.activation = activation
        fused = activation if normalization is None else None
        self.convolution = keras.layers.Conv2D(
            filters,
            kernel_size,
            padding="same",
            activation=fused,
            kernel_initializer="he_normal" if activation else "glorot_uniform",
            dtype=self.dtype_policy,
            name="convolution",
        )
        self.batch_normalization = None
        self.nonlinearity = None
        if normalization == "batch":
            self.batch_normalization = keras.layers.BatchNormalization(
                dtype=self.dtype_policy, name="batch_normalization"
            )
            if activation:
                self.nonlinearity = keras.layers.Activation(
                    activation, dtype=self.dtype_policy, name="nonlinearity"
                )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.convolution.build(input_shape)
        if self.batch_normalization is not None:
            self.batch_normalization.build((*input_shape[:-1], self.filters))
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        x = self.convolution(inputs)
        if self.batch_normalization is not None:
            x = self.batch_normalization(x, training=training)
        if self.nonlinearity is not None:
            x = self.nonlinearity(x)
        return x

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "normalization": self.normalization,
            "activation": self.activation,
        }
