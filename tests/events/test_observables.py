"""The 87 (114) features against vector, classic fastjet and scipy, one event at a time; and what leaves them alone."""

from itertools import combinations

import fastjet
import numpy as np
import pytest
import scipy.stats
import vector
from numpy.testing import assert_allclose

from xaug import variables
from xaug.events.objects import EventObjects

HADRONIC = ("j1", "j2", "j3", "b", "fat")
OBJECTS = ("lep", *HADRONIC, "met")
FASTJET_PRECISION = 1e-4
"""Precision and accuracy goal of the one-pass minimisation of axes, fixed in fjcontrib."""


def four(pt, eta, phi, mass):
    return vector.obj(pt=float(pt), eta=float(eta), phi=float(phi), mass=float(mass))


def classic_jets(momenta, radius, min_pt):
    """(sequence, jets by descending pT) by the classic interface."""
    pseudojets = [fastjet.PseudoJet(p.px, p.py, p.pz, p.E) for p in momenta]
    sequence = fastjet.ClusterSequence(pseudojets, fastjet.JetDefinition(fastjet.antikt_algorithm, radius))
    return sequence, sorted(sequence.inclusive_jets(min_pt), key=lambda jet: -jet.pt())


class Reference:
    """Objects of one event by classic fastjet and vector; the b jet is the one nearest to the b quark."""

    def __init__(self, event):
        momenta = [four(*row) for row in event.particles]
        lepton, rest = momenta[0], momenta[1:]
        self.small, jets = classic_jets(rest, 0.4, 30)
        jets = [jet for jet in jets if abs(jet.eta()) < 2.5]
        self.fat, fats = classic_jets(rest, 0.8, 200)
        self.ht = sum(jet.pt() for jet in jets)
        axis = vector.obj(pt=1.0, eta=event.quarks[0, 0], phi=event.quarks[0, 1], mass=0.0)
        b = min(jets, key=lambda jet: axis.deltaR(self.vector_of(jet)))
        others = [jet for jet in jets if jet is not b]
        self.jets = dict(zip(HADRONIC, [*others[:3], b, fats[0]], strict=True))
        missing = -sum((p for p in momenta[1:]), start=momenta[0])
        self.momenta = {
            "lep": lepton,
            **{name: self.vector_of(jet) for name, jet in self.jets.items()},
            "met": vector.obj(pt=missing.pt, eta=0.0, phi=missing.phi, mass=0.0),
        }

    @staticmethod
    def vector_of(jet):
        return vector.obj(px=jet.px(), py=jet.py(), pz=jet.pz(), E=jet.E())


@pytest.fixture(scope="module")
def references(events):
    return [Reference(event) for event in events]


@pytest.fixture(scope="module")
def found(tools, events):
    """All features of these events; the jet with the b quark is the b jet for certain."""
    objects, _, flow = tools.run(*events, tag_b=1.0, tag_c=1e-15, tag_light=1e-15)
    assert flow["fat jet"] == len(events)
    return tools.features(objects)


def test_names():
    hadronic = list(HADRONIC)
    pairs, triples = combinations(OBJECTS[:-1], 2), combinations(OBJECTS[:-1], 3)
    together = ["_".join(names) for names in (*pairs, *triples)]
    names = variables.names("events", "event")
    assert names[:8] == ["ht", "met", "pt_lep", "pt_j1", "pt_j2", "pt_j3", "pt_b", "pt_fat"]
    assert names[8:12] == ["tau21_b10", "tau21_b20", "tau32_b10", "tau32_b20"]
    assert names[12:27] == [f"delta_r_{pair}" for pair in together[:15]]
    assert names[27:67] == [f"mass_{which}" for which in [*hadronic, *together]]
    moments = ("girth", "girth_var", "girth_skew", "girth_kurt")
    assert names[67:] == [f"{moment}_{name}" for moment in moments for name in hadronic]
    assert len(names) == 87
    seven = variables.names("events_met", "event")
    assert len(seven) == 114
    added = set(seven) - set(names)
    assert set(names) < set(seven) and all(name.endswith("_met") for name in added)
    assert all(row.group == "event" and row.label.startswith("$") for row in variables.rows("events_met", "event"))


def test_transverse_momenta(found, references):
    assert_allclose(found["ht"], [r.ht for r in references], rtol=1e-12)
    for name in OBJECTS:
        column = "met" if name == "met" else f"pt_{name}"
        assert_allclose(found[column], [r.momenta[name].pt for r in references], rtol=1e-10, err_msg=name)


@pytest.mark.parametrize("pair", list(combinations(OBJECTS, 2)), ids="-".join)
def test_delta_r(found, references, pair):
    expected = [r.momenta[pair[0]].deltaR(r.momenta[pair[1]]) for r in references]
    assert_allclose(found[f"delta_r_{'_'.join(pair)}"], expected, rtol=1e-9)


@pytest.mark.parametrize(
    "names", [*((n,) for n in HADRONIC), *combinations(OBJECTS, 2), *combinations(OBJECTS, 3)], ids="-".join
)
def test_masses(found, references, names):
    sums = [sum((r.momenta[n] for n in names[1:]), start=r.momenta[names[0]].to_xyzt()) for r in references]
    got = found[f"mass_{'_'.join(names)}"]
    rounding = 1e-12 * np.array([p.E for p in sums]) ** 2
    assert np.all(np.abs(got**2 - [p.mass2 for p in sums]) <= rounding)


@pytest.mark.parametrize("name", HADRONIC)
def test_girth_against_classic_fastjet(found, references, name):
    for i, reference in enumerate(references):
        jet = reference.jets[name]
        pt = np.array([c.pt() for c in jet.constituents()])
        r = np.array([c.delta_R(jet) for c in jet.constituents()])
        girth = np.average(r, weights=pt)
        moments = [np.average((r - girth) ** k, weights=pt) for k in (2, 3, 4)]
        expected = [girth, moments[0], moments[1] / moments[0] ** 1.5, moments[2] / moments[0] ** 2]
        got = [found[f"{which}_{name}"][i] for which in ("girth", "girth_var", "girth_skew", "girth_kurt")]
        assert_allclose(got, expected, rtol=1e-8, atol=1e-12)


def test_tau_ratios_against_fjcontrib(found, references):
    """By fastjet's array interface on the jets that the classic one found."""
    import awkward as ak

    for i, reference in enumerate(references[:15]):
        parts = [{"px": c.px(), "py": c.py(), "pz": c.pz(), "E": c.E()} for c in reference.jets["fat"].constituents()]
        sequence = fastjet.ClusterSequence(ak.Array([parts]), fastjet.JetDefinition(fastjet.cambridge_algorithm, 100.0))
        for beta, suffix in ((1.0, "b10"), (2.0, "b20")):
            t = ak.to_numpy(
                sequence.njettiness(
                    measure_definition="UnnormalizedMeasure",
                    axes_definition="OnePass_WTA_KT_Axes",
                    njets=[1, 2, 3],
                    beta=beta,
                )
            ).ravel()
            assert found[f"tau21_{suffix}"][i] == pytest.approx(t[1] / t[0], rel=FASTJET_PRECISION)
            assert found[f"tau32_{suffix}"][i] == pytest.approx(t[2] / t[1], rel=FASTJET_PRECISION)


def objects_of(*jets) -> EventObjects:
    """Events whose five hadronic objects are one jet each, given as (pt, y, phi) of massless constituents (m, 3)."""
    momentum = np.zeros((len(jets), 7, 4))
    momentum[:, :, 0] = momentum[:, :, 3] = 1.0
    columns, object_index = [], []
    for row, jet in enumerate(jets):
        pt, y, phi = np.asarray(jet, float).T
        p = np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(y), pt * np.cosh(y)]).sum(axis=1)
        momentum[row, 1:6] = p
        for k in range(5):
            columns.append(np.stack([pt, y, phi]))
            object_index.append(np.full(len(pt), 5 * row + k))
    flat = np.concatenate(columns, axis=1)
    constituents = dict(zip(("pt", "rapidity", "phi"), flat, strict=True))
    n = len(jets)
    return EventObjects(
        np.arange(n), momentum, np.ones(n), np.ones((n, 2, 3)), np.concatenate(object_index), constituents
    )


def moments_of(*jets) -> np.ndarray:
    return objects_of(*jets).moments[:, 0]


class TestGirth:
    def test_against_scipy_with_repeated_entries(self):
        """Weights are whole numbers of GeV: a constituent of n GeV is n entries of scipy's sample."""
        rng = np.random.default_rng(4)
        jets = [
            np.stack([rng.integers(1, 40, m), rng.normal(0.3, 0.2, m), rng.normal(-3.1, 0.2, m)], axis=1)
            for m in (3, 5, 9, 20)
        ]
        got = moments_of(*jets)
        for jet, row in zip(jets, got, strict=True):
            total = sum(
                (vector.obj(pt=pt, eta=y, phi=phi, mass=0.0) for pt, y, phi in jet),
                start=vector.obj(px=0.0, py=0.0, pz=0.0, E=0.0),
            )
            turn = np.arctan2(np.sin(jet[:, 2] - total.phi), np.cos(jet[:, 2] - total.phi))
            sample = np.repeat(np.hypot(jet[:, 1] - total.rapidity, turn), jet[:, 0].astype(int))
            expected = [
                sample.mean(),
                sample.var(),
                scipy.stats.skew(sample),
                scipy.stats.kurtosis(sample, fisher=False),
            ]
            assert_allclose(row, expected, rtol=1e-9)

    def test_one_constituent(self):
        assert_allclose(moments_of([[50, 0.4, 2.0]]), np.zeros((1, 4)), atol=1e-7)

    def test_two_equal_constituents_are_equally_far(self):
        """Each is half of their distance away: no variance, and so no skewness and no kurtosis."""
        got = moments_of([[50, 0.1, 1.0], [50, 0.1, 1.4]])
        assert_allclose(got, [[0.2, 0, 0, 0]], atol=1e-9)

    def test_two_unequal_constituents(self):
        """The axis of pT 3 : 1 is a quarter of the way: r = d/4 and 3d/4 with weights 3/4 and 1/4."""
        d = 1e-3
        ((girth, variance, skew, kurt),) = moments_of([[75, 0.0, 1.0], [25, d, 1.0]])
        assert girth == pytest.approx(d * 3 / 8, rel=1e-5)
        assert variance == pytest.approx(d**2 * 3 / 64, rel=1e-5)
        # of a Bernoulli variable with p = 1/4: skewness (1 - 2p) / sqrt(pq), kurtosis 1/(pq) - 3
        assert skew == pytest.approx(0.5 / np.sqrt(3 / 16), rel=1e-4)
        assert kurt == pytest.approx(16 / 3 - 3, rel=1e-4)

    def test_across_the_seam_of_phi(self):
        here, there = ([[75, 0.0, base], [25, 0.0, base + 0.2]] for base in (0.0, np.pi - 0.1))
        assert_allclose(moments_of(here), moments_of(there), rtol=1e-9)


@pytest.fixture(scope="module")
def certain(tools):
    """Cuts that leave no choice of the b jet, and nothing that depends on where along the beam an event is."""
    return {"tag_b": 1.0, "tag_c": 1e-15, "tag_light": 1e-15, **tools.OPEN}


class TestInvariance:
    def compare(self, tools, before, after, cuts, names=None, rtol=1e-8):
        one, two = (tools.run(*sample, **cuts) for sample in (before, after))
        assert len(one[0]) == len(two[0]) == len(before)
        one, two = tools.features(one[0]), tools.features(two[0])
        for name in names or one:
            atol = 1e-6 if name.startswith("mass") else 1e-9
            limit = FASTJET_PRECISION if name.startswith("tau") else rtol
            assert_allclose(two[name], one[name], rtol=limit, atol=atol, err_msg=name)

    def test_rotation_about_the_beam(self, tools, events, certain):
        self.compare(tools, events, [e.moved(dphi=1.7) for e in events], certain)

    def test_boost_along_the_beam(self, tools, events, certain):
        """All but distances in pseudorapidity, which massive objects do not keep."""
        names = [
            name
            for name in variables.names("events", "event")
            if name.startswith(("ht", "met", "pt", "mass", "girth", "tau"))
        ]
        assert len(names) == 72
        self.compare(tools, events, [e.moved(dy=0.8) for e in events], certain, names, rtol=1e-7)

    def test_boost_changes_distances_of_massive_objects_only(self, tools, certain):
        """The control of the test above: with massless jets of one particle, they too stay."""
        jets = [[[pt, eta, phi, 0.0]] for pt, eta, phi in ((300, 0.3, 1), (100, -1, 2), (90, 1, 3), (80, 0, 4))]
        event = tools.Event(np.concatenate([[[50, 0.2, 0.0, 0.0]], *jets]), quarks=np.array([[0.0, 4.0, 5]]))
        names = [n for n in variables.names("events", "event") if n.startswith("delta_r")]
        self.compare(tools, [event], [event.moved(dy=0.8)], certain, names)

    def test_order_of_particles(self, tools, events, certain):
        rng = np.random.default_rng(9)
        self.compare(tools, events, [e.shuffled(rng) for e in events], certain)

    def test_order_of_events(self, tools, events, certain):
        forward = tools.features(tools.run(*events, **certain)[0])
        backward = tools.features(tools.run(*events[::-1], **certain)[0])
        for name in forward:
            assert_allclose(backward[name][::-1], forward[name], rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("row", variables.rows("events_met", "event"), ids=lambda row: row.name)
def test_every_function_that_runs_is_in_the_digest(row, events, tools, code_outside_digest):
    objects, _, _ = tools.run(*events[:3])
    values, outside, ran = code_outside_digest(lambda: row.compute(objects), lambda: row.digest)
    assert (values.shape, outside) == ((3,), set()) and ran > 0
