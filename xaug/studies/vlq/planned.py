"""The stages of the study of events, and how long they take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from xaug.core.command import numbers_by_name
from xaug.events import presets
from xaug.studies.plan import START, training_seconds
from xaug.studies.planned_stage import PlannedStage
from xaug.studies.scales import sized
from xaug.studies.vlq.runs import BASELINES, SCALES, EventScale
from xaug.studies.vlq.sample import suffix

__all__ = ["chosen_size", "stages_of"]

GENERATED = 0.009
"""Seconds a core for a generated event, on average over all processes."""
PROCESSED = 0.002
"""Seconds a core in which a stored event is processed."""
SELECTED = 0.15
"""Share of the generated events that pass the selection, on average over all processes."""
RANKINGS = len(BASELINES) + 2
"""Rankings that are judged, with the two controls."""


def stages_of(
    output: Path,
    *,
    scale: str,
    preset: str = "tight",
    by: str = "mean",
    events: int | None = None,
    events_of: str = "",
    files: str | Path | None = None,
    trainings: int | None = None,
    epochs: int | None = None,
    **others: object,
) -> list[PlannedStage]:
    """The stages that the study of the same arguments would do."""
    from xaug.generate.vlq import PROCESSES

    size = chosen_size(scale, events, events_of, trainings, epochs)
    ht_min = presets.preset(preset).ht_min
    generated = sum(size.events_of.get(name, size.events) for name in PROCESSES)
    what = f"{generated:,} events of {len(PROCESSES)} processes"
    where = Path(files) if files else output / "files"
    stages = [PlannedStage("generate", what, generated * GENERATED, 5.0, where)]
    for factor in (None, *size.ht_factors):
        stages += _explained_network(output, size, generated, None if factor is None else factor * ht_min)
    return [
        *stages,
        PlannedStage(
            "topk", f"{RANKINGS} rankings, {size.topk_trainings} trainings of each set of features",
            _retraining_seconds(size, generated), 2 * START, output / f"topk_{by}",
        ),
        PlannedStage("ablation", f"{RANKINGS} rankings", 0.0, START, output / f"ablation_{by}"),
        PlannedStage("report", "1 run", 0.0, 40.0, output / "report"),
    ]  # fmt: skip


def chosen_size(
    scale: str, events: int | None, events_of: str, trainings: int | None, epochs: int | None
) -> EventScale:
    """The size of the study; the arguments are those of `xaug.studies.vlq.stages.study`."""
    size = sized(SCALES, scale, events=events, trainings=trainings, epochs=epochs)
    if events_of or events:
        size = replace(size, events_of=numbers_by_name(events_of, "--events-of"))
    return size


def _explained_network(output: Path, size: EventScale, generated: int, ht_min: float | None) -> list[PlannedStage]:
    """Select, train and explain at one threshold on HT."""
    ending = suffix(ht_min)
    fit = training_seconds("event", generated * SELECTED / 2, {"epochs": size.epochs}, size.trainings)
    return [
        PlannedStage(
            f"process{ending}", f"{generated:,} events", generated * PROCESSED, 5.0, output / f"dataset{ending}"
        ),
        PlannedStage(
            f"train event{ending}", f"{size.trainings} trainings of at most {size.epochs} epochs", fit, 0.0,
            output / "runs" / f"event{ending}",
        ),
        *(
            PlannedStage(
                f"explain event{ending} by {name}", f"at most {size.explained:,} events", 0.0, START / 2,
                output / f"attributions{ending}" / name,
            )
            for name in BASELINES
        ),
    ]  # fmt: skip


def _retraining_seconds(size: EventScale, generated: int) -> float:
    """Processor seconds in which networks are trained on the first features of each ranking."""
    fits = sum(20 if "-" in one else 1 for one in size.sizes.split(",")) * RANKINGS * size.topk_trainings
    one = training_seconds("event", generated * SELECTED / 2, {"epochs": size.topk_epochs}, 1) - START
    return fits * (one + 0.4)  # one process does several trainings, and TensorFlow traces each of them
