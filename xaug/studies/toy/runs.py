"""The networks of the toy study, and how large the study is at each scale."""

from __future__ import annotations

from xaug.studies.runner import NetworkRun, Scale

__all__ = ["RUNS", "SCALES"]

SCALES = {
    "quick": Scale(8_000, 4, 6, 2, "all", max_events=4_000),
    "standard": Scale(100_000, 4, 30, 4, "all", (0.1,), 4, 20_000),
    "paper": Scale(500_000, 4, 30, 4, "all", (0.1,), 4, 50_000),
}
"""quick takes minutes, standard takes hours, paper has the million jets of the paper."""
RUNS = {
    "cnn2d": NetworkRun("cnn2d"),
    "cnn2d_xaug": NetworkRun("cnn2d", "all", learning=True),
    "cnn1d": NetworkRun("cnn1d"),
    "cnn1d_xaug": NetworkRun("cnn1d", "all", learning=True),
    "rnn": NetworkRun("rnn"),
    "rnn_xaug": NetworkRun("rnn", "all", learning=True),
    "mlp_xaug": NetworkRun("mlp", "all"),
}
"""Three networks with and without expert variables, and a dense network on the expert variables alone."""
