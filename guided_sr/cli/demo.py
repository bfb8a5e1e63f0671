"""``guided-sr demo``: the whole way on a drawn head, without scan or network."""

from __future__ import annotations

import argparse
import shlex
import time
from typing import Any

from guided_sr.cli.console import CITATION, RESEARCH_USE, Console, out, print_table
from guided_sr.cli.options import add_compute, add_force, add_quiet, new_parser, scale

SHAPE = (180, 216)
SLICES = 8
SEED = 7
NOISE = 3.0  # of the coarse T2, in its units of 0 to about 1000
DEFAULT_SCALE = 4.0

_FILES = {
    "low": "t2_lr.nii.gz",
    "t1": "t1.nii.gz",
    "ours": "t2_sr.nii.gz",
    "cubic": "t2_cubic.nii.gz",
    "truth": "t2_truth.nii.gz",
    "panel": "panel.png",
}


def add_parser(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = new_parser(
        commands,
        "demo",
        common,
        brief="show the whole way on a drawn head",
        description="Draw a head, make its T2 coarse, super-resolve it with the T1, and"
        " compare with cubic interpolation. Needs no scan and no network connection."
        " A drawing is easier than a person: the figures say that all works, not how"
        " well.",
        example="guided-sr demo -o guided-sr-demo",
    )
    parser.add_argument(
        "-o",
        "--out",
        default="guided-sr-demo",
        metavar="DIR",
        help="folder for the images and the picture (default: guided-sr-demo)",
    )
    parser.add_argument(
        "--scale",
        type=scale,
        metavar="S",
        help="factor of the in-plane axes (default: that of --model, else 4)",
    )
    parser.add_argument(
        "--model",
        metavar="NAME|DIR",
        help="preset or folder of a trained model (default: the preset of --scale)",
    )
    add_force(parser, "the files of an earlier demo")
    add_compute(parser)
    add_quiet(parser)
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Draw, degrade, super-resolve, compare, save.

    Raises:
        GuidedSRError: If the model or the output folder cannot be used.
    """
    begun = time.perf_counter()
    from pathlib import Path

    import numpy as np

    from guided_sr.cli.choose import choose_model
    from guided_sr.cli.outputs import check_outputs, sidecar_of
    from guided_sr.cli.pair import read_pair
    from guided_sr.datasets import head_phantom
    from guided_sr.errors import GuidedSRError, ReportError
    from guided_sr.evaluation import baselines, compare
    from guided_sr.evaluation.grids import lower_resolution
    from guided_sr.volumes import Volume, to_slices, write_volume
    from guided_sr.volumes.writing import write_file

    console = Console(quiet=args.quiet)
    factor = args.scale
    if factor is None and args.model is None:
        factor = DEFAULT_SCALE
    chosen = choose_model(args.model, factor, quiet=args.quiet)
    folder = Path(args.out)
    paths = {key: folder / name for key, name in _FILES.items()}
    check_outputs(*paths.values(), sidecar_of(paths["ours"]), force=args.force)

    console.note(f"drawing a head: {SLICES} slices of {SHAPE[0]} x {SHAPE[1]} voxels")
    head = head_phantom(SHAPE, SLICES, seed=SEED)
    truth = Volume(np.moveaxis(head.t2, 0, -1), head.affine)
    made = lower_resolution(truth, chosen.scale, noise=NOISE, seed=SEED)
    truth, across = made.cropped, made.slice_axis
    images = {
        "low": (made.data, made.affine),
        "t1": (np.moveaxis(head.t1, 0, -1), head.affine),
        "truth": (truth.data, truth.affine),
    }
    for key, (data, affine) in images.items():
        write_volume(paths[key], data, affine, force=args.force)
    pair = read_pair(
        paths["low"], paths["t1"], scale=chosen.scale, guided=chosen.config.guided
    )

    from guided_sr.cli.framework import load_framework, precision_for

    load_framework(console, debug=args.debug)
    from guided_sr.model import GuidedSRModel
    from guided_sr.runtime import device_scope

    with device_scope(args.device), console.progress("slices") as advance:
        model = GuidedSRModel.from_preset(
            chosen.name, precision=precision_for(args.device, args.precision)
        )
        result = model.predict_cascade(
            pair.t2, pair.guide, register="none", progress=advance
        )
    result = pair.complete(result, command=shlex.join(["guided-sr", *args.argv]))
    result.save(paths["ours"], force=args.force)

    low = to_slices(pair.t2.data, across)
    sharp = to_slices(truth.data, across)
    ours = to_slices(result.data, across)
    cubic = baselines(low, sharp.shape[1:])["cubic"]
    write_volume(
        paths["cubic"],
        np.moveaxis(cubic, 0, across),
        truth.affine,
        source=pair.t2,
        force=args.force,
    )
    comparison = compare(sharp, {"guided-sr": ours}, low=low)
    middle = len(sharp) // 2
    heading = (
        f"A drawn head, {chosen.folder.name}, scale {chosen.scale[0]:g},"
        f" slice {middle + 1} of {len(sharp)}"
    )

    def draw(path: Path) -> None:
        from guided_sr.report import draw_panel

        draw_panel(
            path,
            low=low[middle],
            cubic=cubic[middle],
            ours=ours[middle],
            truth=sharp[middle],
            guide=head.t1[middle],
            title=heading,
        )

    failed = None
    try:
        write_file(paths["panel"], draw, force=args.force)
    except GuidedSRError:
        raise
    except Exception as error:  # a drawing library has many ways to fail
        failed = ReportError(
            f"the images are kept, but the picture failed ({error})",
            path=paths["panel"],
            mend="install Matplotlib again, or run again with --debug",
        )
    print_table(*comparison.table())
    if failed is None:
        out(f"picture: {paths['panel']}")
    out(f"images:  {folder}")
    console.note(
        f"{time.perf_counter() - begun:.0f} s. A drawing is easier than a person: these"
        " figures say that all works, not how well."
    )
    console.note(f"{RESEARCH_USE} Cite: {CITATION}")
    if failed is not None:
        raise failed
    return 0
