"""Units are told by sizes: of one file, and of the files of a dataset against each other."""

import numpy as np
import pytest

from xaug.core.errors import BadValues, ConfigurationError
from xaug.formats.base import FinalState, refuse_unphysical
from xaug.process.units import Magnitudes, check_scales, scale_of

QCD, HBB = frozenset(["QCD"]), frozenset(["Hbb"])


def jets(momentum=600.0, spread=0.04, prompt=0.1, n=20, seed=1, **columns):
    """Jets of 50 charged particles each, whose displacements are normal [mm], some of them 0."""
    rng = np.random.default_rng(seed)
    dxy = np.where(rng.random(50 * n) < prompt, 0.0, rng.normal(0, spread, 50 * n))
    particles = {"pt": np.full(50 * n, momentum / 50), "dxy": dxy, "charge": np.ones(50 * n), **columns}
    return FinalState(particles, np.full(n, 50), None, np.arange(n), n)


def test_sizes_are_medians():
    found = scale_of(jets())
    assert found.momentum == pytest.approx(600)
    assert found.length == pytest.approx(0.04 * 0.6745, rel=0.1)  # of the size of a normal number
    assert found.prompt == pytest.approx(0.1, abs=0.03)
    assert Magnitudes.from_json(found.to_json()) == found
    neutral = jets(charge=np.zeros(1000))
    assert scale_of(neutral).length is None
    soft = jets(momentum=40.0)  # tracks below 1 GeV
    assert scale_of(soft).length is None
    vertices = {"vx": np.full(1000, 3.0), "vy": np.full(1000, 4.0)}
    one = jets(**vertices)
    assert scale_of(FinalState({k: one.particles[k] for k in ("pt", "vx", "vy")}, one.counts)).length == 5.0


def test_momenta_that_cannot_be_in_gev():
    with pytest.raises(BadValues, match=r"median of 6e\+05 GeV.*in MeV"):
        scale_of(jets(6e5))
    with pytest.raises(ConfigurationError, match=r"a.root: .*median of 0.6 GeV, less than a jet has.*in TeV"):
        check_scales({"a.root": [scale_of(jets(0.6))]}, {"a.root": QCD})
    assert check_scales({"a.root": [scale_of(jets(0.6)), *[scale_of(jets())] * 2]}, {"a.root": QCD}) == []


def test_jets_of_one_event_count_one_by_one():
    """Forty jets of 600 GeV are no event of 24 TeV."""
    many = FinalState(jets(n=40).particles, np.full(40, 50), None, np.zeros(40, int), 1)
    assert scale_of(many).momentum == pytest.approx(600)


def test_files_in_different_units_of_momentum():
    """Soft jets in MeV are not beyond the LHC, but beside others in GeV."""
    gev, mev = scale_of(jets(15.0)), scale_of(jets(15_000.0))
    with pytest.raises(ConfigurationError, match=r"a.root and b.root have momenta in different units.*15 and 1.5e"):
        check_scales({"a.root": [gev], "b.root": [mev, mev]}, {"a.root": QCD, "b.root": HBB})
    hard = scale_of(jets(1500.0))
    assert check_scales({"a.root": [gev], "b.root": [hard]}, {"a.root": QCD, "b.root": HBB}) == []


@pytest.mark.parametrize(
    ("one", "other", "processes", "words"),
    [
        (jets(), jets(spread=0.06, seed=2), HBB, None),
        (jets(), jets(spread=0.004, seed=2), HBB, "b.root.* is 0.00.* less than a detector measures. Is it in cm"),
        (jets(spread=0.4), jets(spread=0.04, seed=2), QCD, "is 0.0.* mm in b.root and 0.* mm in a.root.*cm, mm"),
        (jets(), jets(spread=40.0, seed=2), HBB, "b.root.* more than a detector measures. Is it in another unit"),
        # displacements of a generator: strange hadrons fly far, and classes differ
        (jets(spread=20, prompt=0.8, n=40), jets(spread=1, prompt=0.8, n=40), HBB, None),
        (jets(spread=20, prompt=0.8, n=40), jets(spread=2, prompt=0.8, n=40), QCD, "in b.root.* mm in a.root"),
        # lifetimes of resonances, which are in the files of some versions of Pythia
        (jets(spread=1e-12, prompt=0), jets(spread=1e-11, prompt=0), QCD, None),
    ],
)
def test_displacements_in_other_units_are_warned_about(one, other, processes, words):
    found = check_scales({"a.root": [scale_of(one)], "b.root": [scale_of(other)]}, {"a.root": QCD, "b.root": processes})
    if words is None:
        assert found == []
    else:
        with pytest.raises(AssertionError, match=words):
            raise AssertionError("; ".join(found))
        assert "units: {length: cm}" in found[0]


def test_numbers_that_no_particle_can_have():
    names, event = {"vz": "part_vz"}, np.arange(300) // 100
    one = dict(pt=np.full(300, 2.0), vz=np.zeros(300))

    def bad(name, place, value):
        values = {**one, "eta": np.zeros(300), "dxy": np.zeros(300)}
        values[name][place] = value
        refuse_unphysical(values, names, event, 40)

    for name, value, words in (
        ("pt", 15e3, r"pt is 15000 GeV in entry 41, beyond 14000; are momenta in MeV"),
        ("eta", -21, "eta is -21 in entry 41, beyond 20"),
        ("dxy", 2e4, "dxy is 20000 mm in entry 41, beyond 10000; is it in another unit"),
        ("pt", -1, "pt is -1.0 in entry 41"),
        ("vz", np.nan, "part_vz is nan in entry 41"),
    ):
        with pytest.raises(BadValues, match=words):
            bad(name, 150, value)
        one = dict(pt=np.full(300, 2.0), vz=np.zeros(300))
    bad("vz", slice(0, 30), 2e4)  # a tenth of a small chunk, a hundredth of a large one, but no km
    with pytest.raises(BadValues, match="part_vz is 20000 mm in entry 40"):
        bad("vz", slice(0, 31), 2e4)
    one = dict(pt=np.full(300, 2.0), vz=np.zeros(300))
    with pytest.raises(BadValues, match=r"part_vz is 2e\+06 mm in entry 41"):
        bad("vz", 150, 2e6)
