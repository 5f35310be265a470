"""What our training costs beside a bare `model.fit` on the same arrays."""

import json
import subprocess
import sys

import numpy as np
import pytest

from xaug.generate.toy import generate

SCRIPT = """
import json, sys, time
from pathlib import Path
import keras, tensorflow as tf
from xaug.data.dataset import Dataset
from xaug.training.config import TrainingConfig
from xaug.training.loop import fit
from xaug.training.scaled import load_scaled
from xaug import variables
from xaug.networks.choice import choose_inputs
from xaug.networks.registry import build
from xaug.data.scaling import Scaler

data = Dataset.open(sys.argv[1])
inputs = choose_inputs(variables.table_of("toy"), sys.argv[2])
scaler = Scaler.fit(data, inputs.columns)
config = TrainingConfig(128, 1e-3, epochs=2)
times = {"ours": [], "bare": []}
x, y, _ = load_scaled(data, inputs, scaler, "train")
validation = load_scaled(data, inputs, scaler, "validation")[:2]
for i in range(4):
    start = time.perf_counter()
    fit(data, inputs, scaler, config, i, lambda **report: None)
    times["ours"].append(time.perf_counter() - start)
    start = time.perf_counter()
    model = build(inputs)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, batch_size=128, epochs=2, validation_data=validation, verbose=0)
    times["bare"].append(time.perf_counter() - start)
print(json.dumps(times))
"""


@pytest.mark.benchmark
@pytest.mark.parametrize("network", ["cnn2d", "cnn1d"])
def test_training_against_bare_fit(network, tmp_path):
    """Reading, scaling, weights, following the loss and keeping the best weights: at most a tenth more."""
    generate(tmp_path / "toy", jets=8_000, seed=1)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path / "toy", network], capture_output=True, text=True, check=True
    )
    times = json.loads(done.stdout.splitlines()[-1])
    ours, bare = np.array(times["ours"][1:]), np.array(times["bare"][1:])  # the first round warms up
    ratio = float(np.median(ours / bare))
    print(f"\n{network}: {np.median(ours):.1f} s, bare model.fit {np.median(bare):.1f} s, ratio {ratio:.2f}")
    assert ratio < 1.10
