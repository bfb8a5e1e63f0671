"""``guided-sr explain``: what of a slice of a result came from the T1."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING, Any

from guided_sr.cli.console import CITATION, RESEARCH_USE, Console, out, print_table
from guided_sr.cli.options import add_compute, add_force, add_quiet, new_parser

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from guided_sr.cli.choose import Chosen
    from guided_sr.cli.pair import Pair
    from guided_sr.explain.region import Region
    from guided_sr.explain.subject import ExplainedSlice

OWN_MAPS = "ablation,gradient,share,field"
REGION_SIZE = 16
_FILES = {
    "ablation": ("ablation_blurred", "ablation_mean", "ablation_other_slice"),
    "gradient": ("t1_contribution",),
    "share": (),
    "field": (),
    "saliency": ("saliency_t1", "saliency_t2"),
    "smoothgrad": ("smoothgrad_t1", "smoothgrad_t2"),
    "gradcam": ("gradcam",),
}


def maps(text: str) -> tuple[str, ...]:
    """Names of maps.

    Raises:
        argparse.ArgumentTypeError: If one is unknown.
    """
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    unknown = [name for name in names if name not in _FILES]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"{unknown[0]!r} is not one of {', '.join(_FILES)}"
        )
    return names


def whole_number(text: str) -> int:
    """A whole number of at least 0.

    Raises:
        argparse.ArgumentTypeError: If it is not.
    """
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def add_parser(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = new_parser(
        commands,
        "explain",
        common,
        brief="show what of a result came from the T1",
        description="Show what of one slice of a result came from the T1: what changes"
        " without it, which of its pixels push a region, its share, and from how far it"
        " reaches. What each map cannot show stands beside it.",
        example="guided-sr explain -i T2.nii.gz -g T1.nii.gz -o explained --model"
        " grdn_t2_x4",
    )
    parser.add_argument(
        "-i", "--t2", required=True, metavar="T2", help="low-resolution T2"
    )
    parser.add_argument(
        "-g",
        "--t1",
        "--guide",
        required=True,
        metavar="T1",
        help="the same person's T1, on any grid",
    )
    parser.add_argument(
        "-o", "--out", required=True, metavar="OUTDIR", help="folder for the maps"
    )
    parser.add_argument(
        "--model",
        required=True,
        metavar="NAME|DIR",
        help="preset or folder of a trained model",
    )
    parser.add_argument(
        "--slice",
        type=whole_number,
        metavar="K",
        help="slice, from 0 (default: the one whose T2 is brightest)",
    )
    parser.add_argument(
        "--region",
        metavar="Y0:Y1,X0:X1",
        help="pixels of the result, ends not included (default: where the T1's detail"
        " changes most)",
    )
    parser.add_argument(
        "--maps",
        type=maps,
        default=maps(OWN_MAPS),
        metavar="MAPS",
        help=f"some of {', '.join(_FILES)}; the last three need guided-sr[explain]"
        f" (default: {OWN_MAPS})",
    )
    add_force(parser, "the files of an earlier one")
    add_compute(parser, precision=False)
    add_quiet(parser)
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Check, compute the maps, save them.

    Raises:
        GuidedSRError: The first fault found, before a framework is loaded where
            possible.
    """
    from pathlib import Path

    from guided_sr.cli.choose import choose_model
    from guided_sr.cli.outputs import check_outputs
    from guided_sr.cli.pair import read_pair
    from guided_sr.errors import UsageError
    from guided_sr.explain.region import Region

    console = Console(quiet=args.quiet)
    region = None if args.region is None else Region.parse(args.region)
    chosen = choose_model(args.model, None, quiet=args.quiet)
    if not chosen.config.guided:
        raise UsageError(
            "the model has no guide: there is no influence of a T1 to explain",
            path=chosen.folder,
            mend="choose a guided model",
        )
    folder = Path(args.out)
    names = [f"{stem}.nii.gz" for key in args.maps for stem in _FILES[key]]
    names += ["receptive_field.npz"] if "field" in args.maps else []
    names += ["explain.json", "explain.png"]
    given = (Path(args.t2), Path(args.t1))
    check_outputs(*(folder / n for n in names), force=args.force, inputs=given)
    pair = read_pair(args.t2, args.t1, scale=chosen.scale)
    if region is not None:
        region.require_inside(pair.inputs.target_shape)

    from guided_sr.cli.framework import load_framework

    load_framework(console, debug=args.debug)
    from guided_sr.explain.keras_vis import require_keras_vis
    from guided_sr.explain.limits import OWN
    from guided_sr.explain.subject import ExplainedSlice
    from guided_sr.model import GuidedSRModel
    from guided_sr.runtime import device_scope

    if not set(args.maps) <= set(OWN):
        require_keras_vis()
    with device_scope(args.device):
        model = GuidedSRModel.from_preset(chosen.name, precision="float32")
        subject = ExplainedSlice.of(model, pair.inputs, index=args.slice)
        found = _Found(subject, region, args.maps, console)
    _save(found, folder, pair, chosen, args)
    if found.shares:
        headers = ("T1 share", *next(iter(found.shares.values())))
        rows = [
            (name, *(f"{share:.3f}" for share in one.values()))
            for name, one in found.shares.items()
        ]
        print_table(headers, rows)
    out(f"picture: {folder / 'explain.png'}")
    out(f"maps:    {folder}")
    console.note(f"{RESEARCH_USE} Cite: {CITATION}")
    return 0


class _Found:
    """All maps of one call, by file stem, and the figures.

    Args:
        subject: The slice.
        region: The region asked for, or None.
        names: Maps asked for.
        console: Where to say what is being done.
    """

    def __init__(
        self,
        subject: ExplainedSlice,
        region: Region | None,
        names: tuple[str, ...],
        console: Console,
    ) -> None:
        from guided_sr.explain.ablation import ablate_guide
        from guided_sr.explain.gradients import (
            guide_contribution,
            guide_shares,
            receptive_field,
        )
        from guided_sr.explain.region import Region as Box

        blurred = ablate_guide(subject)
        self.subject, self.names, self.result = subject, names, blurred.result
        self.region = region or Box.strongest(blurred.map, size=REGION_SIZE)
        console.note(f"slice {subject.index}, region {self.region}")
        self.maps: dict[str, np.ndarray] = {}
        self.shares: dict[str, dict[str, float]] = {}
        self.figures: dict[str, Any] = {}
        self.field = None
        exact = blurred.change_in(self.region)
        if "ablation" in names:
            self._ablations(blurred, console)
        if "gradient" in names:
            found = guide_contribution(subject, self.region)
            self.maps["t1_contribution"] = found.t1
            self.figures["region_mean_change"] = {
                "exact": exact,
                "first_order": found.change,
            }
        if "share" in names:
            self.shares = guide_shares(subject, {"region": self.region})
        if "field" in names:
            self.field = receptive_field(subject)
            self.figures["receptive_radius_95_px"] = {
                name: self.field.radius(name) for name in ("t1", "t2")
            }
        self._keras_vis(names)

    def _ablations(self, blurred: Any, console: Console) -> None:
        from guided_sr.explain.ablation import ablate_guide

        self.maps["ablation_blurred"] = blurred.map
        self.maps["ablation_mean"] = ablate_guide(self.subject, "mean").map
        if len(self.subject.inputs.t2) > 1:
            other = ablate_guide(self.subject, "other_slice")
            self.maps["ablation_other_slice"] = other.map
        else:
            console.note("a single slice: no ablation by the T1 of another one")

    def _keras_vis(self, names: tuple[str, ...]) -> None:
        from guided_sr.explain.keras_vis import SAMPLES, grad_cam, saliency

        for name, samples in (("saliency", 0), ("smoothgrad", SAMPLES)):
            if name in names:
                both = saliency(self.subject, self.region, samples=samples)
                for image in ("t1", "t2"):
                    self.maps[f"{name}_{image}"] = both[image]
        if "gradcam" in names:
            self.maps["gradcam"] = grad_cam(self.subject, self.region)


def _save(
    found: _Found, folder: Path, pair: Pair, chosen: Chosen, args: argparse.Namespace
) -> None:
    """Write every map, the figures and, last, the picture."""
    import numpy as np

    from guided_sr._version import __version__
    from guided_sr.cli.outputs import write_json
    from guided_sr.explain.limits import MEANINGS
    from guided_sr.explain.subject import BLUR
    from guided_sr.inference.result import INTENDED_USE
    from guided_sr.runtime import framework_versions
    from guided_sr.volumes import from_slices, write_volume
    from guided_sr.volumes.writing import write_file

    source = pair.inputs.source
    assert source is not None  # the pair was read from files
    across = source.slice_axis
    affine = source.affine.copy()
    affine[:3, 3] += affine[:3, across] * found.subject.index
    for stem, image in found.maps.items():
        data = from_slices(image[None], across)
        path = folder / f"{stem}.nii.gz"
        write_volume(path, data, affine, source=pair.t2, force=args.force)
    field = found.field
    if field is not None:

        def save_field(path: Path) -> None:
            with path.open("wb") as file:
                np.savez(file, t1=field.t1, t2=field.t2, voxels=field.voxels)

        write_file(folder / "receptive_field.npz", save_field, force=args.force)
    meanings = {
        name: {
            "files": [stem for stem in _FILES[name] if stem in found.maps],
            "shows": MEANINGS[name].shows,
            "cannot_show": MEANINGS[name].cannot,
        }
        for name in found.names
    }
    content = {
        "IntendedUse": INTENDED_USE,
        "GuidedSR": {
            "version": __version__,
            "versions": framework_versions(),
            "command": shlex.join(["guided-sr", *args.argv]),
            "inputs": {
                name: {"path": volume.path, "sha256": volume.sha256}
                for name, volume in (("t2", pair.t2), ("t1", pair.t1))
                if volume is not None
            },
            "model": {
                "name": chosen.folder.name,
                "weights_sha256": chosen.config.weights,
            },
            "slice": found.subject.index,
            "region": str(found.region),
            "detail_fwhm_observed_px": BLUR,
            "t1_share": found.shares,
            **found.figures,
            "maps": meanings,
            "warnings": list(pair.warnings),
        },
    }
    write_json(folder / "explain.json", content, force=args.force)
    picture = folder / "explain.png"
    write_file(picture, lambda path: _draw(path, found, chosen), force=args.force)


def _draw(path: Path, found: _Found, chosen: Chosen) -> None:
    from guided_sr.explain.limits import MEANINGS
    from guided_sr.report.explain import Picture, draw_explanation

    box = (found.region.rows, found.region.columns)
    pictures = [
        Picture("result", found.result, "grey", box=box),
        Picture("T1", found.subject.t1, "grey", box=box),
    ]
    for name in found.names:
        for stem in _FILES[name]:
            if stem in found.maps:
                kind = "signed" if name == "gradient" else "magnitude"
                note, title = MEANINGS[name].cannot, stem.replace("_", " ")
                pictures.append(Picture(title, found.maps[stem], kind, note, box))
    if found.field is not None:
        for image, values in (("T1", found.field.t1), ("T2", found.field.t2)):
            title = f"receptive field, {image} (square root)"
            note = MEANINGS["field"].cannot
            pictures.append(Picture(title, values**0.5, "magnitude", note))
    title = f"{chosen.folder.name}, slice {found.subject.index}, region {found.region}"
    if found.shares:
        title += f": T1 share {found.shares['region']['cascade']:.2f}"
    draw_explanation(path, pictures, title=title)
