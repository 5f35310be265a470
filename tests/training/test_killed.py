"""A training by steps that is killed for good, and goes on."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import xaug
from xaug.training import stage

OPTIONS = {"network": "mlp", "trainings": 2, "steps": 1500, "check_every": 100, "batch_size": 32, "seed": 5}


@pytest.mark.slow
def test_killed_in_its_second_training_it_ends_as_unbroken(zbb_dataset, tmp_path):
    """SIGKILL while the second of two trainings runs: the first is kept, and all weights and metrics are the same."""
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in OPTIONS.items()]
    command = [sys.executable, "-m", "xaug.train", str(zbb_dataset), *flags, "--workers=1", "-o", str(tmp_path / "run")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    first = tmp_path / "run" / "training_0" / "metrics.json"
    while not first.exists() and process.poll() is None:
        time.sleep(0.05)
    time.sleep(1.0)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "run" / "training_1" / "metrics.json").exists(), "it was killed too late to test anything"
    before = first.stat().st_mtime_ns
    stage.train(zbb_dataset, tmp_path / "run", **OPTIONS)
    assert first.stat().st_mtime_ns == before
    stage.train(zbb_dataset, tmp_path / "unbroken", **OPTIONS)
    resumed, unbroken = xaug.load_run(tmp_path / "run"), xaug.load_run(tmp_path / "unbroken")
    assert resumed.metrics == unbroken.metrics
    for one, other in zip(resumed.models, unbroken.models, strict=True):
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
