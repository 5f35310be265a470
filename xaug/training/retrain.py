"""Stage `topk`: how good is a ranking? Retrain on its k best features and look (`python -m xaug.topk`).

A ranking that puts first what matters rises fast with k; all meet where all features are in.

Reference: J. Bardhan et al., Constructing sensible baselines for Integrated Gradients, "Measuring performance".
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xaug.core import provenance
from xaug.core.command import option_list
from xaug.core.errors import ConfigurationError, DatasetError, unknown_name
from xaug.core.files import atomic_path, digest_json
from xaug.data.dataset import Dataset
from xaug.data.weights import DEFAULT_WEIGHTS, event_weights
from xaug.networks.choice import choose_inputs
from xaug.training.rankings import ranking_of
from xaug.training.stage import PlannedRun, train_all

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CONTROLS", "METRICS", "topk", "univariate"]

BLOCKS = {"event": "event", "mlp": "xaug"}
"""Networks that read one vector of features, and its block."""
CONTROLS = ("random", "univariate")
METRICS = ("accuracy", "auc", "significance")
PER_PROCESS = 6
"""Trainings one after the other in a process: to start TensorFlow takes longer than to train on a few features."""


def univariate(data: Dataset, block: str, weights: str) -> list[str]:
    """Features by how well each alone separates: |AUC - 1/2| on the validation split."""
    from sklearn.metrics import roc_auc_score

    arrays = data.load([block, "label", "weight", "process"], "validation")
    weight = event_weights(weights, arrays["weight"], arrays["process"], data.weight_scales)
    names = data.names(block)
    auc = [roc_auc_score(arrays["label"], arrays[block][:, i], sample_weight=weight) for i in range(len(names))]
    order = np.argsort(-np.abs(np.array(auc) - 0.5), kind="stable")
    return [names[i] for i in order]


def parse_sizes(text: str, count: int) -> list[int]:
    """`1-20,all` as numbers of features."""
    sizes = set()
    for part in option_list(text):
        low, dash, high = part.partition("-")
        try:
            sizes.update([count] if part == "all" else range(int(low), int(high if dash else low) + 1))
        except ValueError:
            raise ConfigurationError(f"-k {part!r}: must be numbers, ranges as 1-20, or all") from None
    if not sizes or min(sizes) < 1 or max(sizes) > count:
        raise ConfigurationError(f"-k {text!r}: must lie between 1 and the number of features, {count}")
    return sorted(sizes)


def topk(
    dataset: str | Path,
    output: str | Path,
    rankings: dict[str, str | Path],
    *,
    sizes: str = "1-20,all",
    by: str = "mean",
    controls: tuple[str, ...] = CONTROLS,
    network: str = "event",
    seed: int = 1,
    workers: int | None = None,
    **options,
) -> dict:
    """Retrain on the k best features of each ranking; return the manifest.

    Parameters
    ----------
    rankings
        name -> directory of `xaug.explain`
    sizes
        numbers of features k, see `parse_sizes`
    by
        one of `xaug.training.rankings.BY`
    controls
        of CONTROLS: rankings that know nothing of a network
    options
        of `xaug.train.PlannedRun`
    """
    import pandas as pd

    if network not in BLOCKS:
        raise unknown_name("network of one vector of features", network, BLOCKS)
    data, output, block = Dataset.open(dataset), Path(output), BLOCKS[network]
    names = choose_inputs(data.table, network).columns[block]
    for name in controls:
        if name not in CONTROLS:
            raise unknown_name("control", name, CONTROLS)
        if name in rankings:
            raise ConfigurationError(f"--ranking {name}=...: that is what a control is called; choose another name")
    found = {name: ranking_of(path, by) for name, path in rankings.items()}
    for name in controls:
        if name == "random":
            found[name] = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
        else:
            found[name] = univariate(data, block, options.get("weights") or DEFAULT_WEIGHTS[data.kind])
    for name, order in found.items():
        if set(order) != set(names):
            missing = sorted(set(names) ^ set(order))
            raise DatasetError(f"ranking {name!r} is not of the features of {data.path}: {missing[0]!r} is in one only")
    ks = parse_sizes(sizes, len(names))
    config = {"dataset": data.digest, "network": network, "rankings": found, "sizes": ks, "seed": seed, "by": by}
    finished = provenance.begin(output, "topk", config | {"options": options})
    if finished:
        return finished
    chosen = {(name, k): frozenset(order[:k]) for name, order in found.items() for k in ks}
    runs = {}  # rankings that agree on a set share its trainings
    for subset in dict.fromkeys(chosen.values()):
        directory = output / "runs" / f"{len(subset)}_{digest_json(sorted(subset))}"
        runs[subset] = PlannedRun(
            dataset, directory, network=network, seed=seed, **{block: sorted(subset), **options}
        )  # fmt: skip
    train_all(list(runs.values()), f"train on {len(runs)} sets of features", workers, PER_PROCESS)
    metrics = {subset: run.finish()["metrics"] for subset, run in runs.items()}
    rows = [
        {"ranking": name, "k": k, "training": m["training"], **{key: m[key] for key in METRICS if key in m}}
        for (name, k), subset in chosen.items()
        for m in metrics[subset]
    ]
    table = pd.DataFrame(rows)
    with atomic_path(output / "topk.csv") as path:
        table.to_csv(path, index=False)
    _plot(table, output)
    return provenance.write(
        output, "topk", config | {"options": options}, sets=len(runs), plateau={n: plateau(table, n) for n in found},
    )  # fmt: skip


def plateau(table: pd.DataFrame, ranking: str, metric: str = "auc") -> int:
    """The least k from which on the metric stays within one standard deviation (over trainings) of its last value."""
    own = table[table["ranking"] == ranking].groupby("k")[metric]
    mean, spread = own.mean(), own.std(ddof=0)
    low = mean.iloc[-1] - max(spread.iloc[-1], spread.median())
    below = mean.index[mean < low]
    return int(mean.index[mean.index > below[-1]][0]) if len(below) else int(mean.index[0])


def _plot(table: pd.DataFrame, output: Path) -> None:
    from xaug.plots.figures import figure, save
    from xaug.plots.topk import plot_curves

    shown = [metric for metric in METRICS if metric in table]
    with figure(1, len(shown), size=(4.6 * len(shown), 4.1), squeeze=False) as (fig, axes):
        plot_curves(table, shown, fig, axes[0])
        save(fig, output / "fig02_topk")
