"""Render the tables of the docs from the runs of `leave_one_out.py`.

    python benchmarks/tables.py docs/benchmarks/runs.jsonl docs/benchmarks/results.md \
        README.md

Cells come from the JSON lines alone; nothing is typed by hand.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Run = dict[str, Any]
SEED = 0
PLATEAU = "supervised without paintings, 3200 steps, with air"


def interval(differences: np.ndarray, draws: int = 5000) -> tuple[float, float]:
    """95 % bootstrap interval of a mean over slices."""
    rng = np.random.default_rng(SEED)
    picks = rng.integers(len(differences), size=(draws, len(differences)))
    low, high = np.percentile(differences[picks].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


_PRESETS = {
    "recipe": "",
    "1600 steps": "",
    "3200 steps": "",
    "6400 steps": "",
    "800 steps": "",
    "air unknown": ", air unknown",
    "half the steps": "",
    "no air, half the steps": ", air unknown",
    "no lower starts": ", no lower starts",
    "neither air nor lower starts": ", neither air nor lower starts",
    "former, seed 0": ", before masks",
}


def _recipes(runs: Sequence[Run]) -> list[Run]:
    """Runs of the recipes of presets, by scale and name."""
    chosen = [run for run in runs if run["label"] == "recipe"]
    return sorted(chosen, key=lambda run: (run["scale"], run["recipe"], run["test"]))


def leave_one_out(runs: Sequence[Run]) -> list[str]:
    lines = [
        "| preset | test subject | cubic | cubic + 1 ibp | guided-sr | gain over cubic"
        " | centre slice, cubic → ours | training |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for run in _recipes(runs):
        cells = [f"`{run['recipe']}`", run["test"]]
        for key in ("cubic", "cubic_ibp", "ours"):
            figures = run[key]
            cells.append(f"{figures['psnr']:.2f} / {figures['ssim']:.3f}")
        cells.append(f"**{run['gain']:+.2f} dB**")
        centre = run["cubic"]["centre_psnr"], run["ours"]["centre_psnr"]
        cells.append(f"{centre[0]:.2f} → {centre[1]:.2f}")
        cells.append(f"{run['train_seconds'] / 60:.0f} min")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def means(runs: Sequence[Run]) -> list[str]:
    lines = [
        "| preset | cubic | guided-sr | gain over cubic (each subject) | training |",
        "|---|---|---|---|---|",
    ]
    of_preset: dict[str, list[Run]] = {}
    for run in _recipes(runs):
        of_preset.setdefault(run["recipe"], []).append(run)
    for name, folds in of_preset.items():
        cells = [f"`{name}`"]
        for key in ("cubic", "ours"):
            psnr, ssim = (
                np.mean([run[key][figure] for run in folds])
                for figure in ("psnr", "ssim")
            )
            cells.append(f"{psnr:.2f} / {ssim:.3f}")
        gains = [run["gain"] for run in folds]
        each = ", ".join(f"{gain:+.2f}" for gain in gains)
        cells.append(f"**{np.mean(gains):+.2f} dB** ({each})")
        cells.append(f"{np.mean([run['train_seconds'] for run in folds]) / 60:.0f} min")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def seeds(runs: Sequence[Run]) -> list[str]:
    """Recipes with other seeds or beside supervised learning; also those before."""
    lines = [
        "| preset | test subject | gain over cubic | mean ± sd | supervised | share |",
        "|---|---|---|--:|--:|--:|",
    ]
    for own, taught, title in (
        ("recipe", PLATEAU, ""),
        ("800 steps", "supervised", ", 800 steps"),
        (
            "air unknown",
            "supervised without paintings, 800 steps",
            ", 800 steps, air unknown",
        ),
        ("half the steps", "supervised", ", 400 steps"),
        ("no lower starts", "supervised", ", no lower starts"),
        (
            "neither air nor lower starts",
            "supervised without paintings, 800 steps",
            ", neither air nor lower starts",
        ),
        ("former", "former, supervised", ", before masks"),
    ):
        bounds = {(r["recipe"], r["test"]): r for r in runs if r["label"] == taught}
        of_fold: dict[tuple[str, str], list[Run]] = {}
        for run in runs:
            if run["label"].startswith(own) and run["label"] != taught:
                of_fold.setdefault((run["recipe"], run["test"]), []).append(run)
        for fold, members in sorted(of_fold.items()):
            if len(members) > 1 or fold in bounds:
                lines.append(_seeds_row(fold, members, bounds.get(fold), title))
    return lines


def _seeds_row(
    fold: tuple[str, str], members: list[Run], bound: Run | None, title: str
) -> str:
    members.sort(key=lambda run: int(run["training"]["seed"]))
    gains = [run["gain"] for run in members]
    mean = float(np.mean(gains))
    spread = f" ± {np.std(gains, ddof=1):.2f}" if len(gains) > 1 else ", one seed"
    cells = [
        f"`{fold[0]}`{title}",
        fold[1],
        ", ".join(f"{gain:+.2f}" for gain in gains),
        f"{mean:+.2f}{spread}",
        "" if bound is None else f"{bound['gain']:+.2f}",
        "" if bound is None else f"{mean / bound['gain']:.0%}",
    ]
    return "| " + " | ".join(cells) + " |"


def air(runs: Sequence[Run]) -> list[str]:
    """The same weights with what is known of the air beyond a mask, and without."""
    lines = [
        "| preset | test subject | air unknown | known | adds |",
        "|---|---|--:|--:|--:|",
    ]
    for known, unknown, title in (
        ("recipe", ("air unknown", "1600 steps, air unknown"), ""),
        (
            "supervised",
            ("supervised without paintings, 800 steps",),
            ", supervised",
        ),
    ):
        before = {
            _training(run): run["gain"] for run in runs if run["label"] in unknown
        }
        after = [run for run in runs if run["label"] == known]
        for run in sorted(after, key=_training):
            gain = before.get(_training(run))
            if gain is not None:
                lines.append(
                    f"| `{run['recipe']}`{title} | {run['test']} | {gain:+.2f} |"
                    f" **{run['gain']:+.2f}** | {run['gain'] - gain:+.2f} |"
                )
    return lines


def _training(run: Run) -> tuple[str, str, int]:
    return run["recipe"], run["test"], run["training"]["max_steps"]


def _slices(runs: Sequence[Run]) -> np.ndarray:
    return np.mean([run["ours"]["slices"] for run in runs], axis=0)


def orderings(runs: Sequence[Run]) -> list[str]:
    """Variants from random weights and scans alone."""
    return _orderings([run for run in runs if run["label"] == "ordering"])


def orderings_painted(runs: Sequence[Run]) -> list[str]:
    """Variants from the painted start of 2500 steps."""
    return _orderings([run for run in runs if run["label"] == "ordering painted"])


def _orderings(chosen: Sequence[Run]) -> list[str]:
    default: Callable[[Run], bool] = lambda r: (  # noqa: E731
        r["stages"] == 3 and r["guided"] and r["training"]["loss"] == "l1"
    )
    groups: list[tuple[str, Callable[[Run], bool]]] = [
        ("r = 3, guide, L1", default),
        (
            "r = 3, guide, L2",
            lambda r: (
                r["stages"] == 3 and r["guided"] and r["training"]["loss"] == "l2"
            ),
        ),
        ("r = 1, guide, L1", lambda r: r["stages"] == 1 and r["guided"]),
        ("r = 3, no guide, L1 (Model 1)", lambda r: not r["guided"]),
    ]
    base = [run for run in chosen if default(run)]
    if not base:
        return ["No ordering runs yet."]
    reference = {run["training"]["seed"]: run for run in base}
    cubic = base[0]["cubic"]
    lines = [
        "| variant | seeds | PSNR | SSIM | gain over cubic |"
        " against r = 3, guide, L1, paired per slice and seed [95 %] |",
        "|---|---|---|---|---|---|",
        f"| cubic | – | {cubic['psnr']:.2f} | {cubic['ssim']:.3f} | 0 | |",
    ]
    for title, match in groups:
        members = [run for run in chosen if match(run)]
        if not members:
            continue
        psnrs = [run["ours"]["psnr"] for run in members]
        seeds = sorted(run["training"]["seed"] for run in members)
        spread = f" ({min(psnrs):.2f}–{max(psnrs):.2f})" if len(psnrs) > 1 else ""
        versus = ""
        if match is not default:
            partners = [reference[seed] for seed in seeds if seed in reference]
            difference = _slices(members) - _slices(partners)
            low, high = interval(difference)
            versus = f"{difference.mean():+.2f} [{low:+.2f}, {high:+.2f}] dB"
        lines.append(
            f"| {title} | {', '.join(map(str, seeds))} | {np.mean(psnrs):.2f}{spread} |"
            f" {np.mean([r['ours']['ssim'] for r in members]):.3f} |"
            f" {np.mean([r['gain'] for r in members]):+.2f} | {versus} |"
        )
    return lines


def probes(runs: Sequence[Run]) -> list[str]:
    lines = [
        "| what | scale | test subject | r | steps a stage | start | paintings |"
        " gain over cubic | SSIM |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    chosen = [
        run
        for run in runs
        if run["label"].startswith("probe") or run["label"] in _PRESETS
    ]
    for run in sorted(chosen, key=lambda r: (r["scale"], r["test"], r["gain"])):
        share = run.get("painted")
        what = run["label"].removeprefix("probe ")
        if what in _PRESETS:
            what = f"`{run['recipe']}`{_PRESETS[what]}"
        lines.append(
            f"| {what} | {run['scale']:g}× |"
            f" {run['test']} | {run['stages']} | {run['training']['max_steps']} |"
            f" {'painted' if run.get('init') else 'random'} |"
            f" {f'{share:.0%}' if share else 'none'} |"
            f" {run['gain']:+.2f} | {run['ours']['ssim']:.3f} |"
        )
    return lines


RENDERERS = {
    "air": air,
    "leave-one-out": leave_one_out,
    "means": means,
    "orderings": orderings,
    "orderings-painted": orderings_painted,
    "probes": probes,
    "seeds": seeds,
}


def with_table(page: str, name: str, lines: Sequence[str]) -> str:
    """The page with a table in its place, between two comments."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    head, _, rest = page.partition(begin)
    _, _, tail = rest.partition(end)
    body = "\n".join(lines)
    return f"{head}{begin}\n\n{body}\n\n{end}{tail}"


def filled(page: str, runs: Sequence[Run]) -> str:
    """The page with every table it has a place for, between two comments."""
    for name, render in RENDERERS.items():
        if f"<!-- {name} -->" in page:
            page = with_table(page, name, render(runs))
    return page


def main() -> None:
    source, *pages = map(Path, sys.argv[1:])
    runs = [json.loads(line) for line in source.read_text("utf-8").splitlines()]
    for page in pages:
        page.write_text(filled(page.read_text("utf-8"), runs), encoding="utf-8")


if __name__ == "__main__":
    main()
