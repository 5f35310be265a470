"""All stages of the Z -> b bbar study of arXiv:2011.13466."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xaug.core.types import JsonObject
from xaug.studies.plan import announced, jet_stages
from xaug.studies.planned_stage import PlannedStage
from xaug.studies.runner import NetworkRun, Scale, by_steps, check_five, chosen_runs, report_of, train_and_explain
from xaug.studies.scales import sized
from xaug.studies.zbb.choices import chosen_conventions, chosen_scaling
from xaug.studies.zbb.runs import DISCRIMINANTS, REFERENCES, RUNS, SCALES
from xaug.studies.zbb.sample import make_sample

__all__ = ["plan", "study"]

LENGTH = ("epochs", "steps", "patience", "check_every", "batch_size")
"""The options that say how long a training is."""
GENERATED = 1 / 0.67 / 150 + 1 / 0.217 / 105
"""Seconds a core for a selected jet of each class: the share of events that is selected, and events a second."""
PROCESSED = 1 / 620 + 1 / 240
"""Seconds a core in which a selected jet of each class is processed, with the events that are not selected."""


def study(
    output: str | Path,
    *,
    scale: str = "quick",
    networks: str | None = None,
    jets: int | None = None,
    trainings: int | None = None,
    epochs: int | None = None,
    seed: int = 1,
    workers: int | None = None,
    five: str = "ours",
    options: str | None = None,
    convention: str | None = None,
    image_scaling: str | None = None,
    displacement_scaling: str | None = None,
    steps: int | None = None,
    patience: int | None = None,
    check_every: int | None = None,
    batch_size: int | None = None,
) -> JsonObject:
    """Run all stages that are not done yet; return the numbers of the study and where its files are.

    Parameters
    ----------
    output
        directory of the study
    scale
        a name in SCALES
    networks
        see `chosen_runs`; default: those of the scale
    jets, trainings, epochs
        numbers in place of those of the scale; jets of each class
    seed
        seed of generation, split and trainings
    workers
        processes at a time; default: one for each core
    five
        see `xaug.studies.runner.FIVE`
    options
        a name in `xaug.jets.conventions.OPTIONS`: the literal choices of the paper's authors
    convention
        single choices on top of these, as `NAME=VALUE,NAME=VALUE`, see `xaug.jets.conventions.Conventions`
    image_scaling, displacement_scaling
        the scaling of inputs, see `xaug.training.config.TrainingConfig`; default: ours, or that of `options`
    steps, patience, check_every, batch_size
        length of each training in steps in place of epochs, see `xaug.training.config.TrainingConfig`
    """
    from xaug.studies.zbb.paper import extension

    length = {
        "epochs": epochs, "steps": steps, "patience": patience, "check_every": check_every, "batch_size": batch_size,
    }  # fmt: skip
    size, runs = _chosen(scale, networks, jets, trainings, length)
    check_five(five)  # before the hours that come first
    conventions = chosen_conventions(options, convention)
    scaling = chosen_scaling(options, image_scaling, displacement_scaling)
    output = Path(output)
    announced(_stages(output, size, runs))
    data = make_sample(output, size, conventions, seed, workers)
    trained, explained = train_and_explain(data, output, runs, size, seed, workers, five, scaling, REFERENCES)
    asked = {
        "options": options, "convention": convention, "image scaling": image_scaling,
        "displacement scaling": displacement_scaling,
    }  # fmt: skip
    chosen = "".join(f", {name} {value}" for name, value in asked.items() if value)
    title = f"xaug study zbb, scale {scale}, seed {seed}{chosen}"
    return report_of(output, trained, explained, title, extension())


def plan(
    output: Path,
    *,
    scale: str,
    networks: str | None = None,
    jets: int | None = None,
    trainings: int | None = None,
    **others: Any,
) -> list[PlannedStage]:
    """The stages that `study` of the same arguments would do."""
    length = {name: others.get(name) for name in LENGTH}
    return _stages(output, *_chosen(scale, networks, jets, trainings, length))


def _chosen(
    scale: str, networks: str | None, jets: int | None, trainings: int | None, length: Mapping[str, int | None]
) -> tuple[Scale, dict[str, NetworkRun]]:
    """The size of the study, and what it trains."""
    size = by_steps(sized(SCALES, scale, jets=jets, trainings=trainings, **length), length)
    return size, chosen_runs(networks or size.networks, RUNS, DISCRIMINANTS)


def _stages(output: Path, size: Scale, runs: dict[str, NetworkRun]) -> list[PlannedStage]:
    from xaug.data.parts import PartSettings

    what, start = f"{size.jets:,} selected jets of each class", 5.0
    return [
        PlannedStage("generate", what, size.jets * GENERATED, start, output / "files"),
        PlannedStage("process", what, size.jets * PROCESSED, start, output / "dataset"),
        *jet_stages(output, size, runs, PartSettings.split_fractions, REFERENCES),
    ]
