"""The sample of the toy study: jets of the toy model, written as a dataset at once."""

from __future__ import annotations

from pathlib import Path

from xaug.studies.runner import Scale

__all__ = ["make_sample"]


def make_sample(output: Path, size: Scale, overlap: str, seed: int, workers: int | None) -> Path:
    """Generate the dataset unless it is there, and return its directory.

    Parameters
    ----------
    output
        directory of the study
    size
        how large the study is
    overlap
        overlap of the classes, see `xaug.generate.toy_model.OVERLAPS`
    seed
        seed of generation and split
    workers
        processes at a time; None is one for each core
    """
    from xaug.generate.toy import generate

    generate(output / "dataset", jets=size.jets, overlap=overlap, seed=seed, workers=workers)
    return output / "dataset"
