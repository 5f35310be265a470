"""Single conventions as commands give them, in text, and as a dataset records them."""

from dataclasses import fields, replace

import pytest

from xaug.core.errors import ConfigurationError
from xaug.jets.conventions import DEFAULT, PAPER_LITERAL, Conventions
from xaug.jets.processor import JetSettings
from xaug.process.__main__ import change_settings

CHOICES = [field.name for field in fields(Conventions)]


def test_choices_by_text():
    """All fields, by what `--convention` gives, against the values that the authors' code has."""
    texts = {
        "neutrinos": "yes", "status": "91", "constituent_pt": "1", "displacement_floor": "1e-20", "dxy_from_x": "true",
        "displaced_in_list": "1", "z_from_momentum": "Yes", "rotate_in_space": "yes",
    }  # fmt: skip
    assert sorted(texts) == sorted(CHOICES)
    assert DEFAULT.changed(texts) == PAPER_LITERAL
    back = {"status": "any", "neutrinos": "no"}
    assert PAPER_LITERAL.changed(back) == replace(PAPER_LITERAL, status=None, neutrinos=False)
    assert DEFAULT.changed({}) == DEFAULT


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"statsu": "91"}, "did you mean 'status'"),
        ({"status": "decayed"}, "status = 'decayed': must be a status code"),
        ({"neutrinos": "maybe"}, "neutrinos = 'maybe': must be yes or no"),
        ({"displacement_floor": "small"}, "displacement_floor = 'small': must be a number"),
        ({"displacement_floor": "0"}, "displacement_floor = 0.0 mm: must be positive"),
    ],
)
def test_wrong_texts_are_refused(choices, words):
    with pytest.raises(ConfigurationError, match=words):
        DEFAULT.changed(choices)


@pytest.mark.parametrize("conventions", [DEFAULT, PAPER_LITERAL, replace(DEFAULT, status=91)])
def test_a_dataset_says_its_conventions(conventions):
    assert Conventions.of_dataset(JetSettings(conventions=conventions).config) == conventions


def changed(conventions, *choices):
    """The conventions that `xaug.process --options ... --convention ...` takes."""
    settings = change_settings(
        JetSettings(), cuts=(), detector=(), conventions=conventions, choices=choices, split_seed=0, split=None
    )
    return settings.conventions


def test_the_command_changes_conventions_one_by_one():
    assert changed(None, "status=91") == replace(DEFAULT, status=91)
    assert changed("paper-literal", "displacement_floor=1e-3") == replace(PAPER_LITERAL, displacement_floor=1e-3)
    assert changed("paper-literal") == PAPER_LITERAL
    with pytest.raises(ConfigurationError, match="'status' is not NAME=VALUE"):
        changed(None, "status")
