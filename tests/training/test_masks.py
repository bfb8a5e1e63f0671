from __future__ import annotations

import numpy as np

from guided_sr.training.augmentation import Augmentation
from guided_sr.training.masks import StrippingMask
from guided_sr.training.patches import PatchDataset
from guided_sr.training.subjects import SharpMasks, Subject, subjects_of


def _subject(
    pair: tuple[np.ndarray, np.ndarray], *, sharp_masks: SharpMasks
) -> Subject:
    (subject,) = subjects_of(
        [pair],
        scale=(2.0, 2.0),
        stages=2,
        guided=True,
        stage_blur="consistent",
        sharp_masks=sharp_masks,
    )
    return subject


def test_a_mask_is_found_by_the_zeros_of_both_images(cut_out, disc):
    mask = StrippingMask.of(*cut_out, (0.0, 0.0))
    assert mask is not None
    np.testing.assert_array_equal(mask.kept, disc.astype(np.float32))
    np.testing.assert_array_equal(mask.part(np.array([0, 2])).kept, mask.kept[[0, 2]])


def test_an_edge_stays_sharp_when_slices_are_turned_and_shrunk(cut_out):
    subject = _subject(cut_out, sharp_masks="drawn")
    level, plain = (
        s.level_stack(s.t2, 1) for s in (subject, _subject(cut_out, sharp_masks=True))
    )
    np.testing.assert_array_equal(level.target, plain.target)
    draws = Augmentation((15.0,), rescale_steps=(0.1,), rescale_from=0.8)
    options = {"patch": 24, "batch_size": 16, "seed": 1, "steps_per_epoch": 1}
    between, inside = [], []
    for stack in (level, plain):
        data = PatchDataset(
            [stack], augmentation=draws, first_epoch=0, epochs=1, **options
        )
        inputs, target = data[0]
        for image, air in zip((target, inputs["t1"]), subject.mask.air, strict=True):
            share = (image - air) / (np.percentile(image, 90) - air)
            between.append(np.mean((np.abs(share) > 0.02) & (share < 0.6)))
            inside.append(np.mean(share > 0.5))
    assert max(between[:2]) < 0.002
    assert min(between[2:]) > 0.02
    np.testing.assert_allclose(inside[:2], inside[2:], rtol=0.03)


def test_an_edge_is_as_sharp_at_a_coarse_level_and_its_tissue_whole(cut_out):
    soft = _subject(cut_out, sharp_masks=False)
    sharp = _subject(cut_out, sharp_masks=True)
    assert soft.mask is None
    assert sharp.mask is not None
    for image in (0, 1):
        levels = [s.level_stack(s.t2, 1) for s in (soft, sharp)]
        found = [x.target if image == 0 else x.guide for x in levels]
        air = sharp.mask.air[image]
        bright = np.percentile(found[0], 90)
        between = [
            np.mean((x > air + 0.1) & (x < air + 0.6 * (bright - air))) for x in found
        ]
        assert between[0] > 0.02  # the level's blur
        assert between[1] == 0.0
    assert levels[1].plan is sharp.plan


def test_without_the_option_nothing_changes(cut_out):
    soft = _subject(cut_out, sharp_masks=False)
    level = soft.level_stack(soft.t2, 1)
    np.testing.assert_array_equal(level.target, soft.t2)


def test_a_part_of_a_subject_has_its_part_of_the_mask(cut_out):
    sharp = _subject(cut_out, sharp_masks=True)
    part = sharp.part(np.array([1]))
    assert part.mask is not None
    assert len(part.mask.kept) == len(part.t2) == 1
