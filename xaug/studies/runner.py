"""The stages that studies share: train and explain a table of runs in one directory, and draw their report."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.progress import begin_stage
from xaug.core.types import JsonObject
from xaug.data.dataset import Dataset
from xaug.explain.gradients.processes import affordable
from xaug.networks.registry import find_network
from xaug.studies.base import StudyOption
from xaug.training.config import check_length
from xaug.training.input_scaling import OUR_SCALING, ScalingChoice

if TYPE_CHECKING:
    from xaug.report.stage import ReportExtension

__all__ = [
    "FIVE", "NETWORKS_HELP", "STEP_OPTIONS", "NetworkRun", "Scale", "by_steps", "check_five", "chosen_runs",
    "learning_runs", "lrp_from", "names_of_runs", "report_of", "train_and_explain",
]  # fmt: skip

FIVE = ("ours", "authors")
"""The five variables that a "+5" network takes: the best by our own LRP, or those of the paper's authors."""
NETWORKS_HELP = (
    "all, or names separated by commas: mlp, cnn2d, cnn1d, rnn for all runs of a network; single runs as cnn2d_xaug; "
    "cnn2d_alone, cnn1d_alone, rnn_alone for the run of a network without expert variables."
)
INTEGRATED = 250
"""Largest number of events whose images or lists Integrated Gradients explain in a study.

The spread over so many events leaves an error of some 5% of a mean attribution, as does the drawing of places.
"""
PRECISION, VECTOR_PRECISION = 0.05, 0.02
"""Precision of these attributions, and of those of vectors, relative to the largest feature.

See `xaug.explain.integrated_gradients`.
"""
BASELINES = 200
"""Background jets over which these attributions are averaged, at most; with drawn places many cost no more than few."""
ALONE = "_alone"
"""End of a name by which a run is chosen that is called like its network: the network names all of its runs."""


STEP_OPTIONS = (
    StudyOption("--steps", "Largest number of steps of each training, one batch each, in place of --epochs.", type=int),
    StudyOption(
        "--patience",
        "Stop a training after this many epochs, or with --steps after this many steps, without a better validation "
        "loss, in place of the scale's number.",
        type=int,
    ),
    StudyOption("--check-every", "With --steps: validate after every so many steps.", type=int),
    StudyOption("--batch-size", "Jets in one step.  [default: that of each network]", type=int),
)
"""The options of a study whose trainings can be counted in steps."""


@dataclass(frozen=True)
class Scale:
    """How large a study of jets is.

    Attributes
    ----------
    jets
        jets of each class
    trainings, epochs, patience
        trainings of each network, and their epochs; see `xaug.train`. In a training by steps, epochs are None and the
        patience counts steps
    networks
        the value of `--networks` unless it is given
    learning
        fractions of the training split for the learning curve
    learning_trainings
        trainings for each point of the learning curve
    max_events
        explained events of the test split; None is all
    steps
        largest number of steps of each training; None counts it in epochs
    check_every
        steps after which a training by steps is validated; None is that of `xaug.train`
    batch_size
        events in one step; None is that of each network
    """

    jets: int
    trainings: int
    epochs: int | None
    patience: int | None
    networks: str
    learning: tuple[float, ...] = ()
    learning_trainings: int = 2
    max_events: int | None = None
    steps: int | None = None
    check_every: int | None = None
    batch_size: int | None = None

    @property
    def training(self) -> dict[str, int | None]:
        """The length of a training and its batches, as settings of `xaug.training.config.TrainingConfig`."""
        return {
            "epochs": self.epochs, "patience": self.patience, "steps": self.steps, "check_every": self.check_every,
            "batch_size": self.batch_size,
        }  # fmt: skip


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


def by_steps(size: Scale, given: Mapping[str, int | None]) -> Scale:
    """The size of a study whose trainings are counted in steps, where steps are given.

    Parameters
    ----------
    size
        the size without them
    given
        the numbers that the user gave: `steps`, `patience`, `check_every`, `batch_size` and `epochs`, or None

    Raises
    ------
    ConfigurationError
        if steps and epochs are given, or steps between validations without steps
    """
    check_length(given["epochs"], given["steps"])
    if given["steps"] is None:
        if given["check_every"] is not None:
            raise ConfigurationError(f"--check-every {given['check_every']} goes with --steps; give both or neither")
        return size
    return replace(size, epochs=None, patience=given["patience"])


def check_five(five: str) -> None:
    """Raise ConfigurationError unless it is one of FIVE."""
    if five not in FIVE:
        raise unknown_name("choice of five variables", five, FIVE)


def chosen_runs(networks: str, runs: dict[str, NetworkRun], untrained: Collection[str] = ()) -> dict[str, NetworkRun]:
    """The runs that `--networks` stands for: all, networks, or names of runs, separated by commas.

    The name of a network means all of its runs. A run that has this name itself is chosen alone by its name and ALONE.
    A "+5" run brings along the run that finds its five. Names in `untrained` are of curves that every report has; they
    may stand beside others.
    """
    names = [name.strip() for name in networks.split(",") if name.strip()]
    chosen = set()
    if names and set(names) <= set(untrained):
        raise ConfigurationError(
            f"--networks {networks}: {names[0]} needs no training and is part of every report of this study; name a "
            "network beside it"
        )
    for name in [name for name in names if name not in untrained]:
        own = [run for run, choice in runs.items() if name in ("all", run, choice.network)]
        own = own or [run for run in runs if name == run + ALONE]
        if not own:
            raise unknown_name("network of the study", name, names_of_runs(runs, untrained))
        chosen.update(own)
    if not chosen:
        raise ConfigurationError(f"--networks {networks!r} names no network")
    chosen |= {_with_all(runs[run], runs) for run in chosen if runs[run].xaug == "five"}
    return {run: choice for run, choice in runs.items() if run in chosen}


def names_of_runs(runs: dict[str, NetworkRun], untrained: Collection[str] = ()) -> list[str]:
    """All names that `--networks` takes."""
    alone = [run + ALONE for run, choice in runs.items() if run == choice.network]
    networks = (choice.network for choice in runs.values())
    return list(dict.fromkeys(["all", *networks, *runs, *alone, *untrained]))


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
    scaling: ScalingChoice = OUR_SCALING,
    references: Sequence[str] = (),
) -> tuple[list[Path], list[Path]]:
    """Train and explain all runs, in an order in which a "+5" run comes after the one that finds its five.

    All networks are explained by LRP, the method of the papers' studies of jets, by LRP from each of `references`, and
    by Integrated Gradients averaged over background events, so that a report shows them side by side.

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
    scaling
        how inputs are scaled
    references
        references of LRP beside zero, as `xaug.explain --reference` names them

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
        begin_stage(f"train {directory}")
        train(
            dataset, run, network=choice.network, xaug=xaug, ranking=ranking, particle_list=choice.particle_list,
            trainings=trainings, seed=seed, workers=workers, max_jets=max_jets, **size.training,
            **scaling.settings(choice.network, data.table),
        )  # fmt: skip
        draw_history(run)
        return run

    for name in _in_order(runs):
        trained[name] = []
        for directory, trainings, jets in learning_runs(name, runs[name], size, data.size("train")):
            trained[name].append(train_run(name, directory, trainings, jets))
        # runs on smaller samples as well, if they have as many trainings: they show what the number of jets changes
        compared = trained[name] if learning_trainings == size.trainings else trained[name][:1]
        explained[name] = [output / "attributions" / run.name for run in compared]
        for run, attributions in zip(compared, explained[name], strict=True):
            begin_stage(f"explain {run.name}")
            explain_run(run, attributions, method="lrp", max_events=size.max_events)
        for reference in references:
            shifted = output / "attributions" / lrp_from(name, reference)
            begin_stage(f"explain {shifted.name}")
            explain_run(trained[name][0], shifted, method="lrp", reference=reference, max_events=size.max_events)
            explained[name].append(shifted)
        beside = output / "attributions" / f"{name}_ig"
        begin_stage(f"explain {beside.name}")
        precision = VECTOR_PRECISION if find_network(runs[name].network).reads_vector else PRECISION
        explain_run(
            trained[name][0], beside, method="ig", baseline="background", per_process=affordable(data, BASELINES),
            max_events=integrated_events(runs[name], size), precision=precision, seed=seed,
        )  # fmt: skip
        explained[name].append(beside)
    return [path for name in runs for path in trained[name]], [path for name in runs for path in explained[name]]


def lrp_from(run: str, reference: str) -> str:
    """Name of the directory of attributions of a run by LRP from a reference."""
    return f"{run}_lrp_{reference}"


def integrated_events(run: NetworkRun, size: Scale) -> int | None:
    """Number of events that Integrated Gradients explain: fewer where the network reads images or lists."""
    if find_network(run.network).reads_vector:
        return size.max_events
    return INTEGRATED if size.max_events is None else min(size.max_events, INTEGRATED)


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

    begin_stage("report")
    result = report(
        trained, output / "report", explained, title, anew=True, extension=extension, topk=topk, ablation=ablation
    )  # fmt: skip
    return {"output": str(output), "report": str(output / "report" / "report.html"), **result}


def learning_runs(name: str, choice: NetworkRun, size: Scale, events: int) -> list[tuple[str, int, int | None]]:
    """Directory, number of trainings and of training jets of a run, and of those on smaller samples.

    Parameters
    ----------
    name, choice
        the run
    size
        how large the study is
    events
        jets of the training split; a run on all of them has None
    """
    numbers = [round(fraction * events) for fraction in size.learning] if choice.learning else []
    smaller = min(size.learning_trainings, size.trainings)
    return [(name, size.trainings, None), *((f"{name}_{jets}_jets", smaller, jets) for jets in numbers)]


def _in_order(runs: dict[str, NetworkRun]) -> Iterable[str]:
    return sorted(runs, key=lambda name: runs[name].xaug == "five")
