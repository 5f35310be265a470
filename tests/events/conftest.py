"""Synthetic events of a lepton, jets and missing momentum, and what xaug makes of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from xaug import variables
from xaug.data.splits import event_ids
from xaug.events.cuts import EventSelection
from xaug.events.detector import Detector
from xaug.events.selection import select_events
from xaug.formats.base import Collisions

OPEN = {"lepton_eta": 9.0, "jet_eta": 9.0, "fat_eta": 9.0, "ht_min": 0.0, "met_min": 0.0, "isolation_max": 0.3}
"""Cuts that do not depend on where along the beam an event is."""


@dataclasses.dataclass
class Event:
    """Visible particles (m, 4) pt eta phi mass, of which the first is the lepton; and heavy quarks."""

    particles: np.ndarray
    lepton_id: int = 13
    quarks: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, 3)))  # eta phi id
    ids: list[int] | None = None  # PDG ids of all particles but the lepton; default: charged pions

    def moved(self, dphi: float = 0.0, dy: float = 0.0) -> Event:
        """Rotated about the beam, or seen from a frame that moves along it."""
        pt, eta, phi, mass = self.particles.T
        transverse_mass = np.hypot(pt, mass)
        rapidity = np.arcsinh(pt * np.sinh(eta) / transverse_mass) + dy
        moved_eta = np.arcsinh(transverse_mass * np.sinh(rapidity) / pt)
        moved_phi = np.arctan2(np.sin(phi + dphi), np.cos(phi + dphi))
        quarks = self.quarks + np.array([dy, dphi, 0.0])
        return Event(np.stack([pt, moved_eta, moved_phi, mass], axis=1), self.lepton_id, quarks)

    def shuffled(self, rng) -> Event:
        """The same, its particles but for the lepton in another order."""
        return dataclasses.replace(self, particles=np.r_[self.particles[:1], rng.permutation(self.particles[1:])])


def spray(rng, pt, eta, phi, n=12, width=0.08) -> np.ndarray:
    """n particles of a jet about an axis: falling pT, some of them massive."""
    share = rng.dirichlet(np.linspace(2, 0.3, n))
    return np.stack(
        [pt * share, eta + rng.normal(0, width, n), phi + rng.normal(0, width, n), rng.choice([0, 0.13957, 0.497], n)],
        axis=1,
    )


def synthetic(rng) -> Event:
    """An event that passes the default selection: lepton, b quark jet, three to five others, one of them fat."""
    lepton = [[rng.uniform(40, 200), rng.uniform(-1, 1), 0.0, 0.10566]]
    n = rng.integers(3, 6)
    phis = np.linspace(1.0, 5.2, n + 1) + rng.uniform(-0.05, 0.05, n + 1)
    etas, pts = rng.uniform(-1.2, 1.2, n + 1), rng.uniform(60, 180, n + 1)
    jets = [spray(rng, *axis) for axis in zip(pts, etas, phis, strict=True)]
    jets.append(spray(rng, 300, etas[1] + 0.5, phis[1], n=20))  # within 0.8 of another jet, outside of 0.4
    soft = np.stack(
        [rng.exponential(0.6, 30), rng.uniform(-2.4, 2.4, 30), rng.uniform(-3.1, 3.1, 30), np.full(30, 0.14)], axis=1
    )
    particles = np.concatenate([lepton, *jets, soft])
    particles[:, 2] = np.arctan2(np.sin(particles[:, 2]), np.cos(particles[:, 2]))
    return Event(particles, quarks=np.array([[etas[0], phis[0], 5]]))


def collisions_of(*events: Event, met: np.ndarray | None = None) -> Collisions:
    """The events as xaug reads them."""
    flat = np.concatenate([event.particles for event in events])
    counts = np.array([len(event.particles) for event in events])
    first = np.cumsum(counts) - counts
    of_lepton = np.full(len(flat), -1)
    of_lepton[first] = np.arange(len(events))
    names = ("pt", "eta", "phi", "mass")
    quarks = np.concatenate([event.quarks for event in events])
    ids = np.concatenate([[event.lepton_id, *(event.ids or [211] * (len(event.particles) - 1))] for event in events])
    return Collisions(
        {**dict(zip(names, flat.T, strict=True)), "lepton": of_lepton, "id": ids, "radiated": ids == 22},
        counts,
        {**dict(zip(names, flat[first].T, strict=True)), "id": np.array([event.lepton_id for event in events])},
        np.arange(len(events)),
        {"pt": np.full(len(quarks), 50.0), **dict(zip(("eta", "phi", "id"), quarks.T, strict=True))},
        np.array([len(event.quarks) for event in events]),
        met,
    )


def run(*events: Event, smear: int = 0, ids=None, met=None, detector=None, **cuts):
    """(EventObjects, tag weights, cut flow) of events."""
    ids = event_ids("test", np.arange(len(events))) if ids is None else ids
    detector = detector or Detector(smear=smear)
    return select_events(collisions_of(*events, met=met), ids, EventSelection(**cuts), detector)


def features(objects, kind: str = "events_met") -> dict[str, np.ndarray]:
    """All features by name."""
    return {row.name: row.compute(objects) for row in variables.rows(kind, "event")}


@pytest.fixture(scope="session")
def tools():
    """The functions and classes of this module, since tests cannot import it."""
    from types import SimpleNamespace

    return SimpleNamespace(
        Event=Event,
        OPEN=OPEN,
        collisions_of=collisions_of,
        features=features,
        run=run,
        spray=spray,
        synthetic=synthetic,
    )


@pytest.fixture(scope="session")
def events():
    """40 events that pass the default selection."""
    rng = np.random.default_rng(20241213)
    return [synthetic(rng) for _ in range(40)]
