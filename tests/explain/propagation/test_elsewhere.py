"""iNNvestigate in another environment, which an environment variable names."""

import os
import sys

import keras
import numpy as np
import pytest

import xaug
from xaug.core.errors import ConfigurationError
from xaug.explain.propagation.innvestigate import client
from xaug.networks.keras_versions import is_keras_3

ELSEWHERE = os.environ.get(client.PYTHON) or ("" if is_keras_3() else sys.executable)


@pytest.fixture
def fresh_worker():
    """A worker of its own for the test."""
    before, client._worker = client._worker, None
    yield
    if client._worker is not None:
        client._worker.close()
    client._worker = before


@pytest.mark.skipif(not ELSEWHERE, reason=f"needs {client.PYTHON}, the Python of an environment with Keras 2")
def test_a_worker_elsewhere_gives_the_numbers_of_the_native_engine(monkeypatch, fresh_worker, cnn, cnn_inputs):
    monkeypatch.setenv(client.PYTHON, ELSEWHERE)
    model = cnn()
    found = xaug.explain.lrp(model, cnn_inputs, target="signal", engine="innvestigate")
    native = xaug.explain.lrp(model, cnn_inputs, target="signal", engine="native")
    assert found.settings["engine"] == "innvestigate"
    for name, values in native.relevance.items():
        np.testing.assert_allclose(found.relevance[name], values, atol=1e-4 * np.abs(values).max())


@pytest.mark.skipif(not is_keras_3(), reason="iNNvestigate runs in this environment")
def test_keras_3_says_what_innvestigate_needs(monkeypatch, mlp):
    monkeypatch.delenv(client.PYTHON, raising=False)
    x = np.ones((2, 7), np.float32)
    with pytest.raises(ConfigurationError) as caught:
        xaug.explain.lrp(mlp(), x, engine="innvestigate")
    assert all(part in str(caught.value) for part in ("TensorFlow 2.14", keras.__version__, "native", client.PYTHON))
    found = xaug.explain.lrp(mlp(), x, engine="auto").settings
    assert found["engine"] == "native" and client.PYTHON in found["engine_reason"]


def test_a_wrong_path_is_named(monkeypatch, mlp):
    monkeypatch.setenv(client.PYTHON, "/no/such/python")
    with pytest.raises(ConfigurationError, match="XAUG_INNVESTIGATE_PYTHON=/no/such/python: there is no such program"):
        xaug.explain.lrp(mlp(), np.ones((2, 7), np.float32), engine="innvestigate")
