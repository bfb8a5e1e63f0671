"""Export a trained model: a network a stage, and the whole cascade for one size.

What an export leaves to its caller is told in ``export.json`` beside the files: the
map of intensities to the working range and back, and, where the whole cascade was not
exported, up-sampling and back-projection between the networks.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from guided_sr._version import __version__
from guided_sr.errors import GuidedSRError, UsageError
from guided_sr.export.cascade import cascade_model
from guided_sr.export.formats import FORMATS, Format
from guided_sr.inference.result import INTENDED_USE
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.runtime import framework_versions
from guided_sr.volumes.folders import check_new_folder, staged_folder
from guided_sr.volumes.writing import replace_json

if TYPE_CHECKING:
    from guided_sr.model import GuidedSRModel

DESCRIPTION = "export.json"
TOLERANCE = 1e-4
_BATCH = 2
_STAGE_SHAPE = (40, 36)
_INTENSITIES = (
    "Inputs and output are in a working range: the 0.5 and 99.5 percentiles of the"
    " voxels above 0 of the whole image become 0 and 1, linearly and without clipping,"
    " of T2 and T1 each by itself. The output is brought back by the T2's two numbers."
)


@dataclass(frozen=True)
class Exported:
    """One exported graph.

    Attributes:
        file: Name in the folder.
        holds: What it is.
        inputs: Shape of each input, by name; `None` is any size.
        max_abs_difference: Largest difference from Keras, on noise in the working
            range.
        largest_output: Largest absolute value of Keras's output there.
    """

    file: str
    holds: str
    inputs: dict[str, tuple[int | None, ...]]
    max_abs_difference: float
    largest_output: float


def export_model(
    model: GuidedSRModel,
    directory: str | os.PathLike[str],
    *,
    format: str = "saved-model",
    size: tuple[int, int] | None = None,
    force: bool = False,
) -> list[Exported]:
    """Export a trained model, each graph held against Keras.

    Args:
        model: The model; make it with ``precision="float32"``.
        directory: Folder to make; it is whole or not there.
        format: ``"saved-model"``, ``"onnx"`` or ``"litert"``.
        size: Rows and columns of the T2's slices; the whole cascade is then exported
            for them as one graph, back-projection included.
        force: Whether an earlier export there is replaced.

    Returns:
        What was exported, the networks first.

    Raises:
        UsageError: If the format is unknown or cannot be written here, the model has
            no weights yet, or it does not compute in float32.
        CannotCreateError: If the folder is there already or cannot be made.
        GuidedSRError: If an exported graph gives other numbers than Keras
            (``E-PARITY``).
    """
    if format not in FORMATS:
        raise UsageError(
            f"the format {format!r} is unknown", mend=f"choose {', '.join(FORMATS)}"
        )
    scale = model.known_scale()
    if model.dtype != "float32":
        raise UsageError(
            f"a network in {model.dtype} has no form that is the same everywhere",
            mend='load the model with precision="float32"',
        )
    kind, out = FORMATS[format], Path(directory)
    check_new_folder(out, marker=DESCRIPTION, force=force)
    kind.require()
    plan = None
    if size is not None:
        plan = CascadePlan.create(
            size, scale=scale, stages=model.stages, stage_blur=model.stage_blur
        )
    with staged_folder(out, marker=DESCRIPTION, force=force) as folder:
        found = [
            _export(network, folder, f"stage_{k}", f"network of stage {k}", kind)
            for k, network in enumerate(model.networks, 1)
        ]
        if plan is not None:
            cascade = cascade_model(
                model.networks, plan=plan, back_projection=model.back_projection
            )
            holds = "whole cascade: up-sampling, networks, back-projection"
            found.append(_export(cascade, folder, "cascade", holds, kind))
        replace_json(folder / DESCRIPTION, _description(model, kind, plan, found))
    return found


def _export(
    model: keras.Model, folder: Path, stem: str, holds: str, kind: Format
) -> Exported:
    """Write one graph, read it back, compare."""
    path = folder / f"{stem}{kind.suffix}"
    shapes = {name: tensor.shape for name, tensor in model.input.items()}
    rng, images = np.random.default_rng(0), {}
    for name, (_, *free, channels) in shapes.items():
        size = [n or default for n, default in zip(free, _STAGE_SHAPE, strict=True)]
        images[name] = rng.random((_BATCH, *size, channels), np.float32)
    expected = keras.ops.convert_to_numpy(model(images, training=False))
    kind.write(model, path)
    got = kind.read(path)(images)
    difference = float(np.abs(got - expected).max())
    largest = float(np.abs(expected).max())
    if not difference <= TOLERANCE * max(1.0, largest):
        raise GuidedSRError(
            f"the exported {holds} differs from Keras by {difference:.2g}",
            path=path.name,
            mend="export in another format, and report this with the output of"
            " 'guided-sr info'",
            code="E-PARITY",
        )
    return Exported(path.name, holds, shapes, difference, largest)


def _description(
    model: GuidedSRModel, kind: Format, plan: CascadePlan | None, found: list[Exported]
) -> dict[str, Any]:
    steps = (
        "Only the cascade is complete. The networks alone take the T2 and the T1 at"
        " one size: that of their level, up-sampled before and back-projected after."
    )
    return {
        "guided_sr_version": __version__,
        **framework_versions(),
        "format": kind.name,
        "model": {
            "name": model.name,
            "weights_sha256": model.weights,
            "scale": model.known_scale(),
            "stages": model.stages,
            "stage_blur": model.stage_blur,
            "guided": model.guided,
            "back_projection": vars(model.back_projection.fixed()),
        },
        "graphs": [asdict(one) for one in found],
        "plan": None if plan is None else plan.summary(),
        "left_to_the_caller": [_INTENSITIES, steps],
        "intended_use": INTENDED_USE,
    }
