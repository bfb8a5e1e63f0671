"""``guided-sr run``: super-resolve a T2 with its T1."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import shlex
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from guided_sr.cli.console import CITATION, RESEARCH_USE, Console, out
from guided_sr.cli.options import (
    BACK_PROJECTION,
    add_force,
    add_quiet,
    add_registration,
    new_parser,
    reading,
)
from guided_sr.cli.run_options import add_dry_run, add_making, add_pair, map_names

if TYPE_CHECKING:
    from pathlib import Path

    from guided_sr.cli.choose import Chosen
    from guided_sr.inference.result import Result
    from guided_sr.inference.volume_inputs import VolumeInputs
    from guided_sr.inference.volume_plan import VolumePlan


def tell_path(path: Path, made: bool) -> None:
    """Print where a result is, made now or earlier."""
    out(str(path))


ALONE: dict[str, Any] = {"tell": tell_path, "describe": None, "refresh": False}
"""What a cohort sets otherwise: where the path of the result is told, what its sidecar
says besides, and whether an outdated result is made anew without ``--force``."""


def add_parser(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = new_parser(
        commands,
        "run",
        common,
        brief="super-resolve a T2 with its T1",
        description="Super-resolve a T2 with the same person's T1 as guide: thick"
        " slices, coarse slices, or both. The T1 is placed on the T2 and brought onto"
        " the grid of the result; the T2's own voxels are never moved.",
        example="guided-sr run -i T2.nii.gz -g T1.nii.gz -o T2_sr.nii.gz",
    )
    files = parser.add_argument_group("files")
    add_pair(files)
    files.add_argument(
        "--pairs",
        metavar="FILE",
        help="take many pairs from a table (.tsv, .csv) with the columns t2 and t1,"
        " paths relative to it; -o is a folder, and one pair that fails holds nobody"
        " up",
    )
    files.add_argument(
        "-o",
        "--out",
        metavar="OUT",
        help="result, .nii.gz or .nii, or a folder (default: beside the T2,"
        " NAME_desc-guidedsr_T2w.nii.gz); a .json file goes beside it",
    )
    files.add_argument(
        "--report",
        action="store_true",
        help="write a page to look at beside the result, NAME.html: one file that needs"
        " no network",
    )
    files.add_argument(
        "--maps",
        type=map_names,
        default=(),
        metavar="MAP,...",
        help="write maps beside the result, NAME_MAP.nii.gz: consistency, uncertainty"
        " (three more predictions), guide_influence (one more), or all",
    )
    add_registration(files)
    add_force(files)
    add_making(parser)
    add_dry_run(parser, "check everything, print the plan")
    add_quiet(parser)
    parser.set_defaults(execute=execute, **ALONE)


def execute(args: argparse.Namespace) -> int:
    """Check, plan, predict, save.

    Raises:
        GuidedSRError: The first fault found, nearly always before a framework is
            loaded.
    """
    begun = time.perf_counter()
    if args.pairs is not None:
        from guided_sr.cli.batch import run_batch

        return run_batch(args, execute)
    from pathlib import Path

    from guided_sr.cli.outputs import (
        check_outputs,
        check_space,
        resolve_output,
        sidecar_of,
    )
    from guided_sr.cli.planning import choose, locate_files, read_job, refuse_doubtful
    from guided_sr.cli.reporting import report_of, write_beside
    from guided_sr.inference.map_meanings import MAPS
    from guided_sr.inference.result import map_path
    from guided_sr.volumes.locking import output_lock
    from guided_sr.volumes.transforms import transform_sha256

    console = Console(quiet=args.quiet)
    files = locate_files(args)
    plan, chosen = choose(args, files)
    if not any(model.config.guided for model in chosen):
        files.pop("t1", None)
    path = resolve_output(args.out, files["t2"], "guidedsr")
    options = {
        "scale": list(plan.grid.scale),
        "slice_profile": [args.slice_profile, args.slice_gap],
        "back_projection": args.back_projection
        or [m.config.back_projection.model_dump() for m in chosen],
        "precision": args.precision,
        **reading(args),
        **({"strict": True} if args.strict else {}),
        **({"maps": list(args.maps)} if args.maps else {}),
        "guide_use": args.guide_use,
        "unguided": [m.unguided and m.unguided.config.weights for m in chosen],
        "register": args.register,
        "t2_to_t1": args.t2_to_t1 and transform_sha256(Path(args.t2_to_t1)),
    }
    if not args.force and _up_to_date(path, files, chosen, options):
        return _nothing_to_do(args, console, path, plan)
    force = args.force or _is_remnant(path) or (args.refresh and _is_ours(path))
    written = [path, sidecar_of(path), *([report_of(path)] if args.report else [])]
    written += [map_path(path, name) for name in args.maps]
    check_outputs(*written, force=force, inputs=tuple(files.values()))
    moved = args.t2_to_t1 is not None
    job = read_job(
        plan,
        chosen,
        files,
        strict=args.strict,
        moved=moved,
        how=reading(args),
        maps=args.maps,
    )
    check_space(path, (1 + len(args.maps)) * job.result_bytes)
    console.facts("plan", job.facts(args, path))
    if args.dry_run:
        console.note("dry run: nothing was written")
        return 0
    with output_lock(path):
        if not args.force and _up_to_date(path, files, chosen, options):
            return _nothing_to_do(args, console, path, plan)
        inputs, noticed = job.inputs(register=args.register, t2_to_t1=args.t2_to_t1)
        if args.strict:
            refuse_doubtful(noticed)
        if inputs.guide is not None:
            console.note(f"registration: {inputs.guide.registration.describe()}")
        if inputs.plan.width is not None:
            seen = inputs.plan.profile.describe()
            console.note(f"slices: {seen}, {inputs.plan.profile_source}")
        result = _predict(args, console, inputs, chosen, noticed)
        command = shlex.join(["guided-sr", *args.argv])
        known = {**result.provenance, "options": options, "command": command}
        result = dataclasses.replace(result, provenance=known)
        result.save(path, force=force, maps=args.maps, describe=args.describe)
        if args.report:
            t1 = None if inputs.guide is None else inputs.guide.volume
            write_beside(result, path, console, t1=t1, force=force)
    _tell_guide_use(console, result)
    for name in args.maps:
        console.note(f"map: {map_path(path, name)}\n  {MAPS[name].cannot}")
    console.note(
        f"field of view kept, corners off by {result.qc['field_of_view_mm']:g} mm;"
        f" {time.perf_counter() - begun:.0f} s in all,"
        f" {result.provenance['seconds']:.0f} s of it in the networks"
    )
    console.note(f"quality: {result.qc['verdict']}")
    for reason in result.qc["reasons"]:
        console.note(f"  {reason}")
    console.note(f"{RESEARCH_USE} Cite: {CITATION}")
    args.tell(path, True)
    return 0


def _predict(
    args: argparse.Namespace,
    console: Console,
    inputs: VolumeInputs,
    chosen: Sequence[Chosen],
    noticed: Sequence[str],
) -> Result:
    """Load the framework and the models, and put the inputs through them."""
    from guided_sr.cli.framework import load_framework, precision_for

    load_framework(console, debug=args.debug)
    from guided_sr.machine import foreseen_format
    from guided_sr.model.prediction import predict_volume
    from guided_sr.physics.back_projection import BackProjection
    from guided_sr.runtime import device_scope, resolve_precision

    how = None
    if args.back_projection is not None:
        how = BackProjection.of(BACK_PROJECTION[args.back_projection])
    precision = precision_for(args.device, args.precision)
    if foreseen_format(args.precision, args.device) is None:  # left open by the plan
        taken = resolve_precision(precision).removeprefix("mixed_")
        console.note(f"precision auto: {taken} convolutions")
    with device_scope(args.device), console.progress("slices") as advance:
        return predict_volume(
            inputs,
            [
                _loaded(m.name, m.config.model_dump_json(), precision, args.device)
                for m in chosen
            ],
            back_projection=how,
            progress=advance,
            guide_use=args.guide_use,
            strict=args.strict,
            maps=args.maps,
            noticed=noticed,
        )


@functools.lru_cache(maxsize=2)
def _loaded(name: str, _config: str, precision: str, _device: str) -> Any:
    """A model, built and traced once for all the pairs of a process.

    Args:
        name: Preset or folder.
        _config: Its configuration with the digests of its weights: what a cached model
            must share.
        precision: As for `GuidedSRModel`.
        _device: Where its variables are.
    """
    from guided_sr.model import GuidedSRModel

    return GuidedSRModel.from_preset(name, precision=precision)


def _tell_guide_use(console: Console, result: Result) -> None:
    """Say what the T1 was worth, and whether it was used."""
    from guided_sr.inference.worth import limit_text

    known = result.provenance["guide_use"]
    for name in ("in_plane", "through_plane"):
        if name in known:
            test = known[name]
            figures = ("gain_db", "spread_db", "slices", "needed_db")
            worth = limit_text(**{key: test[key] for key in figures})
            done = "used" if test["used"] else "left out"
            console.note(f"guide, {name.replace('_', '-')}: {worth}; it is {done}")


def _nothing_to_do(
    args: argparse.Namespace, console: Console, path: Path, plan: VolumePlan
) -> int:
    """Say so, and make the report if that is what is missing.

    What a process left that was killed between naming its files and cleaning up goes.
    """
    from guided_sr.cli.outputs import sidecar_of
    from guided_sr.cli.reporting import report_again, report_of
    from guided_sr.volumes.writing import sweep

    console.note("up to date: inputs, weights and options are those of the result")
    if not args.dry_run:
        with contextlib.suppress(OSError):  # a folder that may only be read
            sweep(path)
            sweep(sidecar_of(path))
        if args.report and not report_of(path).exists():
            report_again(path, plan, console)
    args.tell(path, False)
    return 0


def _up_to_date(
    path: Path,
    files: dict[str, Path],
    chosen: Sequence[Chosen],
    options: dict[str, Any],
) -> bool:
    """Whether a result is there and was made from the same, in the same way."""
    from guided_sr.cli.outputs import read_sidecar
    from guided_sr.volumes import sha256_of

    if not path.is_file():
        return False
    made = read_sidecar(path)
    inputs = made.get("inputs", {})
    models = [made[key] for key in ("model", "slice_model") if key in made]
    if not all(isinstance(one, dict) for one in (inputs, *models)):
        return False
    asked = [one.get("in_place_of", one) for one in models]
    weights = [one.get("weights_sha256") for one in asked]
    done = made.get("options")
    if isinstance(done, dict) and "maps" not in options:  # more than is asked for
        done = {key: value for key, value in done.items() if key != "maps"}
    same = (
        done in (options, {**options, "strict": True})
        and weights == [model.config.weights for model in chosen]
        and inputs.keys() == files.keys()
    )
    return same and all(
        inputs[key].get("sha256") == sha256_of(file) for key, file in files.items()
    )


def _is_remnant(path: Path) -> bool:
    """Whether only our sidecar is there: what a kill between two renames leaves."""
    return not path.exists() and _is_ours(path)


def _is_ours(path: Path) -> bool:
    from guided_sr.cli.outputs import read_sidecar

    return bool(read_sidecar(path))
