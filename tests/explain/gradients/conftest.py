"""What the tests of Integrated Gradients share."""

import pytest

from xaug.explain.gradients.integrator import integrator_of
from xaug.explain.gradients.paths import Paths
from xaug.explain.gradients.readout import Readout
from xaug.explain.gradients.samples import input_shapes
from xaug.explain.keras_models import read_output
from xaug.explain.targets import Target


@pytest.fixture(scope="session")
def kept_integrator():
    """The integrator that the next call with this model, target "signal" and output "logit" uses."""

    def find(model):
        network = read_output(model)
        readout = Readout.of(network, Target.choose("signal", network.units))
        return integrator_of(network, readout, Paths(input_shapes(model)))

    return find
