"""Grid search: train the event network in many sizes and compare validation losses (`python -m xaug.grid`).

J. Bardhan et al., Constructing sensible baselines for Integrated Gradients, "Model and training", found the sizes of
their network in this way. Each run reads the test split for its metrics, as always, but the split decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xaug.core import provenance
from xaug.core.errors import ConfigurationError
from xaug.core.files import atomic_path
from xaug.core.integrity import verified
from xaug.core.statistics import sample_deviation
from xaug.data.dataset import Dataset
from xaug.training.retrain import PER_PROCESS
from xaug.training.runs import load_run
from xaug.training.stage import PlannedRun, train_all

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NETWORK", "grid_search"]

NETWORK = "event"
"""The network whose sizes are searched."""


def grid_search(
    dataset: str | Path,
    output: str | Path,
    sizes: Mapping[str, Sequence[float]],
    *,
    workers: int | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Train a network of each combination of sizes.

    Parameters
    ----------
    dataset, output : path
        dataset to train on, and directory to write
    sizes : dict of list
        values by name of a size of the network, see `xaug.networks.registry.Network`
    workers : int, optional
        processes at a time; default: as many as the cores allow
    options
        further arguments of `xaug.training.stage.PlannedRun`

    Returns
    -------
    DataFrame
        a row for each combination, the least mean validation loss first: the sizes; `parameters`; `validation_loss`,
        its mean over trainings, and `rms`, its standard deviation (ddof 1; nan for one
        training); `auc`, the mean on the test split; `run`, the name
        of the directory
    """
    import pandas as pd

    directory = Path(output)
    for name, values in sizes.items():
        if not values:
            raise ConfigurationError(f"--{name}: give at least one value")
    config = {"dataset": Dataset.open(dataset).digest, "sizes": sizes, "options": options}
    if provenance.begin(directory, "grid", config):
        return pd.read_csv(verified(directory / "grid.csv"))
    combinations = [dict(zip(sizes, values, strict=True)) for values in product(*sizes.values())]
    runs = {}
    for chosen in combinations:
        name = "_".join(f"{key}{value:g}" for key, value in chosen.items())
        runs[name] = PlannedRun(dataset, directory / "runs" / name, network=NETWORK, sizes=chosen, **options)
    train_all(list(runs.values()), f"train {len(runs)} networks", workers, PER_PROCESS)
    rows = []
    for chosen, (name, planned) in zip(combinations, runs.items(), strict=True):
        metrics = planned.finish()["metrics"]
        run = load_run(directory / "runs" / name)
        losses = np.array([min(run.history(i)["val_loss"]) for i in range(len(run))])
        rows.append({
            **chosen, "parameters": metrics[0]["parameters"], "validation_loss": losses.mean(),
            "rms": float(sample_deviation(losses)), "auc": np.mean([own["auc"] for own in metrics]), "run": name,
        })  # fmt: skip
    table: pd.DataFrame = pd.DataFrame(rows).sort_values("validation_loss", kind="stable", ignore_index=True)
    with atomic_path(directory / "grid.csv") as path:
        table.to_csv(path, index=False)
    provenance.write(directory, "grid", config, best=table["run"].iloc[0])
    return table
