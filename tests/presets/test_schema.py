from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from guided_sr.presets import PresetConfig

CONFIG = {
    "format": 1,
    "guided_sr_version": "0.1.0",
    "backbone": {"name": "grdn", "options": {"blocks": 1}},
    "guided": True,
    "scale": [4, 4],
    "stages": 3,
    "stage_blur": "consistent",
    "back_projection": {"method": "exact", "iterations": 1, "epsilon": 0.001},
    "weights": {"stage_1.weights.h5": "00"},
}


def changed(**changes):
    return {**CONFIG, **changes}


def test_a_configuration_goes_through_json():
    config = PresetConfig.model_validate(CONFIG)
    text = json.dumps(config.model_dump(mode="json"))
    assert PresetConfig.model_validate(json.loads(text)) == config


@pytest.mark.parametrize(
    ("config", "place"),
    [
        (changed(surprise=1), "surprise"),
        (changed(backbone={"name": "grdn", "code": "x"}), "code"),
        (changed(back_projection={"method": "magic"}), "method"),
        (changed(back_projection={"iterations": 0}), "iterations"),
        (changed(back_projection={"epsilon": -1}), "epsilon"),
        (changed(back_projection={"epsilon": "some"}), "epsilon"),
        (changed(format=2), "format"),
        (changed(stages=0), "stages"),
        (changed(stages=99), "stages"),
        (changed(scale=[4, 4, 4]), "scale"),
        (changed(stage_blur="paper"), "stage_blur"),
        (changed(scale_range=[2, 3]), "does not hold the scale"),
        (changed(scale_range=[6, 2]), "not a range"),
        (changed(scale_range=[1, 6]), "not a range"),
        ({k: v for k, v in CONFIG.items() if k != "weights"}, "weights"),
    ],
)
def test_what_is_not_in_the_form_is_refused(config, place):
    with pytest.raises(ValidationError, match=place):
        PresetConfig.model_validate(config)


def test_the_regularisation_is_a_number_or_left_to_the_noise():
    for epsilon, automatic in ((0.2, False), ("auto", True)):
        how = {"method": "exact", "epsilon": epsilon}
        config = PresetConfig.model_validate(changed(back_projection=how))
        stored = config.model_dump(mode="json")["back_projection"]
        assert stored["epsilon"] == epsilon
        assert config.back_projection.automatic is automatic


def test_a_range_of_factors_is_optional():
    assert PresetConfig.model_validate(CONFIG).scale_range is None
    config = PresetConfig.model_validate(changed(scale=[4, 1], scale_range=[2, 6]))
    assert config.scale_range == (2.0, 6.0)
