"""Train one network N times: `python -m xaug.train`, a dataset to a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from xaug.core.command import OneOf, xaug_command
from xaug.core.statistics import sample_deviation
from xaug.core.types import JsonObject
from xaug.data.dataset import Dataset
from xaug.data.scaling import IMAGE_SCALINGS
from xaug.data.weights import DEFAULT_WEIGHTS, WEIGHTS
from xaug.networks.own_networks import is_own
from xaug.networks.registry import Network, Size, networks
from xaug.report.words import noun
from xaug.training.config import DISPLACEMENT_SCALINGS, EPOCHS, PATIENCE, TrainingConfig, check_length
from xaug.training.input_scaling import LITERAL, OUR_SCALING
from xaug.training.sample import MEMORY
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


class NetworkName(OneOf):
    """A type of option: the name of a network, or FILE.py:FUNCTION."""

    def __init__(self) -> None:
        super().__init__("network", networks())

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name, or the place of the function as it is."""
        return str(value) if is_own(str(value)) else super().convert(value, param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """The text that help shows in place of a value."""
        return f"[{'|'.join(self.choices)}|FILE.py:FUNCTION]"


@click.argument("dataset", type=click.Path(path_type=Path), required=False)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Run directory to write.")
@click.option(
    "--network",
    default="cnn2d",
    type=NetworkName(),
    help=f"Network to train: {', '.join(f'{name} ({network.summary})' for name, network in networks().items())}; or "
    "FILE.py:FUNCTION, a function of your own that makes the model: build(inputs, classes) -> keras.Model.",
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
    type=OneOf("weights", WEIGHTS),
    help="Weight of each event. With event, each process counts as its number of events.  "
    f"[default: {_by_kind(DEFAULT_WEIGHTS)}]",
)
@click.option(
    "--reweight",
    metavar="VARIABLE:EDGES",
    help="In the loss, give all classes the spectrum that --reference has in these bins, as pt:200,300,500,1000. "
    "Metrics are those of the sample as it is.",
)
@click.option("--reference", metavar="CLASS", help="Class whose spectrum --reweight gives to all.")
@click.option("--max-jets", type=click.IntRange(1), help="Train on at most this many jets, for learning curves.")
@click.option(
    "--options",
    "choices",
    type=click.Choice(["paper-literal"]),
    help="Scale inputs as the authors' code does: images pixel by pixel, displacements not clipped, and the scaling "
    "fitted on all jets and not on the training split alone.",
)
@click.option(
    "--image-scaling",
    type=click.Choice(IMAGE_SCALINGS),
    help="Leave images as they are (whole), or map the least and the largest value of each pixel over the training "
    "images to 0 and 1 (pixel). The relevance of images, and so their rank, depends on this choice.  [default: whole]",
)
@click.option(
    "--displacement-scaling",
    type=click.Choice(DISPLACEMENT_SCALINGS),
    help="Clip logarithms of displacements at three standard deviations as all other variables (clipped), or map that "
    "of the floor to 0 and the largest one to 1 (unclipped).  [default: clipped]",
)
@click.option(
    "--trainings",
    type=click.IntRange(1),
    default=TrainingConfig.trainings,
    help="Number of independent trainings, whose spread is the error.",
)
@click.option("--epochs", type=click.IntRange(1), help=f"Largest number of epochs.  [default: {EPOCHS}]")
@click.option("--steps", type=click.IntRange(1), help="Largest number of steps, one batch each, in place of --epochs.")
@click.option(
    "--patience",
    type=click.IntRange(1),
    help="Stop after this many epochs, or with --steps after this many steps, without a better validation loss.  "
    f"[default: {PATIENCE} epochs, or the steps between ten validations]",
)
@click.option(
    "--check-every",
    type=click.IntRange(1),
    help="With --steps: validate after every so many steps.  [default: a fiftieth of them]",
)
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    help=f"Events in one step.  [default: {_defaults(lambda network: network.defaults.batch_size)}]",
)
@click.option(
    "--learning-rate",
    type=float,
    help=f"Learning rate of Adam.  [default: {_defaults(lambda network: network.defaults.learning_rate)}]",
)
@click.option(
    "--halve-after",
    type=click.IntRange(1),
    help="Halve the learning rate after this many epochs, or with --steps after this many steps, without a better "
    "validation loss; fewer than --patience.  [default: the rate stays]",
)
@click.option("--seed", type=int, default=TrainingConfig.seed, help="Seed from which those of the trainings follow.")
@click.option("--threads", type=click.IntRange(1), default=TrainingConfig.threads, help="Threads of each training.")
@click.option(
    "--memory",
    type=click.FloatRange(min=0),
    default=MEMORY,
    help="Inputs of a split that each training holds in memory, in MB. Larger ones are read from the dataset in each "
    "pass. No number depends on it.",
)
@click.option("--workers", type=click.IntRange(1), help="Trainings at a time.  [default: cores / threads]")
@xaug_command
def main(dataset: Path | None, output: Path, workers: int | None, choices: str | None, **options: Any) -> JsonObject:
    """Train a network N times on a dataset, each time from another seed, and keep the best weights of each training.

    A command that was killed goes on where it was: finished trainings are kept. Without DATASET, the command makes
    10000 jets of each class of the toy model in RUN/toy and trains on them.

    Examples: python -m xaug.train zbb_jets --network cnn2d --xaug all --trainings 4 -o zbb_cnn2d

    python -m xaug.train zbb_jets --network cnn2d --steps 100000 --patience 20000 --batch-size 32 -o zbb_cnn2d_steps
    """
    import numpy as np

    from xaug.data.weights import unused_weights
    from xaug.report.single import draw_history, draw_reweighting
    from xaug.training.runs import load_run

    check_length(options["epochs"], options["steps"])
    if dataset is None:
        from xaug.generate.toy import generate

        dataset = output / "toy"
        generate(dataset, jets=TOY_JETS, seed=options["seed"], workers=workers)
    asked = {name: options.pop(name) for name in _sizes()}
    sizes = {name: value for name, value in asked.items() if value is not None}
    choice = LITERAL if choices == "paper-literal" else OUR_SCALING
    given = {name: value for name, value in options.items() if value is not None}
    own = choice.settings(options["network"], Dataset.open(dataset).table)
    settings = {**own, **given}  # options that are given alone go before --options
    result = train(dataset, output, workers=workers, sizes=sizes, **settings)
    draw_history(output)
    draw_reweighting(output)
    run = load_run(output)
    steps = np.array([run.steps(i) for i in range(len(run))])
    auc = np.array([metrics["auc"] for metrics in result["metrics"]])
    spread = f" +- {sample_deviation(auc):.4f} over {len(auc)} trainings" if len(auc) > 1 else ", one training"
    data = Dataset.open(dataset)
    warnings = [*run.scaler.warnings, *(unused_weights(data) if settings.get("weights") is None else [])]
    what = "AUC" if len(result["classes"]) == 2 else "mean AUC of one class against the rest"
    return {
        "output": str(output),
        "metrics": result["metrics"],
        "training_events": run.training_events,
        "warnings": warnings,
        "summary": [
            f"{what} {auc.mean():.4f}{spread} (test split)",
            f"{run.training_events} training {noun(run.input_spec.kind)}, {steps[:, 0].mean():.0f} steps on average, "
            f"{steps[:, 1].mean():.0f} of them to the kept weights",
            *(f"warning: {text}" for text in warnings),
        ],
    }


if __name__ == "__main__":
    main(prog_name="python -m xaug.train")
