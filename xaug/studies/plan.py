"""The stages that a study is going to do, their sizes, and how long they take on this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from xaug.core.progress import announce
from xaug.core.types import JsonObject
from xaug.core.workers import cores
from xaug.networks.registry import find_network
from xaug.studies.planned_stage import PlannedStage
from xaug.studies.runner import NetworkRun, Scale, integrated_events, learning_runs, lrp_from

__all__ = ["announced", "jet_stages", "machine_factor", "planned", "training_seconds"]

EPOCHS = 0.6
"""Share of the largest number of epochs after which early stopping ends a training, on average over our studies."""
TRAINED = {"image": 3500.0, "list": 2500.0}
"""Events a second and core in training, by the block that a network reads; see notebooks/performance.md."""
TRAINED_VECTORS = 30_000.0
EXPLAINED = 1500.0
"""Events a second that a method explains, all cores together."""
PLACES, PLACE_RATE = 150.0, 8_000.0
"""Places that Integrated Gradients of images and lists draw for each event, and places a second, all cores together."""
VECTOR_PLACES, VECTOR_RATE = 700.0, 300_000.0
"""The same of vectors."""
START = 7.0
"""Seconds in which a worker process loads TensorFlow and builds a network."""
FIGURES = 5.0
"""Seconds for the figures of one run."""
REFERENCE = 0.006
"""Processor seconds of `machine_factor`'s work on the machine on which the rates above were measured."""


def announced(stages: Iterable[PlannedStage]) -> None:
    """Tell the running command which stages come, so that each of them says "stage 3 of 5" when it begins."""
    announce([stage.name for stage in stages])


def machine_factor() -> float:
    """How much slower one core of this machine is than that of the reference, from a short calibration.

    The work is that of the stages in small: an interpreted loop and products of matrices that fit into the cache. Its
    time is that of one thread on its core, the least of several, so that other work on the machine does not count.
    """
    x = np.random.default_rng(1).normal(size=(64, 64)).astype(np.float32)
    times = []
    for _ in range(9):
        start = time.thread_time()
        sum(i * i for i in range(100_000))
        for _ in range(200):
            np.tanh(x @ x)
        times.append(time.thread_time() - start)
    return min(times) / REFERENCE


def _assumed(factor: float, parallel: int) -> str:
    """The assumptions of predicted times: speed and number of cores, and whether these are free."""
    cores_are = f"{parallel} core{'s' * (parallel > 1)} that nothing else uses"
    text = f"{cores_are}, each taking {factor:.1f} times as long as that of the reference"
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if busy > parallel / 2:
        text += f" (now about {busy:.0f} processes share the cores of this machine: it will take longer)"
    return text


def planned(stages: Sequence[PlannedStage], workers: int | None, output: Path) -> JsonObject:
    """The stages as the command prints them, with predicted times.

    Parameters
    ----------
    stages
        what the study would do
    workers
        processes at a time; None is one for each core
    output
        directory of the study
    """
    factor, parallel = machine_factor(), min(workers or cores(), cores())
    times = [0.0 if one.done else factor * (one.core_seconds / parallel + one.seconds) for one in stages]
    total = sum(times)
    lines = [
        f"stage {i} of {len(stages)}: {stage.name} ({stage.size}), "
        + ("finished" if stage.done else f"about {duration(seconds)}")
        for i, (stage, seconds) in enumerate(zip(stages, times, strict=True), 1)
    ]
    rows: list[JsonObject] = [
        {"stage": stage.name, "size": stage.size, "done": stage.done, "seconds": round(seconds, 1)}
        for stage, seconds in zip(stages, times, strict=True)
    ]
    lines.append(f"about {duration(total)} in all on {_assumed(factor, parallel)}; nothing was written to {output}")
    assumed = {"cores": parallel, "core_time_over_reference": round(factor, 2)}
    return {"stages": rows, "seconds": round(total, 1), "assumed": assumed, "summary": lines}


def duration(seconds: float) -> str:
    """A time in the unit that suits it."""
    for unit, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.1f} {unit}" if seconds < 10 * size else f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 1):.0f} s"


def training_seconds(network: str, events: float, size: Mapping[str, int | None], trainings: int) -> float:
    """Processor seconds of some trainings of a network.

    Parameters
    ----------
    network
        its name
    events
        events of the training split
    size
        epochs, steps and batch size, as `Scale.training` has them
    trainings
        how many
    """
    found = find_network(network)
    rate = TRAINED.get(found.block, TRAINED_VECTORS)
    steps, epochs = size.get("steps"), size.get("epochs")
    seen = steps * (size.get("batch_size") or found.defaults.batch_size) if steps else EPOCHS * (epochs or 1) * events
    return trainings * (seen / rate + START)


def jet_stages(
    output: Path, size: Scale, runs: Mapping[str, NetworkRun], split: Sequence[float], references: Sequence[str] = ()
) -> list[PlannedStage]:  # fmt: skip
    """The stages of a study of jets behind its sample: train and explain each run, and the report.

    Parameters
    ----------
    output
        directory of the study
    size
        how large it is
    runs
        what it trains
    split
        fractions of the training, validation and test split
    references
        references of LRP beside zero
    """
    training, test = (round(2 * size.jets * split[i]) for i in (0, 2))
    length = f"{size.steps} steps" if size.steps else f"{size.epochs} epochs"
    explained = min(test, size.max_events or test)
    stages = []
    for name, choice in runs.items():
        for directory, trainings, jets in learning_runs(name, choice, size, training):
            stages.append(
                PlannedStage(
                    f"train {directory}", f"{trainings} trainings of at most {length}, {jets or training:,} jets",
                    training_seconds(choice.network, jets or training, size.training, trainings), 0.0,
                    output / "runs" / directory,
                )
            )  # fmt: skip
            if trainings == size.trainings:
                stages.append(
                    PlannedStage(
                        f"explain {directory}", f"{explained:,} jets, {trainings} trainings", 0.0,
                        START + trainings * explained / EXPLAINED, output / "attributions" / directory,
                    )
                )  # fmt: skip
        seconds = START + size.trainings * explained / EXPLAINED
        for directory in (lrp_from(name, reference) for reference in references):
            what = f"{explained:,} jets, {size.trainings} trainings"
            place = output / "attributions" / directory
            stages.append(PlannedStage(f"explain {directory}", what, 0.0, seconds, place))
        events = integrated_events(choice, size)
        events = explained if events is None else min(explained, events)
        vector = find_network(choice.network).reads_vector
        each = VECTOR_PLACES / VECTOR_RATE if vector else PLACES / PLACE_RATE
        stages.append(
            PlannedStage(
                f"explain {name}_ig", f"{events:,} jets, {size.trainings} trainings, averaged background",
                0.0, START + size.trainings * events * each, output / "attributions" / f"{name}_ig",
            )
        )  # fmt: skip
    drawn = len([stage for stage in stages if stage.name.startswith("train")])
    return [*stages, PlannedStage("report", f"{drawn} runs", 0.0, 10.0 + FIGURES * drawn, output / "report")]
