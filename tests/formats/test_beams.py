"""Beams and energies in words, from settings of cards as Pythia's manual defines them."""

from importlib import resources

import pytest

from xaug.formats.beams import beams_of


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ([], "pp, √s = 14 TeV"),  # defaults of Pythia
        (["Beams:eCM = 13000."], "pp, √s = 13 TeV"),
        (["beams:ecm 13600", "HardQCD:all = on"], "pp, √s = 13.6 TeV"),
        (["Beams:eCM = 8000.", "Beams:eCM = 7000."], "pp, √s = 7 TeV"),  # the last one counts
        (["Beams:idA = 11", "Beams:idB = -11", "Beams:eCM = 91.2"], "e⁻e⁺, √s = 91.2 GeV"),
        (["Beams:idB = -2212", "Beams:eCM = 1960."], "pp̄, √s = 1.96 TeV"),
        (["Beams:frameType = 2", "Beams:eA = 4000.", "Beams:eB = 1000."], "pp, √s = 4 TeV"),  # 2 sqrt(4 1) TeV
        (["Beams:frameType = 4", "Beams:LHEF = events.lhe"], "pp"),  # the file of hard events tells it
        (["Beams:eCM = many"], ""),
    ],
)
def test_beams(card, words):
    assert beams_of(card) == words


def test_cards_of_the_package_have_13_tev():
    cards = [path for path in (resources.files("xaug.generate") / "cards").iterdir() if path.name.endswith(".cmnd")]
    assert cards
    assert {beams_of(path.read_text("utf-8").splitlines()) for path in cards} == {"pp, √s = 13 TeV"}
