"""Cascading randomisation of weights: does an attribution depend on what the network has learned?

The weights of the layers are exchanged at random, from the output towards the inputs, and after each layer the same
events are explained again. An attribution that explains the network must lose its likeness to the original one. What
stays is what the attribution takes from the inputs alone.

References
----------
J. Adebayo et al., Sanity checks for saliency maps, arXiv:1810.03292, section 3 (cascading randomisation)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from xaug.core.errors import ConfigurationError
from xaug.core.statistics import standard_error
from xaug.core.types import Array
from xaug.explain.analysis.relevance import signed_relevance
from xaug.explain.attribution import Attribution
from xaug.explain.faithfulness.agreement import rank_correlation
from xaug.explain.targets import functional
from xaug.networks.keras_versions import same_inputs

if TYPE_CHECKING:
    import keras

__all__ = ["cascading_randomisation"]


def cascading_randomisation(
    model: keras.Model, explain: Callable[[keras.Model], Attribution], *, absolute: bool = True, seed: int = 0
) -> pd.DataFrame:
    """Compare attributions before and after the weights are exchanged at random, layer by layer.

    Parameters
    ----------
    model : keras.Model
        the explained model, which stays as it is
    explain : callable
        explains a model of the same inputs, always the same events
    absolute : bool
        whether absolute values are compared, which rank features; otherwise signed ones
    seed : int
        seed of the exchange

    Returns
    -------
    DataFrame
        One row for each number of randomised layers, from 0 on: `layer`, the last one that was randomised (the first is
        that of the output); `correlation`, the mean over events of the rank correlation of the features with the
        original; `error`, its statistical error over events; `ranking`, the rank correlation of the mean relevance,
        which is the likeness of the two rankings.

    Raises
    ------
    ConfigurationError
        if there are fewer than three features or two events, or no layer has weights
    """
    import keras

    original = _features(explain(model), absolute)
    if original.shape[1] < 3 or len(original) < 2:
        raise ConfigurationError(
            f"{len(original)} events of {original.shape[1]} features cannot be compared by ranks; explain at least two "
            "events of three features"
        )
    layers = [layer.name for layer in reversed(model.layers) if layer.weights]
    if not layers:
        raise ConfigurationError(f"model {model.name!r} has no weights to randomise")
    source = functional(model)
    changed = keras.models.clone_model(source, same_inputs(source))
    changed.set_weights(model.get_weights())
    rng = np.random.default_rng(seed)
    rows = [{"layers": 0, "layer": "", "correlation": 1.0, "error": 0.0, "ranking": 1.0}]
    for i, name in enumerate(layers, start=1):
        layer = changed.get_layer(name)
        layer.set_weights([rng.permutation(w.ravel()).reshape(w.shape) for w in layer.get_weights()])
        found = _features(explain(changed), absolute)
        each = np.array([rank_correlation(one, other) for one, other in zip(original, found, strict=True)])
        each = each[np.isfinite(each)]
        rows.append(
            {
                "layers": i,
                "layer": name,
                "correlation": float(each.mean()) if len(each) else np.nan,
                "error": float(standard_error(each)) if len(each) else np.nan,
                "ranking": rank_correlation(np.abs(original).mean(axis=0), np.abs(found).mean(axis=0)),
            }
        )
    table: pd.DataFrame = pd.DataFrame(rows)
    return table


def _features(attribution: Attribution, absolute: bool) -> Array:
    """Normalised relevance (n, features)."""
    values: Array = signed_relevance(attribution).to_numpy()
    return np.abs(values) if absolute else values
