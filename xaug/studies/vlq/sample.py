"""The sample of the study of events: generated files, and the dataset of the events that pass a selection."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from xaug.core.errors import DatasetError
from xaug.data.dataset import Dataset
from xaug.data.splits import SPLITS
from xaug.studies.vlq.runs import EventScale

__all__ = ["generate_files", "require_all_processes", "select_events"]


def generate_files(files: Path, size: EventScale, preset: str, seed: int, workers: int | None) -> None:
    """Generate all processes for a selection into a directory, unless they are there."""
    from xaug.generate.vlq import generate

    generate(files, events=size.events, events_of=size.events_of, seed=seed, workers=workers, preset=preset)


def select_events(files: Path, output: Path, preset: str, ht_min: float | None, seed: int, workers: int | None) -> Path:
    """Process the generated files unless that is done, and return the directory of the dataset.

    Parameters
    ----------
    files
        directory of the generated files
    output
        directory of the study
    preset
        name of the selection
    ht_min
        threshold on HT [GeV]; None is that of the selection
    seed
        seed of the split
    workers
        processes at a time; None is one for each core
    """
    from xaug.events import presets
    from xaug.events.processor import EventSettings
    from xaug.process.stage import process

    selection = presets.preset(preset)
    if ht_min is not None:
        selection = replace(selection, ht_min=ht_min)
    dataset = output / f"dataset{suffix(ht_min)}"
    settings = EventSettings(split_seed=seed, selection=selection)
    process([str(files)], dataset, settings, executor="futures", workers=workers)
    require_all_processes(Dataset.open(dataset))
    return dataset


def require_all_processes(data: Dataset) -> None:
    """Raise DatasetError if a split lacks events of a process, from which baselines are drawn."""
    lines = []
    for name, rows in data.counts.items():
        own = [one.splits for part in data.parts for one in part.contents if one.process == name]
        lacking = [split for split in SPLITS if not any(splits[split] for splits in own)]
        if lacking:
            generated = data.manifest["processes"][name]["events_generated"]
            words = f"{rows} of {generated:,} generated events pass, none of them in the split {' and '.join(lacking)}"
            lines.append(f"process {name}: {words}")
    if lines:
        raise DatasetError(f"{data.path}: {'; '.join(lines)}. Generate more: run with a larger --events")


def suffix(ht_min: float | None) -> str:
    """The end of the names of directories that belong to another threshold on HT."""
    return "" if ht_min is None else f"_ht{ht_min:g}"
