"""The networks of the Z -> b bbar study, and how large the study is at each scale."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from xaug.core.types import Array
from xaug.report.discriminants import Discriminant
from xaug.studies.runner import NetworkRun, Scale

__all__ = ["DISCRIMINANTS", "REFERENCES", "RUNS", "SCALES"]

SCALES = {
    "quick": Scale(6_000, 4, 30, 5, "mlp_xaug,cnn2d_xaug", (0.125, 0.25, 0.5)),
    "standard": Scale(50_000, 4, 50, 6, "all", (0.1,), 4, 20_000),
    "paper": Scale(276_000, 4, 60, 8, "all", (0.1,), 4, 50_000),
}
"""quick takes minutes on a laptop, standard takes hours, paper takes days: it has the 552k jets of which the paper
speaks. The final networks of the paper saw 1.99 million."""
RUNS = {
    "mlp_no_flavour": NetworkRun("mlp", "no_flavour"),
    "mlp_xaug": NetworkRun("mlp", "all", learning=True),
    "cnn2d": NetworkRun("cnn2d"),
    "cnn2d_five": NetworkRun("cnn2d", "five"),
    "cnn2d_xaug": NetworkRun("cnn2d", "all", learning=True),
    "cnn1d_four_momentum": NetworkRun("cnn1d", particle_list="four_momentum"),
    "cnn1d": NetworkRun("cnn1d"),
    "cnn1d_five": NetworkRun("cnn1d", "five"),
    "cnn1d_xaug": NetworkRun("cnn1d", "all", learning=True),
    "rnn": NetworkRun("rnn"),
    "rnn_two": NetworkRun("rnn", "tau21,n_charged_hadrons"),
    "rnn_xaug": NetworkRun("rnn", "all", learning=True),
    "rnn_15": NetworkRun("rnn", particle_list="no_displacements"),
    "rnn_15_five": NetworkRun("rnn", "authors5_rnn", "no_displacements"),
}
"""The networks of table 3 of the paper. "rnn_two" is its recurrent network as its text describes it, with the two XAUGs
that join it. The code of its authors draws another one in figure 25: "rnn_15" reads all columns of the list but the
displacements, and in "rnn_15_five" five XAUGs join it."""
REFERENCES = ("background",)
"""References of LRP beside the zero of the scaled inputs, from which the paper starts."""


def image_sum(arrays: Mapping[str, Array]) -> Array:
    """Sum (n,) of the pixels of unscaled images (n, 16, 16, 1): the described fraction of the jet pT in the window."""
    total: Array = arrays["image"].sum(axis=(1, 2, 3), dtype=np.float64)
    return total


DISCRIMINANTS = {"f91": Discriminant("f91", "the sum of the image", ("image",), image_sum)}
"""Single numbers of a jet whose ROC curves stand beside those of the networks. With the literal choices of the paper's
authors, the sum of an image is the fraction of the jet pT that particles of status 91 above 1 GeV have: a number that
the generator alone knows, and that tells signal from background."""
