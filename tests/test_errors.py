from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from guided_sr import errors
from guided_sr.errors import DataError, GuidedSRError, GuidedSRWarning, warn_user

TABLE = [
    (errors.GuidedSRError, 1, "E-ERROR"),
    (errors.UsageError, 64, "E-USAGE"),
    (errors.UnknownScaleError, 64, "E-SCALE"),
    (errors.UnknownPresetError, 64, "E-PRESET"),
    (errors.DataError, 65, "E-DATA"),
    (errors.GeometryError, 65, "E-GEOM"),
    (errors.WeightsError, 65, "E-WEIGHTS"),
    (errors.MissingInputError, 66, "E-INPUT"),
    (errors.ClusterError, 71, "E-CLUSTER"),
    (errors.CannotCreateError, 73, "E-OUTPUT"),
    (errors.IOFailure, 74, "E-IO"),
    (errors.TryAgainError, 75, "E-RETRY"),
]


@pytest.mark.parametrize(("kind", "exit_code", "code"), TABLE)
def test_every_class_has_its_code_and_exit_code(kind, exit_code, code):
    error = kind("wrong")
    assert (error.exit_code, error.code) == (exit_code, code)
    assert issubclass(kind, GuidedSRError)


def test_text_is_one_line_with_path_and_mend():
    error = DataError("the T2 is empty", path=Path("a b.nii.gz"), mend="copy it again")
    assert str(error) == "the T2 is empty: a b.nii.gz. Mend: copy it again."


def test_text_without_path_and_mend_is_a_sentence():
    assert str(DataError("nothing to do.")) == "nothing to do."


def test_several_paths_are_all_named():
    error = DataError("no overlap", path=["T1.nii", Path("T2.nii")])
    assert str(error) == "no overlap: T1.nii, T2.nii."


def test_line_breaks_and_control_characters_cannot_reach_the_terminal():
    error = DataError("two\nlines", path="evil\n\x1b[31m\udcff.nii", mend="a\r\nb")
    assert str(error).isprintable()
    str(error).encode("utf-8")


def test_code_and_exit_code_can_be_overridden():
    error = DataError("x", code="E-OTHER", exit_code=9)
    assert (error.code, error.exit_code) == ("E-OTHER", 9)
    assert (DataError.code, DataError.exit_code) == ("E-DATA", 65)


@pytest.mark.parametrize("kind", [row[0] for row in TABLE])
def test_errors_survive_pickling(kind):
    error = kind("x", path="p", mend="m", exit_code=9)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    names = ("what", "path", "mend", "code", "exit_code")
    assert all(getattr(again, n) == getattr(error, n) for n in names)
    assert str(again) == str(error)


def test_usage_and_data_errors_are_value_errors():
    assert issubclass(errors.UnknownScaleError, ValueError)
    assert issubclass(errors.GeometryError, ValueError)


@pytest.mark.parametrize(
    ("path", "mend", "parts"),
    [
        ("a.nii", "copy it again", ("it is cut: a.nii", "copy it again")),
        (None, "", ("it is cut", "")),
    ],
)
def test_a_line_is_taken_apart_again(path, mend, parts):
    error = GuidedSRError("it is cut", path=path, mend=mend)
    assert errors.split_mend(str(error)) == parts


def test_warnings_have_the_form_of_errors():
    with pytest.warns(GuidedSRWarning, match=r"^odd: f\.nii\. Mend: look\.$"):
        warn_user("odd", path="f.nii", mend="look")


@pytest.mark.parametrize(
    ("name", "text", "short"),
    [
        ("ResourceExhaustedError", "OOM", True),
        ("OutOfMemoryError", "CUDA out of memory", True),
        ("XlaRuntimeError", "RESOURCE_EXHAUSTED: out of memory", True),
        ("XlaRuntimeError", "INVALID_ARGUMENT", False),
        ("ValueError", "out of memory", False),
    ],
)
def test_frameworks_that_run_out_of_memory_are_understood(name, text, short):
    error = type(name, (Exception,), {})(text)
    assert errors.is_out_of_memory(error) is short
    assert errors.is_out_of_memory(MemoryError())
