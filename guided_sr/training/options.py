"""What determines a training, beside the data and the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from guided_sr.errors import DataError, UsageError
from guided_sr.training.augmentation import UNSUPERVISED, Augmentation

LOSSES = {
    "l1": "mean_absolute_error",
    "l2": "mean_squared_error",
    "l1_wgan": "mean_absolute_error",
}
SCHEDULES = ("plateau", "cosine")
SMALLEST_PATCH = 16


@dataclass(frozen=True)
class TrainingOptions:
    """Everything that determines a training beside the data and the network.

    Attributes:
        loss: ``"l1"`` (the paper's), ``"l2"``, or ``"l1_wgan"``: half of the steps L1,
            then L1 and an adversarial term (see `AdversarialModel`; the critic has a
            quarter of the published filters and one step a step of the network,
            which a CPU can bear).
        max_steps: Most steps a stage; whole epochs of `steps_per_epoch` are run.
        schedule: ``"plateau"`` (the paper's: divide by 10 when the loss stands still)
            or ``"cosine"`` over `max_steps`, for short budgets.
        learning_rate: Adam's initial rate.
        batch_size: Patches a step.
        patch_size: Side of the patches in pixels; 48 in the paper.
        steps_per_epoch: Steps between two looks at the loss.
        augmentation: What is drawn for each slice.
        guide_jitter_mm: Largest shift of the guide against the T2 along each axis, in
            mm, drawn afresh for each slice: a network trained with it trusts the
            guide less and bears a poor registration better. Arrays count as 1 mm a
            pixel of the target grid.
        guide_noise: Largest deviation of noise that the guide gets, as a share of its
            intensity range, drawn afresh for each slice where the T2 is made coarser
            as it is drawn: coarser levels have lost their noise, and a network that
            has learnt at them takes the noise of the finest T1 for detail.
        lower_starts: From the second stage on, learn also from what the earlier stages
            make of the slices when the cascade begins 1 to so many stages lower, where
            what should come out is known; 0 for none. Subjects whose truth is known,
            a single stage and a network for all stages have none.
        warm_start: Whether a stage starts from the weights of the one before.
        seed: Seed of weights, patches and augmentation.
    """

    loss: str = "l1"
    max_steps: int = 10_000
    schedule: str = "plateau"
    learning_rate: float = 1e-3
    batch_size: int = 32
    patch_size: int = 48
    steps_per_epoch: int = 100
    augmentation: Augmentation = UNSUPERVISED
    guide_jitter_mm: float = 0.0
    guide_noise: float = 0.0
    lower_starts: int = 0
    warm_start: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what is not defined, before the first slow step.

        Raises:
            UsageError: If an option is unknown or out of range.
        """
        if self.loss not in LOSSES:
            raise UsageError(
                f"loss {self.loss!r} is unknown",
                mend=f"choose {', '.join(LOSSES)}",
            )
        if self.schedule not in SCHEDULES:
            raise UsageError(
                f"schedule {self.schedule!r} is unknown",
                mend=f"choose {' or '.join(SCHEDULES)}",
            )
        numbers = (
            self.max_steps,
            self.batch_size,
            self.patch_size,
            self.steps_per_epoch,
        )
        if min(numbers) < 1 or self.learning_rate <= 0:
            raise UsageError(
                "max_steps, batch_size, patch_size, steps_per_epoch and"
                " learning_rate must be positive",
                mend="leave them at their defaults",
            )
        if not 0.0 <= self.guide_jitter_mm < 100.0:
            raise UsageError(
                f"guide_jitter_mm {self.guide_jitter_mm!r} is no distance",
                mend="give millimetres, such as 2",
            )
        if not 0.0 <= self.guide_noise < 1.0:
            raise UsageError(
                f"guide_noise {self.guide_noise!r} is no share of the T1's range",
                mend="give a share, such as 0.03",
            )
        if type(self.lower_starts) is not int or self.lower_starts < 0:
            raise UsageError(
                f"lower_starts {self.lower_starts!r} is no number of stages",
                mend="give a whole number, such as 2, or 0 for none",
            )

    @property
    def epochs(self) -> int:
        """Looks at the loss within `max_steps`."""
        return max(1, self.max_steps // self.steps_in_epoch)

    @property
    def steps_in_epoch(self) -> int:
        """Steps of an epoch, at most `max_steps`."""
        return min(self.steps_per_epoch, self.max_steps)


def patch_size(shapes: Sequence[tuple[int, int]], wanted: int) -> int:
    """Side of the patches that every subject's slices hold.

    Args:
        shapes: Sizes of the subjects' slices at the stage's level.
        wanted: Side asked for, in pixels.

    Returns:
        ``min(wanted, shortest side)``, rounded down to a multiple of 4.

    Raises:
        DataError: If that is below 16 pixels.
    """
    shortest = min(min(shape) for shape in shapes)
    side = min(wanted, shortest) // 4 * 4
    if side < SMALLEST_PATCH:
        raise DataError(
            f"the slices to train on have only {shortest} pixels on their shorter"
            f" side at this stage, patches need {SMALLEST_PATCH}",
            mend="train at a smaller scale or with fewer stages, or with larger slices",
        )
    return side


def refuse_unequal_shares(options: TrainingOptions, devices: int | None) -> None:
    """Refuse devices that cannot share the batches of a training.

    Args:
        options: The training.
        devices: How many share each batch; `None` for one.

    Raises:
        UsageError: If they cannot share them equally, or not at all.
    """
    count = devices or 1
    if options.batch_size % count:
        raise UsageError(
            f"a batch of {options.batch_size} patches cannot be shared equally by"
            f" {count} devices",
            mend=f"give a batch_size that is a multiple of {count}",
        )
    if count > 1 and options.loss == "l1_wgan":
        raise UsageError(
            "training against a critic runs on one device",
            mend="leave devices out, or choose the loss l1",
        )
