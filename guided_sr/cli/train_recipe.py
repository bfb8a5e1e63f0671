"""``guided-sr train recipe``: train a preset again from the file that made it."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guided_sr.cli.console import Console
from guided_sr.cli.options import add_compute, add_model, add_quiet, new_parser

if TYPE_CHECKING:
    from guided_sr.model import GuidedSRModel


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
        GuidedSRError: The first fault found; those of recipe, data and output before
            a framework is loaded.
    """
    begun = time.perf_counter()
    from guided_sr.cli.train_session import train
    from guided_sr.cli.train_setup import Place
    from guided_sr.training.recipes import read_recipe

    console = Console(quiet=args.quiet)
    place = Place.of(args)
    recipe = read_recipe(args.recipe)
    recipe.require(args.data)
    facts = [
        ("recipe", f"{recipe.name}: {recipe.description}"),
        ("subjects", recipe.subjects_text()),
        ("training", ", ".join(f"{k} {v}" for k, v in recipe.training.items())),
        *place.facts(),
    ]
    console.facts("plan", facts)

    def learn(precision: str) -> tuple[GuidedSRModel, dict[str, Any]]:
        from guided_sr.cli.training_log import Reporter
        from guided_sr.model.recipe import fit_recipe, recipe_model, recipe_subjects
        from guided_sr.runtime import first_device

        model = recipe_model(recipe, precision=precision)
        histories = fit_recipe(
            model,
            recipe,
            recipe_subjects(recipe, args.data),
            starts=[place.folder.parent, Path(args.recipe).parent.parent / "starts"],
            callbacks=[Reporter(console, place.checkpoints, recipe.networks)],
            checkpoint_dir=place.checkpoints,
            verbose=0,
        )
        record = {
            "recipe": recipe.model_dump(mode="json", exclude={"range"}),
            **recipe.usage(),
            "precision": model.dtype,
            "device": args.device if args.device != "auto" else first_device(),
            "train_seconds": round(time.perf_counter() - begun),
            "last_losses": [h.history.get("loss", [None])[-1] for h in histories],
        }
        return model, record

    return train(args, console, place, learn, begun=begun)
