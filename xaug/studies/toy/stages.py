"""All stages of the toy study of arXiv:2011.13466, section 3."""

from __future__ import annotations

from pathlib import Path

from xaug.core.progress import begin_stage
from xaug.core.types import JsonObject
from xaug.studies.plan import announced, jet_stages
from xaug.studies.planned_stage import PlannedStage
from xaug.studies.runner import NetworkRun, Scale, chosen_runs, report_of, train_and_explain
from xaug.studies.scales import sized
from xaug.studies.toy.runs import RUNS, SCALES
from xaug.studies.toy.sample import make_sample

__all__ = ["plan", "study"]

GENERATED = 150_000.0
"""Jets a second and core."""


def study(
    output: str | Path,
    *,
    scale: str = "quick",
    networks: str | None = None,
    overlap: str = "medium",
    jets: int | None = None,
    trainings: int | None = None,
    epochs: int | None = None,
    seed: int = 1,
    workers: int | None = None,
) -> JsonObject:
    """Run all stages that are not done yet; return the numbers of the study and where its files are.

    Parameters
    ----------
    output
        directory of the study
    scale
        a name in SCALES
    networks
        see `chosen_runs`; default: all
    overlap
        overlap of the classes, see `xaug.generate.toy_model.OVERLAPS`
    jets, trainings, epochs
        numbers in place of those of the scale; jets of each class
    seed
        seed of generation, split and trainings
    workers
        processes at a time; default: one for each core
    """
    from xaug.studies.toy.paper import extension

    output = Path(output)
    size, runs = _chosen(scale, networks, jets, trainings, epochs)
    announced(_stages(output, size, runs))
    begin_stage("generate")
    data = make_sample(output, size, overlap, seed, workers)
    trained, explained = train_and_explain(data, output, runs, size, seed, workers)
    title = f"xaug study toy, scale {scale}, overlap {overlap}, seed {seed}"
    return report_of(output, trained, explained, title, extension())


def plan(
    output: Path,
    *,
    scale: str,
    networks: str | None = None,
    jets: int | None = None,
    trainings: int | None = None,
    epochs: int | None = None,
    **others: object,
) -> list[PlannedStage]:
    """The stages that `study` of the same arguments would do."""
    return _stages(output, *_chosen(scale, networks, jets, trainings, epochs))


def _chosen(
    scale: str, networks: str | None, jets: int | None, trainings: int | None, epochs: int | None
) -> tuple[Scale, dict[str, NetworkRun]]:
    """The size of the study, and what it trains."""
    size = sized(SCALES, scale, jets=jets, trainings=trainings, epochs=epochs)
    return size, chosen_runs(networks or size.networks, RUNS)


def _stages(output: Path, size: Scale, runs: dict[str, NetworkRun]) -> list[PlannedStage]:
    from xaug.generate.toy import SPLIT_FRACTIONS

    sample = PlannedStage(
        "generate", f"{size.jets:,} jets of each class", 2 * size.jets / GENERATED, 2.0, output / "dataset"
    )
    return [sample, *jet_stages(output, size, runs, SPLIT_FRACTIONS)]
