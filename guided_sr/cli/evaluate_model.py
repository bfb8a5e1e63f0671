"""``guided-sr eval --honesty`` and ``--stress``: a model put to the test."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guided_sr.cli.console import Console, print_table
from guided_sr.errors import MissingInputError, UsageError

if TYPE_CHECKING:
    from guided_sr.cli.choose import Chosen
    from guided_sr.datasets.label_maps import Labels
    from guided_sr.evaluation.predictors import Predict

SEEN = 16
"""Label maps that the presets are trained on: the first of their folder."""

BASELINE = "cubic"


@dataclass(frozen=True)
class _Test:
    """What is tested, on what, and where its figures go."""

    chosen: Chosen
    fallback: Chosen | None
    maps: dict[str, Labels]
    files: dict[str, Path]

    @property
    def name(self) -> str:
        return self.chosen.folder.name

    def record(self, args: argparse.Namespace) -> dict[str, Any]:
        """What the figures belong to, as plain data."""
        from guided_sr._version import __version__

        models = [one for one in (self.chosen, self.fallback) if one is not None]
        return {
            "version": __version__,
            "command": shlex.join(["guided-sr", *args.argv]),
            "models": {one.folder.name: dict(one.config.weights) for one in models},
            "scale": list(self.chosen.scale),
            "label_maps": list(self.maps),
            "planes": args.planes,
        }


def examine(args: argparse.Namespace) -> int:
    """Measure a model's honesty, or its gain under stress.

    Raises:
        GuidedSRError: If options do not go together, or the model, a label map or the
            folder of the output cannot be used.
    """
    test = _prepared(args)
    console = Console(quiet=args.quiet)
    for name in test.maps:
        console.note(f"label map {name}")
    measure = _honesty if args.honesty else _stress
    with _methods(args, test, console) as methods:
        measure(args, test, methods, console)
    for path in test.files.values():
        console.note(str(path))
    return 0


def _prepared(args: argparse.Namespace) -> _Test:
    """Everything that can be refused before a framework is loaded."""
    from guided_sr.cli.choose import choose_model
    from guided_sr.cli.outputs import check_outputs

    kind = "honesty" if args.honesty else "stress"
    given = [name for name in ("hr", "sr", "lr", "json") if getattr(args, name)]
    if given:
        raise UsageError(
            f"--{kind} looks at a model, --{given[0]} at a result",
            mend=f"leave out --{given[0]}",
        )
    if args.model is None:
        raise UsageError(
            f"--{kind} needs a model", mend="give --model, such as --model grdn_t2_x4"
        )
    chosen = choose_model(args.model, args.scale, quiet=args.quiet)
    fallback = None
    if args.fallback is not None:
        fallback = choose_model(
            args.fallback, args.scale, option="--fallback", quiet=args.quiet
        )
        if fallback.scale != chosen.scale:
            raise UsageError(
                f"{fallback.folder.name} and {chosen.folder.name} are for different"
                " scales",
                mend="give a --fallback of the scale of --model",
            )
        if fallback.folder.name == chosen.folder.name:
            raise UsageError(
                "--fallback and --model have the same name", mend="give another"
            )
    suffixes = ("json", "md", "png") if args.honesty else ("jsonl", "md")
    stem = f"{chosen.folder.name}_{kind}"
    files = {suffix: Path(args.out) / f"{stem}.{suffix}" for suffix in suffixes}
    check_outputs(*files.values(), force=args.force)
    maps = {} if args.label_maps is None else held_out(Path(args.label_maps))
    if args.stress and len(maps) < 2:
        raise UsageError(
            "--stress needs two label maps or more",
            mend="give a folder of them with --label-maps",
        )
    return _Test(chosen, fallback, maps, files)


def held_out(folder: Path) -> dict[str, Labels]:
    """The label maps of a folder that no preset has seen, by name."""
    from guided_sr.datasets.label_maps import read_label_map

    found = sorted([*folder.glob("*.nii.gz"), *folder.glob("*.nii")])
    if not found:
        raise MissingInputError(
            "there is no label map in the folder",
            path=folder,
            mend="give a folder of .nii.gz files with FreeSurfer's labels",
        )
    kept = found[SEEN:] if len(found) > SEEN else found
    return {path.name.split(".")[0]: read_label_map(path) for path in kept}


@contextmanager
def _methods(
    args: argparse.Namespace, test: _Test, console: Console
) -> Iterator[dict[str, Predict]]:
    """The methods to measure, on the device that was asked for."""
    from guided_sr.cli.framework import load_framework, precision_for

    load_framework(console, debug=args.debug)
    from guided_sr.evaluation.predictors import cubic, predictor
    from guided_sr.model import GuidedSRModel
    from guided_sr.runtime import device_scope

    precision = precision_for(args.device, args.precision)
    with device_scope(args.device):
        methods = {}
        for one in (test.chosen, test.fallback):
            if one is not None:
                model = GuidedSRModel.from_preset(one.name, precision=precision)
                methods[one.folder.name] = predictor(model)
        yield {**methods, BASELINE: cubic}


def _honesty(
    args: argparse.Namespace,
    test: _Test,
    methods: dict[str, Predict],
    console: Console,
) -> None:
    from guided_sr.cli.outputs import write_json
    from guided_sr.evaluation.honesty import (
        honesty_rows,
        measure_honesty,
        painted_scenes,
        phantom_scenes,
    )
    from guided_sr.report.honesty import draw_honesty, honesty_tables
    from guided_sr.volumes.writing import write_file

    scale = test.chosen.scale
    console.note("drawing heads ...")
    scenes = [
        *phantom_scenes(slices=args.planes),
        *painted_scenes(test.maps, scale=scale, planes=args.planes),
    ]
    with console.progress("heads") as advance:
        found = measure_honesty(methods, scenes, scale=scale, progress=advance)
    rows = honesty_rows(found.findings)
    content = {**test.record(args), "scenes": [s.name for s in scenes], "rows": rows}
    tables = honesty_tables(rows, model=test.name)
    write_json(test.files["json"], content, force=args.force)
    _write_text(test.files["md"], "\n".join(t.markdown() for t in tables), args)
    example, title = found.example, f"{test.name}, {scenes[0].name}"
    if example is not None:
        write_file(
            test.files["png"],
            lambda file: draw_honesty(file, example, model=test.name, title=title),
            force=args.force,
        )
    for table in tables:
        console.note(table.title)
        print_table(*table.cells())


def _stress(
    args: argparse.Namespace,
    test: _Test,
    methods: dict[str, Predict],
    console: Console,
) -> None:
    from guided_sr.evaluation.stress import StressSet, stress_lines, stress_rows
    from guided_sr.presets.scales import rows_only
    from guided_sr.report.stress import stress_table

    console.note("drawing heads ...")
    stress = StressSet(
        test.maps,
        scale=test.chosen.scale,
        plane="coronal" if rows_only(test.chosen.scale) else "axial",
        planes=args.planes,
    )
    with console.progress("heads") as advance:
        lines = list(stress_lines(methods, stress, progress=advance))
    record = test.record(args)
    text = "".join(json.dumps({**record, **line}) + "\n" for line in lines)
    fallback = None if test.fallback is None else test.fallback.folder.name
    table = stress_table(stress_rows(lines), model=test.name, fallback=fallback)
    _write_text(test.files["jsonl"], text, args)
    _write_text(test.files["md"], table.markdown(), args)
    print_table(*table.cells())


def _write_text(path: Path, text: str, args: argparse.Namespace) -> None:
    from guided_sr.volumes.writing import write_file

    def write(file: Path) -> None:
        file.write_text(text, encoding="utf-8")

    write_file(path, write, force=args.force)
