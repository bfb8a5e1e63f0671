"""The formats of an export: what each needs, how it is written and read back.

Keras writes all three (`keras.Model.export`). They are read back by the programs that
will run them, never by Keras's own code, so that the parity check sees what a user
will get.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from guided_sr.errors import UsageError
from guided_sr.runtime.gradient import require_tensorflow

if TYPE_CHECKING:
    import keras

Images = Mapping[str, np.ndarray]
Call = Callable[[Images], np.ndarray]


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        name: What a user types, and the extra with what it needs.
        keras_name: What Keras calls it.
        suffix: Of its files; a folder has none.
        modules: What must be importable to write and to check it.
        read: Opens a file and gives a function of arrays by name.
    """

    name: str
    keras_name: str
    suffix: str
    modules: tuple[str, ...]
    read: Callable[[Path], Call]

    def require(self) -> None:
        """Refuse where the format cannot be written and checked.

        Raises:
            UsageError: If Keras runs on another backend than TensorFlow, or a package
                is missing.
        """
        require_tensorflow(f"the export to {self.name}")
        for module in self.modules:
            try:
                importlib.import_module(module)
            except ImportError as error:
                raise UsageError(
                    f"the export to {self.name} needs {module}, which cannot be loaded"
                    f" ({error})",
                    mend=f'pip install "guided-sr[{self.name}]"',
                ) from error

    def write(self, model: keras.Model, path: Path) -> None:
        """Write a model.

        Args:
            model: With inputs by name.
            path: A name that ends in `suffix`.
        """
        with warnings.catch_warnings():
            # Keras looks for an attribute of NumPy that tf2onnx misses, and TensorFlow
            # announces that its own interpreter has moved.
            warnings.simplefilter("ignore")
            model.export(str(path), format=self.keras_name, verbose=False)


def _read_saved_model(path: Path) -> Call:
    import keras

    layer = keras.layers.TFSMLayer(str(path), call_endpoint="serve")
    return lambda images: np.asarray(layer(dict(images)))


def _read_onnx(path: Path) -> Call:
    import onnxruntime

    session = onnxruntime.InferenceSession(
        str(path), providers=["CPUExecutionProvider"]
    )
    return lambda images: np.asarray(session.run(None, dict(images))[0])


def _read_litert(path: Path) -> Call:
    from ai_edge_litert.interpreter import Interpreter

    signature = Interpreter(model_path=str(path)).get_signature_runner()

    def call(images: Images) -> np.ndarray:
        (output,) = signature(**images).values()
        return np.asarray(output)

    return call


FORMATS = {
    one.name: one
    for one in (
        Format("saved-model", "tf_saved_model", "", (), _read_saved_model),
        Format("onnx", "onnx", ".onnx", ("tf2onnx", "onnxruntime"), _read_onnx),
        Format(
            "litert", "litert", ".tflite", ("ai_edge_litert.interpreter",), _read_litert
        ),
    )
}
