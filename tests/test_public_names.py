from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import guided_sr

CHECKED_IN = [
    line
    for line in Path(__file__)
    .with_name("public_names.txt")
    .read_text(encoding="utf-8")
    .splitlines()
    if line and not line.startswith("#")
]
PACKAGE = Path(guided_sr.__file__).parent


def names_of_the_stub() -> dict[str, str]:
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    return {
        alias.asname: node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname and node.module
    }


def test_all_is_the_checked_in_list() -> None:
    assert sorted(guided_sr.__all__) == CHECKED_IN


def test_the_checked_in_list_is_sorted_and_has_no_twins() -> None:
    assert sorted(set(CHECKED_IN)) == CHECKED_IN


def test_the_stub_names_the_same_homes_as_the_lazy_table() -> None:
    homes = {**guided_sr._HOME_OF, "__version__": "guided_sr._version"}
    assert names_of_the_stub() == homes


def test_the_stub_exports_the_same_names() -> None:
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    (exported,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
    )
    assert exported == guided_sr.__all__


@pytest.mark.parametrize("name", CHECKED_IN)
def test_every_public_name_loads(name: str) -> None:
    assert getattr(guided_sr, name) is not None


def test_dir_lists_the_public_names() -> None:
    assert dir(guided_sr) == CHECKED_IN


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'clowntown'"):
        _ = guided_sr.clowntown


def test_the_version_is_the_installed_one() -> None:
    try:
        installed = metadata.version("guided-sr")
    except metadata.PackageNotFoundError:
        pytest.skip("guided-sr is used from a checkout, not installed")
    assert installed == guided_sr.__version__


def test_the_version_is_a_release_or_a_development_release() -> None:
    assert re.fullmatch(
        r"\d+\.\d+\.\d+((a|b|rc)\d+)?(\.dev\d+)?", guided_sr.__version__
    )


def test_import_loads_nothing_heavy() -> None:
    heavy = ["jax", "keras", "nibabel", "numpy", "scipy", "tensorflow", "torch"]
    code = f"import guided_sr, sys; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


def test_the_numpy_names_load_no_framework() -> None:
    code = (
        "import sys; from guided_sr import (CascadePlan, GuidedSRError, back_project,"
        " degrade, head_phantom, psnr, ssim, upsample);"
        "print([m for m in ['jax', 'keras', 'tensorflow', 'torch']"
        " if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"
