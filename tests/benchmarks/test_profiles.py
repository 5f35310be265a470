"""Seconds of one core for profiles, maps and ranks of 500k events with 36 variables."""

import time

import numpy as np
import pytest

from xaug import variables
from xaug.explain import Attribution, profiles, rank_fractions, relevance_map

pytestmark = pytest.mark.benchmark
EVENTS = 500_000


def test_profiles_and_maps_of_half_a_million_events(capsys):
    names = variables.names("jets", "xaug")
    rng = np.random.default_rng(0)
    relevance = {"xaug": rng.normal(size=(EVENTS, len(names))).astype(np.float32)}
    label = rng.integers(0, 2, EVENTS, dtype=np.int8)
    found = Attribution(relevance, np.ones(EVENTS), {"xaug": names}, {"target": "predicted"}, None, label)
    values = dict(zip(names, rng.normal(size=(len(names), EVENTS)).astype(np.float32), strict=True))
    start = time.process_time()
    drawn = profiles(found, values)
    one = time.process_time()
    for x, y in (("delta_r_subjets", "z"), ("tau3_sd_b10", "softdrop_mass"), ("mass", "softdrop_mass")):
        relevance_map(found, values, x, y)
    two = time.process_time()
    rank_fractions(found)
    three = time.process_time()
    with capsys.disabled():
        print(f"\n36 profiles {one - start:.2f} s, 3 maps {two - one:.2f} s, ranks {three - two:.2f} s")
    assert len(drawn) == len(names)
    assert two - start < 10
    assert three - two < 10
