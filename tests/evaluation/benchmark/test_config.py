from __future__ import annotations

import pytest

from guided_sr.errors import DataError, MissingInputError, UnknownPresetError
from guided_sr.evaluation.benchmark import METHODS, BenchmarkConfig, read_config


def written(tmp_path, text):
    file = tmp_path / "bench.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_every_key_has_a_default(tmp_path):
    config = read_config(written(tmp_path, ""))
    assert config == BenchmarkConfig()
    assert config.cells.methods == list(METHODS)
    assert config.cells.shifts_mm == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[cells]\nscale = [2]", r"cells\.scale: there is no such key"),
        ("[cells]\nscale = [2]", "known are methods, scales, stages"),
        (
            "[budgets]\nsteps = 3",
            "budgets: .*known are data, start, budget, cells, options",
        ),
        ("[options.cubic]\na = 4", "cubic has no options"),
        ("[budget]\nsteps = 0", r"budget\.steps"),
        ('[cells]\nmethods = ["magic"]', "unknown method magic; known are cubic"),
        ("[options.magic]\na = 1", "options of an unknown method magic"),
        ("[cells]\nscales = [1]", "scales must be above 1"),
        ("[cells]\nseeds = []", "seeds is empty"),
        ("[cells]\nshifts_mm = [-1]", "are distances"),
        ('[cells]\nlosses = ["l3"]', r"cells\.losses\.0"),
        ('[cells]\nmethods = ["pretrained"]', "pretrained needs a start"),
        ("[cells", "is not TOML"),
    ],
)
def test_a_wrong_key_is_named(tmp_path, text, where):
    with pytest.raises(DataError, match=where) as caught:
        read_config(written(tmp_path, text))
    assert "bench.toml" in str(caught.value)


def test_a_start_is_looked_for_beside_the_file(tmp_path):
    (tmp_path / "begin").mkdir()
    (tmp_path / "begin" / "config.json").write_text("{}", encoding="utf-8")
    config = read_config(written(tmp_path, 'start = "begin"'))
    assert config.start == str(tmp_path / "begin")
    with pytest.raises(UnknownPresetError, match=r"start 'nowhere' .*bench\.toml"):
        read_config(written(tmp_path, 'start = "nowhere"'))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(MissingInputError, match=r"none\.toml"):
        read_config(tmp_path / "none.toml")


def test_none_can_be_said_in_toml(tmp_path):
    file = written(tmp_path, '[options.dcsrn]\nnormalization = "none"\nunits = 3')
    config = read_config(file)
    assert config.network("dcsrn") == {"normalization": None, "units": 3}
    assert config.network("srcnn") == {}


def test_a_refinement_has_the_network_it_starts_from(tmp_path):
    config = read_config(written(tmp_path, "[options.proposed]\nblocks = 2"))
    assert config.network("refined") == {"blocks": 2}
