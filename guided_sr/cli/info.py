"""``guided-sr info``: versions, backend, presets, exit codes, environment."""

from __future__ import annotations

import argparse
import json
import os
import platform
from typing import Any

from guided_sr.cli.console import CITATION, RESEARCH_USE, Console, out
from guided_sr.cli.options import new_parser

_PACKAGES = (
    "keras",
    "tensorflow",
    "jax",
    "torch",
    "numpy",
    "scipy",
    "nibabel",
    "scikit-image",
    "matplotlib",
    "pydantic",
    "rich",
)
_ENVIRONMENT = {
    "GUIDED_SR_HOME": "folder of downloaded presets",
    "GUIDED_SR_OFFLINE": "1 forbids every download",
    "GUIDED_SR_WEIGHTS_URL": "server that is asked for presets first",
    "KERAS_BACKEND": "backend of Keras: tensorflow, jax or torch",
    "CUDA_VISIBLE_DEVICES": "which GPUs may be seen; -1 for none",
    "TF_CPP_MIN_LOG_LEVEL": "0 shows all messages of TensorFlow; commands set 3",
    "TF_ENABLE_ONEDNN_OPTS": "0 for TensorFlow's own convolutions; guided-sr sets 1",
    "TF_NUM_INTRAOP_THREADS": "threads of one operation of TensorFlow",
    "NO_COLOR": "no colours on the terminal",
}
EXIT_CODES = {
    0: "done",
    1: "images made but not their picture, or a batch with different failures",
    16: "no BIDS data set",
    17: "no such level of the BIDS App",
    18: "no such subject or session in the data set",
    64: "wrong option or value",
    65: "a file was read and cannot be used",
    66: "an input is missing or cannot be opened",
    70: "a mistake in guided-sr",
    71: "the cluster cannot be reached, or went away",
    73: "the output cannot be created",
    74: "reading or writing failed half-way",
    75: "nothing is wrong, try again later",
    130: "interrupted by Ctrl-C",
    143: "terminated, as by a batch system",
}


def add_parser(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = new_parser(
        commands,
        "info",
        common,
        brief="print versions, backend, presets, exit codes and environment",
        description="What a report of a fault should hold. Answers at once: no"
        " framework is loaded unless --devices asks for it.",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--devices",
        action="store_true",
        help="list the devices too; loads the framework",
    )
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Collect and print."""
    content = collect()
    if args.devices:
        from guided_sr.cli.framework import load_framework

        load_framework(Console(), debug=args.debug)
        from guided_sr.runtime import list_devices

        content["devices"] = [*list_devices("cpu"), *list_devices("gpu")]
    if args.json:
        out(json.dumps(content, indent=2))
        return 0
    out(f"guided-sr {content['guided-sr']}")
    out(f"Python {content['python']} on {content['platform']}")
    out(f"backend: {content['backend']}")
    if "devices" in content:
        out(f"devices: {', '.join(content['devices'])}")
    presets = content["presets"]
    here = [name for name, folder in presets.items() if folder is not None]
    out(f"presets on this machine: {', '.join(here) if here else 'none'}")
    out(f"cache of downloaded presets: {content['cache']}")
    _block(
        "packages",
        {name: text or "not installed" for name, text in content["packages"].items()},
    )
    _block(
        "environment",
        {
            name: f"{'unset' if item['value'] is None else item['value']}"
            f"  ({item['meaning']})"
            for name, item in content["environment"].items()
        },
    )
    _block("exit codes", content["exit_codes"])
    out(f"{RESEARCH_USE} Cite: {CITATION}")
    return 0


def collect() -> dict[str, Any]:
    """Everything that is known without loading a framework."""
    from guided_sr._version import __version__
    from guided_sr.machine import keras_backend
    from guided_sr.presets import cache_home, find_preset, list_presets

    return {
        "guided-sr": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "backend": keras_backend(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "presets": {
            name: str(folder) if (folder := find_preset(name)) else None
            for name in list_presets()
        },
        "downloads": "presets that do not come with the package, on first use",
        "cache": str(cache_home()),
        "environment": {
            name: {"value": os.environ.get(name), "meaning": meaning}
            for name, meaning in _ENVIRONMENT.items()
        },
        "exit_codes": {str(code): meaning for code, meaning in EXIT_CODES.items()},
        "intended_use": RESEARCH_USE,
        "citation": CITATION,
    }


def _version(name: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _block(title: str, rows: dict[str, Any]) -> None:
    out(f"{title}:")
    width = max(len(str(name)) for name in rows)
    for name, value in rows.items():
        out(f"  {name!s:<{width}}  {value}")
