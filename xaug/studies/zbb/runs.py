"""The networks of the Z -> b bbar study, and how large the study is at each scale."""

from __future__ import annotations

from xaug.studies.runner import NetworkRun, Scale

__all__ = ["RUNS", "SCALES"]

SCALES = {
    "quick": Scale(6_000, 4, 30, 5, "mlp_xaug,cnn2d_xaug", (0.125, 0.25, 0.5)),
    "standard": Scale(50_000, 4, 50, 6, "all", (0.1,), 4, 20_000),
    "paper": Scale(276_000, 4, 60, 8, "all", (0.1,), 4, 50_000),
}
"""quick takes minutes on a laptop, standard takes hours, paper has the 552k jets of the paper and takes days."""
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
}
"""The networks of table 3 of the paper; "rnn_two" is its recurrent network, with the two XAUGs that join it."""
