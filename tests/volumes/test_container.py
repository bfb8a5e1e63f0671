"""Faults of the file itself: each one line, naming the file and a mend."""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from guided_sr.errors import DataError, GuidedSRError, MissingInputError, TryAgainError
from guided_sr.volumes import container
from guided_sr.volumes.nifti import read_volume, sha256_of


def refusal(path, kind=DataError, exit_code=65):
    """The error's text, after checking what every refusal promises."""
    before = path.read_bytes() if path.is_file() and os.access(path, os.R_OK) else b""
    with pytest.raises(kind) as caught:
        read_volume(path, name="T2")
    text = str(caught.value)
    assert caught.value.exit_code == exit_code
    assert str(path) in text
    assert "T2" in text
    assert ". Mend: " in text
    assert "\n" not in text
    if before:
        assert path.read_bytes() == before
    return text


@pytest.fixture
def nii(tmp_path) -> Path:
    path = tmp_path / "t2.nii"
    data = np.random.default_rng(0).integers(0, 1000, (20, 18, 16)).astype(np.int16)
    image = nib.Nifti1Image(data, np.diag([1.0, 1, 3, 1]))
    nib.save(image, path)
    return path


@pytest.fixture
def packed(nii) -> Path:
    path = nii.with_name("t2.nii.gz")
    path.write_bytes(gzip.compress(nii.read_bytes()))
    nii.unlink()
    return path


def test_a_missing_file_suggests_no_other_image_for_its_ending(packed):
    text = refusal(packed.with_name("nope.nii.gz"), MissingInputError, 66)
    assert "did you mean" not in text


def test_a_missing_file_suggests_the_nearest_name(packed):
    wrong = packed.with_name("T2.nii.gz")
    text = refusal(wrong, MissingInputError, 66)
    assert f"did you mean {packed}?" in text


def test_a_missing_folder_is_named_as_such(tmp_path):
    text = refusal(tmp_path / "nowhere" / "t2.nii.gz", MissingInputError, 66)
    assert "folder of the T2 does not exist" in text


@pytest.mark.parametrize("name", ["x" * 300 + ".nii", "nul\0.nii"])
def test_impossible_names_are_missing_files(tmp_path, name):
    with pytest.raises(MissingInputError):
        read_volume(tmp_path / name)


def test_a_dangling_link_is_told_from_a_missing_file(tmp_path):
    link = tmp_path / "t2.nii.gz"
    link.symlink_to(tmp_path / "gone.nii.gz")
    assert "link" in refusal(link, MissingInputError, 66)


def test_a_dataset_that_was_not_downloaded_gets_the_datalad_command(tmp_path):
    link = tmp_path / "t2.nii.gz"
    link.symlink_to(".git/annex/objects/aa/bb/MD5E-s1--x.nii.gz")
    assert f"datalad get {link}" in refusal(link, MissingInputError, 66)
    pointer = tmp_path / "t1.nii.gz"
    pointer.write_text("/annex/objects/MD5E-s1--x.nii.gz\n")
    assert "datalad get" in refusal(pointer, MissingInputError, 66)


def test_a_git_lfs_pointer_gets_the_git_lfs_command(tmp_path):
    pointer = tmp_path / "t2.nii.gz"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\n")
    assert "git lfs pull" in refusal(pointer, MissingInputError, 66)


def test_an_unreadable_file_is_a_missing_input(packed, monkeypatch):
    def no_entry(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", no_entry)
    with pytest.raises(MissingInputError, match=r"mode 0\d\d\d.*Mend") as caught:
        read_volume(packed)
    assert str(packed) in str(caught.value)


def test_a_failing_drive_is_an_io_failure(packed, monkeypatch):
    def broken(self, *args, **kwargs):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "open", broken)
    with pytest.raises(GuidedSRError, match="Input/output error") as caught:
        read_volume(packed)
    assert caught.value.exit_code == 74


def test_a_folder_of_dicom_gets_the_dcm2niix_command(tmp_path):
    folder = tmp_path / "my scan"
    folder.mkdir()
    (folder / "IM0001").write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 100)
    text = refusal(folder)
    assert "DICOM" in text
    assert f"dcm2niix -z y -o {tmp_path} '{folder}'" in text


def test_a_folder_with_images_names_one_of_them(packed):
    text = refusal(packed.parent)
    assert str(packed) in text


def test_an_empty_folder_is_refused(tmp_path):
    assert ".nii.gz" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("t2.dcm", "dcm2niix"),
        ("t2.IMA", "dcm2niix"),
        ("t2.PAR", "dcm2niix"),
        ("t2.hdr", "nib-convert"),
        ("t2.nrrd", "3D Slicer"),
        ("t2.mha", "SimpleITK"),
        ("t2.png", ".nii.gz or .mgz"),
        ("t2", ".nii.gz or .mgz"),
    ],
)
def test_other_formats_get_the_way_to_nifti(tmp_path, name, word):
    path = tmp_path / name
    path.write_bytes(b"\1" * 500)
    assert word in refusal(path)


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "t2.nii.gz"
    path.touch()
    assert "empty" in refusal(path)


@pytest.mark.parametrize("name", ["t2.nii.gz", "t2.nii", "t2.mgz"])
def test_a_web_page_saved_as_an_image_is_recognised(tmp_path, name):
    path = tmp_path / name
    path.write_text("<!DOCTYPE html><html><body>Please log in</body></html>")
    text = refusal(path)
    assert "failed download" in text
    assert "<!DOCTYPE" in text


def test_text_and_noise_saved_as_an_image_are_refused(tmp_path):
    for content in (b"subject,age\n01,30\n", b"\x07\x93\xff" * 200):
        path = tmp_path / "t2.nii.gz"
        path.write_bytes(content)
        assert "not a .nii.gz image" in refusal(path)


def test_compressed_text_is_refused(tmp_path):
    path = tmp_path / "t2.nii.gz"
    path.write_bytes(gzip.compress(b"not an image" * 100))
    assert "no NIfTI header" in refusal(path)


def test_a_named_pipe_does_not_hang(tmp_path):
    path = tmp_path / "t2.nii.gz"
    os.mkfifo(path)
    assert "regular file" in refusal(path)


def test_misnamed_files_get_the_renaming_command(nii):
    content = nii.read_bytes()
    wrong = nii.with_name("plain.nii.gz")
    wrong.write_bytes(content)
    assert f"mv {wrong} {nii.with_name('plain.nii')}" in refusal(wrong)
    wrong = nii.with_name("packed.nii")
    wrong.write_bytes(gzip.compress(content))
    assert f"mv {wrong} {nii.with_name('packed.nii.gz')}" in refusal(wrong)


@pytest.mark.parametrize("share", [0.001, 0.05, 0.5, 0.99])
def test_a_truncated_gzip_file_is_refused(packed, share):
    content = packed.read_bytes()
    packed.write_bytes(content[: max(12, int(len(content) * share))])
    refusal(packed)


@pytest.mark.parametrize("cut", range(1, 9))
def test_a_cut_trailer_is_refused(packed, cut):
    packed.write_bytes(packed.read_bytes()[:-cut])
    assert "cut short" in refusal(packed)


@pytest.mark.parametrize("at", [-8, -4])
def test_a_wrong_checksum_or_length_is_refused(packed, at):
    content = bytearray(packed.read_bytes())
    content[at] ^= 0xFF
    packed.write_bytes(content)
    assert "damaged gzip" in refusal(packed)


def test_any_flipped_bit_is_noticed(packed):
    content = packed.read_bytes()
    expected = read_volume(packed).data
    for at in np.random.default_rng(0).integers(10, len(content), 30):
        bad = bytearray(content)
        bad[at] ^= 0x10
        packed.write_bytes(bad)
        refusal(packed)
    packed.write_bytes(content)
    np.testing.assert_array_equal(read_volume(packed).data, expected)


def test_garbage_after_the_gzip_stream_is_refused(packed):
    content = packed.read_bytes()
    for tail in (b"x", b"\0\0garbage", b"\x1f\x8bnot a member"):
        packed.write_bytes(content + tail)
        refusal(packed)


def test_zero_padding_after_the_gzip_stream_is_harmless(packed):
    expected = read_volume(packed).data
    packed.write_bytes(packed.read_bytes() + b"\0" * (3 << 20))
    np.testing.assert_array_equal(read_volume(packed).data, expected)


def test_a_gzip_file_of_several_members_is_read(nii):
    content = nii.read_bytes()
    parts = [content[:1], content[1:700], content[700:]]
    path = nii.with_name("members.nii.gz")
    path.write_bytes(b"".join(map(gzip.compress, parts)))
    np.testing.assert_array_equal(read_volume(path).data, read_volume(nii).data)


def test_data_after_the_image_are_refused_unless_zero(nii):
    content = nii.read_bytes()
    expected = read_volume(nii).data
    nii.write_bytes(content + b"\0" * 100)
    np.testing.assert_array_equal(read_volume(nii).data, expected)
    nii.write_bytes(content + b"\0" * 100 + b"x")
    assert "after the end" in refusal(nii)


@pytest.mark.parametrize("kept", [3, 200, 348, 400, 5000, -1])
def test_a_truncated_nii_is_refused(nii, kept):
    nii.write_bytes(nii.read_bytes()[:kept])
    refusal(nii)


def test_a_large_stream_is_drained_in_pieces(tmp_path):
    """Several chunks on both sides of the decompressor, and a checksum at the end."""
    data = np.random.default_rng(0).integers(0, 255, (160, 160, 120)).astype(np.uint8)
    path = tmp_path / "big.nii.gz"
    nib.save(nib.Nifti1Image(data, np.eye(4)), path)
    np.testing.assert_array_equal(read_volume(path).data, data)
    content = bytearray(path.read_bytes())
    assert len(content) > 2 << 20
    content[-6] ^= 1
    path.write_bytes(content)
    refusal(path)


def test_a_gzip_bomb_does_not_fill_the_memory(tmp_path):
    """A header that asks for little before a stream that unpacks to much."""
    path = tmp_path / "bomb.nii.gz"
    header = nib.Nifti1Header()
    header.set_data_shape((4, 4, 4))
    header.set_sform(np.eye(4), 1)
    header["vox_offset"] = 352
    header["magic"] = b"n+1\0"
    squeeze = zlib.compressobj(9, wbits=31)
    out = squeeze.compress(header.binaryblock + b"\0" * 4)
    for _ in range(64):
        out += squeeze.compress(b"\1" * (1 << 20))
    path.write_bytes(out + squeeze.flush())
    assert "after the end" in refusal(path)


def test_a_file_replaced_while_it_is_read_asks_to_try_again(packed, monkeypatch):
    honest = container.read_head

    def replaced(path, count, *, name):
        head = honest(path, count, name=name)
        return head[:100] + struct.pack("i", 12345) + head[104:]

    monkeypatch.setattr("guided_sr.volumes.peek.read_head", replaced)
    refusal(packed, TryAgainError, 75)


def test_odd_but_legal_names_work(packed):
    for name in ("T2 ünïcode (1).nii.gz", "-t2.nii.gz", "T2.NII.GZ"):
        other = packed.with_name(name)
        other.write_bytes(packed.read_bytes())
        assert read_volume(other).data.shape == (20, 18, 16)


def test_sha256_is_that_of_the_stored_file(packed):
    volume = read_volume(packed)
    assert volume.sha256 == sha256_of(packed)
    assert len(volume.sha256) == 64


def test_sha256_of_a_missing_file_is_a_missing_input(tmp_path):
    with pytest.raises(MissingInputError):
        sha256_of(tmp_path / "none")
