"""Stage `topk`: judge rankings by retraining on their k best features (`python -m xaug.topk`).

With a ranking that puts first what matters, performance rises fast with k. All rankings meet where all features are
in. Of a network that reads images or particle lists, the expert variables that join it are ranked: the image or list is
always there, and the k best variables join it.

Reference: J. Bardhan et al., Constructing sensible baselines for Integrated Gradients, "Measuring performance".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xaug.core import provenance
from xaug.core.command import option_list
from xaug.core.errors import ConfigurationError, DatasetError, unknown_name
from xaug.core.files import atomic_path, digest_json
from xaug.core.statistics import sample_deviation
from xaug.core.types import Arrays, JsonObject
from xaug.data.dataset import Dataset
from xaug.data.variables import Table
from xaug.data.weights import DEFAULT_WEIGHTS, expected_events
from xaug.networks.choice import choose_inputs
from xaug.networks.registry import find_network, networks
from xaug.training.bootstrap import replica_metrics, replica_significances
from xaug.training.metrics import SearchSample
from xaug.training.rankings import CONTROLS, ranking_of
from xaug.training.runs import Run, load_run
from xaug.training.stage import PlannedRun, train_all

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["METRICS", "PER_PROCESS", "REPLICAS_FILE", "parse_sizes", "plateau", "topk"]

METRICS = ("accuracy", "auc", "significance")
"""Metrics that are drawn."""
COLUMNS = (*METRICS, "significance_error")
"""Metrics of the table of results."""
REPLICAS_FILE = "topk_replicas.csv"
"""File of the curves on replicas of the test sample, from which errors follow."""
EXPERT_BLOCK = "xaug"
"""Block of the expert variables that join networks of images and lists."""
PER_PROCESS = 6
"""Trainings that one process does, since to start TensorFlow takes longer than to train on a few features."""


def parse_sizes(text: str, count: int) -> list[int]:
    """The numbers of features that a text such as `1-20,all` means, in ascending order.

    Parameters
    ----------
    text : str
        numbers, ranges and "all", separated by commas
    count : int
        number of all features

    Raises
    ------
    ConfigurationError
        if a part is no number, or a number is not between 1 and `count`
    """
    sizes: set[int] = set()
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
    rankings: Mapping[str, str | Path],
    *,
    sizes: str = "1-20,all",
    by: str = "mean",
    controls: Sequence[str] = tuple(CONTROLS),
    network: str | None = None,
    seed: int = 1,
    workers: int | None = None,
    **options: Any,
) -> JsonObject:
    """Retrain on the k best features of each ranking, for each k.

    Parameters
    ----------
    dataset, output : path
        dataset to train on, and directory to write
    rankings : dict of path
        name -> finished directory of `xaug.explain`
    sizes : str
        numbers of features k, see `parse_sizes`
    by : str
        one of `xaug.training.rankings.BY`
    controls : list of str
        names in `xaug.training.rankings.CONTROLS`
    network : str
        a network that reads one vector of features, or one that expert variables join; default: "event" for events,
        "mlp" for jets and all other datasets
    seed : int
        seed of the trainings and of the random ranking
    workers : int, optional
        processes at a time; default: as many as the cores allow
    options
        further arguments of `xaug.training.stage.PlannedRun`

    Returns
    -------
    dict
        the manifest of the output: `plateau`, see `plateau`, by ranking, and the number of `sets` of features
    """
    import pandas as pd

    data, directory = Dataset.open(dataset), Path(output)
    network = network or ("event" if "event" in data.table.blocks else "mlp")
    block = _feature_block(data.table, network)
    orders = _orders(data, block, rankings, by, controls, options.get("weights"), seed)
    ks = parse_sizes(sizes, len(data.names(block)))
    config = {
        "dataset": data.digest, "network": network, "rankings": orders, "sizes": ks, "seed": seed, "by": by,
        "options": options,
    }  # fmt: skip
    finished = provenance.begin(directory, "topk", config)
    if finished:
        return finished
    chosen = {(name, k): frozenset(order[:k]) for name, order in orders.items() for k in ks}
    runs = {}  # a feature set common to several rankings is trained once
    for features in dict.fromkeys(chosen.values()):
        place = directory / "runs" / f"{len(features)}_{digest_json(sorted(features))}"
        runs[features] = PlannedRun(
            dataset, place, network=network, seed=seed, **{block: sorted(features), **options}
        )  # fmt: skip
    train_all(list(runs.values()), f"train on {len(runs)} sets of features", workers, PER_PROCESS)
    metrics = {features: run.finish()["metrics"] for features, run in runs.items()}
    rows = [
        {"ranking": name, "k": k, "training": own["training"], **{key: own[key] for key in COLUMNS if key in own}}
        for (name, k), features in chosen.items()
        for own in metrics[features]
    ]
    table = pd.DataFrame(rows)
    with atomic_path(directory / "topk.csv") as path:
        table.to_csv(path, index=False)
    drawn = replicas_of(data, {features: run.output for features, run in runs.items()}, chosen, seed)
    with atomic_path(directory / REPLICAS_FILE) as path:
        drawn.to_csv(path, index=False)
    return provenance.write(
        directory, "topk", config, sets=len(runs), plateau={name: plateau(table, name) for name in orders}
    )


def replicas_of(
    data: Dataset, runs: Mapping[frozenset[str], Path], chosen: Mapping[tuple[str, int], frozenset[str]], seed: int
) -> pd.DataFrame:
    """Curves on replicas of the test sample, the same ones for all networks.

    Parameters
    ----------
    data
        the dataset of all runs
    runs
        features -> directory of the run
    chosen
        (ranking, k) -> features
    seed
        seed of the replicas

    Returns
    -------
    DataFrame
        `ranking`, `k`, `replica`, and METRICS, means over trainings; nan where a training has no significance
    """
    import pandas as pd

    found = {}
    for features, path in runs.items():
        own = _replicas_of_trainings(data, load_run(path), seed)
        common = [name for name in METRICS if all(name in one for one in own)]
        found[features] = pd.DataFrame({name: np.mean([one[name] for one in own], axis=0) for name in common})
    tables = [found[features].assign(ranking=name, k=k) for (name, k), features in chosen.items()]
    joined: pd.DataFrame = pd.concat(tables).rename_axis("replica").reset_index()
    return joined[["ranking", "k", "replica", *(name for name in METRICS if name in joined)]]


def _replicas_of_trainings(data: Dataset, run: Run, seed: int) -> list[Arrays]:
    """The METRICS (replicas,) of each training that it has."""
    found = []
    for i, metrics in enumerate(run.metrics):
        scores = run.scores(i)
        label, score = scores["label"], scores["score"]
        own = replica_metrics(label, score, scores["weight"], seed=seed)
        if "threshold" in metrics:
            sample = SearchSample(label, score, expected_events(data, "test"))
            own["significance"] = replica_significances(sample, metrics["threshold"], seed=seed)
        found.append(own)
    return found


def _feature_block(table: Table, network: str) -> str:
    """The block whose features a network is trained on the best of; ConfigurationError if it reads none such."""
    chosen = find_network(network)
    if not chosen.reads_vector and not chosen.joins_xaug:
        able = [name for name, other in networks().items() if other.reads_vector or other.joins_xaug]
        raise unknown_name("network of features", network, able)
    choose_inputs(table, network)  # raises if the dataset lacks the block of the network
    return chosen.block if chosen.reads_vector else EXPERT_BLOCK


def _orders(
    data: Dataset,
    block: str,
    rankings: Mapping[str, str | Path],
    by: str,
    controls: Sequence[str],
    weights: str | None,
    seed: int,
) -> dict[str, list[str]]:
    """The features of each ranking and control, the most important first, by name."""
    for name in controls:
        if name not in CONTROLS:
            raise unknown_name("control", name, CONTROLS)
        if name in rankings:
            raise ConfigurationError(f"--ranking {name}=...: a control has this name; choose another name")
    orders = {name: ranking_of(path, by) for name, path in rankings.items()}
    for name in controls:
        orders[name] = CONTROLS[name](data, block, weights or DEFAULT_WEIGHTS[data.kind], seed)
    names = set(data.names(block))
    others = {"list", *data.table.blocks, *(column for own in data.table.blocks for column in data.names(own))} - names
    for name, order in orders.items():
        # the image or the list of the network that was explained has a rank as well, which is left out
        order[:] = [feature for feature in order if feature not in others]
        lone = sorted(names.symmetric_difference(order))
        if lone:
            raise DatasetError(
                f"ranking {name!r} does not rank the features of {data.path}: only one of them has {lone[0]!r}"
            )
    return orders


def plateau(table: pd.DataFrame, ranking: str, metric: str = "auc") -> int:
    """The least k from which on a metric stays within one standard deviation over trainings of its last value.

    Parameters
    ----------
    table : DataFrame
        one row for each training: `ranking`, `k`, and the metric
    ranking, metric : str
        the ranking and the metric to look at
    """
    own = table[table["ranking"] == ranking].dropna(subset=[metric]).groupby("k")[metric]
    mean, spread = own.mean(), own.agg(sample_deviation).fillna(0.0)  # one training has no spread
    low = mean.iloc[-1] - max(spread.iloc[-1], spread.median())
    below = mean.index[mean < low]
    return int(mean.index[mean.index > below[-1]][0]) if len(below) else int(mean.index[0])
