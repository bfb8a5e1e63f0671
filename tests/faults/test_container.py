"""Rows 1 to 18: the file as a container."""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path

import pytest

fault = pytest.mark.fault


@fault(1, "path missing", "66, nearest name")
def test_a_missing_file_is_named_with_its_nearest_neighbour(scene):
    wrong = scene.folder / "t2.nii.gs"
    there, scene.t2 = scene.t2, wrong
    scene.refused(66, "E-INPUT", f"did you mean {there}?", path=wrong)


@fault(2, "dangling link, git-annex not fetched", "66, datalad get")
def test_a_link_without_content_tells_how_to_get_it(scene):
    scene.t2.unlink()
    scene.t2.symlink_to(".git/annex/objects/ab/cd/key/key")
    scene.refused(66, "E-INPUT", "Mend: datalad get ")


@fault(2, "dangling link of another kind", "66")
def test_a_dangling_link_is_called_one(scene):
    scene.t2.unlink()
    scene.t2.symlink_to("nowhere")
    scene.refused(66, "E-INPUT", "a link to a file that does not exist")


@fault(3, "git-annex pointer file", "66, datalad get")
def test_a_pointer_file_tells_how_to_get_the_content(scene):
    scene.t2.write_text("/annex/objects/MD5E-s100--ab.nii.gz\n", "utf-8")
    scene.refused(66, "E-INPUT", "Mend: datalad get ")


@fault(4, "no read permission", "66, mode and user")
def test_a_file_that_may_not_be_read_is_named_with_mode_and_user(scene, bound):
    scene.t2.chmod(0o200)
    words = [f"by user {os.getuid()}", "mode 0200"]
    scene.refused(66, "E-INPUT", *words, before=bound, api=False)


@fault(5, "folder of DICOM files", "65, dcm2niix command")
def test_a_folder_of_dicom_files_gets_the_command_that_converts_it(scene):
    dicom = scene.folder / "dicom files"
    dicom.mkdir()
    (dicom / "IM0001").write_bytes(bytes(128) + b"DICM" + bytes(64))
    scene.t2 = dicom
    scene.refused(65, "E-DATA", "dcm2niix -z y -o ", f"'{dicom}'", path=dicom)


@fault(6, ".dcm, .IMA, .PAR, .mha, .nrrd", "65, accepted types")
@pytest.mark.parametrize("ending", [".dcm", ".IMA", ".PAR", ".mha", ".nrrd"])
def test_other_formats_are_refused_with_a_way_to_convert_them(scene, ending):
    other = scene.folder / f"scan{ending}"
    other.write_bytes(b"# some header" + bytes(400))
    scene.t2 = other
    mend = ".nii.gz" if ending in (".mha", ".nrrd") else "dcm2niix"
    scene.refused(65, "E-DATA", mend, path=other)


@fault(7, "empty file", "65")
def test_an_empty_file_is_called_empty(scene):
    scene.t2.write_bytes(b"")
    scene.refused(65, "E-DATA", "0 bytes")


@fault(8, "HTML saved as .nii.gz", "65, failed download?")
def test_a_web_page_is_called_a_failed_download(scene):
    scene.t2.write_text("<html><body>404</body></html>", "utf-8")
    scene.refused(65, "E-DATA", "begins with '<html>", "a failed download?")


@fault(9, "compressed under a plain name, or not", "65, mv command")
@pytest.mark.parametrize("packed", [True, False])
def test_a_wrong_suffix_gets_the_command_that_mends_it(scene, packed):
    content = scene.t2.read_bytes()
    if packed:
        scene.t2 = scene.folder / "plain.nii"
        scene.t2.write_bytes(content)
    else:
        scene.t2.write_bytes(gzip.decompress(content))
    scene.refused(65, "E-DATA", "although its name says otherwise", "Mend: mv ")


@fault(10, "gzip cut in the data", "65")
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_cut_gzip_file_is_refused(scene, share):
    content = scene.t2.read_bytes()
    scene.t2.write_bytes(content[: int(len(content) * share)])
    scene.refused(65, "E-DATA", "cut short")


@fault(11, "gzip trailer cut, checksum wrong", "65")
@pytest.mark.parametrize("how", ["cut", "wrong"])
def test_the_checksum_of_a_gzip_file_is_verified(scene, how):
    content = scene.t2.read_bytes()
    crc = zlib.crc32(b"other").to_bytes(4, "little")
    ending = content[:-4] if how == "cut" else content[:-8] + crc + content[-4:]
    scene.t2.write_bytes(ending)
    scene.refused(65, "E-DATA", "cut short" if how == "cut" else "damaged")


@fault(12, "garbage after the gzip stream", "65")
def test_garbage_behind_the_stream_is_refused(scene):
    scene.t2.write_bytes(scene.t2.read_bytes() + b"garbage")
    scene.refused(65, "E-DATA", "further data after the end")


@fault(12, "zeros after the gzip stream", "0")
def test_padding_with_zeros_is_no_fault(scene):
    scene.t2.write_bytes(scene.t2.read_bytes() + bytes(512))
    scene.planned()


@fault(13, "bit flip", "65")
def test_a_flipped_bit_is_found(scene):
    content = bytearray(scene.t2.read_bytes())
    content[len(content) // 2] ^= 0x10
    scene.t2.write_bytes(content)
    scene.refused(65, "E-DATA")


@fault(14, ".nii cut", "65, bytes")
def test_a_cut_plain_file_is_refused_with_its_length(scene):
    plain = scene.folder / "plain.nii"
    plain.write_bytes(scene.raw("t2")[:3000])
    scene.t2 = plain
    scene.refused(65, "E-DATA", "3000 of ")


@fault(15, "gzip bomb by its header", "65, GiB")
def test_a_header_that_asks_for_gigabytes_is_refused_from_the_header(scene):
    scene.header("t2", dim=[3, 2000, 2000, 2000, 1, 1, 1, 1])
    scene.refused(65, "E-DATA", "would need 29.8 GiB; the limit is 4 GiB")


@fault(15, "gzip bomb behind the image", "65")
def test_a_stream_without_end_behind_the_image_is_not_followed(scene):
    packer = zlib.compressobj(9, wbits=31)
    parts = [packer.compress(bytes(scene.raw("t2")))]
    parts += [packer.compress(bytes(1 << 24)) for _ in range(12)]
    scene.t2.write_bytes(b"".join([*parts, packer.flush()]))
    scene.refused(65, "E-DATA", "further data after the end")


@fault(16, "replaced while it is read", "75")
@pytest.mark.parametrize("how", ["replaced", "growing"])
def test_a_file_that_changes_while_it_is_read_asks_to_try_again(scene, how):
    plain = scene.folder / "plain.nii"
    plain.write_bytes(scene.raw("t2"))
    scene.t2 = plain
    ran = scene.program(scene.command(), inject=how)
    assert ran.code == 75
    assert "changed while it was read" in ran.last
    assert "Mend: " in ran.last
    assert not scene.out.exists()


@fault(17, "unicode, spaces, long path, leading dash", "0")
def test_unusual_names_work_from_input_to_result(scene):
    place = scene.folder.joinpath(*["a long name of a folder " * 4] * 8)
    place.mkdir(parents=True)
    t2 = place / "-Kopf größe 脳.nii.gz"
    t2.write_bytes(scene.t2.read_bytes())
    assert len(str(t2)) > 800
    more = [f"--t2={t2.name}", "-o", "-Ergebnis é.nii.gz"]
    arguments = ["run", "-g", str(scene.t1), "--model", str(scene.model), more[0]]
    ran = scene.program([*arguments, f"--out={more[2]}"], cwd=place)
    assert ran.code == 0, ran.err
    assert (place / more[2]).is_file()
    assert not [one for one in place.iterdir() if one.name.startswith(".")]


@fault(18, "input and output the same file", "64")
@pytest.mark.parametrize("how", ["same", "symlink", "hardlink"])
def test_an_input_is_never_the_output(scene, how):
    out: Path = scene.t2
    if how != "same":
        out = scene.folder / "link.nii.gz"
        (out.symlink_to if how == "symlink" else out.hardlink_to)(scene.t2)
    arguments = scene.command("-o", out, "--force")
    scene.refused(64, "E-USAGE", "same file", arguments=arguments, api=False)
