"""Integrated Gradients of 500 test jets of the 2D CNN against the averaged background, drawn to the default precision.

`XAUG_JETS` names a dataset of jets, as `python -m xaug.study zbb` makes one. The limit is in processor time of both
cores of the reference machine, so that other work on the machine does not count.
"""

import os
import time

import pytest

import xaug
from xaug.explain import Averaged, integrated_gradients

CORES = 2


@pytest.mark.benchmark
@pytest.mark.timeout(3600)
@pytest.mark.skipif("XAUG_JETS" not in os.environ, reason="XAUG_JETS names no dataset of jets")
def test_gradients_of_500_jets_against_the_averaged_background(capsys):
    data, run = xaug.Dataset.open(os.environ["XAUG_JETS"]), xaug.load_reference("zbb_cnn2d")
    arrays = data.load(run.input_spec.fields, "test", 500)
    x, baseline = run.inputs(arrays), Averaged(data, run=run)
    wall, busy = time.perf_counter(), time.process_time()
    found = integrated_gradients(run.models[0], x, baseline, variables=run.variables)
    wall, busy = time.perf_counter() - wall, time.process_time() - busy
    told = found.settings
    with capsys.disabled():
        print(
            f"\nIG of {len(found)} jets, {told['places_per_event']} places each: "
            f"{wall:.0f} s, {busy:.0f} s of processor time, precision {told['precision_reached']:.3f}"
        )
    assert told["precision_reached"] <= 0.02
    assert busy < 120 * CORES
