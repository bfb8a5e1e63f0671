"""Backbones by name: what `GuidedSRModel` can put into a stage.

A backbone maps ``{"t2": ..., "t1": ...}`` (or ``{"t2": ...}``), each of shape
``(batch, height, width, 1)``, to an image of the same size.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import keras

from guided_sr.errors import UsageError
from guided_sr.networks.dcsrn import DCSRN
from guided_sr.networks.grdn import GRDN
from guided_sr.networks.mdcsrn_gan import MDCSRN
from guided_sr.networks.recnn import ReCNN
from guided_sr.networks.srcnn import SRCNN
from guided_sr.networks.zssr import ZSSRNet

Builder = Callable[..., keras.Model]

_ZOO: dict[str, Builder] = {
    "dcsrn": DCSRN,
    "grdn": GRDN,
    "mdcsrn_gan": MDCSRN,
    "recnn": ReCNN,
    "srcnn": SRCNN,
    "zssr": ZSSRNet,
}
_BUILDERS: dict[str, Builder] = dict(_ZOO)
_PROBES = ((2, 20, 24, 1), (2, 17, 21, 1))


def register_backbone(name: str, builder: Builder) -> None:
    """Make a network available by name.

    Args:
        name: Name to use in ``GuidedSRModel(name)`` and in a preset's config.
        builder: Called as ``builder(guided=..., dtype=..., **options)``; returns a
            `keras.Model` with inputs named ``t2`` and, if guided, ``t1``.

    Raises:
        UsageError: If the name is taken by another builder.
    """
    if _BUILDERS.get(name, builder) is not builder:
        raise UsageError(
            f"the backbone name {name!r} is taken", mend="choose another name"
        )
    _BUILDERS[name] = builder


def backbone_names() -> list[str]:
    """Names of the registered backbones, sorted."""
    return sorted(_BUILDERS)


def backbone_options(name: str) -> list[str]:
    """Options that a named backbone takes beside ``guided`` and ``dtype``, sorted."""
    return sorted(_named(_BUILDERS[name]) - {"guided", "dtype", "self"})


def _named(builder: Builder) -> set[str]:
    variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    parameters = inspect.signature(builder).parameters.values()
    return {p.name for p in parameters if p.kind not in variable}


def _check_options(name: str, options: dict[str, Any]) -> None:
    builder = _BUILDERS[name]
    parameters = inspect.signature(builder).parameters.values()
    # The networks of the zoo hand their **kwargs to keras.Model; what a builder of
    # the user's does with its own is not known.
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    if takes_any and _ZOO.get(name) is not builder:
        return
    known = backbone_options(name)
    unknown = [option for option in options if option not in known]
    if unknown:
        raise UsageError(
            f"the backbone {name!r} has no option {', '.join(map(repr, unknown))}",
            mend=f"choose from {', '.join(known)}" if known else "give none",
        )


def build_backbone(
    backbone: str | keras.Model, *, guided: bool, dtype: Any, options: dict[str, Any]
) -> keras.Model:
    """A fresh network for one stage.

    Args:
        backbone: Registered name, or a model to clone (its weights are not copied).
        guided: Whether the network gets a T1.
        dtype: Precision for a named backbone, e.g. ``"mixed_bfloat16"``; a model
            keeps its own.
        options: Arguments of a named backbone.

    Raises:
        UsageError: If the name or an option is unknown, or the model's inputs or
            output do not fit.
    """
    if isinstance(backbone, keras.Model):
        if options:
            raise UsageError(
                f"a model of your own takes no options, got {', '.join(options)}",
                mend="set them where you build the model",
            )
        network = type(backbone).from_config(backbone.get_config())
    elif backbone in _BUILDERS:
        _check_options(backbone, options)
        network = _BUILDERS[backbone](guided=guided, dtype=dtype, **options)
    else:
        raise UsageError(
            f"there is no backbone {backbone!r}",
            mend=f"choose one of {', '.join(backbone_names())}, or register yours",
        )
    check_backbone(network, guided=guided)
    return network


def check_backbone(network: keras.Model, *, guided: bool) -> None:
    """Refuse a network whose inputs or output cannot serve in a stage.

    Raises:
        UsageError: With the names or shapes found and those expected.
    """
    wanted = {"t2", "t1"} if guided else {"t2"}
    inputs = network.input if isinstance(network.input, dict) else {}
    found = set(inputs) or {tensor.name for tensor in network.inputs}
    if set(inputs) != wanted:
        raise UsageError(
            f"the backbone has inputs {sorted(found)}, wanted is a mapping of"
            f" {sorted(wanted)}",
            mend="build it as keras.Model({"
            + ", ".join(f"'{name}': {name}" for name in sorted(wanted, reverse=True))
            + "}, output)",
        )
    for size in _PROBES:
        images = {name: keras.KerasTensor(size, dtype="float32") for name in wanted}
        try:
            found_size = tuple(network.compute_output_spec(images).shape)
        except ValueError as error:
            raise UsageError(
                f"the backbone takes no images of {size}: {str(error).splitlines()[0]}",
                mend="let height and width of its inputs be None, and keep odd sizes",
            ) from error
        if found_size != size:
            raise UsageError(
                f"the backbone turns images of {size} into {found_size}",
                mend="keep the image size: padding='same' and no strides",
            )


def takes_guide(backbone: str | keras.Model) -> bool:
    """Whether a backbone takes a T1 unless told otherwise.

    A registered builder says so by its attribute ``guided_by_default``, which is
    taken as true where it is missing; a model by its inputs.
    """
    if isinstance(backbone, keras.Model):
        return not isinstance(backbone.input, dict) or "t1" in backbone.input
    return bool(getattr(_BUILDERS.get(backbone), "guided_by_default", True))
