"""Sizes of studies: a scale, and numbers in its place."""

import pytest
from click.testing import CliRunner

from xaug.core.errors import ConfigurationError
from xaug.studies import toy, vlq, zbb
from xaug.studies.scales import sized
from xaug.study import main


def test_numbers_replace_those_of_the_scale():
    size = sized(zbb.SCALES, "standard", jets=30_000, trainings=2, epochs=None)
    assert (size.jets, size.trainings) == (30_000, 2)
    assert size.epochs == zbb.SCALES["standard"].epochs
    assert sized(vlq.SCALES, "quick") == vlq.SCALES["quick"]


@pytest.mark.parametrize("scales", [toy.SCALES, zbb.SCALES, vlq.SCALES])
def test_unknown_scale(scales):
    with pytest.raises(ConfigurationError, match="did you mean 'standard'"):
        sized(scales, "standart")


@pytest.mark.parametrize(("study", "option"), [("toy", "--jets"), ("zbb", "--trainings"), ("vlq", "--events")])
def test_nothing_is_not_a_size(tmp_path, study, option):
    done = CliRunner().invoke(main, [study, option, "0", "-o", str(tmp_path / "x")])
    assert done.exit_code == 2
    assert f"'{option}': 0 is not in the range" in done.output
