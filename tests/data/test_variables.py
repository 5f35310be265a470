"""The variables table: names, groups, labels, choices, and what every row computes."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.mathtext import MathTextParser

from xaug import variables
from xaug.core.errors import ConfigurationError
from xaug.formats.base import FinalState
from xaug.jets import constituents as particles
from xaug.jets.constituents import make_list
from xaug.jets.selection import Selection, select_jets

XAUGS = [
    "pt", "eta", "phi", "mass", "softdrop_mass", "delta_r_subjets", "z",
    "tau1_b05", "tau1_b10", "tau1_b20",
    "tau2_b05", "tau2_b10", "tau2_b20",
    "tau3_b05", "tau3_b10", "tau3_b20",
    "tau1_sd_b05", "tau1_sd_b10", "tau1_sd_b20",
    "tau2_sd_b05", "tau2_sd_b10", "tau2_sd_b20",
    "tau3_sd_b05", "tau3_sd_b10", "tau3_sd_b20",
    "beta3", "beta3_sd", "tau21", "pull_angle",
    "n_charged_hadrons", "n_neutral_hadrons", "n_photons", "n_electrons", "n_muons", "dxy_max", "dz_max",
]  # fmt: skip
COLUMNS = [
    "log_pt", "log_pt_rel", "log_energy", "abs_eta", "delta_phi", "delta_eta", "delta_r",
    "delta_r_subjet1", "delta_r_subjet2", "charge",
    "is_muon", "is_electron", "is_photon", "is_charged_hadron", "is_neutral_hadron", "dxy", "dz",
]  # fmt: skip
FLAVOUR = XAUGS[29:]
ROWS = [
    pytest.param(row, id=f"{block}-{row.name}")
    for block in ("image", "list", "xaug")
    for row in variables.rows("jets", block)
]


# --- names and groups: the contract of design.md, section 1b


def test_names_of_the_contract():
    assert len(XAUGS) == 36
    assert len(COLUMNS) == 17
    assert variables.names("jets", "xaug") == XAUGS
    assert variables.names("jets", "list") == COLUMNS
    assert variables.names("jets", "image") == ["image"]


def test_groups():
    groups = {row.name: row.group for row in variables.rows("jets", "xaug")}
    assert [name for name in XAUGS if groups[name] == "flavour"] == FLAVOUR
    assert {groups[name] for name in ("pt", "eta", "phi", "mass")} == {"kinematic"}
    assert {groups[name] for name in XAUGS[7:29]} == {"substructure"}
    assert {row.group for row in variables.rows("jets", "list")} == {"list"}
    assert {row.group for row in variables.rows("jets", "image")} == {"image"}


def test_names_are_unique_over_all_blocks():
    every = [row.name for block in ("image", "list", "xaug") for row in variables.rows("jets", block)]
    assert len(set(every)) == len(every) == 54
    assert set(variables.labels("jets")) == set(every)
    assert all(variable.name == name for name, variable in variables.labels("jets").items())


@pytest.mark.parametrize("row", ROWS)
def test_every_row_is_complete(row):
    assert row.label
    assert row.reference
    assert row.group in variables.GROUPS
    assert isinstance(row.unit, str)
    assert row.axis_label == (f"{row.label} [{row.unit}]" if row.unit else row.label)
    if row.group == "list":
        assert row.padding == 0.0
    if row.group != "image":
        assert callable(row.compute)


@pytest.mark.parametrize("row", ROWS)
def test_labels_are_valid_mathtext(row):
    """Matplotlib can draw label and unit; a dollar sign is never left open."""
    assert row.axis_label.count("$") % 2 == 0
    width, height, *_ = MathTextParser("path").parse(row.axis_label)
    assert width > 0
    assert height > 0


def test_labels_tell_the_variables_apart():
    for block in ("list", "xaug"):
        labels = [row.label for row in variables.rows("jets", block)]
        assert len(set(labels)) == len(labels)


@pytest.mark.parametrize(
    ("name", "unit"), [("pt", "GeV"), ("mass", "GeV"), ("softdrop_mass", "GeV"), ("z", ""), ("tau21", ""), ("eta", "")]
)
def test_units(name, unit):
    assert variables.labels("jets")[name].unit == unit


@pytest.mark.parametrize("name", [name for name in XAUGS if name.startswith("tau") and name != "tau21"])
def test_tau_labels_say_axes_exponent_and_grooming(name):
    label = variables.labels("jets")[name].label
    beta = {"b05": "0.5", "b10": "1", "b20": "2"}[name[-3:]]
    assert f"_{{{name[3]}" in label
    assert f"({beta})" in label
    assert ("SD" in label) == ("_sd_" in name)


# --- choices


def test_select_all_and_none():
    assert variables.select("jets", "xaug", "all") == XAUGS
    assert variables.select("jets", "list", "all") == COLUMNS
    assert variables.select("jets", "xaug", "none") == []


def test_nothing_can_be_chosen_of_a_block_that_is_not_there():
    assert variables.select("events", "xaug", "none") == []
    with pytest.raises(ConfigurationError, match="unknown block of events 'xaug'"):
        variables.select("events", "xaug", "all")


def test_select_no_flavour_is_the_first_29():
    assert variables.select("jets", "xaug", "no_flavour") == XAUGS[:29]


def test_select_authors5():
    chosen = variables.select("jets", "xaug", "authors5")
    assert set(chosen) == {"dz_max", "dxy_max", "softdrop_mass", "tau2_sd_b05", "tau3_b10"}
    assert len(chosen) == 5


@pytest.mark.parametrize(
    "choice",
    ["z,pt,dz_max", " dz_max , z,pt,", ["pt", "dz_max", "z"], ("z", "z", "pt", "dz_max"), {"dz_max", "pt", "z"}],
)
def test_select_names_in_the_order_of_the_table(choice):
    assert variables.select("jets", "xaug", choice) == ["pt", "z", "dz_max"]


@pytest.mark.parametrize("choice", ["all", "no_flavour", "authors5"])
def test_choices_keep_the_order_of_the_table(choice):
    chosen = variables.select("jets", "xaug", choice)
    assert chosen == sorted(chosen, key=XAUGS.index)


def test_what_select_returns_can_be_changed_without_harm():
    variables.select("jets", "xaug", "all").clear()
    variables.select("jets", "xaug", "no_flavour").clear()
    assert variables.select("jets", "xaug", "all") == XAUGS


@pytest.mark.parametrize(
    ("block", "wrong", "nearest"),
    [
        ("xaug", "softdrop_mas", "softdrop_mass"),
        ("xaug", "tau2_sd_b5", "tau2_sd_b05"),
        ("xaug", "dzmax", "dz_max"),
        ("xaug", "no_flavor", "no_flavour"),
        ("xaug", "pt,z,n_photon", "n_photons"),
        ("list", "logpt", "log_pt"),
        ("list", "is_muons", "is_muon"),
    ],
)
def test_unknown_name_suggests_the_nearest(block, wrong, nearest):
    culprit = wrong.split(",")[-1]
    with pytest.raises(ConfigurationError, match=f"unknown {block} variable '{culprit}'.*did you mean '{nearest}'"):
        variables.select("jets", block, wrong)


def test_unknown_name_without_a_near_one_lists_the_known():
    with pytest.raises(ConfigurationError) as caught:
        variables.select("jets", "xaug", "qqqqqq")
    assert "did you mean" not in str(caught.value)
    assert all(name in str(caught.value) for name in XAUGS)


@pytest.mark.parametrize(("kind", "block", "nearest"), [("jet", "xaug", "jets"), ("jets", "xaugs", "xaug")])
def test_unknown_kind_or_block_suggests_the_nearest(kind, block, nearest):
    with pytest.raises(ConfigurationError, match=f"did you mean '{nearest}'"):
        variables.rows(kind, block)


# --- computing


@pytest.fixture(scope="module", params=[0, 1, 7])
def jets(request):
    """So many jets of 3, 4, ... particles."""
    n, rng = request.param, np.random.default_rng(11)
    counts = 3 + np.arange(n)
    m = int(counts.sum())
    prong = np.concatenate([np.arange(k) % 2 for k in counts] or [np.zeros(0, int)])
    columns = {
        "pt": rng.uniform(80, 100, m),
        "eta": rng.normal(0.5, 0.02, m),
        "phi": 3.0 + 0.5 * prong + rng.normal(0, 0.02, m),
        "mass": np.zeros(m),
        "id": rng.choice([22, 211, -211, 130, 11, -13], m),
        **{name: rng.normal(0, 1, m) for name in ("vx", "vy", "vz")},
    }
    found, _ = select_jets(FinalState(columns, counts, None), Selection(mass_min=1.0, mass_max=1000.0))
    assert len(found) == n
    return found


@pytest.mark.parametrize("row", variables.rows("jets", "xaug"), ids=XAUGS)
def test_every_xaug_is_one_finite_number_a_jet(jets, row):
    values = row.compute(jets)
    assert values.shape == (len(jets),)
    assert np.isfinite(values).all()


@pytest.mark.parametrize("row", variables.rows("jets", "list"), ids=COLUMNS)
def test_every_column_is_one_finite_number_a_particle(jets, row):
    values = row.compute(particles.Constituents(jets, np.arange(len(jets.jet_index))))
    assert values.shape == (len(jets.jet_index),)
    assert np.isfinite(values).all()
    lists, mask = make_list(jets, [row.compute])
    assert lists.shape == (len(jets), 20, 1)
    assert mask.sum() == len(jets.jet_index)
