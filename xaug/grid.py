"""Grid search of the event network: which sizes have the least validation loss (`python -m xaug.grid`).

The sizes of J. Bardhan et al., Constructing sensible baselines for Integrated Gradients, "Model and training", were
found so. The test split is read for the metrics of each run, as always, but decides nothing.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from xaug import manifest
from xaug.command import option_list, xaug_command
from xaug.dataset import Dataset
from xaug.errors import ConfigurationError
from xaug.networks import NETWORKS
from xaug.runs import load_run
from xaug.storage import atomic_path
from xaug.topk import PER_PROCESS
from xaug.train import PlannedRun, train_all

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
        name -> values, see the entry of the network in `xaug.networks.NETWORKS`
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
    finished = manifest.begin(output, "grid", config)
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
    manifest.write(output, "grid", config, best=table["run"].iloc[0])
    return table


def numbers(name: str, text: str, kind: type) -> list[float]:
    """`1,2,3` as numbers."""
    try:
        return [kind(part) for part in option_list(text)]
    except ValueError:
        raise ConfigurationError(f"--{name} {text!r}: must be numbers separated by commas") from None


@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--layers", default="1,2,3", help="Dense layers.")
@click.option("--width", default="64,128,256", help="Units of each.")
@click.option("--dropout", default="0.2", help="Share of them dropped in training.")
@click.option("--trainings", type=int, default=2, help="Trainings a combination.")
@click.option("--epochs", type=int, default=50, help="Epochs at most.")
@click.option("--patience", type=int, default=6, help="Epochs without a better validation loss.")
@click.option("--batch-size", type=int, default=512)
@click.option("--learning-rate", type=float, default=1e-3, help="Of Adam.")
@click.option("--weights", help="What an event counts for: unit, event or cross_section, as in xaug.train.")
@click.option("--seed", type=click.IntRange(0), default=1)
@click.option("--workers", type=click.IntRange(1), help="Processes at a time.  [default: one a core]")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Directory to write.")
@xaug_command
def main(dataset, output, layers, width, dropout, **options) -> dict:
    """Search the sizes of the event network: train every combination, list them by validation loss.

    Writes grid.csv, and each network as a run of its own below runs/; a killed command resumes. Train with the sizes
    that win, `python -m xaug.train --network event --layers 2 --width 128`, or go on with that run.

    Example: python -m xaug.grid vlq_events --layers 1,2,3 --width 64,128,256 -o vlq_grid
    """
    sizes = {
        "layers": numbers("layers", layers, int),
        "width": numbers("width", width, int),
        "dropout": numbers("dropout", dropout, float),
    }
    table = grid_search(dataset, output, sizes, **options)
    shown = table.head(5).drop(columns=["run"]).round(4).to_string(index=False)
    paper = NETWORKS[NETWORK].sizes
    return {
        "output": str(output),
        "best": table["run"].iloc[0],
        "summary": [*shown.splitlines(), f"the paper has {', '.join(f'{k} {v:g}' for k, v in paper.items())}"],
    }


if __name__ == "__main__":
    main(prog_name="python -m xaug.grid")
