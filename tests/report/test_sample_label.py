"""The line above figures says what is known of the sample, and claims nothing else."""

from types import SimpleNamespace

import pytest

from xaug.report.sample_label import sample_label

OWN = {"format": "xaug_tree", "beams": "pp, √s = 13 TeV"}
OTHER = {"format": "xaug_tree", "beams": "pp, √s = 14 TeV"}


def data(kind, config, inputs, names):
    counts = dict.fromkeys(names, 10)
    manifest = {"config": config, "inputs": inputs}
    return SimpleNamespace(kind=kind, manifest=manifest, counts=counts, classes=("background", "signal"))


@pytest.mark.parametrize(
    ("sample", "text"),
    [
        (data("toy", {"overlap": "small"}, [], ["t"]), "xaug toy model, overlap small; simulation, no detector"),
        (
            data("jets", {"selection": {"pt_min": 200.0, "mass_min": 50.0, "mass_max": 150.0}}, [OWN], ["qcd", "zbb"]),
            "qcd and zbb; pp, √s = 13 TeV, Pythia 8; jet pT > 200 GeV, 50 < m_SD < 150 GeV; simulation, no detector",
        ),
        (
            data("events", {"selection": {"ht_min": 900.0}, "detector": {"smear": 1}}, [OWN], list("abcdef")),
            "background and signal; pp, √s = 13 TeV, Pythia 8; HT > 900 GeV; simulation, parametrised detector",
        ),
        (data("jets", {"selection": {"pt_min": 300.0}}, [{"format": "jetclass"}], ["a", "b"]),
         "a and b; jet pT > 300 GeV; sample of the user"),
        (data("jets", {}, [OWN, OTHER], ["a"]),
         "a; pp, √s = 13 TeV and pp, √s = 14 TeV, Pythia 8; simulation, no detector"),
        (data("jets", {}, [{"format": "xaug_tree"}], ["a"]), "a; Pythia 8; simulation, no detector"),
        (data("own", {}, {}, ["x", "y"]), "x and y; sample of the user"),
    ],
)  # fmt: skip
def test_label(sample, text):
    assert sample_label(sample) == text
