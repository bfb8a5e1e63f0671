"""What is trained, from what and where to: checked before a framework is loaded."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guided_sr.cli.choose import Chosen, choose_model
from guided_sr.cli.options import BACK_PROJECTION
from guided_sr.cli.outputs import check_folder, refuse_existing_model
from guided_sr.cli.pair import Pair
from guided_sr.cli.train_options import BACKBONES, TRAINING
from guided_sr.errors import UsageError
from guided_sr.physics.back_projection import BackProjection
from guided_sr.physics.cascade_plan import CascadePlan, StageBlur, scale_per_axis
from guided_sr.presets import rows_only, scale_text
from guided_sr.training.options import TrainingOptions, patch_size
from guided_sr.training.thick_views import thick_factor

if TYPE_CHECKING:
    from guided_sr.model import GuidedSRModel

Facts = list[tuple[str, str]]


@dataclass(frozen=True)
class Place:
    """Where a training goes.

    Attributes:
        folder: Of the model.
        checkpoints: Where to save and to go on from.
    """

    folder: Path
    checkpoints: Path

    @classmethod
    def of(cls, args: argparse.Namespace) -> Place:
        """The folders asked for; makes nothing.

        Raises:
            CannotCreateError: If there is a model already, or they cannot be made.
        """
        folder = Path(args.out)
        refuse_existing_model(folder, force=args.force)
        given = args.checkpoint
        checkpoints = Path(given) if given else folder / "checkpoints"
        check_folder(folder)
        check_folder(checkpoints)
        return cls(folder, checkpoints)

    def facts(self) -> Facts:
        """Lines of the plan."""
        return [("checkpoints", str(self.checkpoints)), ("model", str(self.folder))]


@dataclass(frozen=True)
class Setup:
    """The model to be trained, and how.

    Attributes:
        backbone: Network of every stage.
        network: Its options.
        guided: Whether it takes a T1.
        scale: Factor of rows and columns.
        stages: Stages of the cascade.
        back_projection: What follows each stage.
        stage_blur: As in `CascadePlan.create`.
        start: What it starts from, or None.
        training: Fields of `TrainingOptions` that are given.
        devices: How many devices share each batch.
        tensorboard: Folder of TensorBoard's log, or None.
    """

    backbone: str
    network: dict[str, Any]
    guided: bool
    scale: tuple[float, float]
    stages: int
    back_projection: BackProjection
    stage_blur: StageBlur
    start: Chosen | None
    training: dict[str, Any]
    devices: int = 1
    tensorboard: str | None = None

    @classmethod
    def of(cls, args: argparse.Namespace, *, stages: int, guided: bool | None) -> Setup:
        """What the options ask for; a model to start from decides what they leave.

        Args:
            args: With the options of `add_network` and `add_training`.
            stages: Number of stages where none is asked for.
            guided: Whether a T1 is asked for; None leaves it to the network.

        Raises:
            UsageError: If options contradict each other or the model to start from.
            GuidedSRError: If there is no such model, or it is damaged.
        """
        start = None
        if args.init is not None:
            start = choose_model(
                args.init, args.scale, option="--init", quiet=args.quiet
            )
            _check_start(start, args, guided)
        elif args.scale is None:
            raise UsageError(
                "there is no scale to learn", mend="give --scale or --init"
            )
        config = None if start is None else start.config
        backbone = args.backbone or (config.backbone.name if config else "grdn")
        if config is not None:
            guided = config.guided
        elif guided is None:
            guided = BACKBONES[backbone]
        back_projection = BackProjection()
        if args.back_projection is not None:
            back_projection = BackProjection.of(BACK_PROJECTION[args.back_projection])
        elif config is not None:
            back_projection = BackProjection(**config.back_projection.model_dump())
        return cls(
            backbone=backbone,
            network=dict(config.backbone.options) if config else {},
            guided=guided,
            scale=config.scale if config else scale_per_axis(args.scale),
            stages=config.stages if config else args.stages or stages,
            back_projection=back_projection,
            stage_blur=config.stage_blur if config else "consistent",
            start=start,
            training=_training(args, guided=guided),
            devices=_devices(args),
            tensorboard=args.tensorboard,
        )

    @property
    def through_plane(self) -> bool:
        """Whether rows alone are enlarged: thick slices, seen from the side."""
        return rows_only(self.scale)

    def thickness(self, pair: Pair) -> float:
        """How many times coarser the views of a pair's own planes are.

        Args:
            pair: On the T2's own grid.
        """
        served = None if self.start is None else self.start.config.scale_range
        return thick_factor(pair.t2.affine, self.scale[0], served)

    def plan(self, shape: tuple[int, int], target: tuple[int, int]) -> CascadePlan:
        """The cascade plan between two sizes.

        Raises:
            UsageError: If there is none.
        """
        return CascadePlan.create(
            shape, target_shape=target, stages=self.stages, stage_blur=self.stage_blur
        )

    def refuse_small_slices(self, plan: CascadePlan, *, level: int) -> None:
        """Refuse slices that hold no patch, before a framework is loaded.

        Args:
            plan: Of a pair.
            level: The coarsest that is trained on.

        Raises:
            DataError: With the smallest side that would do.
        """
        wanted = TrainingOptions(**self.training).patch_size
        patch_size([plan.level_shape(level)], wanted)

    def facts(
        self, plan: CascadePlan, *, lowest: int = 0, sizes: str = "sizes"
    ) -> Facts:
        """Lines of the plan.

        Args:
            plan: Of the (first) pair.
            lowest: First level to show.
            sizes: What the sizes shown are.
        """
        levels = [plan.level_shape(k) for k in range(lowest, plan.stages + 1)]
        rows = [
            (
                "cascade",
                f"scale {scale_text(self.scale)}, {self.stages} stages; {sizes}: "
                + " → ".join(f"{h}x{w}" for h, w in levels),
            ),
            ("network", f"{self.backbone}, guide {'T1' if self.guided else 'none'}"),
            ("back-projection", self.back_projection.method or "none"),
        ]
        if self.start is not None:
            rows.append(("start", self.start.describe()))
        return rows

    def model(self, precision: str) -> GuidedSRModel:
        """The model before its training; loads Keras."""
        from guided_sr.model import GuidedSRModel

        return GuidedSRModel(
            self.backbone,
            guided=self.guided,
            back_projection=self.back_projection,
            stage_blur=self.stage_blur,
            precision=precision,
            **self.network,
        )

    def fitting(self, place: Place) -> dict[str, Any]:
        """What every way of learning is told."""
        return {
            "init": None if self.start is None else self.start.folder,
            "register": "none",  # `read_pair` has placed the T1s
            "checkpoint_dir": place.checkpoints,
            "verbose": 0,
            "devices": self.devices,
            **self.training,
        }

    def watching(self) -> list[Any]:
        """The callbacks that write a log for TensorBoard; loads Keras.

        Raises:
            UsageError: If TensorBoard is not installed.
        """
        if self.tensorboard is None:
            return []
        from guided_sr.training.slice_images import SliceImages

        return [SliceImages(self.tensorboard)]

    def record(
        self, kind: str, pairs: Sequence[Pair], seconds: float, **more: Any
    ) -> dict[str, Any]:
        """What the metadata say of the training: no names of files or people.

        Args:
            kind: Way of learning.
            pairs: What was learnt from.
            seconds: What this run took.
            **more: Further entries.
        """
        digests = [
            {
                name: volume.sha256
                for name, volume in (("t2", pair.t2), ("t1", pair.t1))
                if volume is not None
            }
            for pair in pairs
        ]
        start = self.start
        entry = {
            "kind": kind,
            "scale": list(self.scale),
            "stages": self.stages,
            "guided": self.guided,
            "options": self.training,
            "init_sha256": None if start is None else start.config.weights,
            "pairs_sha256": digests,
            "slices": sum(len(pair.inputs.t2) for pair in pairs),
            "t1_placed": [
                pair.registration.to_dict() for pair in pairs if pair.registration
            ],
            **more,
            "seconds_of_last_run": round(seconds, 1),
        }
        return {"training": entry}


def placement_facts(pairs: Sequence[Pair]) -> Facts:
    """How the T1s were placed, as a line of the plan; none without T1s."""
    found = [p.registration for p in pairs if p.registration is not None]
    if len(found) < 2:
        return [("registration", one.describe()) for one in found]
    mode = found[0].mode
    if mode == "none":
        return [("registration", "none, each lies where its header says")]
    moved = sum(one.applied for one in found)
    told = f"{mode}, {moved} of {len(found)} moved"
    misfits = [
        (one.registration.misfit.mm, str(one.t2.path))
        for one in pairs
        if one.registration is not None and one.registration.misfit is not None
    ]
    if misfits:
        worst, where = max(misfits)
        told += f"; headers off by {min(misfits)[0]:.2f} to {worst:.2f} mm ({where})"
    failed = sum(one.failure is not None for one in found)
    thin = len(found) - len(misfits) - failed
    for many, why in ((thin, "too thin to measure"), (failed, "failed")):
        if many:
            told += f"; {many} {why}, left as the headers say"
    return [("registration", told)]


def _check_start(start: Chosen, args: argparse.Namespace, guided: bool | None) -> None:
    """Refuse a model to start from that the options contradict."""
    config = start.config
    name = config.backbone.name
    if name not in BACKBONES:
        raise UsageError(
            "the model to start from has a network of its author's own",
            path=start.folder,
            mend="train it from Python, where that network can be given",
        )
    if args.backbone not in (None, name):
        raise UsageError(
            f"the model to start from has the network {name}, not {args.backbone}",
            path=start.folder,
            mend="leave --backbone out",
        )
    if args.stages not in (None, config.stages):
        raise UsageError(
            f"the model to start from has {config.stages} stages, not {args.stages}",
            path=start.folder,
            mend="leave --stages out",
        )
    if guided not in (None, config.guided):
        raise UsageError(
            f"the model to start from takes {'a' if config.guided else 'no'} T1",
            path=start.folder,
            mend=f"leave {'--no-guide' if config.guided else '--guide'} out",
        )


def _devices(args: argparse.Namespace) -> int:
    """How many devices; several cannot be one that is named."""
    if args.devices > 1 and args.device != "auto":
        raise UsageError(
            f"--devices {args.devices} and --device {args.device} exclude each other",
            mend="leave one of them out",
        )
    return int(args.devices)


def _training(args: argparse.Namespace, *, guided: bool) -> dict[str, Any]:
    """The fields of `TrainingOptions` that are given, checked."""
    given = {name: getattr(args, name) for name in TRAINING}
    training = {name: value for name, value in given.items() if value is not None}
    if not 0 < training.get("learning_rate", 0.001) < 10:
        raise UsageError(
            f"learning rate {args.learning_rate} makes no sense", mend="try 0.001"
        )
    if training.get("seed", 0) < 0:
        raise UsageError(f"seed {args.seed} is negative", mend="give 0 or more")
    for name, does in (("guide_jitter_mm", "shift"), ("guide_noise", "make noisy")):
        if training.get(name) and not guided:
            flag = "--" + name.removesuffix("_mm").replace("_", "-")
            raise UsageError(
                f"there is no T1 that {flag} could {does}", mend="leave it out"
            )
    TrainingOptions(**training)
    return training
