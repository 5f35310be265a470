"""Exact Shapley values and the rescale rule on the 2D CNN with 36 expert variables: the times that users wait for.

Limits are in processor time of both cores of the reference machine, so that other work on the machine does not count.
"""

import time

import keras
import numpy as np
import pytest

from xaug import variables
from xaug.explain import Sample, rescale, shapley_values
from xaug.explain.perturbation import changed_events
from xaug.networks.choice import choose_inputs
from xaug.networks.registry import build

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]
CORES = 2


@pytest.fixture(scope="module")
def spec():
    return choose_inputs(variables.table_of("jets"), "cnn2d", "all")


@pytest.fixture(scope="module")
def model(spec):
    keras.utils.set_random_seed(1)
    return build(spec)


def jets(n, seed):
    rng = np.random.default_rng(seed)
    image = rng.exponential(0.05, (n, 16, 16, 1)) * (rng.random((n, 16, 16, 1)) < 0.1)
    return {"image": image.astype(np.float32), "xaug": rng.random((n, 36), np.float32)}


def measured(function):
    """What a function returns, its seconds, and the processor time that it took."""
    wall, busy = time.perf_counter(), time.process_time()
    found = function()
    return found, time.perf_counter() - wall, time.process_time() - busy


def test_exact_shapley_values_of_ten_groups(model, spec, capsys, monkeypatch):
    """1,000 jets, 20 background jets each, all 1,024 sets of the image and nine groups of four expert variables.

    Three of the jets are explained by the whole network for each set, too.
    """
    names = spec.variables["xaug"]
    groups = {"image": ["image"], **{f"group {i}": names[4 * i : 4 * i + 4] for i in range(9)}}
    x, b = jets(1000, 1), Sample(jets(20, 2))

    def explain(n):
        some = {name: values[:n] for name, values in x.items()}
        return shapley_values(model, some, b, groups=groups, variables=spec.variables)

    explain(8)
    found, wall, busy = measured(lambda: explain(1000))
    monkeypatch.setattr(changed_events, "MANY", 10**9)
    explain(1)
    whole, _, alone = measured(lambda: explain(3))
    with capsys.disabled():
        print(f"\n10 groups x 20 background jets x 1000 jets: {wall:.0f} s, {busy:.0f} s of processor time")
        print(f"each set by the whole network: {alone / 3 / (busy / 1000):.0f} times the processor time")
    np.testing.assert_allclose(found.residual, 0, atol=1e-3)
    np.testing.assert_allclose(found.relevance["xaug"][:3], whole.relevance["xaug"], atol=1e-5)
    assert busy < 120 * CORES


def test_rescale_rule_from_200_background_jets(model, spec, capsys):
    """1,000 jets."""
    x, b = jets(1000, 1), Sample(jets(200, 2))

    def explain(n):
        some = {name: values[:n] for name, values in x.items()}
        return rescale(model, some, b, variables=spec.variables)

    explain(8)
    found, wall, busy = measured(lambda: explain(1000))
    with capsys.disabled():
        print(f"\nrescale rule, 200 background jets x 1000 jets: {wall:.0f} s, {busy:.0f} s of processor time")
    np.testing.assert_allclose(found.residual, 0, atol=1e-3)
    assert busy < 60 * CORES
