from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest

from guided_sr import GuidedSRModel
from guided_sr.cli.main import main
from guided_sr.errors import DataError, MissingInputError
from guided_sr.model.recipe import recipe_subjects
from guided_sr.physics.back_projection import BackProjection
from guided_sr.presets import find_preset, list_presets, read_config
from guided_sr.runtime import first_device
from guided_sr.training.recipes import read_recipe

RECIPE = """
name = "small"
description = "a test"
scale = 2
stages = 1
back_projection = "exact"
epsilon = "auto"
licence = "Apache-2.0"
data_licence = "none"
[range]
t2_mm = [1.6, 2.5]
[training]
max_steps = 2
batch_size = 2
patch_size = 16
guide_noise = 0.05
[training.augmentation]
rescale_from = 0.8
[[subjects]]
name = "one"
t2 = "{t2}"
t1 = "{t1}"
weight = 0.5
"""


@pytest.fixture
def recipe(pair: Any, tmp_path: Path) -> Path:
    file = tmp_path / "small.toml"
    names = {"t2": pair.truth.name, "t1": pair.t1.name}
    file.write_text(RECIPE.format(**names), encoding="utf-8")
    return file


def test_a_recipe_gives_a_model_that_records_it(
    pair: Any,
    recipe: Path,
    tmp_path: Path,
    tiny: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = functools.partial(GuidedSRModel, **tiny)
    monkeypatch.setattr("guided_sr.model.GuidedSRModel", small)
    model = tmp_path / "model"
    data = str(pair.folder)
    command = ["train", "recipe", str(recipe), "--data", data, "-o", str(model)]
    assert main(command) == 0
    record = json.loads((model / "metadata.json").read_text("utf-8"))
    assert record["recipe"]["name"] == "small"
    assert record["recipe"]["training"]["augmentation"] == {"rescale_from": 0.8}
    assert record["range"] == {"t2_mm": [1.6, 2.5]}
    assert record["device"] == first_device()
    trained = GuidedSRModel.from_preset(model)
    assert trained.scale == (2.0, 2.0)
    assert trained.back_projection == BackProjection("exact", epsilon="auto")
    assert main(command) == 73


@pytest.mark.parametrize("name", list(filter(find_preset, list_presets())))
def test_the_recipe_of_a_preset_has_its_back_projection(name: str) -> None:
    file = Path(__file__).parents[2] / "pretrained" / "recipes" / f"{name}.toml"
    config = read_config(find_preset(name))
    stored = config.back_projection.model_dump()
    assert BackProjection(**stored) == read_recipe(file).projection


STAND_IN = """
[[stand_ins]]
name = "one"
target = "{t1}"
guide = "{t2}"
weight = 0.5
"""


def test_a_stand_in_is_learnt_from_at_the_finest_level(pair: Any, recipe: Path) -> None:
    text = recipe.read_text("utf-8")
    extra = STAND_IN.format(t2=pair.truth.name, t1=pair.t1.name)
    recipe.write_text(text + extra, encoding="utf-8")
    read = read_recipe(recipe)
    assert "1 stand-ins of another contrast" in read.subjects_text()
    scan, stand_in = recipe_subjects(read, pair.folder)
    assert scan.truth is None
    assert stand_in.truth is not None
    assert stand_in.weight == 0.5
    assert stand_in.plan.target_shape == scan.plan.target_shape
    assert read.sharp_pairs(pair.folder, leave_out=["one"]) == ([], [])


def test_a_stand_in_whose_file_is_missing_is_named(pair: Any, recipe: Path) -> None:
    extra = STAND_IN.format(t2="lost.nii.gz", t1=pair.t1.name)
    recipe.write_text(recipe.read_text("utf-8") + extra, encoding="utf-8")
    with pytest.raises(MissingInputError, match=r"lost\.nii\.gz"):
        read_recipe(recipe).require(pair.folder)


def test_stand_ins_are_for_guided_networks(recipe: Path) -> None:
    extra = STAND_IN.format(t2="a.nii.gz", t1="b.nii.gz")
    text = recipe.read_text("utf-8").replace("stages = 1", "stages = 1\nguided = false")
    recipe.write_text(text + extra, encoding="utf-8")
    with pytest.raises(DataError, match="stand-ins are for guided networks"):
        read_recipe(recipe)


def test_a_stand_in_that_could_not_be_left_out_is_refused(recipe: Path) -> None:
    extra = STAND_IN.format(t2="a.nii.gz", t1="b.nii.gz").replace("one", "other")
    recipe.write_text(recipe.read_text("utf-8") + extra, encoding="utf-8")
    with pytest.raises(DataError, match="no subject is called as the stand-in other"):
        read_recipe(recipe)


def test_a_recipe_with_missing_data_names_the_file(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    out = tmp_path / "model"
    command = ["train", "recipe", str(recipe), "--data", str(empty), "-o", str(out)]
    assert main(command) == 66
    message = capsys.readouterr().err
    assert str(empty) in message
    assert "Mend:" in message
    assert not out.exists()


@pytest.mark.parametrize(
    ("text", "word"),
    [("scale = [", "not TOML"), ("nonsense = 1\n" + RECIPE, "nonsense")],
)
def test_a_wrong_recipe_is_refused_by_its_fault(
    text: str, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(text, encoding="utf-8")
    command = ["train", "recipe", str(file), "--data", str(tmp_path), "-o", "m"]
    assert main(command) == 65
    message = capsys.readouterr().err
    assert word in message
    assert str(file) in message
