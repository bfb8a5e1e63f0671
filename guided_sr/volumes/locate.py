"""Find an input file and refuse what cannot be a NIfTI or MGH image.

Everything here answers from the folder listing and the first bytes of the file.
"""

from __future__ import annotations

import os
import shlex
import stat
import struct
from difflib import get_close_matches
from pathlib import Path

from guided_sr.errors import DataError, MissingInputError
from guided_sr.volumes.container import is_gzip, read_head

__all__ = ["MGH_SUFFIXES", "SUFFIXES", "locate", "suffix_of"]

MGH_SUFFIXES = (".mgz", ".mgh")
SUFFIXES = (".nii.gz", ".nii", *MGH_SUFFIXES)
_ACCEPTED = "give a .nii, .nii.gz or .mgz file"
_DICOM_SUFFIXES = (".dcm", ".ima", ".dicom")
_PACKED = (".nii.gz", ".mgz")
# sizeof_hdr of NIfTI-1 and NIfTI-2, both byte orders.
_NIFTI_STARTS = tuple(
    struct.pack(f"{sign}i", size) for size in (348, 540) for sign in "<>"
)
_MGH_START = b"\0\0\0\x01"


def suffix_of(path: Path) -> str:
    """The accepted suffix of a file name, in lower case, or an empty string."""
    lower = path.name.lower()
    return next((s for s in SUFFIXES if lower.endswith(s)), "")


def locate(path: Path, *, name: str) -> Path:
    """Check that a path leads to a file that may be an image.

    Args:
        path: As the user gave it.
        name: What to call the image in messages, e.g. ``"T2"``.

    Returns:
        The same path.

    Raises:
        MissingInputError: If it is not there, not downloaded or may not be read.
        DataError: If it is a folder, empty, or evidently something else.
    """
    try:
        status = os.stat(path)
    except PermissionError as error:
        raise MissingInputError(
            f"the folder of the {name} may not be entered",
            path=path,
            mend="ask its owner for permission, or copy the file elsewhere",
        ) from error
    except (OSError, ValueError) as error:
        raise _missing(path, name) from error
    if stat.S_ISDIR(status.st_mode):
        raise _folder(path, name)
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"the {name} is no regular file", path=path, mend=_ACCEPTED)
    if status.st_size == 0:
        raise DataError(
            f"the {name} is empty (0 bytes)",
            path=path,
            mend="copy, download or convert it again",
        )
    _refuse_foreign(path, name)
    return path


def _refuse_foreign(path: Path, name: str) -> None:
    suffix = suffix_of(path)
    packed = is_gzip(path)
    start = b"" if packed else read_head(path, 400, name=name)
    if b"annex/objects/" in start[:200] and b"\0" not in start:  # a pointer is text
        raise _not_fetched(path, name)
    if start.startswith(b"version https://git-lfs"):
        raise MissingInputError(
            f"the content of the {name} has not been downloaded (Git LFS)",
            path=path,
            mend=f"git lfs pull --include {shlex.quote(path.name)}",
        )
    if not suffix:
        raise _wrong_type(path, name, start)
    nifti = start[:4] in _NIFTI_STARTS
    if (suffix in _PACKED) == packed or (suffix == ".mgh" and packed):
        if not packed and not nifti and start[:4] != _MGH_START:
            raise _not_an_image(path, name, start)
    elif packed:
        raise _misnamed(path, name, "gzip-compressed", f"{path.name}.gz")
    elif nifti or start[:4] == _MGH_START:
        plain = path.name[:-3] if suffix == ".nii.gz" else path.name[:-1] + "h"
        raise _misnamed(path, name, "not compressed", plain)
    else:
        raise _not_an_image(path, name, start)


def _missing(path: Path, name: str) -> MissingInputError:
    if os.path.islink(path):
        if "annex/objects" in os.readlink(path):
            return _not_fetched(path, name)
        return MissingInputError(
            f"the {name} is a link to a file that does not exist",
            path=path,
            mend="restore the file that the link points to",
        )
    folder = path.parent
    try:
        names = [entry.name for entry in os.scandir(folder)]
    except (OSError, ValueError):
        return MissingInputError(
            f"the folder of the {name} does not exist",
            path=path,
            mend="check the path",
        )
    # endings are all alike; of files that differ in theirs, the image counts
    names.sort(key=lambda name: ".nii" in name)
    stems = {_stem(name): name for name in names}
    near = get_close_matches(_stem(path.name), stems, n=1, cutoff=0.6)
    mend = f"did you mean {folder / stems[near[0]]}?" if near else "check the path"
    return MissingInputError(f"the {name} does not exist", path=path, mend=mend)


def _stem(name: str) -> str:
    return name.partition(".")[0].lower()


def _not_fetched(path: Path, name: str) -> MissingInputError:
    return MissingInputError(
        f"the content of the {name} has not been downloaded (DataLad, git-annex)",
        path=path,
        mend=f"datalad get {shlex.quote(str(path))}",
    )


def _folder(path: Path, name: str) -> DataError:
    try:
        entries = sorted(entry for entry in path.iterdir() if entry.is_file())
    except OSError:
        entries = []
    images = [entry for entry in entries if suffix_of(entry)]
    if images:
        mend = f"name one image in it, for instance {images[0]}"
        return DataError(f"the {name} is a folder", path=path, mend=mend)
    if any(_is_dicom(entry) for entry in entries[:20]):
        return DataError(
            f"the {name} is a folder of DICOM files",
            path=path,
            mend=_dcm2niix(path, path.parent),
        )
    return DataError(f"the {name} is a folder", path=path, mend=_ACCEPTED)


def _is_dicom(path: Path) -> bool:
    if path.suffix.lower() in _DICOM_SUFFIXES:
        return True
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _dcm2niix(source: Path, out: Path) -> str:
    return f"dcm2niix -z y -o {shlex.quote(str(out))} {shlex.quote(str(source))}"


def _wrong_type(path: Path, name: str, start: bytes) -> DataError:
    ending = path.suffix.lower()
    if ending in (*_DICOM_SUFFIXES, ".par", ".rec") or start[128:132] == b"DICM":
        kind = "a Philips PAR/REC file" if ending in (".par", ".rec") else "DICOM"
        source = path if kind != "DICOM" else path.parent
        return DataError(
            f"the {name} is {kind}, not NIfTI",
            path=path,
            mend=_dcm2niix(source, path.parent),
        )
    if ending in (".hdr", ".img"):
        header = shlex.quote(str(path.with_suffix(".hdr")))
        single = shlex.quote(str(path.with_suffix(".nii")))
        return DataError(
            f"the {name} is a pair of .hdr and .img files",
            path=path,
            mend=f"nib-convert {header} {single}",
        )
    if ending in (".mha", ".mhd", ".nrrd", ".nhdr", ".mnc"):
        return DataError(
            f"the {name} is a {ending} file, not NIfTI",
            path=path,
            mend="convert it to .nii.gz, for instance with 3D Slicer or SimpleITK",
        )
    return DataError(f"the {name} is of an unknown type", path=path, mend=_ACCEPTED)


def _misnamed(path: Path, name: str, truth: str, better: str) -> DataError:
    old, new = shlex.quote(str(path)), shlex.quote(str(path.with_name(better)))
    return DataError(
        f"the {name} is {truth} although its name says otherwise",
        path=path,
        mend=f"mv {old} {new}",
    )


def _not_an_image(path: Path, name: str, start: bytes) -> DataError:
    what = f"the {name} is not a {suffix_of(path)} image"
    text = " ".join(start[:60].decode("latin-1").split())
    if start[128:132] == b"DICM":
        mend = _dcm2niix(path.parent, path.parent)
        return DataError(f"{what} but DICOM", path=path, mend=mend)
    if text.lower().startswith(("<!doctype", "<html", "<?xml", "<head", "{")):
        return DataError(
            f"{what}, it begins with {text[:24]!r}: a failed download?",
            path=path,
            mend="download it again and look at the file in a browser",
        )
    shown = f", it begins with {text[:24]!r}" if text[:24].isprintable() else ""
    return DataError(what + shown, path=path, mend=_ACCEPTED)
