"""Headers and cuts that nobody thought of: never worse than a refusal."""

from __future__ import annotations

import gzip
import tracemalloc
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from guided_sr.errors import GuidedSRError, GuidedSRWarning
from guided_sr.volumes.nifti import read_volume

MOST_VOXELS = 1 << 16
MOST_BYTES = 24 * MOST_VOXELS + (1 << 23)
FIELDS = [
    name
    for name in nib.Nifti1Header().template_dtype.names
    if name not in ("sizeof_hdr", "magic", "data_type", "db_name")
]
SETTINGS = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def image() -> bytes:
    """A plain NIfTI file of 8 x 9 x 10 voxels, both forms set."""
    data = np.random.default_rng(3).integers(1, 900, (8, 9, 10)).astype(np.int16)
    made = nib.Nifti1Image(data, np.diag([2.0, 2.0, 4.0, 1.0]))
    made.set_qform(made.affine, code=1)
    made.set_sform(made.affine, code=1)
    return made.to_bytes()


def read_or_refuse(path: Path, content: bytes) -> None:
    """Read a file; whatever is in it, the outcome is a volume or an error of ours."""
    packed = path.suffix == ".gz"
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    tracemalloc.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", GuidedSRWarning)
            volume = read_volume(path, max_voxels=MOST_VOXELS)
    except GuidedSRError as error:
        assert str(path) in str(error)  # noqa: PT017
        assert error.exit_code in (65, 75)  # noqa: PT017
        assert "Mend: " in str(error)  # noqa: PT017
    else:
        assert np.isfinite(volume.data).all()
        assert np.isfinite(volume.affine).all()
        assert volume.data.size <= MOST_VOXELS
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < MOST_BYTES


@given(junk=st.binary(min_size=348, max_size=348), keep=st.integers(0, 348))
@SETTINGS
def test_any_348_bytes_are_read_or_refused(tmp_path, image, junk, keep):
    head = image[:keep] + junk[keep:]
    read_or_refuse(tmp_path / "t2.nii", head[:344] + image[344:])


@given(
    changes=st.dictionaries(
        st.sampled_from(FIELDS), st.binary(min_size=1, max_size=32), max_size=4
    ),
    name=st.sampled_from(["t2.nii", "t2.nii.gz"]),
)
@example(changes={"descrip": b"annex/objects/"}, name="t2.nii")
@SETTINGS
def test_any_values_of_any_fields_are_read_or_refused(tmp_path, image, changes, name):
    head = np.frombuffer(image[:348], nib.Nifti1Header().template_dtype).copy()
    for field, value in changes.items():
        size = head.dtype[field].itemsize
        filled = (value * size)[:size]
        head[field] = np.frombuffer(filled, head.dtype[field])[0]
    read_or_refuse(tmp_path / name, head.tobytes() + image[348:])


@given(data=st.data(), packed=st.booleans())
@SETTINGS
def test_a_file_cut_anywhere_is_refused(tmp_path, image, data, packed):
    content = gzip.compress(image, mtime=0) if packed else image
    end = data.draw(st.integers(0, len(content) - 1))
    path = tmp_path / ("t2.nii.gz" if packed else "t2.nii")
    path.write_bytes(content[:end])
    with pytest.raises(GuidedSRError) as refusal:
        read_volume(path)
    assert refusal.value.exit_code == 65


@given(at=st.integers(0, 10**6), flip=st.integers(1, 255))
@SETTINGS
def test_a_flipped_byte_of_a_gzip_file_is_refused_or_harmless(
    tmp_path, image, at, flip
):
    content = bytearray(gzip.compress(image, mtime=0))
    content[at % len(content)] ^= flip
    path = tmp_path / "t2.nii.gz"
    path.write_bytes(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GuidedSRWarning)
            volume = read_volume(path)
    except GuidedSRError as error:
        assert error.exit_code == 65  # noqa: PT017
    else:  # a byte of the gzip header that means nothing
        stored = nib.Nifti1Image.from_bytes(image).get_fdata()
        np.testing.assert_array_equal(volume.data, stored)
