"""Ablation: how much worse a trained network gets as its k first features are replaced, without training again.

A ranking that knows what the network uses makes it worse fast. Features that tell the same make this hard to read: the
network still has the one that was left, and an event with some features replaced is none that it has ever seen.

References
----------
W. Samek et al., IEEE Trans. Neural Netw. Learn. Syst. 28 (2017) 2660, arXiv:1509.06321 (removal in the order of a
ranking); J. Bardhan et al., Constructing sensible baselines for Integrated Gradients, "Results" (ablation test).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from xaug.core import provenance
from xaug.core.command import bar
from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.files import atomic_path, digest_json
from xaug.training.metrics import compute_metrics
from xaug.training.runs import load_run

__all__ = ["ABLATED", "ablate_run", "ablation", "replaced"]

ABLATED = ("accuracy", "auc")
"""What is looked at."""
BATCH = 4096


def replaced(
    inputs: Mapping[str, np.ndarray],
    features: Iterable[str],
    baseline: Mapping[str, np.ndarray],
    variables: Mapping[str, Sequence[str]],
) -> dict[str, np.ndarray]:
    """Inputs with some features set to the baseline's value in every event.

    Parameters
    ----------
    inputs
        scaled, by name, (n, ...)
    features
        columns of vectors by their names, or whole inputs by theirs
    baseline
        one event, by input name, (1, ...)
    variables
        names of the columns of each input
    """
    places = {name: (name, slice(None)) for name in inputs}
    for name, values in inputs.items():
        if values.ndim == 2:
            places |= {column: (name, i) for i, column in enumerate(variables.get(name, ()))}
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
    model,
    inputs: Mapping[str, np.ndarray],
    order: Sequence[str],
    baseline: Mapping[str, np.ndarray],
    sizes: Iterable[int],
    label: np.ndarray,
    weight: np.ndarray | None = None,
    *,
    variables: Mapping[str, Sequence[str]],
) -> pd.DataFrame:
    """Performance of a trained network without the k first features of a ranking.

    Parameters
    ----------
    model : keras.Model
        ending in a softmax of two; signal is the second
    inputs, baseline, variables
        see `replaced`
    order
        features, the most important first
    sizes
        numbers k of features to replace
    label, weight : (n,)
        as for `xaug.training.metrics.compute_metrics`

    Returns
    -------
    DataFrame
        a row for each k: `k`, `accuracy`, `auc`
    """
    rows = []
    for k in sizes:
        if not 0 <= k <= len(order):
            raise ConfigurationError(f"{k} features to replace: must be between 0 and {len(order)}")
        x = replaced(inputs, order[:k], baseline, variables)
        score = model.predict(x, batch_size=BATCH, verbose=0)[:, 1]
        found = compute_metrics(label, score, weight).to_json()
        rows.append({"k": k, **{name: found[name] for name in ABLATED}})
    return pd.DataFrame(rows)


def ablate_run(
    run: str | Path,
    output: str | Path,
    rankings: dict[str, list[str]],
    sizes: Sequence[int],
    *,
    baseline: str = "mean",
    split: str = "test",
    seed: int = 1,
) -> dict:
    """Ablate several rankings in all trainings of a run; return the manifest.

    Parameters
    ----------
    rankings
        name -> features, the most important first
    sizes
        numbers of features to replace; 0 is added
    baseline
        of one event, see `xaug.explain.gradients.baselines.named_baseline`; "mean" is the mean of the background events
    split
        on which the network is judged
    seed
        of the baseline, where it is drawn
    """
    from xaug.explain.gradients.baselines import named_baseline
    from xaug.explain.gradients.samples import sample_of
    from xaug.training.scaled import load_scaled

    run, output = load_run(run), Path(output)
    data = run.dataset()
    sizes = sorted({0, *sizes})
    config = {
        "run": digest_json(run.manifest["config"]), "dataset": data.digest, "rankings": rankings, "sizes": sizes,
        "baseline": baseline, "split": split, "seed": seed,
    }  # fmt: skip
    finished = provenance.begin(output, "ablation", config)
    if finished:
        return finished
    x, label, weight = load_scaled(data, run.input_spec, run.scaler, split, run.manifest["config"]["weights"])
    sample = sample_of(named_baseline(baseline, run, data, seed), run.model(0), x, run.variables)
    if len(sample) != 1:
        raise ConfigurationError(f"baseline {baseline!r} has {len(sample)} events; features are replaced by one value")
    tables = []
    with bar(len(run) * len(rankings), f"ablation of {run.name}", "curves") as progress:
        for training in range(len(run)):
            model = run.model(training)
            for name, order in rankings.items():
                table = ablation(model, x, order, sample.arrays, sizes, label, weight, variables=run.variables)
                tables.append(table.assign(ranking=name, training=training))
                progress.update()
    found = pd.concat(tables, ignore_index=True)[["ranking", "k", "training", *ABLATED]]
    with atomic_path(output / "ablation.csv") as path:
        found.to_csv(path, index=False)
    return provenance.write(output, "ablation", config, trainings=len(run), provenance=sample.provenance)
