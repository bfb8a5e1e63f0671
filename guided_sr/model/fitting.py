"""What the three ways of learning have in common, and what each adds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import keras

from guided_sr.errors import UsageError, warn_user
from guided_sr.physics.back_projection import BackProjection
from guided_sr.physics.cascade_plan import scale_per_axis
from guided_sr.presets import rows_only, served_factors, served_text
from guided_sr.training.augmentation import SUPERVISED, UNSUPERVISED, Augmentation
from guided_sr.training.callbacks import ResidualCallback
from guided_sr.training.options import TrainingOptions
from guided_sr.training.schedule import PlateauSchedule
from guided_sr.training.validation import decisions

if TYPE_CHECKING:
    from guided_sr.model.learning import LearningModel

SUPERVISED_DEFAULTS: dict[str, Any] = {"patch_size": 64, "augmentation": SUPERVISED}
INTERNAL: dict[str, Any] = {
    "max_steps": 1000,
    "steps_per_epoch": 50,
    "batch_size": 16,
}
REFINEMENT: dict[str, Any] = {**INTERNAL, "max_steps": 400, "schedule": "cosine"}
FINE_TUNING: dict[str, Any] = {
    "max_steps": 300,
    "steps_per_epoch": 50,
    "batch_size": 16,
    "schedule": "cosine",
    "learning_rate": 3e-4,
}
EXTERNAL_STAGES = 3
_GOES_ON = (
    "loss",
    "augmentation",
    "guide_noise",
    "guide_jitter_mm",
    "lower_starts",
)


def training_options(
    given: Mapping[str, Any], defaults: Mapping[str, Any]
) -> TrainingOptions:
    """Options of a training, checked.

    Args:
        given: Fields of `TrainingOptions`; ``augmentation`` may be a mapping of the
            fields of `Augmentation` that are to differ from the default, as a recipe
            has it.
        defaults: Fields that are not given.

    Raises:
        UsageError: If one is unknown or out of range.
    """
    wanted = {**defaults, **given}
    try:
        augmentation = wanted.get("augmentation", UNSUPERVISED)
        if not isinstance(augmentation, Augmentation):
            wanted["augmentation"] = replace(UNSUPERVISED, **augmentation)
        return TrainingOptions(**wanted)
    except TypeError as error:
        known = ", ".join(TrainingOptions.__dataclass_fields__)
        raise UsageError(str(error), mend=f"known are {known}") from error


def learnt_with(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """With what options a model has learnt that learning on from it should not change.

    A preset that has learnt with noise in the T1 and forgets it overshoots at the
    finest level, which held-out slices of coarser ones do not show.

    Args:
        metadata: Of the model: its recipe, or what `fit_external` noted of a training.
            Whatever else its author wrote there under these names says nothing.
    """
    recipe = metadata.get("recipe")
    training = recipe.get("training") if isinstance(recipe, Mapping) else None
    known = metadata.get("learnt_with", training)
    if not isinstance(known, Mapping):
        return {}
    options = {key: known[key] for key in _GOES_ON if key in known}
    try:
        training_options(options, {})
    except UsageError:
        return {}
    return options


@dataclass(frozen=True)
class Start:
    """Networks to start from, and what they were trained for.

    Attributes:
        networks: One a stage.
        scale: Factor of rows and columns.
        back_projection: What followed each of them.
        scale_range: Least and largest factor they serve, or `None`.
        usage: The images they were made for, the ``range`` of their metadata, or
            `None`.
        unguided: What takes their place where a T1 does not help, as the model's.
        learnt_with: Options of their training to go on with; see `learnt_with`.
    """

    networks: Sequence[keras.Model]
    scale: tuple[float, float]
    back_projection: BackProjection
    scale_range: tuple[float, float] | None = None
    usage: Mapping[str, Any] | None = None
    unguided: LearningModel | str | None = None
    learnt_with: Mapping[str, Any] = field(default_factory=dict)

    def spread(self, scale: Any, stages: int | None) -> Start:
        """A network that serves one step, as the start of a whole cascade.

        A model of one network that serves a range of factors can begin every stage
        of a cascade whose steps lie in that range; any other start stays as it is.

        Args:
            scale: Factors of the cascade, if they are told.
            stages: Stages of the cascade, if they are told.
        """
        if scale is None or stages in (None, 1) or self.scale_range is None:
            return self
        factors = scale_per_axis(scale)
        low, high = self.scale_range
        steps = [factor ** (1.0 / stages) for factor in factors if factor > 1.0]
        served = all(low <= step <= high for step in steps)
        other = rows_only(self.scale) and not rows_only(factors)
        if len(self.networks) > 1 or other or not served:
            return self
        networks = list(self.networks) * stages
        return replace(
            self,
            networks=networks,
            scale=factors,
            scale_range=None,
            usage=None,
            unguided=None,
        )

    def check(
        self,
        build: Callable[[], keras.Model],
        scale: Any,
        stages: int | None,
        back_projection: BackProjection,
    ) -> tuple[float, float]:
        """Refuse networks that cannot be the start of this training.

        Another back-projection is warned of: it may be meant.

        Returns:
            The factors to learn.

        Raises:
            UsageError: If the network, the scale or the number of stages differs.
        """
        wanted = [weight.shape for weight in build().weights]
        if any([w.shape for w in n.weights] != wanted for n in self.networks):
            raise UsageError(
                "the model to start from has another network",
                mend="make this one with its backbone, guide and options, or by"
                " from_preset",
            )
        if stages not in (None, len(self.networks)):
            raise UsageError(
                f"the model to start from has {len(self.networks)} stages,"
                f" not {stages}",
                mend="leave stages out",
            )
        factors = served_factors(scale, self.scale, self.scale_range)
        if factors is None:
            known = served_text(self.scale, self.scale_range)
            raise UsageError(
                f"the model to start from was trained for scale {known}, not {scale}",
                mend="leave scale out",
            )
        if back_projection.fixed() != self.back_projection.fixed():
            warn_user(
                f"the model to start from has {_named(self.back_projection)}, this one"
                f" {_named(back_projection)}",
                mend="make this one by from_preset, or with the same back_projection",
            )
        return factors


def _named(back_projection: BackProjection) -> str:
    if back_projection.method is None:
        return "no back-projection"
    return f"back-projection {back_projection.method!r}"


class InternalProgress(keras.callbacks.Callback):
    """Print what each stage of an internal learning took."""

    def __init__(self, stages: int) -> None:
        super().__init__()
        self.stages = stages
        self.stage = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Count the stage."""
        self.stage += 1
        self.last: dict[str, Any] = {}
        self.epochs = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep the figures."""
        self.epochs, self.last = epoch + 1, dict(logs or {})

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Print the line."""
        steps = self.epochs * int(self.params["steps"])
        print(
            f"stage {self.stage} of {self.stages}: {steps} steps,"
            f" residual {self.last.get('residual', float('nan')):.4g}"
        )


def bounds(stages: int, options: TrainingOptions) -> str:
    """What a training may spend, in words."""
    count = "1 stage" if stages == 1 else f"{stages} stages"
    steps = "1 step" if options.max_steps == 1 else f"{options.max_steps} steps"
    return f"{count} of at most {steps}"


def decision_report(
    histories: Sequence[keras.callbacks.History], slices: str = "held-out slices"
) -> list[str]:
    """What was decided for each stage, a line each; none if nothing was to decide.

    Args:
        histories: Of the stages.
        slices: What decided, in words.
    """
    return [
        f"stage {stage} of {len(histories)}: {decision.sentence(slices)}"
        for stage, decision in enumerate(decisions(histories), 1)
    ]


def residual_plateau() -> PlateauSchedule:
    """Divide the rate by 10 when the residual stands still, twice, then stop."""
    return PlateauSchedule(monitor="residual", patience=3, margin=0.01, minimum=1e-5)


def internal_callbacks(
    stages: int, further: Sequence[Any] = (), *, verbose: int | str
) -> list[Any]:
    """Watch the residual, and print if asked to; then the further callbacks."""
    progress = [InternalProgress(stages)] if verbose else []
    return [ResidualCallback(), *progress, *further]
