"""The layers that LRP knows, one class for each kind; importing the package fills the registry `LAYERS`."""

from xaug.explain.propagation.layers import (
    activation,
    identity,
    linear,
    merging,
    norm,
    pooling,
    recurrent,
    refused,
    shape,
)

__all__ = ["activation", "identity", "linear", "merging", "norm", "pooling", "recurrent", "refused", "shape"]
