"""Grid search of the event network: which sizes have the least validation loss (`python -m xaug.grid`).

The sizes of J. Bardhan et al., Constructing sensible baselines for Integrated Gradients, "Model and training", were
found so. The test split is read for the metrics of each run, as always, but decides nothing.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xaug.core import provenance
from xaug.core.errors import ConfigurationError
from xaug.core.files import atomic_path
from xaug.data.dataset import Dataset
from xaug.training.retrain import PER_PROCESS
from xaug.training.runs import load_run
from xaug.training.stage import PlannedRun, train_all

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["grid_search"]

NETWORK = "event"


def grid_search(
    dataset: str | Path,
    output: str | Path,
    sizes: dict[str, list[float]],
    *,
    workers: int | None = None,
    **options,
) -> pd.DataFrame:
    """Train a network of each combination of sizes.

    Parameters
    ----------
    sizes
        name -> values, see the entry of the network in `xaug.networks.registry.NETWORKS`
    options
        of `xaug.train.PlannedRun`

    Returns
    -------
    DataFrame, a row a combination, the least mean validation loss first
        the sizes; `parameters`; `validation_loss`, its mean over trainings, and `rms`, its standard deviation; `auc`,
        the mean on the test split; `run`, the directory
    """
    import pandas as pd

    output = Path(output)
    for name, values in sizes.items():
        if not values:
            raise ConfigurationError(f"--{name}: give at least one value")
    config = {"dataset": Dataset.open(dataset).digest, "sizes": sizes, "options": options}
    finished = provenance.begin(output, "grid", config)
    if finished:
        return pd.read_csv(output / "grid.csv")
    runs = {}
    for values in product(*sizes.values()):
        chosen = dict(zip(sizes, values, strict=True))
        name = "_".join(f"{key}{value:g}" for key, value in chosen.items())
        runs[name] = chosen, PlannedRun(dataset, output / "runs" / name, network=NETWORK, sizes=chosen, **options)
    train_all([run for _, run in runs.values()], f"train {len(runs)} networks", workers, PER_PROCESS)
    rows = []
    for name, (chosen, planned) in runs.items():
        metrics = planned.finish()["metrics"]
        run = load_run(output / "runs" / name)
        losses = np.array([min(run.history(i)["val_loss"]) for i in range(len(run))])
        rows.append({
            **chosen, "parameters": metrics[0]["parameters"], "validation_loss": losses.mean(), "rms": losses.std(),
            "auc": np.mean([m["auc"] for m in metrics]), "run": name,
        })  # fmt: skip
    table = pd.DataFrame(rows).sort_values("validation_loss", kind="stable", ignore_index=True)
    with atomic_path(output / "grid.csv") as path:
        table.to_csv(path, index=False)
    provenance.write(output, "grid", config, best=table["run"].iloc[0])
    return table
