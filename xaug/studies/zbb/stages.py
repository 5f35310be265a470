"""All stages of the Z -> b bbar study of arXiv:2011.13466."""

from __future__ import annotations

from pathlib import Path

from xaug.core.types import JsonObject
from xaug.studies.runner import check_five, chosen_runs, report_of, train_and_explain
from xaug.studies.scales import sized
from xaug.studies.zbb.runs import RUNS, SCALES
from xaug.studies.zbb.sample import check_options, make_sample

__all__ = ["study"]


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
    """
    from xaug.studies.zbb.paper import extension

    size = sized(SCALES, scale, jets=jets, trainings=trainings, epochs=epochs)
    runs = chosen_runs(networks or size.networks, RUNS)
    check_five(five)  # before the hours that come first
    check_options(options)
    output = Path(output)
    data = make_sample(output, size, options, seed, workers)
    trained, explained = train_and_explain(
        data, output, runs, size, seed, workers, five, scale_on_all=bool(options)
    )  # fmt: skip
    title = f"xaug study zbb, scale {scale}, seed {seed}" + (f", options {options}" if options else "")
    return report_of(output, trained, explained, title, extension())
