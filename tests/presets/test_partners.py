from __future__ import annotations

import pytest

from guided_sr.presets import list_presets, locate_preset, read_config
from guided_sr.presets.partners import unguided_name, unguided_partner

GUIDED = [name for name in list_presets() if not name.endswith("_noguide")]


@pytest.mark.parametrize("name", GUIDED)
def test_every_guided_preset_has_a_partner_that_works_in_its_stages(name):
    config = read_config(locate_preset(name))
    partner = unguided_partner(name, config)
    assert partner is not None
    other = read_config(locate_preset(partner))
    assert config.guided
    assert not other.guided
    assert (other.scale, other.scale_range) == (config.scale, config.scale_range)
    assert (other.stages, other.stage_blur) == (config.stages, config.stage_blur)


@pytest.mark.parametrize("variant", ["light", "robust"])
def test_a_variant_has_the_partner_of_the_preset_itself(variant):
    assert unguided_name(f"grdn_t2_x4_{variant}") == unguided_name("grdn_t2_x4")


def test_a_model_that_is_only_called_like_a_preset_has_none():
    config = read_config(locate_preset("grdn_t2_x4"))
    other = config.model_copy(update={"weights": {"stage_1.weights.h5": "0"}})
    assert unguided_partner("grdn_t2_x4", other) is None
    assert unguided_partner("my_model", config) is None


def test_a_model_of_ones_own_has_the_one_that_its_configuration_names():
    config = read_config(locate_preset("grdn_t2_x4"))
    named = config.model_copy(update={"unguided": "grdn_t2_x4_noguide"})
    assert unguided_partner("my_model", named) == "grdn_t2_x4_noguide"
    gone = config.model_copy(update={"unguided": "of_another_version"})
    assert unguided_partner("my_model", gone) is None
    without = named.model_copy(update={"guided": False})
    assert unguided_partner("my_model", without) is None
