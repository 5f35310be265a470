"""Synthetic events; the classic fastjet interface, one PseudoJet at a time, as the reference."""

from __future__ import annotations

from typing import NamedTuple

import fastjet
import numpy as np
import pytest

from xaug import variables
from xaug.formats.base import FinalState
from xaug.jets.selection import Selection, select_jets

PARTICLE = np.dtype(
    [(name, float) for name in ("pt", "eta", "phi", "mass")]
    + [("id", np.int32)]
    + [(name, float) for name in ("vx", "vy", "vz")]
)
SPECIES = {  # PDG id: (mass [GeV], relative abundance)
    211: (0.13957, 30),
    -211: (0.13957, 30),
    22: (0.0, 40),
    130: (0.49761, 6),
    321: (0.49368, 6),
    -321: (0.49368, 6),
    2212: (0.93827, 3),
    -2112: (0.93957, 3),
    3122: (1.11568, 2),
    11: (0.000511, 3),
    -13: (0.10566, 3),
    12: (0.0, 3),
    -14: (0.0, 3),
}
OPEN = {"pt_min": 20.0, "eta_max": 10.0, "mass_min": 0.0, "mass_max": 1e6}
"""Cuts that let any jet of two subjets pass."""


def _particles(pt, eta, phi, mass=0.0, id=211, vx=0.0, vy=0.0, vz=0.0) -> np.ndarray:
    columns = np.broadcast_arrays(np.atleast_1d(pt), eta, phi, mass, id, vx, vy, vz)
    rows = np.zeros(len(columns[0]), PARTICLE)
    for name, values in zip(PARTICLE.names, columns, strict=True):
        rows[name] = values
    return rows


def _events_of(*events: np.ndarray, partons=None) -> FinalState:
    flat = np.concatenate([np.zeros(0, PARTICLE), *events])
    return FinalState({name: flat[name] for name in PARTICLE.names}, np.array([len(e) for e in events], int), partons)


def _jets_of(*events: np.ndarray, partons=None, **cuts):
    return select_jets(_events_of(*events, partons=partons), Selection(**{**OPEN, **cuts}))[0]


@pytest.fixture(scope="session")
def particles():
    """particles(pt, eta, phi, mass=0, id=211, vx=0, vy=0, vz=0): the particles of an event; arguments broadcast."""
    return _particles


@pytest.fixture(scope="session")
def events_of():
    """events_of(event, event, ..., partons=None): the final states of structured arrays."""
    return _events_of


@pytest.fixture(scope="session")
def jets_of():
    """jets_of(event, event, ..., **cuts): their leading jets, with cuts that let any jet of two subjets pass."""
    return _jets_of


def _synthetic_event(rng: np.random.Generator) -> np.ndarray:
    """A jet of one to three prongs of up to 24 particles, a jet opposite to it, and soft particles around."""
    eta, phi, turn = rng.uniform(-1.8, 1.8), rng.uniform(-np.pi, np.pi), rng.uniform(0, 2 * np.pi)
    shares = rng.uniform(250, 900) * rng.dirichlet(np.full(rng.integers(1, 4), 3.0))
    pieces = []
    for k, share in enumerate(shares):
        n, spread, way = rng.integers(1, 25), rng.uniform(0.01, 0.1), turn + 2 * np.pi * k / 3
        distance = rng.uniform(0.1, 0.35) if len(shares) > 1 else 0.0
        pieces.append(
            (
                share * rng.dirichlet(np.full(n, 0.8)),
                rng.normal(eta + distance * np.cos(way), spread, n),
                rng.normal(phi + distance * np.sin(way), spread, n),
            )
        )
    n = rng.integers(5, 15)
    pieces.append((200 * rng.dirichlet(np.ones(n)), rng.normal(-eta, 0.1, n), rng.normal(phi + np.pi, 0.1, n)))
    n = rng.integers(20, 50)
    pieces.append((0.2 + rng.exponential(0.8, n), rng.uniform(-3, 3, n), rng.uniform(-np.pi, np.pi, n)))
    pt, eta, phi = (np.concatenate(column) for column in zip(*pieces, strict=True))
    n = len(pt)
    abundance = np.array([weight for _, weight in SPECIES.values()], float)
    ids = rng.choice(list(SPECIES), n, p=abundance / abundance.sum())
    flight = np.where(rng.random(n) < 0.6, 0.0, 10 ** rng.uniform(-4, 3, n))  # [mm], from prompt to K_S
    event = _particles(pt, eta, phi, [SPECIES[i][0] for i in ids], ids)
    for name, way in zip(("vx", "vy", "vz"), rng.normal(size=(3, n)), strict=True):
        event[name] = flight * way
    return rng.permutation(event)


@pytest.fixture(scope="session")
def sample() -> list[np.ndarray]:
    """80 events of massive and massless particles, with neutrinos."""
    rng = np.random.default_rng(20130466)
    return [_synthetic_event(rng) for _ in range(80)]


@pytest.fixture(scope="session")
def sample_jets(sample):
    """The leading jets of the sample that have two subjets."""
    return _jets_of(*sample)


class ClassicJet(NamedTuple):
    """A jet by the classic interface. Keeping the sequences keeps the PseudoJets valid."""

    event: int
    jet: fastjet.PseudoJet
    constituents: list[fastjet.PseudoJet]
    groomed: fastjet.PseudoJet
    subjets: tuple[fastjet.PseudoJet, fastjet.PseudoJet] | None  # leading first; None if it has one particle
    sequences: tuple


class Classic:
    """Jet physics with `fastjet.PseudoJet`, written out independently of xaug."""

    @staticmethod
    def pseudojets(event: np.ndarray) -> list[fastjet.PseudoJet]:
        """The visible particles of an event; user_index is their row."""
        found = []
        for row, p in enumerate(event):
            if abs(p["id"]) in (12, 14, 16):
                continue
            momentum = p["pt"] * np.cosh(p["eta"])
            energy = np.sqrt(momentum**2 + p["mass"] ** 2)
            pz = p["pt"] * np.sinh(p["eta"])
            pj = fastjet.PseudoJet(p["pt"] * np.cos(p["phi"]), p["pt"] * np.sin(p["phi"]), pz, energy)
            pj.set_user_index(row)
            found.append(pj)
        return found

    @staticmethod
    def antikt(pseudojets, radius: float, min_pt: float):
        """(sequence, jets by descending pT)."""
        sequence = fastjet.ClusterSequence(pseudojets, fastjet.JetDefinition(fastjet.antikt_algorithm, radius))
        return sequence, sorted(sequence.inclusive_jets(min_pt), key=lambda jet: -jet.pt())

    @staticmethod
    def mmdt(constituents, z_cut: float):
        """(sequence, branch at which declustering stops, its two parents by descending pT or None)."""
        definition = fastjet.JetDefinition(fastjet.cambridge_algorithm, 10.0)
        sequence = fastjet.ClusterSequence(constituents, definition)
        (branch,) = sequence.inclusive_jets()
        while True:
            one, two = fastjet.PseudoJet(), fastjet.PseudoJet()
            if not branch.has_parents(one, two):
                return sequence, branch, None
            hard, soft = (one, two) if one.pt() > two.pt() else (two, one)
            if soft.pt() / (soft.pt() + hard.pt()) > z_cut:
                return sequence, branch, (hard, soft)
            branch = hard

    @classmethod
    def leading(cls, events, radius: float = 0.8, min_pt: float = 20.0, z_cut: float = 0.1) -> list[ClassicJet]:
        """The leading jet of each event that has one of two subjets."""
        found = []
        for number, event in enumerate(events):
            sequence, jets = cls.antikt(cls.pseudojets(event), radius, min_pt)
            if not jets:
                continue
            constituents = list(jets[0].constituents())
            tree, groomed, subjets = cls.mmdt(constituents, z_cut)
            if subjets is not None:
                found.append(ClassicJet(number, jets[0], constituents, groomed, subjets, (sequence, tree)))
        return found


@pytest.fixture(scope="session")
def classic():
    """Jet finding and mMDT by the classic fastjet interface."""
    return Classic


@pytest.fixture(scope="session")
def classic_jets(sample) -> list[ClassicJet]:
    """The same jets as `sample_jets`, by the classic interface."""
    return Classic.leading(sample)


def _boosted(event: np.ndarray, dy: float) -> np.ndarray:
    pt, eta, mass = event["pt"], event["eta"], event["mass"]
    transverse_mass = np.hypot(pt, mass)
    rapidity = np.arcsinh(pt * np.sinh(eta) / transverse_mass)
    moved = event.copy()
    moved["eta"] = np.arcsinh(transverse_mass * np.sinh(rapidity + dy) / pt)
    return moved


@pytest.fixture(scope="session")
def boosted():
    """boosted(event, dy): the event seen from a frame moving along the beam; adds dy to all rapidities."""
    return _boosted


@pytest.fixture(scope="session")
def xaug():
    """xaug(jets, name): a column of the variables table."""

    def column(jets, name: str) -> np.ndarray:
        (row,) = [row for row in variables.rows("jets", "xaug") if row.name == name]
        return row.compute(jets)

    return column


@pytest.fixture(scope="session")
def wrapped():
    """wrapped(angle): the angle in (-pi, pi]."""
    return lambda angle: np.arctan2(np.sin(angle), np.cos(angle))


@pytest.fixture(scope="session")
def vector_sum():
    """vector_sum(event): pT, rapidity and azimuth of the summed four-momentum of massless particles."""

    def vector_sum(event) -> tuple[float, float, float]:
        px, py = (event["pt"] * np.cos(event["phi"])).sum(), (event["pt"] * np.sin(event["phi"])).sum()
        pz, energy = (event["pt"] * np.sinh(event["eta"])).sum(), (event["pt"] * np.cosh(event["eta"])).sum()
        return np.hypot(px, py), 0.5 * np.log((energy + pz) / (energy - pz)), np.arctan2(py, px)

    return vector_sum
