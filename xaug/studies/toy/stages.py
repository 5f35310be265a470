"""All stages of the toy study of arXiv:2011.13466, section 3."""

from __future__ import annotations

from pathlib import Path

from xaug.core.types import JsonObject
from xaug.studies.runner import chosen_runs, report_of, train_and_explain
from xaug.studies.scales import sized
from xaug.studies.toy.runs import RUNS, SCALES
from xaug.studies.toy.sample import make_sample

__all__ = ["study"]


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

    size = sized(SCALES, scale, jets=jets, trainings=trainings, epochs=epochs)
    runs = chosen_runs(networks or size.networks, RUNS)
    output = Path(output)
    data = make_sample(output, size, overlap, seed, workers)
    trained, explained = train_and_explain(data, output, runs, size, seed, workers)
    title = f"xaug study toy, scale {scale}, overlap {overlap}, seed {seed}"
    return report_of(output, trained, explained, title, extension())
