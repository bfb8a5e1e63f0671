"""``guided-sr run``: super-resolve a T2 with its T1."""

from __future__ import annotations

import argparse
import shlex
import time
from typing import TYPE_CHECKING, Any

from guided_sr.cli.console import CITATION, RESEARCH_USE, Console, out
from guided_sr.cli.options import (
    BACK_PROJECTION,
    add_compute,
    add_force,
    add_quiet,
    add_reading,
    new_parser,
    reading,
    scale,
)

if TYPE_CHECKING:
    from pathlib import Path

    from guided_sr.cli.choose import Chosen
    from guided_sr.cli.pair import Pair


def add_parser(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = new_parser(
        commands,
        "run",
        common,
        brief="super-resolve a T2 with its T1",
        description="Super-resolve a T2 with the same person's T1 as guide. The T1 is"
        " brought onto the grid of the result by the affines; nothing is registered.",
        example="guided-sr run -i T2.nii.gz -g T1.nii.gz -o T2_sr.nii.gz --scale 4",
    )
    files = parser.add_argument_group("files")
    files.add_argument(
        "-i",
        "--t2",
        metavar="T2",
        help="low-resolution T2: .nii, .nii.gz or .mgz",
    )
    files.add_argument(
        "-g", "--t1", "--guide", metavar="T1", help="the same person's T1, on any grid"
    )
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
    add_force(files)
    model = parser.add_argument_group("model")
    model.add_argument(
        "--scale",
        type=scale,
        metavar="S",
        help="factor of the in-plane axes (default: that of --model)",
    )
    model.add_argument(
        "--axes",
        choices=["in-plane"],
        default="in-plane",
        help="axes to enlarge (default: in-plane)",
    )
    model.add_argument(
        "--model",
        metavar="NAME|DIR",
        help="preset or folder of a trained model (default: the preset of --scale)",
    )
    model.add_argument(
        "--back-projection",
        choices=list(BACK_PROJECTION),
        help="make the result explain the T2 by another method than the model's own",
    )
    add_reading(parser)
    add_compute(parser)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="check everything, print the plan and stop",
    )
    add_quiet(parser)
    parser.set_defaults(execute=execute)


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

    from guided_sr.cli.choose import choose_model
    from guided_sr.cli.outputs import (
        check_outputs,
        check_space,
        resolve_output,
        sidecar_of,
    )
    from guided_sr.cli.pair import read_pair
    from guided_sr.errors import UsageError
    from guided_sr.volumes.locate import locate
    from guided_sr.volumes.locking import output_lock

    if args.t2 is None:
        raise UsageError(
            "there is no T2", mend="give it with -i, or a table of pairs with --pairs"
        )
    console = Console(quiet=args.quiet)
    chosen = choose_model(args.model, args.scale)
    guided = chosen.config.guided
    if guided and args.t1 is None:
        raise UsageError(
            "the model is guided, but there is no T1",
            mend="give it with -g, or a --model without guide",
        )
    named = {"t2": args.t2, "t1": args.t1 if guided else None}
    files = {
        key: locate(Path(value), name=key.upper())
        for key, value in named.items()
        if value is not None
    }
    path = resolve_output(args.out, files["t2"], "guidedsr")
    options = {
        "scale": list(chosen.scale),
        "axes": args.axes,
        "back_projection": args.back_projection or "trained",
        "precision": args.precision,
        **reading(args),
    }
    if not args.force and _up_to_date(path, files, chosen, options):
        return _nothing_to_do(console, path)
    force = args.force or _is_remnant(path)
    check_outputs(path, sidecar_of(path), force=force, inputs=tuple(files.values()))
    pair = read_pair(
        files["t2"],
        files.get("t1"),
        scale=chosen.scale,
        guided=guided,
        axes=args.axes,
        reading=reading(args),
    )
    if args.strict:
        pair.refuse_doubtful()
    check_space(path, pair.result_bytes)
    console.facts("plan", _plan(pair, chosen, path, args))
    if args.dry_run:
        console.note("dry run: nothing was written")
        return 0

    with output_lock(path):
        if not args.force and _up_to_date(path, files, chosen, options):
            return _nothing_to_do(console, path)
        from guided_sr.cli.framework import load_framework, precision_for

        load_framework(console, debug=args.debug)
        from guided_sr.model import GuidedSRModel
        from guided_sr.runtime import device_scope

        with device_scope(args.device), console.progress("slices") as advance:
            model = GuidedSRModel.from_preset(
                chosen.name, precision=precision_for(args.device, args.precision)
            )
            asked: Any = "trained"
            if args.back_projection is not None:
                asked = BACK_PROJECTION[args.back_projection]
            result = model.predict_cascade(
                pair.t2,
                pair.guide,
                back_projection=asked,
                axes=args.axes,
                progress=advance,
            )
        command = shlex.join(["guided-sr", *args.argv])
        result = pair.complete(result, options=options, command=command)
        result.save(path, force=force)
    misfit = _field_of_view_misfit(pair, path)
    console.note(
        f"field of view kept to {misfit:.1e} mm; {time.perf_counter() - begun:.0f} s"
        f" in all, {result.provenance['seconds']:.0f} s of it in the networks"
    )
    console.note(f"{RESEARCH_USE} Cite: {CITATION}")
    out(str(path))
    return 0


def _nothing_to_do(console: Console, path: Path) -> int:
    console.note("up to date: inputs, weights and options are those of the result")
    out(str(path))
    return 0


def _up_to_date(
    path: Path, files: dict[str, Path], chosen: Chosen, options: dict[str, Any]
) -> bool:
    """Whether a result is there and was made from the same, in the same way."""
    from guided_sr.cli.outputs import read_sidecar
    from guided_sr.volumes import sha256_of

    if not path.is_file():
        return False
    made = read_sidecar(path)
    inputs, model = made.get("inputs", {}), made.get("model", {})
    if not (isinstance(inputs, dict) and isinstance(model, dict)):
        return False
    same = (
        made.get("options") == options
        and model.get("weights_sha256") == chosen.config.weights
        and inputs.keys() == files.keys()
    )
    return same and all(
        inputs[key].get("sha256") == sha256_of(file) for key, file in files.items()
    )


def _is_remnant(path: Path) -> bool:
    """Whether only our sidecar is there: what a kill between two renames leaves."""
    from guided_sr.cli.outputs import read_sidecar

    return not path.exists() and bool(read_sidecar(path))


def _plan(
    pair: Pair, chosen: Chosen, path: Path, args: argparse.Namespace
) -> list[tuple[str, str]]:
    from guided_sr.cli.choose import scale_text

    source = pair.inputs.source
    assert source is not None
    config = chosen.config
    plan = pair.inputs.plan(stages=config.stages, stage_blur=config.stage_blur)
    levels = [plan.level_shape(k) for k in range(plan.stages + 1)]
    rows = [("T2", f"{pair.t2.path}  {_grid(pair.t2.affine, pair.t2.data.shape)}")]
    if pair.t1 is not None:
        share = 100 * (pair.overlap or 0.0)
        rows.append(
            (
                "T1",
                f"{pair.t1.path}  {_grid(pair.t1.affine, pair.t1.data.shape)}"
                f", covers {share:.0f} % of the T2",
            )
        )
    method = args.back_projection or config.back_projection.method or "none"
    rows += [
        ("result", f"{path}  {_grid(source.affine, source.shape)}"),
        (
            "cascade",
            f"scale {scale_text(chosen.scale)}, {plan.stages} stages: "
            + " > ".join(f"{h}x{w}" for h, w in levels)
            + f", {len(pair.inputs.t2)} slices",
        ),
        ("back-projection", method),
        ("model", chosen.describe()),
        ("device", f"{args.device}, precision {args.precision}"),
    ]
    for name, image in (("T2", pair.t2), ("T1", pair.t1)):
        if image is not None and image.extensions:
            many = image.extensions > 1
            what = f"extension{'s' if many else ''} of the {name}"
            verb = "are" if many else "is"
            rows.append(
                ("left out", f"{image.extensions} header {what} {verb} not copied")
            )
    return rows


def _grid(affine: Any, shape: tuple[int, ...]) -> str:
    from guided_sr.volumes import voxel_sizes

    sizes = " x ".join(f"{size:.3g}" for size in voxel_sizes(affine))
    return f"{' x '.join(str(n) for n in shape)} voxels of {sizes} mm"


def _field_of_view_misfit(pair: Pair, path: Path) -> float:
    """Largest distance of an outer corner of the saved image from the T2's, in mm."""
    import numpy as np
    from nibabel.nifti1 import Nifti1Image

    from guided_sr.volumes import corners

    saved = Nifti1Image.from_filename(path)
    gap = corners(saved.affine, saved.shape) - corners(
        pair.t2.affine, pair.t2.data.shape
    )
    return float(np.linalg.norm(gap, axis=1).max())
