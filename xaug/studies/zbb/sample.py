"""The sample of the Z -> b bbar study: generated files, and the dataset of their jets."""

from __future__ import annotations

from pathlib import Path

from xaug.core.errors import unknown_name
from xaug.studies.runner import Scale

__all__ = ["check_options", "make_sample"]


def check_options(options: str | None) -> None:
    """Raise ConfigurationError unless the options are a name in `xaug.jets.conventions.OPTIONS`, or None."""
    from xaug.jets.conventions import OPTIONS

    if options is not None and options not in OPTIONS:
        raise unknown_name("options", options, OPTIONS)


def make_sample(output: Path, size: Scale, options: str | None, seed: int, workers: int | None) -> Path:
    """Generate and process what is not there yet, and return the directory of the dataset.

    Parameters
    ----------
    output
        directory of the study
    size
        how large the study is
    options
        a name in `xaug.jets.conventions.OPTIONS`; None is our own conventions
    seed
        seed of generation and split
    workers
        processes at a time; None is one for each core
    """
    from xaug.generate.zbb import generate
    from xaug.jets.conventions import DEFAULT, OPTIONS
    from xaug.jets.processor import JetSettings
    from xaug.process.stage import process

    conventions = OPTIONS[options] if options else DEFAULT
    generate(output / "files", jets=size.jets, seed=seed, workers=workers, neutrinos=conventions.neutrinos)
    settings = JetSettings(split_seed=seed, conventions=conventions)
    process([output / "files"], output / "dataset", settings, executor="futures", workers=workers)
    return output / "dataset"
