"""Networks: what each eats, and the Keras functional model that it is.

A network of jets has at most one low-level block ("image", "list"), to which the expert variables ("xaug")
are joined behind its convolutions or recurrent layers; that of events has the features of the event. Adding a
network is adding one entry here and one function.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["NETWORKS", "Architecture"]


@dataclass(frozen=True)
class Architecture:
    """An entry of the table of networks."""

    build: str  # "module:function" of `Inputs`, so that the table does not import TensorFlow
    block: str | None  # low-level block
    summary: str
    xaug: bool = True  # whether expert variables can join
    towers: bool = False  # each column of the list is an input of its own, named after it
    list_columns: tuple[str, ...] | None = None  # of jets, unless others are chosen; None: all
    batch_size: int = 128  # in training, unless another is chosen
    learning_rate: float = 1e-3  # of Adam, unless another is chosen
    clipnorm: float | None = None  # largest norm of a gradient in training
    weight_decay: float | None = None  # in training
    recalibrate_batchnorm: bool = False  # give BatchNormalization population statistics before each validation
    sizes: dict[str, float] = field(default_factory=dict)  # what can be chosen otherwise, as the paper has it


NETWORKS = {
    "cnn2d": Architecture("xaug.networks.cnn2d:build", "image", "2D CNN on images, with or without XAUGs"),
    "cnn1d": Architecture(
        "xaug.networks.cnn1d:build", "list", "1D CNN, a tower a column of the particle list", towers=True
    ),
    "rnn": Architecture(
        "xaug.networks.rnn:build", "list", "recurrent network (GRU) on the particle list",
        list_columns=("log_pt", "delta_eta", "delta_phi"), clipnorm=1.0, recalibrate_batchnorm=True,
        batch_size=256,  # it pays for each step, not for each jet
        learning_rate=3e-3,  # XAUGs reach the output by one layer, whose weights have a long way to go
    ),
    "mlp": Architecture("xaug.networks.mlp:build", None, "dense network on XAUGs alone"),
    "event": Architecture(
        "xaug.networks.event:build", "event", "dense network on event features", xaug=False, weight_decay=1e-4,
        sizes={"layers": 2, "width": 128, "dropout": 0.2},
    ),
}  # fmt: skip
