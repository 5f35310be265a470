"""Train one network N times: `python -m xaug.train`, a dataset to a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np

from xaug.core.command import xaug_command
from xaug.core.types import JsonObject
from xaug.data.weights import DEFAULT_WEIGHTS, WEIGHTS
from xaug.networks.registry import Network, Size, networks
from xaug.training.config import TrainingConfig
from xaug.training.stage import train

TOY_JETS = 10_000
"""Jets of each class of the toy model, for a command without a dataset."""


def _defaults(value: Callable[[Network], object]) -> str:
    """A default that networks set, for a help text: the most common value, and those networks that differ."""
    values = {name: str(value(network)) for name, network in networks().items()}
    common = max(values.values(), key=list(values.values()).count)
    others = [f"for {name}: {own}" for name, own in values.items() if own != common]
    return "; ".join([common, *others])


def _by_kind(defaults: Mapping[str, str]) -> str:
    """Defaults by kind of dataset, for a help text."""
    kinds = {value: [kind for kind, own in defaults.items() if own == value] for value in defaults.values()}
    return "; ".join(f"{value} for {', '.join(own)}" for value, own in kinds.items())


def _list_columns(network: Network) -> str:
    return ", ".join(network.list_columns) if network.list_columns else "all"


def _sizes() -> dict[str, dict[str, Size]]:
    """Sizes that can be chosen, by name and then by network."""
    found: dict[str, dict[str, Size]] = {}
    for network in networks().values():
        for name, size in network.sizes.items():
            found.setdefault(name, {})[network.name] = size
    return found


def _size_options(command: click.Command) -> click.Command:
    """Add an option for each size that some network has."""
    for name, sizes in reversed(_sizes().items()):
        names = ", ".join(sizes)
        defaults = ", ".join(f"{size.default}" for size in sizes.values())
        meaning = " or ".join(dict.fromkeys(size.meaning for size in sizes.values()))
        text = f"{meaning[0].upper()}{meaning[1:]}, for network {names}.  [default: {defaults}]"
        kind = type(next(iter(sizes.values())).default)
        command = click.option(f"--{name}", type=kind, help=text)(command)
    return command


@click.argument("dataset", type=click.Path(path_type=Path), required=False)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Run directory to write.")
@click.option(
    "--network",
    default="cnn2d",
    help=f"Network to train: {', '.join(f'{name} ({network.summary})' for name, network in networks().items())}.",
)
@click.option(
    "--xaug",
    metavar="NAMES",
    help="Expert variables (XAUGs) that the network reads: all, none, no_flavour, authors5, top5 (the first five of "
    "--ranking), or names separated by commas.  [default: all]",
)
@click.option("--ranking", metavar="DIR", help="Output of xaug.explain, whose five best XAUGs --xaug top5 takes.")
@click.option(
    "--list",
    "particle_list",
    metavar="NAMES",
    help="Columns of the particle list that the network reads: all, four_momentum, or names separated by commas.  "
    f"[default: {_defaults(_list_columns)}]",
)
@click.option(
    "--event",
    metavar="NAMES",
    help="Event features that the network reads: all, or names separated by commas.  [default: all]",
)
@_size_options
@click.option(
    "--rows-per-step", type=int, default=1, help="Rows of the particle list that a recurrent network reads in one step."
)
@click.option(
    "--weights",
    help=f"Weight of each event: {', '.join(WEIGHTS)}. With event, each process counts as its number of events.  "
    f"[default: {_by_kind(DEFAULT_WEIGHTS)}]",
)
@click.option("--max-jets", type=int, help="Train on at most this many jets, for learning curves.")
@click.option(
    "--options",
    "choices",
    type=click.Choice(["paper-literal"]),
    help="Fit the scaling on all jets and not on the training split alone, as the authors' code does.",
)
@click.option(
    "--trainings",
    type=int,
    default=TrainingConfig.trainings,
    help="Number of independent trainings, whose spread is the error.",
)
@click.option("--epochs", type=int, default=TrainingConfig.epochs, help="Largest number of epochs.")
@click.option(
    "--patience",
    type=int,
    default=TrainingConfig.patience,
    help="Stop after this many epochs without a better validation loss.",
)
@click.option(
    "--batch-size",
    type=int,
    help=f"Events in one step.  [default: {_defaults(lambda network: network.defaults.batch_size)}]",
)
@click.option(
    "--learning-rate",
    type=float,
    help=f"Learning rate of Adam.  [default: {_defaults(lambda network: network.defaults.learning_rate)}]",
)
@click.option("--seed", type=int, default=TrainingConfig.seed, help="Seed from which those of the trainings follow.")
@click.option("--threads", type=int, default=TrainingConfig.threads, help="Threads of each training.")
@click.option("--workers", type=click.IntRange(1), help="Trainings at a time.  [default: cores / threads]")
@xaug_command
def main(dataset: Path | None, output: Path, workers: int | None, choices: str | None, **options: Any) -> JsonObject:
    """Train a network N times on a dataset, each time from another seed, and keep the best weights of each training.

    A command that was killed goes on where it was: finished trainings are kept. Without DATASET, the command makes
    10000 jets of each class of the toy model in RUN/toy and trains on them.

    Example: python -m xaug.train zbb_jets --network cnn2d --xaug all --trainings 4 -o zbb_cnn2d
    """
    from xaug.report.single import draw_history

    if dataset is None:
        from xaug.generate.toy import generate

        dataset = output / "toy"
        generate(dataset, jets=TOY_JETS, seed=options["seed"], workers=workers)
    asked = {name: options.pop(name) for name in _sizes()}
    sizes = {name: value for name, value in asked.items() if value is not None}
    literal = choices == "paper-literal"
    result = train(dataset, output, workers=workers, scale_on_all=literal, sizes=sizes, **options)
    draw_history(output)
    auc = np.array([metrics["auc"] for metrics in result["metrics"]])
    what = "AUC" if len(result["classes"]) == 2 else "mean AUC of one class against the rest"
    return {
        "output": str(output),
        "metrics": result["metrics"],
        "summary": [f"{what} {auc.mean():.4f} +- {auc.std():.4f} over {len(auc)} trainings (test split)"],
    }


if __name__ == "__main__":
    main(prog_name="python -m xaug.train")
