"""The numbers of the paper beside ours."""

import pytest

from xaug import variables
from xaug.networks.choice import choose_inputs
from xaug.studies.zbb.paper import paper_auc


@pytest.mark.parametrize(
    ("network", "xaug", "particle_list", "auc"),
    [
        ("cnn2d", "none", None, 0.932), ("cnn2d", "all", None, 0.984), ("mlp", "no_flavour", None, 0.957),
        ("mlp", "all", None, 0.976), ("cnn1d", "authors5", None, 0.994), ("cnn1d", "pt,mass,z,tau21,eta", None, 0.994),
        ("rnn", "none", "no_displacements", 0.975), ("rnn", "authors5_rnn", "no_displacements", 0.975),
        ("rnn", "all", "no_displacements", None),
        ("cnn1d", "all", None, 0.995), ("rnn", "none", None, 0.975), ("rnn", "n_charged_hadrons,tau21", None, 0.975),
        # the paper tells none of these
        ("cnn2d", "authors5", None, None), ("cnn1d", "none", None, None), ("cnn1d", "all", "four_momentum", None),
        ("mlp", "authors5", None, None), ("rnn", "all", None, None), ("cnn1d", "pt,mass", None, None),
    ],
)  # fmt: skip
def test_the_papers_number_stands_beside_the_same_network_only(network, xaug, particle_list, auc):
    """arXiv:2011.13466, section 5.3."""
    assert paper_auc(choose_inputs(variables.table_of("jets"), network, xaug, particle_list)) == auc


def test_toy_networks_have_no_number_in_the_paper():
    assert paper_auc(choose_inputs(variables.table_of("toy"), "cnn2d", "all")) is None
