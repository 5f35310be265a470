"""Names of features that are unique over the inputs of a network."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xaug.core.errors import ConfigurationError
from xaug.data.feature_names import named_columns, unique_names


def test_names_that_several_inputs_have():
    found = unique_names({"jet1": ["pt", "eta"], "jet2": ["pt", "eta", "tau21"], "image": [], "global": ["met"]})
    assert found == {
        "jet1": ("jet1.pt", "jet1.eta"), "jet2": ("jet2.pt", "jet2.eta", "tau21"), "image": (), "global": ("met",),
    }  # fmt: skip


def test_the_name_of_an_input():
    """An input of one column may have its name."""
    found = unique_names({"image": [], "xaug": ["image", "pt"], "log_pt": ["log_pt"]})
    assert found == {"image": (), "xaug": ("xaug.image", "pt"), "log_pt": ("log_pt",)}


@given(st.dictionaries(st.sampled_from("abc"), st.lists(st.sampled_from("abcde"), unique=True), max_size=3))
def test_no_name_is_lost_or_given_twice(columns):
    found = unique_names(columns)
    names = [name for of_input in found.values() for name in of_input]
    assert len(set(names)) == len(names)
    assert not any(one in columns and one != name for name, of_input in found.items() for one in of_input)
    for name, given_names in columns.items():
        assert [one.removeprefix(f"{name}.") for one in found[name]] == given_names


def test_two_columns_of_one_name():
    with pytest.raises(ConfigurationError, match="input 'x' has several columns named 'pt'"):
        unique_names({"x": ["pt", "eta", "pt"]})


def test_columns_have_one_name_each():
    inputs = {"image": np.zeros((3, 4, 4, 1)), "xaug": np.zeros((3, 2))}
    assert named_columns(inputs, {"xaug": ("a", "b")}) == {"image": [], "xaug": ["a", "b"]}
    assert named_columns(inputs) == {"image": [], "xaug": []}
    with pytest.raises(ConfigurationError, match="variables has 3 names for the 2 columns of input 'xaug'"):
        named_columns(inputs, {"xaug": ["a", "b", "c"]})
    with pytest.raises(ConfigurationError, match="unknown input in variables 'xuag'; did you mean 'xaug'"):
        named_columns(inputs, {"xuag": ["a", "b"]})
