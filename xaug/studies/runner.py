"""The stages that studies share: train and explain a table of runs in one directory, and draw their report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.types import JsonObject
from xaug.data.dataset import Dataset

if TYPE_CHECKING:
    from xaug.report.stage import ReportExtension

__all__ = [
    "FIVE", "NETWORKS_HELP", "NetworkRun", "Scale", "check_five", "chosen_runs", "report_of", "train_and_explain",
]  # fmt: skip

FIVE = ("ours", "authors")
"""The five variables that a "+5" network takes: the best by our own LRP, or those of the paper's authors."""
NETWORKS_HELP = "all, or names separated by commas: mlp, cnn2d, cnn1d, rnn, or single runs as cnn2d_xaug."


@dataclass(frozen=True)
class Scale:
    """How large a study of jets is.

    Attributes
    ----------
    jets
        jets of each class
    trainings, epochs, patience
        trainings of each network, and their epochs; see `xaug.train`
    networks
        the value of `--networks` unless it is given
    learning
        fractions of the training split for the learning curve
    learning_trainings
        trainings for each point of the learning curve
    max_events
        explained events of the test split; None is all
    """

    jets: int
    trainings: int
    epochs: int
    patience: int
    networks: str
    learning: tuple[float, ...] = ()
    learning_trainings: int = 2
    max_events: int | None = None


@dataclass(frozen=True)
class NetworkRun:
    """A network of a study, and its inputs.

    Attributes
    ----------
    network
        name of the network
    xaug
        its expert variables as `xaug.train --xaug` names them, or "five": the best five of the run with all
    particle_list
        columns of its particle list as `xaug.train --list` names them
    learning
        whether it is trained on fractions of the sample as well
    """

    network: str
    xaug: str = "none"
    particle_list: str | None = None
    learning: bool = False


def check_five(five: str) -> None:
    """Raise ConfigurationError unless it is one of FIVE."""
    if five not in FIVE:
        raise unknown_name("choice of five variables", five, FIVE)


def chosen_runs(networks: str, runs: dict[str, NetworkRun]) -> dict[str, NetworkRun]:
    """The runs that `--networks` stands for: all, networks, or names of runs, separated by commas.

    A "+5" run brings along the run that finds its five.
    """
    names = [name.strip() for name in networks.split(",") if name.strip()]
    chosen = set()
    for name in names:
        own = [run for run, choice in runs.items() if name in ("all", run, choice.network)]
        if not own:
            known = ["all", *dict.fromkeys(choice.network for choice in runs.values()), *runs]
            raise unknown_name("network of the study", name, dict.fromkeys(known))
        chosen.update(own)
    if not chosen:
        raise ConfigurationError(f"--networks {networks!r} names no network")
    chosen |= {_with_all(runs[run], runs) for run in chosen if runs[run].xaug == "five"}
    return {run: choice for run, choice in runs.items() if run in chosen}


def _with_all(five: NetworkRun, runs: dict[str, NetworkRun]) -> str:
    """The run that is as a "+5" run, with all XAUGs."""
    return next(
        run
        for run, choice in runs.items()
        if (choice.network, choice.particle_list, choice.xaug) == (five.network, five.particle_list, "all")
    )


def train_and_explain(
    dataset: Path,
    output: Path,
    runs: dict[str, NetworkRun],
    size: Scale,
    seed: int,
    workers: int | None = None,
    five: str = "ours",
    scale_on_all: bool = False,
) -> tuple[list[Path], list[Path]]:
    """Train and explain all runs, in an order in which a "+5" run comes after the one that finds its five.

    Parameters
    ----------
    dataset
        directory of the dataset
    output
        directory of the study
    runs
        what to train, by name
    size
        how large the study is
    seed
        seed of the trainings
    workers
        trainings at a time; default: as many as the cores allow
    five
        see FIVE
    scale_on_all
        whether the scaling is fitted on all jets, as in the authors' code

    Returns
    -------
    directories of runs, and of attributions
    """
    from xaug.explain.stage import explain_run
    from xaug.report.single import draw_history
    from xaug.training.stage import train

    check_five(five)
    data = Dataset.open(dataset)
    learning_trainings = min(size.learning_trainings, size.trainings)
    trained: dict[str, list[Path]] = {}
    explained: dict[str, list[Path]] = {}

    def train_run(name: str, directory: str, trainings: int, max_jets: int | None = None) -> Path:
        choice, xaug, ranking = runs[name], runs[name].xaug, None
        if xaug == "five" and five == "authors":
            xaug = "authors5"
        elif xaug == "five":
            xaug, ranking = "top5", output / "attributions" / _with_all(choice, runs)
        run = output / "runs" / directory
        train(
            dataset, run, network=choice.network, xaug=xaug, ranking=ranking, particle_list=choice.particle_list,
            trainings=trainings, epochs=size.epochs, patience=size.patience, seed=seed, workers=workers,
            scale_on_all=scale_on_all, max_jets=max_jets,
        )  # fmt: skip
        draw_history(run)
        return run

    for name in _in_order(runs):
        trained[name] = [train_run(name, name, size.trainings)]
        for fraction in size.learning if runs[name].learning else ():
            jets = round(fraction * data.size("train"))
            trained[name].append(train_run(name, f"{name}_{jets}_jets", learning_trainings, jets))
        # runs on smaller samples as well, if they have as many trainings: they show what the number of jets changes
        compared = trained[name] if learning_trainings == size.trainings else trained[name][:1]
        explained[name] = [output / "attributions" / run.name for run in compared]
        for run, attributions in zip(compared, explained[name], strict=True):
            explain_run(run, attributions, method="lrp", max_events=size.max_events)
    return [path for name in runs for path in trained[name]], [path for name in runs for path in explained[name]]


def report_of(
    output: Path,
    trained: Sequence[Path],
    explained: Sequence[Path],
    title: str,
    extension: ReportExtension,
    topk: Path | None = None,
    ablation: Path | None = None,
) -> JsonObject:
    """Draw the report of a study, and return its numbers and where its files are.

    Parameters
    ----------
    output
        directory of the study
    trained, explained
        directories of runs, and of attributions
    title
        title of the page
    extension
        what the study adds to the report
    topk, ablation
        directories of curves, where the study has them
    """
    from xaug.report.stage import report

    result = report(
        trained, output / "report", explained, title, anew=True, extension=extension, topk=topk, ablation=ablation
    )  # fmt: skip
    return {"output": str(output), "report": str(output / "report" / "report.html"), **result}


def _in_order(runs: dict[str, NetworkRun]) -> Iterable[str]:
    return sorted(runs, key=lambda name: runs[name].xaug == "five")
