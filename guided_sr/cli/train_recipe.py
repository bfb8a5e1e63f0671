"""``guided-sr train recipe``: train a preset again from the file that made it."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from guided_sr.cli.console import RESEARCH_USE, Console, out
from guided_sr.cli.options import add_compute, add_model, add_quiet, new_parser


def add_parser(parts: Any, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = new_parser(
        parts,
        "recipe",
        common,
        brief="train a preset from its recipe",
        description="Follow a recipe: its fine T2s are degraded in-plane, and the model"
        " learns from the coarse ones alone. Running the same command again after it"
        " was interrupted goes on from the last checkpoint.",
        example="guided-sr train recipe pretrained/recipes/grdn_t2_x4.toml --data DATA"
        " -o my_model",
    )
    files = parser.add_argument_group("files")
    files.add_argument("recipe", metavar="RECIPE", help="TOML file")
    files.add_argument(
        "--data", required=True, metavar="DIR", help="folder of the recipe's files"
    )
    add_model(files)
    add_compute(parser)
    add_quiet(parser)
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Check recipe, data and output, train, save.

    Raises:
        GuidedSRError: The first fault found.
    """
    begun = time.perf_counter()
    from guided_sr.cli.framework import load_framework, precision_for
    from guided_sr.cli.outputs import check_folder, refuse_existing_model
    from guided_sr.training.recipes import read_recipe

    console = Console(quiet=args.quiet)
    folder = Path(args.out)
    refuse_existing_model(folder, force=args.force)
    checkpoints = Path(args.checkpoint) if args.checkpoint else folder / "checkpoints"
    check_folder(folder)
    check_folder(checkpoints)
    recipe = read_recipe(args.recipe)
    pairs, weights = recipe.training_data(args.data)
    facts = [
        ("recipe", f"{recipe.name}: {recipe.description}"),
        ("pairs", f"{len(pairs)}, {sum(len(t2) for t2, _ in pairs)} slices"),
        ("training", ", ".join(f"{k} {v}" for k, v in recipe.training.items())),
        ("checkpoints", str(checkpoints)),
        ("model", str(folder)),
    ]
    console.facts("plan", facts)

    load_framework(console, debug=args.debug)
    from guided_sr.cli.training_log import reporter
    from guided_sr.model import GuidedSRModel
    from guided_sr.runtime import device_scope

    try:
        with device_scope(args.device):
            model = GuidedSRModel(
                recipe.backbone,
                guided=recipe.guided,
                back_projection=recipe.back_projection,
                precision=precision_for(args.device, args.precision),
                **recipe.options,
            )
            histories = model.fit_external(
                pairs,
                recipe.scale,
                recipe.stages,
                weights=weights,
                callbacks=[reporter(console, checkpoints, recipe.stages)],
                checkpoint_dir=checkpoints,
                verbose=0,
                **recipe.training,
            )
            record = {
                "recipe": recipe.model_dump(),
                "precision": model.dtype,
                "train_seconds": round(time.perf_counter() - begun),
                "last_losses": [h.history.get("loss", [None])[-1] for h in histories],
            }
            model.save_preset(folder, metadata=record, force=args.force)
    except KeyboardInterrupt:
        console.note(f"the same command goes on from {checkpoints}")
        raise
    console.note(f"{time.perf_counter() - begun:.0f} s")
    console.note(RESEARCH_USE)
    out(str(folder))
    return 0
