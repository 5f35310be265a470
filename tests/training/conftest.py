"""What tests of training share: one short run, and the options that it was made with."""

import pytest

import xaug
from xaug.training import stage


@pytest.fixture(scope="session")
def mlp_options():
    return {"network": "mlp", "trainings": 2, "epochs": 3, "batch_size": 32, "seed": 5}


@pytest.fixture(scope="session")
def mlp_run(zbb_dataset, mlp_options, shared_directory):
    """Two short trainings of the dense network on all expert variables, with the figure of their history."""
    return xaug.load_run(shared_directory("mlp_run", lambda path: stage.train(zbb_dataset, path, **mlp_options)))
