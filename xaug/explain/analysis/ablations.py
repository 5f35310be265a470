"""Ablation: the performance of a trained network whose k first features are replaced, without training it again.

The performance falls fast if the ranking knows which features the network uses. The result is hard to read where
features carry the same information: the network still has those that were left, and it has never seen events some of
whose features are replaced.

References
----------
W. Samek et al., IEEE Trans. Neural Netw. Learn. Syst. 28 (2017) 2660, arXiv:1509.06321 (removal in the order of a
ranking); J. Bardhan et al., Constructing sensible baselines for Integrated Gradients, "Results" (ablation test).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from xaug.core import provenance
from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.files import atomic_path, digest_json
from xaug.core.progress import bar
from xaug.core.types import Array, Arrays, JsonObject
from xaug.data.feature_names import unique_names
from xaug.explain.gradients.named_baselines import named_baseline
from xaug.explain.gradients.samples import sample_of
from xaug.training.class_metrics import judge
from xaug.training.runs import load_run
from xaug.training.scaled import load_scaled

if TYPE_CHECKING:
    import keras

__all__ = ["ABLATED", "ablate_run", "ablation", "replaced"]

ABLATED = ("accuracy", "auc")
"""Measures of performance, columns of the table."""
BATCH = 4096
"""Number of events that the network scores at a time."""


def replaced(
    inputs: Mapping[str, Array],
    features: Iterable[str],
    baseline: Mapping[str, Array],
    variables: Mapping[str, Sequence[str]],
) -> Arrays:
    """Inputs with some features set to the baseline's value in every event.

    Parameters
    ----------
    inputs : dict of arrays
        scaled inputs by name, each (n, ...)
    features : iterable of str
        names of columns of vectors, as rankings have them, or of whole inputs
    baseline : dict of arrays
        one event by input name, each (1, ...)
    variables : dict of list of str
        names of the columns of each input

    Returns
    -------
    dict of arrays
        by input name; inputs without replaced features are not copied

    Raises
    ------
    ConfigurationError
        if there is no such feature
    """
    places: dict[str, tuple[str, int | slice]] = {name: (name, slice(None)) for name in inputs}
    unique = unique_names({name: variables.get(name, ()) for name in inputs})
    for name, values in inputs.items():
        if values.ndim == 2:
            places |= {column: (name, i) for i, column in enumerate(unique[name])}
    changed = dict(inputs)
    for feature in features:
        if feature not in places:
            raise unknown_name("feature", feature, places)
        name, column = places[feature]
        if changed[name] is inputs[name]:
            changed[name] = inputs[name].copy()
        changed[name][..., column] = baseline[name][..., column]
    return changed


def ablation(
    model: keras.Model,
    inputs: Mapping[str, Array],
    order: Sequence[str],
    baseline: Mapping[str, Array],
    sizes: Iterable[int],
    label: Array,
    weight: Array | None = None,
    *,
    variables: Mapping[str, Sequence[str]],
) -> pd.DataFrame:
    """Measure the performance of a trained network whose k first features are replaced by a baseline.

    Parameters
    ----------
    model : keras.Model
        model that ends in a softmax over the classes; of two, the second is signal
    inputs : dict of arrays
        scaled inputs by name, each (n, ...)
    order : sequence of str
        names of features (columns of vectors, or whole inputs), the most important first
    baseline : dict of arrays
        scaled inputs of one event by name, each (1, ...), whose values replace the features
    sizes : iterable of int
        numbers k of features to replace
    label : (n,) array
        class of each event
    weight : (n,) array, optional
        weights of the events; default: all are 1
    variables : dict of list of str
        names of the columns of each input

    Returns
    -------
    DataFrame
        one row for each k: `k`, `accuracy`, `auc`

    Raises
    ------
    ConfigurationError
        if there is no such feature, or there are fewer than k features

    References
    ----------
    W. Samek et al., IEEE Trans. Neural Netw. Learn. Syst. 28 (2017) 2660, arXiv:1509.06321
    """
    rows = []
    for k in sizes:
        if not 0 <= k <= len(order):
            raise ConfigurationError(f"{k} features to replace: must be between 0 and {len(order)}")
        x = replaced(inputs, order[:k], baseline, variables)
        probability = _probability(model, x)
        classes = [str(i) for i in range(probability.shape[1])]
        found = judge(label, probability, classes, weight).to_json()
        rows.append({"k": k, **{name: found[name] for name in ABLATED}})
    table: pd.DataFrame = pd.DataFrame(rows)
    return table


def _probability(model: keras.Model, x: Arrays) -> Array:
    """Outputs (n, classes) of events; events that are all the same are evaluated once.

    The place of an event in its batch changes the last digits, by which the same events would be put into an order.
    """
    if all((values == values[:1]).all() for values in x.values()):
        one: Array = model.predict({name: values[:1] for name, values in x.items()}, verbose=0)
        return np.repeat(one, len(next(iter(x.values()))), axis=0)
    found: Array = model.predict(x, batch_size=BATCH, verbose=0)
    return found


def ablate_run(
    run: str | Path,
    output: str | Path,
    rankings: dict[str, list[str]],
    sizes: Sequence[int],
    *,
    baseline: str = "mean",
    split: str = "test",
    seed: int = 1,
) -> JsonObject:
    """Ablate the features of several rankings in all trainings of a run.

    Parameters
    ----------
    run : path
        directory of a finished run
    output : path
        directory to write
    rankings : dict of list of str
        by name of the ranking, the features, the most important first
    sizes : sequence of int
        numbers of features to replace; 0 is added
    baseline : str
        baseline of one event, see `xaug.explain.gradients.named_baselines.named_baseline`; "mean" is the mean of the
        background events
    split : str
        split on which the network is judged
    seed : int
        seed of baselines that are drawn

    Returns
    -------
    dict
        the manifest

    Raises
    ------
    ConfigurationError
        if the baseline has several events, or a ranking has an unknown feature
    """
    opened, output = load_run(run), Path(output)
    data = opened.dataset()
    numbers = sorted({0, *sizes})
    config = {
        "run": digest_json(opened.record.config), "dataset": data.digest, "rankings": rankings, "sizes": numbers,
        "baseline": baseline, "split": split, "seed": seed,
    }  # fmt: skip
    finished = provenance.begin(output, "ablation", config)
    if finished:
        return finished
    x, label, weight = load_scaled(data, opened.input_spec, opened.scaler, split, opened.record.weights)
    sample = sample_of(named_baseline(baseline, opened, data, seed), opened.model(0), x, opened.variables)
    if len(sample) != 1:
        raise ConfigurationError(f"baseline {baseline!r} has {len(sample)} events; choose one of a single event")
    tables = []
    with bar(len(opened) * len(rankings), f"ablation of {opened.name}", "curves") as progress:
        for training in range(len(opened)):
            model = opened.model(training)
            for name, order in rankings.items():
                table = ablation(model, x, order, sample.arrays, numbers, label, weight, variables=opened.variables)
                tables.append(table.assign(ranking=name, training=training))
                progress.update()
    found = pd.concat(tables, ignore_index=True)[["ranking", "k", "training", *ABLATED]]
    with atomic_path(output / "ablation.csv") as path:
        found.to_csv(path, index=False)
    return provenance.write(output, "ablation", config, trainings=len(opened), provenance=sample.provenance)
