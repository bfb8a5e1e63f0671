"""Prepare the files of the presets for upload, and check them against the registry.

    python pretrained/release.py OUT
    python pretrained/release.py OUT --check
    python pretrained/release.py --url https://host/folder

The first fills the folder OUT and checks it, the second only checks it, and the third
downloads every file from where OUT has been uploaded and keeps nothing. All files lie
in one folder, as ``NAME.FILE``, since the hosts of releases know no others;
`SHA256SUMS` is for `sha256sum --check`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from guided_sr.errors import GuidedSRError
from guided_sr.presets import describe_preset, list_presets, verify_preset
from guided_sr.presets.download import download
from guided_sr.presets.entries import packaged_folder
from guided_sr.presets.fetch import asset_name, asset_url
from guided_sr.progress import show_progress
from guided_sr.volumes import sha256_of

SUMS = "SHA256SUMS"


def assets() -> Iterator[tuple[str, str, str, int]]:
    """Preset, file, sha256 and bytes of everything that the registry lists."""
    for name in list_presets():
        for file, known in describe_preset(name)["files"].items():
            yield name, file, known["sha256"], known["bytes"]


def sums() -> str:
    """Text of the file with all sums."""
    lines = [
        f"{sha256}  {asset_name(name, file)}\n" for name, file, sha256, _ in assets()
    ]
    return "".join(sorted(lines, key=lambda line: line.split()[1]))


def prepare(out: Path) -> None:
    """Fill the folder with every file of every preset.

    Raises:
        GuidedSRError: If a preset differs from the registry.
        FileNotFoundError: If a preset is not in this checkout.
    """
    for name in list_presets():
        if packaged_folder(name) is None:
            raise FileNotFoundError(f"{name} is not in this checkout")
        verify_preset(name)
    out.mkdir(parents=True, exist_ok=True)
    for name, file, _, _ in assets():
        source = packaged_folder(name)
        assert source is not None
        shutil.copyfile(source / file, out / asset_name(name, file))
    (out / SUMS).write_text(sums(), encoding="utf-8")


def faults(out: Path) -> list[str]:
    """What is wrong with a prepared folder, one line each."""
    found = []
    expected = {SUMS}
    for name, file, sha256, size in assets():
        path = out / asset_name(name, file)
        expected.add(path.name)
        if not path.is_file():
            found.append(f"{path.name} is missing")
        elif path.stat().st_size != size:
            found.append(f"{path.name} has {path.stat().st_size} bytes, not {size}")
        elif sha256_of(path) != sha256:
            found.append(f"{path.name} has another sha256 than the registry says")
    if not (out / SUMS).is_file() or (out / SUMS).read_text("utf-8") != sums():
        found.append(f"{SUMS} is missing or is not that of the registry")
    there = {path.name for path in out.iterdir()} if out.is_dir() else set()
    found += [f"{name} does not belong here" for name in sorted(there - expected)]
    return found


def check_url(base: str) -> None:
    """Download every file from one address, and keep none.

    Raises:
        GuidedSRError: At the first file that does not come whole.
    """
    listed = list(assets())
    total, before = sum(size for *_, size in listed), 0
    with (
        tempfile.TemporaryDirectory() as folder,
        show_progress("downloading", of_bytes=True) as advance,
    ):
        for name, file, sha256, size in listed:

            def show(done: int, before: int = before) -> None:
                advance(before + done, total)

            target = Path(folder) / file
            download(
                [asset_url(base, name, file)],
                target,
                sha256=sha256,
                size=size,
                advance=show,
            )
            target.unlink()
            before += size


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, nargs="?", help="folder to upload")
    parser.add_argument("--check", action="store_true", help="only check the folder")
    parser.add_argument("--url", help="check what has been uploaded to this address")
    args = parser.parse_args(argv)
    if (args.out is None) == (args.url is None) or (args.check and args.out is None):
        parser.error("give either the folder or --url; --check goes with the folder")
    try:
        if args.url is not None:
            check_url(args.url)
        elif not args.check:
            prepare(args.out)
    except (GuidedSRError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    found = [] if args.out is None else faults(args.out)
    if found:
        sys.exit("\n".join(found))
    listed = list(assets())
    size = sum(size for *_, size in listed) / 1e6
    print(f"{len(listed)} files, {size:.1f} MB, as the registry says")


if __name__ == "__main__":
    main()
