from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from guided_sr.cli.main import main
from guided_sr.explain.limits import MEANINGS, OWN
from guided_sr.volumes import corners


def command(pair, model: Path, out: Path, *more: str) -> list[str]:
    files = ["-i", str(pair.t2), "-g", str(pair.t1), "-o", str(out)]
    return ["explain", *files, "--model", str(model), *more]


def test_every_map_is_written_with_what_it_cannot_show(
    pair, model_dir, tmp_path, capsys
) -> None:
    out, every = tmp_path / "explained", ",".join(MEANINGS)
    arguments = ["--slice", "1", "--region", "20:28,12:30", "--maps", every]
    assert main(command(pair, model_dir, out, *arguments)) == 0
    told = json.loads((out / "explain.json").read_text("utf-8"))["GuidedSR"]
    assert told["slice"] == 1
    assert told["region"] == "20:28,12:30"
    assert set(told["t1_share"]["region"]) == {"cascade", "stage_1", "stage_2"}
    assert set(told["maps"]) == set(MEANINGS)
    for name, meaning in MEANINGS.items():
        assert told["maps"][name]["cannot_show"] == meaning.cannot
    stems = [stem for one in told["maps"].values() for stem in one["files"]]
    assert len(stems) == 9
    for stem in stems:
        image = nib.load(out / f"{stem}.nii.gz")
        assert image.shape == (48, 48, 1)
        assert np.isfinite(image.get_fdata()).all()
    middle = nib.load(pair.truth).slicer[:, :, 1:2]
    np.testing.assert_allclose(
        corners(image.affine, image.shape),
        corners(middle.affine, middle.shape),
        atol=1e-4,
    )
    with np.load(out / "receptive_field.npz") as field:
        assert field["t1"].shape == field["t2"].shape == (65, 65)
    assert (out / "explain.png").read_bytes().startswith(b"\x89PNG")
    assert "T1 share" in capsys.readouterr().out


def test_the_own_maps_are_the_default_and_need_no_extra(
    pair, model_dir, tmp_path, monkeypatch
) -> None:
    def missing() -> None:
        raise AssertionError("tf-keras-vis was asked for")

    monkeypatch.setattr("guided_sr.explain.keras_vis.require_keras_vis", missing)
    assert main(command(pair, model_dir, tmp_path / "e", "-q")) == 0
    told = json.loads((tmp_path / "e" / "explain.json").read_text("utf-8"))
    assert tuple(told["GuidedSR"]["maps"]) == OWN
    assert main(command(pair, model_dir, tmp_path / "e", "-q")) == 73


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (["--maps", "beauty"], 64),
        (["--region", "4:2,0:3"], 64),
        (["--region", "0:49,0:3"], 64),
        (["--slice", "-1"], 64),
    ],
)
def test_what_cannot_work_is_refused_before_the_framework(
    pair, model_dir, tmp_path, more, code, no_framework, capsys
) -> None:
    assert main(command(pair, model_dir, tmp_path / "e", *more)) == code
    assert "ERROR [E-USAGE]" in capsys.readouterr().err
    assert not (tmp_path / "e").exists()
