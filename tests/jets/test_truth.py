"""Matching of jets to b quarks, against loops over all pairs. The cases of one jet are in test_selection.py."""

from __future__ import annotations

from itertools import combinations

import awkward as ak
import numpy as np
import pytest

from xaug.jets.truth import TRUTH, match_partons


def test_against_loops_over_pairs():
    """60 events of up to six partons of random kinds, mothers and places; several jets an event, in any order."""
    rng = np.random.default_rng(8)
    counts = rng.integers(0, 12, 60)
    m = counts.sum()
    columns = {
        "id": rng.choice([5, -5, 5, -5, 4, 21], m),
        "status": rng.choice([23, -23, 23, 33], m),
        "mother1": rng.integers(3, 5, m),
        "eta": rng.uniform(-0.7, 0.7, m),
        "phi": rng.uniform(2.6, 3.9, m),
    }
    columns["phi"] = np.where(columns["phi"] > np.pi, columns["phi"] - 2 * np.pi, columns["phi"])
    partons = ak.unflatten(ak.zip(columns), counts)
    event = rng.integers(0, 60, 100)
    eta, phi = rng.uniform(-0.5, 0.5, 100), rng.uniform(2.9, 3.14, 100)

    def expected(jet: int) -> bool:
        start = counts[: event[jet]].sum()
        near = []
        for k in range(start, start + counts[event[jet]]):
            dphi = abs(columns["phi"][k] - phi[jet])
            distance = np.hypot(columns["eta"][k] - eta[jet], min(dphi, 2 * np.pi - dphi))
            if abs(columns["id"][k]) == 5 and abs(columns["status"][k]) == 23 and distance < 0.8:
                near.append((columns["id"][k], columns["mother1"][k]))
        return any(a[0] == -b[0] and a[1] == b[1] for a, b in combinations(near, 2))

    found = match_partons(TRUTH["z_bb"], partons, event, eta, phi, 0.8)
    assert found.tolist() == [expected(jet) for jet in range(100)]
    assert 10 < found.sum() < 90


def of(*partons):
    """Events of partons (id, mother) at (eta, phi) = (0, 0), leaving the hard process, and one in front of it."""
    columns = ("id", "mother1", "status", "eta", "phi")
    return ak.Array([
        [dict(zip(columns, (*parton, 23, 0.0, 0.0), strict=True)) for parton in event]
        + [dict(zip(columns, (5, 0, -21, 0.0, 0.0), strict=True))]
        for event in partons
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("truth", "matched"),
    [
        # Z -> bb, a b pair of two mothers, W -> ud, W -> cs, Z -> uu, t -> b u d, b u alone, a gluon, leptons
        ("z_bb", [1, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("h_bb", [1, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("w_qq", [0, 0, 1, 1, 0, 1, 0, 0, 0]),
        ("top", [0, 0, 0, 0, 0, 1, 0, 0, 0]),
        ("parton", [1, 1, 1, 1, 1, 1, 1, 1, 0]),
    ],
)
def test_partons_of_each_kind_of_jet_by_hand(truth, matched):
    partons = of(
        [(5, 3), (-5, 3)], [(5, 3), (-5, 4)], [(2, 3), (-1, 3)], [(-4, 3), (3, 3)], [(2, 3), (-2, 3)],
        [(5, 3), (2, 4), (-1, 4)], [(5, 3), (2, 4)], [(21, 3)], [(11, 3), (-12, 3)],
    )  # fmt: skip
    event = np.arange(9)
    found = match_partons(TRUTH[truth], partons, event, np.zeros(9), np.zeros(9), 0.8)
    assert found.tolist() == [bool(one) for one in matched]
    far = match_partons(TRUTH[truth], partons, event, np.ones(9), np.zeros(9), 0.8)
    assert not far.any()
