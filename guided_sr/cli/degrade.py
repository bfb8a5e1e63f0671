"""``guided-sr degrade``: make a low-resolution image from a sharp one."""

from __future__ import annotations

import argparse
import shlex
from typing import Any

from guided_sr.cli.console import Console, out
from guided_sr.cli.options import add_force, add_quiet, new_parser, scale


def add_parser(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = new_parser(
        commands,
        "degrade",
        common,
        brief="make a low-resolution image from a sharp one",
        description="Blur and sample the in-plane axes as a scanner with coarser pixels"
        " would: a Gaussian of one coarse pixel's full width at half maximum. The image"
        " is first cropped to a multiple of the scale.",
        example="guided-sr degrade -i T2.nii.gz -o T2_lr.nii.gz --scale 4",
    )
    parser.add_argument(
        "-i", "--image", required=True, metavar="T2", help="the sharp image"
    )
    parser.add_argument(
        "-o",
        "--out",
        required=True,
        metavar="LR",
        help="the coarse image, .nii.gz or .nii, or a folder; a .json file goes beside",
    )
    parser.add_argument(
        "--scale",
        type=scale,
        required=True,
        metavar="S",
        help="factor of the in-plane axes",
    )
    parser.add_argument(
        "--noise",
        type=float,
        default=0.0,
        metavar="SIGMA",
        help="standard deviation of added noise, in the image's units (default: 0)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of that noise (default: 0)"
    )
    add_force(parser)
    add_quiet(parser)
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Read, degrade, write.

    Raises:
        GuidedSRError: If the image, the scale or the output cannot be used.
    """
    from pathlib import Path

    from guided_sr._version import __version__
    from guided_sr.cli.outputs import check_outputs, resolve_output, sidecar_of
    from guided_sr.errors import UsageError
    from guided_sr.evaluation.grids import lower_resolution
    from guided_sr.physics.cascade_plan import scale_per_axis
    from guided_sr.volumes import read_volume, write_volume
    from guided_sr.volumes.locate import locate

    console = Console(quiet=args.quiet)
    scale_per_axis(args.scale)
    if args.seed < 0:
        raise UsageError(f"seed {args.seed} is negative", mend="give 0 or more")
    source = locate(Path(args.image), name="T2")
    path = resolve_output(args.out, source, "lowres")
    check_outputs(path, sidecar_of(path), force=args.force, inputs=(source,))
    volume = read_volume(source, name="T2")
    low = lower_resolution(volume, args.scale, noise=args.noise, seed=args.seed)
    provenance = {
        "version": __version__,
        "command": shlex.join(["guided-sr", *args.argv]),
        "inputs": {"t2": {"path": str(source), "sha256": volume.sha256}},
        "degradation": {
            "scale": args.scale,
            "slice_axis": low.slice_axis,
            "blur_fwhm_in_coarse_pixels": 1.0,
            "noise": args.noise,
            "seed": args.seed,
            "cropped_shape": list(low.cropped.data.shape),
            "cropped_start": list(low.start),
        },
    }
    write_volume(
        path,
        low.data,
        low.affine,
        source=volume,
        sidecar={"GuidedSR": provenance},
        force=args.force,
    )
    shapes = (volume.data.shape, low.cropped.data.shape, low.data.shape)
    console.note(
        " → ".join(" x ".join(map(str, shape)) for shape in dict.fromkeys(shapes))
        + " voxels"
    )
    out(str(path))
    return 0
