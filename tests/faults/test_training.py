"""Rows 81 to 92: training, batches, and the surroundings of a process."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import h5py
import nibabel as nib
import numpy as np
import pytest

from guided_sr.volumes import read_volume

fault = pytest.mark.fault

SHORT = ["--max-steps", "6", "--steps-per-epoch", "2", "--batch-size", "2"]
SHORT += ["--patch-size", "16", "--precision", "float32", "--device", "cpu"]


def arrays(folder: Path) -> dict[str, np.ndarray]:
    """Every array of every stage of a model."""
    found: dict[str, np.ndarray] = {}
    for file in sorted(folder.glob("stage_*.weights.h5")):

        def keep(name: str, item: Any, file: Path = file) -> None:
            if isinstance(item, h5py.Dataset):
                found[f"{file.name}/{name}"] = item[()]

        with h5py.File(file, "r") as content:
            content.visititems(keep)
    return found


@pytest.fixture
def train(scene: Any, pair: Any):
    """The command that trains on the scene's pair, and where the model goes."""
    pair.truth.unlink()

    def command(*more: str, model: Path | None = None) -> list[str]:
        out = model or scene.folder / "model"
        files = ["--data", str(scene.folder), "-o", str(out)]
        start = ["--scale", "2", "--stages", "2"]
        return ["train", "external", *files, *start, *SHORT, *more]

    return command


@pytest.fixture(scope="module")
def uninterrupted() -> dict[str, Any]:
    """What an uninterrupted training gave, once it has been run."""
    return {}


def trained_whole(scene: Any, train: Any, kept: dict[str, Any]) -> dict[str, Any]:
    if not kept:
        model = scene.folder.parent / "whole"
        ran = scene.program(train(model=model))
        assert ran.code == 0, ran.err
        kept.update(arrays(model))
    return kept


@fault(81, "killed training", "resumes to the bit (CPU)")
def test_a_killed_training_ends_like_an_uninterrupted_one(scene, train, uninterrupted):
    whole = trained_whole(scene, train, uninterrupted)
    scene.got.clear()
    killed = scene.program(train(), inject="training_killed")
    assert killed.code == -signal.SIGKILL
    ran = scene.program(train())
    assert ran.code == 0, ran.err
    assert "stage 1 of 2, epoch 1 " not in ran.err
    resumed = arrays(scene.folder / "model")
    assert resumed.keys() == whole.keys()
    for name, expected in whole.items():
        np.testing.assert_array_equal(resumed[name], expected, err_msg=name)


@fault(82, "loss NaN", "65, the epoch; checkpoint kept")
def test_a_training_that_diverges_is_stopped_with_its_checkpoint(scene, train):
    ran = scene.program(train(), inject="diverging")
    assert ran.code == 65, ran.err
    assert ran.last.startswith("ERROR [E-DATA]")
    assert "stage 1" in ran.last
    assert "epoch 2" in ran.last
    assert "--fresh" in ran.last
    checkpoints = scene.folder / "model" / "checkpoints"
    values = [
        value
        for file in sorted(checkpoints.glob("*slot*.h5"))
        for value in slot(file).values()
    ]
    assert values
    assert all(np.isfinite(value).all() for value in values)


def slot(file: Path) -> dict[str, np.ndarray]:
    found = {}
    with h5py.File(file, "r") as content:
        content.visititems(
            lambda name, item: (
                found.update({name: item[()]})
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    return found


@fault(83, "empty data set", "66, what was looked for")
def test_a_folder_without_pairs_tells_what_was_looked_for(scene, train):
    empty = scene.folder / "empty"
    empty.mkdir()
    arguments = [*train(), "--data", str(empty)]
    words = ["t2.nii.gz and t1.nii.gz"]
    scene.refused(66, "E-INPUT", *words, arguments=arguments, path=empty, api=False)


@fault(84, "slices smaller than any patch", "65 before Keras, the smallest")
def test_slices_too_small_to_train_on_are_refused_before_keras(scene, train):
    scene.change("t2", lambda data: data[:14])
    arguments = train()
    ran = scene.refused(
        65, "E-DATA", "14 pixels", "16", arguments=arguments, path="slices", api=False
    )
    assert "loading Keras" not in ran.err


@fault(85, "resumed with another configuration", "64, the difference")
def test_another_configuration_is_refused_with_the_difference(scene, train):
    killed = scene.program(train(), inject="training_killed")
    assert killed.code == -signal.SIGKILL
    for lock in scene.folder.rglob(".guided-sr-*-lock"):
        lock.unlink()
    scene.got.clear()
    arguments = train("--loss", "l2")
    words = ["options.loss: l1, now l2", "--fresh"]
    model = scene.folder / "model"
    scene.refused(64, "E-USAGE", *words, arguments=arguments, path=model, api=False)
    ran = scene.program(train("--loss", "l2", "--fresh", "--max-steps", "2"))
    assert ran.code == 0, ran.err


@fault(86, "checkpoint cut", "0, the one before, a note")
def test_a_cut_checkpoint_gives_way_to_the_one_before(scene, train, uninterrupted):
    whole = trained_whole(scene, train, uninterrupted)
    killed = scene.program(train(), inject="training_killed_late")
    assert killed.code == -signal.SIGKILL
    newest = scene.folder / "model" / "checkpoints" / "stage_1.slot0.weights.h5"
    newest.write_bytes(newest.read_bytes()[:1000])
    scene.got.clear()
    ran = scene.program(train())
    assert ran.code == 0, ran.err
    assert any("the one before it is used" in one for one in ran.warnings)
    resumed = arrays(scene.folder / "model")
    for name, expected in whole.items():
        np.testing.assert_array_equal(resumed[name], expected, err_msg=name)


@fault(87, "1 bad pair of a batch", "65, the others finish")
def test_one_bad_pair_of_a_batch_holds_nobody_up(scene):
    bad = scene.folder / "bad.nii.gz"
    bad.write_bytes(b"<html>")
    table = scene.folder / "pairs.tsv"
    names = [scene.t2, bad, scene.t2.with_name("again.nii.gz")]
    names[2].write_bytes(scene.t2.read_bytes())
    lines = ["t2\tt1", *(f"{name.name}\t{scene.t1.name}" for name in names)]
    table.write_text("\n".join(lines), "utf-8")
    out = f"{scene.out.parent}/"
    arguments = ["run", "--pairs", table, "-o", out, "--model", scene.model]
    ran = scene.program(arguments)
    assert ran.code == 65, ran.err
    made = sorted(one.name for one in scene.out.parent.glob("*.nii.gz"))
    assert made == [f"{n}_desc-guidedsr_T2w.nii.gz" for n in ("again", "t2")]
    assert "1 of 3 failed" in ran.err
    failures = (scene.out.parent / "failures.tsv").read_text("utf-8").splitlines()
    assert len(failures) == 2
    assert "bad.nii.gz" in failures[1]
    assert "Traceback" not in ran.err


@pytest.fixture
def bids_command(scene):
    """A data set of the scene's pair as sub-01, and the command that runs it."""
    folder = scene.folder / "raw" / "sub-01" / "anat"
    folder.mkdir(parents=True)
    scene.t2.rename(folder / "sub-01_T2w.nii.gz")
    scene.t1.rename(folder / "sub-01_T1w.nii.gz")
    about = {"Name": "made up", "BIDSVersion": "1.10.0"}
    top = folder.parents[1]
    (top / "dataset_description.json").write_text(json.dumps(about), "utf-8")
    scene.t2, scene.t1 = (folder / f"sub-01_{kind}.nii.gz" for kind in ("T2w", "T1w"))
    out = scene.out.parent / "guided-sr"
    return ["bids", top, out, "participant", "--model", scene.model, "--dry-run"]


@fault(88, "BIDS: no T1w", "66, the subject")
def test_a_subject_without_t1_is_named(scene, bids_command):
    scene.t1.unlink()
    arguments = [*bids_command]
    ran = scene.program(arguments)
    assert ran.code == 66, ran.err
    assert "ERROR [E-INPUT] sub-01: sub-01 has no T1w image" in ran.err
    assert "Traceback" not in ran.err


@fault(88, "BIDS: several T1w or T2w", "66, candidates and a filter")
@pytest.mark.parametrize("kind", ["T1w", "T2w"])
def test_several_images_are_listed_with_a_filter(scene, bids_command, kind):
    one = scene.t1 if kind == "T1w" else scene.t2
    other = one.with_name(f"sub-01_acq-b_{kind}.nii.gz")
    other.write_bytes(one.read_bytes())
    ran = scene.program(bids_command)
    assert ran.code == 66, ran.err
    error = next(line for line in ran.err.splitlines() if line.startswith("ERROR "))
    assert str(one) in error
    assert str(other) in error
    ready = scene.folder / "filter.json"
    ready.write_text(error.split("holds ")[1].split(", given")[0], "utf-8")
    again = scene.program([*bids_command, "--bids-filter-file", ready])
    assert again.code == 0, again.err


@fault(89, "BIDS: label, level, no data set", "18, 17, 16")
@pytest.mark.parametrize("code", [18, 17, 16])
def test_a_data_set_that_cannot_be_used_is_refused_at_once(scene, bids_command, code):
    arguments, path = [*bids_command], scene.t2.parents[2]
    if code == 18:
        arguments += ["--participant-label", "02"]
    elif code == 17:
        arguments[3], path = "session", "analysis level"
    else:
        (path / "dataset_description.json").unlink()
    scene.refused(code, "E-BIDS", arguments=arguments, path=path, api=False)


@fault(90, "BIDS: two subjects, one output name", "64 in the plan")
def test_subjects_that_differ_in_case_alone_are_refused(scene, bids_command):
    top = scene.t2.parents[2]
    for label in ("a", "A"):
        for path in (scene.t2, scene.t1):
            name = path.name.replace("sub-01", f"sub-{label}")
            copy = top / f"sub-{label}" / "anat" / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    path = top / "sub-a" / "anat" / "sub-a_T2w.nii.gz"
    scene.refused(64, "E-USAGE", arguments=bids_command, path=path, api=False)


@fault(90, "two pairs, one output name", "64 in the plan")
def test_two_pairs_of_one_name_are_refused(scene):
    other = scene.folder / "other"
    other.mkdir()
    (other / scene.t2.name).write_bytes(scene.t2.read_bytes())
    table = scene.folder / "pairs.tsv"
    lines = [f"{scene.t2.name}\tt1.nii.gz", f"other/{scene.t2.name}\tt1.nii.gz"]
    table.write_text("\n".join(["t2\tt1", *lines]), "utf-8")
    out = f"{scene.out.parent}/"
    arguments = ["run", "--pairs", table, "-o", out, "--model", scene.model]
    scene.refused(64, "E-USAGE", "one name", arguments=arguments, api=False)


@fault(91, "the picture cannot be drawn", "1, images kept")
def test_images_are_kept_where_the_picture_fails(scene):
    out = scene.folder / "demo"
    arguments = ["demo", "-o", str(out), "--model", str(scene.model)]
    ran = scene.program(arguments, inject="no_picture")
    assert ran.code == 1, ran.err
    assert "picture failed" in ran.last
    assert "Mend: " in ran.last
    assert (out / "t2_sr.nii.gz").is_file()


@fault(92, "no UTF-8, no terminal, no HOME, HOME=/", "0")
@pytest.mark.parametrize("home", [None, "/"])
def test_bare_surroundings_are_enough(scene, environment, bound, home):
    kept = ("PATH", "PYTHONPATH")
    given = {key: value for key, value in environment().items() if key in kept}
    given |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    if home is not None:
        given["HOME"] = home
    name = scene.folder / "größe.nii.gz"
    scene.t2 = scene.t2.rename(name)
    ran = scene.program(scene.command(), environment=given, before=bound)
    assert ran.code == 0, ran.err
    assert nib.load(scene.out).shape == (48, 48, 3)
    assert ran.warnings == []
    assert read_volume(scene.out).filled == 0


def test_every_row_of_the_list_has_a_test() -> None:
    text = "".join(
        file.read_text("utf-8") for file in Path(__file__).parent.glob("test_*.py")
    )
    missing = [row for row in range(1, 93) if f"@fault({row}, " not in text]
    assert missing == []
