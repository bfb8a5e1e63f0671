"""What the command line says of networks and defaults is what the package does."""

from __future__ import annotations

import argparse
import inspect
import re

import pytest

from guided_sr import GuidedSRModel
from guided_sr.cli.main import build_parser, main
from guided_sr.cli.train_options import BACKBONES, TRAINING
from guided_sr.model import fitting
from guided_sr.networks.registry import backbone_names, takes_guide
from guided_sr.training import holdout

DEFAULTS = {
    "external": {},
    "supervised": fitting.SUPERVISED_DEFAULTS,
    "internal": fitting.INTERNAL,
}
WITH_INIT = {"external": fitting.FINE_TUNING, "internal": fitting.REFINEMENT}
FIT = {part: getattr(GuidedSRModel, f"fit_{part}") for part in DEFAULTS}


def actions(part: str) -> dict[str, argparse.Action]:
    parser = build_parser()
    for name in ("train", part):
        (commands,) = [
            action
            for action in parser._actions
            if isinstance(action, argparse._SubParsersAction)
        ]
        parser = commands.choices[name]
    return {action.dest: action for action in parser._actions}


def test_the_networks_and_their_guides_are_those_of_the_registry() -> None:
    assert {name: takes_guide(name) for name in backbone_names()} == BACKBONES


@pytest.mark.parametrize("part", DEFAULTS)
def test_the_help_of_each_way_tells_its_own_defaults(part: str) -> None:
    options = fitting.training_options({}, DEFAULTS[part])
    started = fitting.training_options({}, WITH_INIT.get(part, DEFAULTS[part]))
    for name in TRAINING:
        action = actions(part)[name]
        found = re.search(r"\(default: ([^;)]+)(?:; (\S+) with --init)?", action.help)
        assert found
        told = [type(getattr(options, name))(text) for text in found.groups() if text]
        expected = [getattr(options, name)]
        if getattr(started, name) != expected[0]:
            expected.append(getattr(started, name))
        assert told == expected


def test_the_number_of_stages_told_is_that_of_the_model() -> None:
    supervised = inspect.signature(FIT["supervised"]).parameters["stages"].default
    assert f"(default: {supervised}," in str(actions("supervised")["stages"].help)
    for part in ("external", "internal"):
        told = str(actions(part)["stages"].help)
        assert f"(default: {fitting.EXTERNAL_STAGES}," in told


def test_the_share_held_out_is_that_of_the_model() -> None:
    assert f"(default: {holdout.SHARE:g})" in str(
        actions("external")["validation_share"].help
    )


def test_the_time_of_an_internal_learning_is_bounded_as_in_the_model() -> None:
    default = inspect.signature(FIT["internal"]).parameters["max_seconds"].default
    assert actions("internal")["max_seconds"].default == default


@pytest.mark.usefixtures("no_framework")
def test_several_devices_and_one_by_name_exclude_each_other(tmp_path, capsys) -> None:
    data = ["--data", str(tmp_path), "-o", str(tmp_path / "m"), "--scale", "2"]
    both = ["--devices", "2", "--device", "cpu"]
    assert main(["train", "external", *data, *both]) == 64
    assert "--devices 2 and --device cpu" in capsys.readouterr().err
