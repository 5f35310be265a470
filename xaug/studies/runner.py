"""What all studies of taggers share: a table of runs, trained, explained and reported in one directory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.data.dataset import Dataset

__all__ = ["FIVE", "NetworkRun", "Scale", "check_five", "chosen_runs", "train_and_explain"]

FIVE = ("ours", "authors")
"""Whose five variables a "+5" network takes: the best by our own LRP, or those of the paper."""


@dataclass(frozen=True)
class Scale:
    """How large a study is."""

    jets: int  # a class
    trainings: int
    epochs: int
    patience: int
    networks: str  # what `--networks` is unless it is given
    learning: tuple[float, ...] = ()  # fractions of the training split for the learning curve
    learning_trainings: int = 2
    max_events: int | None = None  # explained events of the test split


@dataclass(frozen=True)
class NetworkRun:
    """A network of a study, and what goes into it."""

    network: str
    xaug: str = "none"  # or "five": the best five of the run with all
    particle_list: str | None = None
    learning: bool = False  # trained on fractions of the sample too


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
    **how,
) -> tuple[list[Path], list[Path]]:
    """Train and explain all runs, in an order in which a "+5" run comes after the one that finds its five.

    `how` goes to every training.

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
    trained, explained = {}, {}
    for name in _in_order(runs):
        choice, xaug, ranking = runs[name], runs[name].xaug, None
        if xaug == "five" and five == "authors":
            xaug = "authors5"
        elif xaug == "five":
            xaug, ranking = "top5", output / "attributions" / _with_all(choice, runs)
        options = {
            "network": choice.network,
            "xaug": xaug,
            "ranking": ranking,
            "particle_list": choice.particle_list,
            "epochs": size.epochs,
            "patience": size.patience,
            "seed": seed,
            "workers": workers,
            **how,
        }
        trained[name] = [output / "runs" / name]
        train(dataset, trained[name][0], trainings=size.trainings, **options)
        draw_history(trained[name][0])
        for fraction in size.learning if choice.learning else ():
            jets = round(fraction * data.size("train"))
            trained[name].append(output / "runs" / f"{name}_{jets}_jets")
            train(dataset, trained[name][-1], trainings=learning_trainings, max_jets=jets, **options)
            draw_history(trained[name][-1])
        # those on smaller samples too, if there are as many: does the spread of relevances come from too few jets?
        compared = trained[name] if learning_trainings == size.trainings else trained[name][:1]
        explained[name] = [output / "attributions" / run.name for run in compared]
        for run, attributions in zip(compared, explained[name], strict=True):
            explain_run(run, attributions, method="lrp", max_events=size.max_events)
    return [path for name in runs for path in trained[name]], [path for name in runs for path in explained[name]]


def _in_order(runs: dict[str, NetworkRun]) -> Iterable[str]:
    return sorted(runs, key=lambda name: runs[name].xaug == "five")
