"""Measuring side by side: the two contestants take turns in one process, and the median ratio is quoted."""

import statistics
import time

import pytest


@pytest.fixture
def ratio(capsys):
    """`ratio(name, ours, theirs, rounds)`: how much longer ours takes than theirs, printed and returned."""

    def measure(name, ours, theirs, rounds=5, unit_count=None, unit="events"):
        found, times = [], []
        ours(), theirs()  # warm up
        for _ in range(rounds):
            start = time.perf_counter()
            ours()
            middle = time.perf_counter()
            theirs()
            end = time.perf_counter()
            found.append((middle - start) / (end - middle))
            times.append((middle - start, end - middle))
        median = statistics.median(found)
        rates = ""
        if unit_count:
            ours_rate, theirs_rate = (unit_count / statistics.median(t) for t in zip(*times, strict=True))
            rates = f"; {ours_rate:.0f} and {theirs_rate:.0f} {unit}/s"
        with capsys.disabled():
            print(f"\n{name}: time ratio {median:.3f} (of {rounds}: {min(found):.3f} to {max(found):.3f}){rates}")
        return median

    return measure
