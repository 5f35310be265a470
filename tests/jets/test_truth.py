"""Matching of jets to b quarks, against loops over all pairs. The cases of one jet are in test_selection.py."""

from __future__ import annotations

from itertools import combinations

import awkward as ak
import numpy as np

from xaug.jets.truth import match_b_quarks


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

    found = match_b_quarks(partons, event, eta, phi, 0.8)
    assert found.tolist() == [expected(jet) for jet in range(100)]
    assert 10 < found.sum() < 90
