"""Variables of the user that are added, dropped or changed after a network was chosen for them."""

import numpy as np
import pytest

import xaug
from xaug.core.errors import ConfigurationError, DatasetError
from xaug.data.plugins import plugin_of
from xaug.jets.cuts import Selection
from xaug.jets.jets import OPEN
from xaug.jets.processor import JetSettings
from xaug.networks.choice import choose_inputs
from xaug.process.stage import process

ONE = """
import numpy as np
import xaug

@xaug.variable("$n$", unit="")
def number(jets):
    return np.bincount(jets.jet_index, minlength=len(jets)) * 1.0
"""
TWO = ONE.replace("def number", "def another").replace("* 1.0", "* 5.0")


@pytest.fixture(scope="module")
def datasets(layouts, tmp_path_factory):
    """Datasets of the same jets: with a variable, with one more, with other code, and without."""
    place = tmp_path_factory.mktemp("own")

    def made(name, *codes):
        plugins = []
        for i, code in enumerate(codes):
            (place / f"{name}_{i}.py").write_text(code)
            plugins.append(plugin_of(place / f"{name}_{i}.py"))
        settings = JetSettings(selection=Selection(**OPEN), plugins=tuple(plugins))
        process([layouts["qg"]], place / name, settings)
        return xaug.Dataset.open(place / name)

    return {
        "first": made("first", ONE),
        "added": made("added", TWO, ONE),
        "changed": made("changed", ONE.replace("* 1.0", "* 2.0")),
        "dropped": made("dropped"),
    }


def test_a_variable_of_the_user_between_process_and_explain(datasets):
    """What a run reads is chosen by name; other code of the same name is refused."""
    inputs = choose_inputs(datasets["first"].table, "mlp", ["number", "pt"])
    own = inputs.choose(datasets["first"].load(inputs.fields), "run r")
    more = inputs.choose(datasets["added"].load(inputs.fields), "run r")
    np.testing.assert_array_equal(own["xaug"], more["xaug"])
    assert datasets["added"].names("xaug")[-2:] == ["another", "number"]
    with pytest.raises(DatasetError, match="run r was trained on a variable 'number' that a plugin defined otherwise"):
        inputs.choose(datasets["changed"].load(inputs.fields), "run r")
    with pytest.raises(DatasetError, match="number"):
        inputs.choose(datasets["dropped"].load(inputs.fields), "run r")
    with pytest.raises(ConfigurationError, match="number"):
        choose_inputs(datasets["dropped"].table, "mlp", ["number", "pt"])
    without = choose_inputs(datasets["first"].table, "mlp", ["pt"])  # a run that does not read it goes on working
    for data in datasets.values():
        found = without.choose(data.load(without.fields), "run r")["xaug"]
        np.testing.assert_array_equal(found, own["xaug"][:, [inputs.columns["xaug"].index("pt")]])
