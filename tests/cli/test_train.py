from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from guided_sr import GuidedSRModel, head_phantom
from guided_sr.cli.main import main
from guided_sr.cli.train_setup import placement_facts
from guided_sr.volumes import Registration, write_volume
from guided_sr.volumes.registration import Misfit

SHORT = ["--scale", "2", "--stages", "2", "--max-steps", "4", "--steps-per-epoch", "2"]
SHORT += ["--batch-size", "2", "--patch-size", "16", "--precision", "float32"]


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch, tiny: dict[str, int]) -> None:
    small = functools.partial(GuidedSRModel, **tiny)
    monkeypatch.setattr("guided_sr.model.GuidedSRModel", small)


def test_a_model_is_trained_and_goes_on_after_a_stop(
    pair: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model"
    pair.truth.unlink()
    command = ["train", "external", "--data", str(tmp_path), "-o", str(model), *SHORT]
    command += ["--validation", str(pair.folder)]
    assert main(command) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{model}\n"
    lines = [x for x in captured.err.splitlines() if x.startswith("stage ")]
    assert [x.split(":")[0] for x in lines] == [
        f"stage {stage} of 2, epoch {epoch} of at most 2"
        for stage in (1, 2)
        for epoch in (1, 2)
    ]
    assert all("psnr " in line for line in lines)
    record = json.loads((model / "metadata.json").read_text("utf-8"))["training"]
    assert record["slices"] == 3
    assert record["t1_placed"] == [{"mode": "auto", "applied": False}]
    assert "scans" not in json.dumps(record)  # no file names
    weights = (model / "stage_2.weights.h5").read_bytes()

    assert main(command) == 73  # a finished model is not replaced

    (model / "config.json").unlink()  # as if killed just before the end
    capsys.readouterr()
    assert main(command) == 0
    assert "stage 1 of 2" not in capsys.readouterr().err
    again = (model / "stage_2.weights.h5").read_bytes()
    assert len(again) == len(weights)

    out = pair.folder / "sr.nii.gz"
    files = ["run", "-i", str(pair.t2), "-g", str(pair.t1), "-o", str(out)]
    loaded = GuidedSRModel.from_preset(model)
    assert loaded.stages == 2
    assert main([*files, "--model", str(model), "--dry-run"]) == 0


def test_the_plan_says_how_far_headers_are_off_and_how_many_t1s_are_moved() -> None:
    def pair(mm: float | None, failure: str | None = None) -> Any:
        misfit = None if mm is None else Misfit(mm, mm, 0.0)
        found = Registration(
            "auto",
            mm is not None and mm > 0.75,
            misfit=misfit,
            information=(1.0, 1.1),
            failure=failure,
        )
        return SimpleNamespace(registration=found, t2=SimpleNamespace(path=f"{mm}"))

    assert placement_facts([SimpleNamespace(registration=None)]) == []
    ((_, one),) = placement_facts([pair(1.6)])
    assert one.endswith("the T1 is moved")
    ((_, lost),) = placement_facts([pair(None, "two starts end 9 mm apart")])
    assert lost == "auto, two starts end 9 mm apart; as the header says"
    pairs = [pair(0.3), pair(1.6), pair(None), pair(None, "no rest")]
    ((name, many),) = placement_facts(pairs)
    assert name == "registration"
    assert many == (
        "auto, 1 of 4 moved; headers off by 0.30 to 1.60 mm (1.6); 1 too thin to"
        " measure, left as the headers say; 1 failed, left as the headers say"
    )


def test_other_options_on_the_same_checkpoints_are_64(
    pair: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "checkpoints"
    files = ["train", "external", "--data", str(pair.folder), "-o", str(tmp_path / "m")]
    pair.truth.unlink()
    command = [*files, *SHORT, "--stages", "1", "--checkpoint", str(folder)]
    assert main([*command, "--no-guide"]) == 0
    assert main([*command, "--loss", "l2", "--force"]) == 64
    assert "other options" in capsys.readouterr().err


def test_a_preset_is_fine_tuned_whose_network_is_taken(
    tall_pair: Any, model_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model"
    start = json.loads((model_dir / "config.json").read_text("utf-8"))
    command = ["train", "external", "--data", str(tall_pair.folder), "-o", str(model)]
    command += ["--init", str(model_dir), "--back-projection", "exact"]
    command += ["--guide-jitter", "4", "--guide-noise", "0.03", "--loss", "l2"]
    command += ["--lower-starts", "2"]
    command += ["--max-steps", "1"]
    command += ["--batch-size", "2", "--patch-size", "16", "--precision", "float32"]
    assert main(command) == 0
    shown = capsys.readouterr().err
    assert "WARNING the model to start from has back-projection 'ibp', this" in shown
    assert f"start            {model_dir.name} (sha256 " in shown
    held_out = " slices, which no step learns from, of " + str(tall_pair.t2)
    assert held_out in " ".join(shown.split())
    assert "2 stages of at most 1 step\n" in shown
    assert "stage 1 of 2, epoch 1 of at most 1: " in shown
    assert ", held out before " in shown
    assert shown.count(" weights are kept\n") == 2
    config = json.loads((model / "config.json").read_text("utf-8"))
    assert config["backbone"] == start["backbone"]
    assert config["scale"] == start["scale"]
    assert config["stages"] == start["stages"]
    assert config["back_projection"]["method"] == "exact"
    text = (model / "metadata.json").read_text("utf-8")
    for decision in json.loads(text)["held_out"]:
        assert decision["kept"] >= decision["before"]
        assert decision["weights"] in ("old", "new")
    record = json.loads(text)["training"]
    assert record["kind"] == "external"
    assert record["init_sha256"] == start["weights"]
    assert record["options"]["guide_jitter_mm"] == 4
    assert record["options"]["guide_noise"] == 0.03
    assert record["options"]["lower_starts"] == 2
    assert model_dir.name not in text


def test_a_fine_tuned_model_warns_of_what_its_preset_was_not_made_for(
    tall_pair: Any, model_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start, model = tmp_path / "start", tmp_path / "model"
    shutil.copytree(model_dir, start)
    usage = {"t2_mm": [1.6, 2.5], "factors": [1.8, 2.2]}
    (start / "metadata.json").write_text(json.dumps({"range": usage}), "utf-8")
    command = ["train", "external", "--data", str(tall_pair.folder), "-o", str(model)]
    command += ["--init", str(start), "--max-steps", "1", "--batch-size", "2"]
    assert main([*command, "--patch-size", "16", "--precision", "float32"]) == 0
    assert json.loads((model / "metadata.json").read_text("utf-8"))["range"] == usage
    capsys.readouterr()
    words = "voxels of 8 mm along the enlarged axes; the model is for 1.6 to 2.5"
    assert main(tall_pair.arguments(model, "--dry-run")) == 0
    assert f"WARNING the T2 has {words}" in capsys.readouterr().err
    assert main(tall_pair.arguments(model, "--dry-run", "--strict")) == 65
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--data", "nowhere"], 66),
        (["--pairs", "nowhere.tsv"], 66),
        (["--data", "{folder}", "--validation", "nowhere"], 66),
        (["--data", "{folder}", "--scale", "0.5"], 64),
        (["--data", "{folder}", "--learning-rate", "-1"], 64),
        (["--data", "{folder}", "--seed", "-1"], 64),
        (["--data", "{folder}", "--guide-jitter", "-1"], 64),
        (["--data", "{folder}", "--guide-jitter", "1", "--no-guide"], 64),
        (["--data", "{folder}", "--guide-noise", "3"], 64),
        (["--data", "{folder}", "--lower-starts", "-1"], 64),
        (["--data", "{folder}", "--guide-noise", "0.03", "--no-guide"], 64),
        (["--data", "{folder}", "--guide-jitter", "1", "--backbone", "srcnn"], 64),
        (["--data", "{folder}", "--init", "no_preset"], 64),
        (["--data", "{folder}", "--init", "{model}", "--scale", "4"], 64),
        (["--data", "{folder}", "--init", "{model}", "--stages", "3"], 64),
        (["--data", "{folder}", "--init", "{model}", "--backbone", "srcnn"], 64),
        (["--data", "{folder}", "--init", "{model}", "--no-guide"], 64),
        (["--data", "{folder}", "--validation-share", "0.2"], 64),
        (["--data", "{folder}", "--init", "{model}", "--validation-share", "2"], 64),
        (["--data", "{folder}", "--init", "{model}"], 65),
        (["--data", "{folder}", "-o", "{t1}"], 73),
    ],
)
def test_what_cannot_work_is_refused_before_a_framework_is_loaded(
    options: list[str],
    code: int,
    pair: Any,
    model_dir: Path,
    tmp_path: Path,
    no_framework: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    there = {"folder": pair.folder, "t1": pair.t1, "model": model_dir}
    given = [option.format(**there) for option in options]
    model = tmp_path / "model"
    assert main(["train", "external", "-o", str(model), *SHORT, *given]) == code
    shown = capsys.readouterr().err.splitlines()[-1]
    assert shown.startswith("ERROR [E-")
    assert not model.exists()


def test_pairs_to_watch_decide_in_a_fine_tuning(
    tall_pair: Any,
    pair: Any,
    model_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen: dict[str, Any] = {}

    def fit(*_: Any, **how: Any) -> None:
        seen.update(how)
        raise KeyboardInterrupt

    monkeypatch.setattr(GuidedSRModel, "fit_external", fit)
    pair.truth.unlink()
    command = ["train", "external", "--data", str(tall_pair.folder), "-o"]
    command += [str(tmp_path / "m"), "--init", str(model_dir)]
    assert main([*command, "--validation", str(pair.folder)]) == 130
    [(t2, _)] = seen["validation"]
    assert t2.path == pair.t2
    assert "the 1 pairs to watch decide" in capsys.readouterr().err
    assert main([*command, "--validation-share", "0.25"]) == 130
    assert seen["validation"] == 0.25


@pytest.mark.parametrize("thick", [1.2, 3.0])
def test_a_slice_model_is_fine_tuned_on_whole_thick_scans(
    tmp_path: Path,
    tiny: dict[str, int],
    thick: float,
    capsys: pytest.CaptureFixture[str],
) -> None:
    start = GuidedSRModel("grdn", **tiny)
    start.networks = [start.build(), start.build()]
    start.scale, start.scale_range = (2.0, 1.0), (1.5, 4.0)
    usage = {"t2_mm": [1.0, 4.0], "t1_mm": [0.5, 1.5], "factors": [1.5, 4.0]}
    start.save_preset(tmp_path / "slices", metadata={"range": usage})
    for seed in (1, 2):
        head = head_phantom((48, 48), 12, seed=seed, voxel_mm=4.0)
        affine = head.affine @ np.diag([1.0, 1.0, thick, 1.0])
        for weighting, stack in (("t1", head.t1), ("t2", head.t2)):
            file = tmp_path / "scans" / str(seed) / f"{weighting}.nii.gz"
            file.parent.mkdir(parents=True, exist_ok=True)
            write_volume(file, np.moveaxis(stack, 0, -1), affine)
    command = ["train", "external", "--data", str(tmp_path / "scans")]
    command += ["-o", str(tmp_path / "mine"), "--init", str(tmp_path / "slices")]
    command += ["--max-steps", "1", "--batch-size", "2", "--patch-size", "16"]
    command += ["--register", "none"]
    assert main([*command, "--precision", "float32"]) == 0
    shown = capsys.readouterr().err
    assert "registration     none, each lies where its header says" in shown
    coarse = {1.2: 24, 3.0: 16}[thick]  # not thick enough: the factor of the model
    assert f" {coarse}x48 " in shown
    tuned = GuidedSRModel.from_preset(tmp_path / "mine")
    assert tuned.scale == (2.0, 1.0)
    assert tuned.scale_range == (1.5, 4.0)
    assert tuned.metadata["range"] == usage


def test_too_few_slices_to_fine_tune_on_are_refused_with_the_minimum(
    pair: Any,
    model_dir: Path,
    tmp_path: Path,
    no_framework: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pair.truth.unlink()
    command = ["train", "external", "--data", str(pair.folder), "-o"]
    assert main([*command, str(tmp_path / "m"), "--init", str(model_dir)]) == 65
    assert "2 slices to learn from; fine-tuning needs at least 8" in (
        capsys.readouterr().err
    )


def test_without_a_scale_and_a_start_there_is_nothing_to_learn(
    pair: Any, no_framework: None, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "external", "--data", str(pair.folder), "-o", "model"]
    assert main(command) == 64
    assert "--scale or --init" in capsys.readouterr().err


def test_a_start_with_a_network_of_its_authors_own_is_refused(
    pair: Any,
    model_dir: Path,
    tmp_path: Path,
    no_framework: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    start = tmp_path / "start"
    shutil.copytree(model_dir, start)
    config = json.loads((start / "config.json").read_text("utf-8"))
    config["backbone"] = {"name": "custom", "options": {}}
    (start / "config.json").write_text(json.dumps(config), encoding="utf-8")
    command = ["train", "external", "--data", str(pair.folder), "-o", "model"]
    assert main([*command, "--init", str(start)]) == 64
    assert "author's own" in capsys.readouterr().err


def test_ctrl_c_says_how_to_go_on(
    pair: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(GuidedSRModel, "fit_external", interrupt)
    model = tmp_path / "model"
    files = ["--data", str(pair.folder), "-o", str(model)]
    assert main(["train", "external", *files, *SHORT]) == 130
    shown = capsys.readouterr().err
    assert f"goes on from {model / 'checkpoints'}" in shown
