"""How far a baseline lies from the data, that is, whether it is an event that could exist.

Reference: J. Bardhan, C. Neeraj, M. Rawat, S. Mitra, "Constructing sensible baselines for Integrated Gradients", who
criticise the blank baseline for being no possible event; these numbers quantify that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from xaug.core.errors import ConfigurationError
from xaug.core.types import Array, Arrays, JsonObject
from xaug.data.feature_names import unique_names
from xaug.explain.gradients.samples import Sample

__all__ = ["distance_from_data"]


def distance_from_data(
    sample: Sample, data: Arrays, variables: Mapping[str, Sequence[str]] | None = None
) -> JsonObject:
    """Say where baselines lie among events, in scaled space.

    Parameters
    ----------
    sample : Sample
        the baselines
    data : dict of arrays
        scaled inputs by name of at least 3 events (a few thousand are enough) which are not among the baselines
    variables : dict of list of str, optional
        names of the columns of each input

    Returns
    -------
    dict
        Weighted means over the baselines: `nearest_neighbour_percentile`, the percentage of events that are nearer to
        their nearest other event than the baseline is to its own (50: as typical as an event; 100: farther off than
        any); `features_outside`, the fraction of features outside the range of the data. Beside them `outside`, the
        names of up to ten features outside the range, the most frequent first; and `events`, the size of the data.

    Raises
    ------
    ConfigurationError
        if there are fewer than 3 events
    """
    from sklearn.neighbors import NearestNeighbors

    points, events = _flat(sample.arrays, data), _flat(data, data)
    if len(events) < 3:
        raise ConfigurationError(f"{len(events)} events: at least 3 are needed to say what is far from them")
    neighbours = NearestNeighbors(n_neighbors=1).fit(events)
    own = np.sort(neighbours.kneighbors()[0][:, 0])  # without points, the event itself does not count
    nearest = neighbours.kneighbors(points)[0][:, 0]
    percentile = 100.0 * np.searchsorted(own, nearest, side="left") / len(own)
    outside = (points < events.min(axis=0)) | (points > events.max(axis=0))
    often = sample.weights @ outside
    names = _names(data, variables or {})
    return {
        "nearest_neighbour_percentile": round(float(sample.weights @ percentile), 3),
        "features_outside": round(float(sample.weights @ outside.mean(axis=1)), 6),
        "outside": [names[i] for i in np.argsort(-often, kind="stable")[:10] if often[i] > 0],
        "events": len(events),
    }


def _flat(arrays: Arrays, like: Arrays) -> Array:
    """All inputs of each event as one vector, in the order of `like`."""
    return np.concatenate([arrays[name].reshape(len(arrays[name]), -1) for name in like], axis=1)


def _names(data: Arrays, variables: Mapping[str, Sequence[str]]) -> list[str]:
    """Names of the elements of the vectors of `_flat`."""
    names: list[str] = []
    unique = unique_names({name: variables.get(name, ()) for name in data})
    for name, values in data.items():
        if values.ndim == 2 and unique[name]:
            names += unique[name]
        else:
            names += [f"{name}{list(map(int, place))}" for place in np.ndindex(values.shape[1:])]
    return names
