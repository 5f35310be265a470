"""The sample of the Z -> b bbar study: generated files, and the dataset of their jets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xaug.core.progress import begin_stage
from xaug.studies.runner import Scale

if TYPE_CHECKING:
    from xaug.jets.conventions import Conventions

__all__ = ["make_sample"]


def make_sample(output: Path, size: Scale, conventions: Conventions, seed: int, workers: int | None) -> Path:
    """Generate and process what is not there yet, and return the directory of the dataset.

    Parameters
    ----------
    output
        directory of the study
    size
        how large the study is
    conventions
        how jets are turned into numbers
    seed
        seed of generation and split
    workers
        processes at a time; None is one for each core
    """
    from xaug.generate.zbb import generate
    from xaug.jets.processor import JetSettings
    from xaug.process.stage import process

    begin_stage("generate")
    generate(output / "files", jets=size.jets, seed=seed, workers=workers, neutrinos=conventions.neutrinos)
    settings = JetSettings(split_seed=seed, conventions=conventions)
    begin_stage("process")
    process([output / "files"], output / "dataset", settings, executor="futures", workers=workers)
    return output / "dataset"
