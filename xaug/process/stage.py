"""The whole stage: check the inputs, process what is not done yet, write the manifest."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from xaug.core import provenance
from xaug.core.errors import ConfigurationError, InputFileError, XaugError
from xaug.core.progress import bar
from xaug.core.types import JsonObject
from xaug.data.part_files import refuse_stale
from xaug.data.parts import PartSettings
from xaug.formats.registry import format_of
from xaug.process import executors
from xaug.process.changes import Changes
from xaug.process.chunks import LOST, Chunk, PartProcessor
from xaug.process.identity import find_copies
from xaug.process.inputs import (
    InputFile,
    infer_defaults,
    infer_kind,
    inspect,
    refuse_lost_classes,
    short_names,
    with_classes,
)
from xaug.process.kinds import AnyProcessor, default_settings, processor_class
from xaug.process.normalisation import check_normalisation, normalisation, refuse_few
from xaug.process.results import Results
from xaug.process.search import gather
from xaug.process.skips import Skip

__all__ = ["CHUNKSIZE", "default_settings", "infer_kind", "process"]

CHUNKSIZE = 4000
"""Events per chunk: some seconds of work, which is all that a kill costs for each worker."""


def chunks_of(file: InputFile, chunksize: int) -> list[Chunk]:
    """Divide the entries of a file that are to be read into chunks."""
    return [
        Chunk(file, start, min(start + chunksize, last))
        for first, last in file.steps
        for start in range(first, last, chunksize)
    ]


def inspect_all(
    inputs: Iterable[str | os.PathLike[str]],
    strict: bool,
    processor: AnyProcessor,
    changes: Changes,
    weight: str | None = None,
    classes: Sequence[str] | None = None,
) -> tuple[list[InputFile], list[Skip], tuple[str, ...]]:
    """Check all input files: those that can be used, those that are left out, and classes in the order of the user.

    Raises
    ------
    ConfigurationError
        if none can be used, or none of a class
    InputFileError
        if `strict` and one cannot be used
    """
    search = gather(inputs)
    candidates, skips = search.found, search.skips
    if weight is not None:  # metadata of a fileset is stronger
        candidates = [replace(each, metadata={"weight": weight, **each.metadata}) for each in candidates]
    for skip in skips:
        if strict and skip.lost:
            raise InputFileError(skip.file, skip.reason)
    good: dict[tuple[str, str], InputFile] = {}
    for candidate in bar(None, "check input files", "files", iterable=candidates, leave=False):
        changes.note(candidate.path)
        try:
            file = inspect(candidate, processor)
            content = (file.digest, file.tree)
            if content in good:
                first, rows = good[content].path, processor.rows_noun()
                raise InputFileError(file.path, f"is a copy of {first}: its {rows} would count twice; remove one")
            good[content] = file
            changes.noted(file.path, file.digest)
        except InputFileError as error:
            if strict:
                raise
            skips.append(Skip(error.file, error.reason))
    if not good:
        reasons = "; ".join(f"{skip.file} {skip.reason}" for skip in skips)
        raise ConfigurationError(f"none of {len(skips)} input files can be used: {reasons}")
    refuse_lost_classes(candidates, good.values(), skips, classes)
    return list(good.values()), skips, search.classes


def process(
    inputs: Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    settings: PartSettings | None = None,
    *,
    executor: str = "iterative",
    workers: int | None = None,
    scheduler: str | None = None,
    chunksize: int = CHUNKSIZE,
    strict: bool = False,
    dry_run: bool = False,
    k_factors: Mapping[str, float] | None = None,
    least_effective: float = 0.0,
    classes: Sequence[str] | None = None,
    weight: str | None = None,
) -> JsonObject:
    """Make a dataset of files of events.

    Parameters
    ----------
    inputs : iterable of path
        files, directories of them, or filesets of coffea as JSON files
    output : path
        directory of the dataset
    settings : PartSettings, optional
        kind of dataset, selection and all else that decides what it holds; default: those of the kind of dataset that
        the files are meant for
    executor : str
        "iterative" (this process), "futures" (local processes) or "dask"
    workers : int, optional
        processes at a time; default: one for each processor
    scheduler : str, optional
        address of a running Dask scheduler; default: a cluster on this machine
    chunksize : int
        events that are processed at once
    strict : bool
        stop at the first file that cannot be used, instead of leaving it out and listing it
    dry_run : bool
        check the inputs, and process nothing
    k_factors : dict, optional
        process name -> factor that multiplies the cross section in its files
    least_effective : float
        least effective number of selected events of each process, (sum w)^2 / sum w^2
    classes : sequence of str, optional
        names of the classes in the order of their labels, where the files or a fileset name classes; entries of other
        classes are left out; default: all classes, backgrounds by name (background, bkg, QCD) first
    weight : str, optional
        column of the generator weights, or a component of it as "LHEWeight[0]"; default: that of the format

    Returns
    -------
    dict
        the manifest of the dataset; for a dry run, what would be done

    Raises
    ------
    ConfigurationError
        if settings or inputs cannot be used, nothing is selected, or a process has fewer effective events than asked
        for
    InputFileError
        if `strict` and a file cannot be used
    """
    inputs = list(inputs)
    if settings is None:
        kind, gives_jets = infer_defaults(inputs)
        settings = default_settings(kind).for_given_jets(gives_jets)
    if chunksize < 1:
        raise ConfigurationError(f"--chunksize {chunksize}: must be at least 1")
    output = Path(output).resolve()
    processor = processor_class(settings.kind)(settings)
    changes = Changes()
    files, skips, listed = inspect_all(inputs, strict, processor, changes, weight, classes)
    files, names = with_classes(files, classes, listed)
    processor = processor_class(settings.kind)(replace(settings, classes=names))
    formats = {file.format: format_of(file.format) for file in files}
    settings = processor.for_inputs([(formats[file.format], file.holds) for file in files])
    processor = processor_class(settings.kind)(settings)
    k_factors = dict(k_factors or {})
    check_normalisation(files, k_factors)
    work = PartProcessor(output, processor, formats)
    parts = {work.part(chunk): chunk for file in files for chunk in chunks_of(file, chunksize)}
    missing = [name for name in parts if not (output / name).exists()]
    if dry_run:
        events = sum(chunk.stop - chunk.start for chunk in parts.values())
        counts = {"files": len(files), "events": events, "chunks": len(parts)}
        return {**counts, "chunks_done": len(parts) - len(missing), "skips": [skip.to_json() for skip in skips]}

    digests = {skip.file: None for skip in skips if skip.lost} | {file.path: file.read for file in files}
    short = short_names(digests)
    config = {
        **settings.config,
        "chunksize": chunksize,
        "k_factors": k_factors,
        "inputs": {short[path]: digest for path, digest in digests.items()},
    }
    finished = provenance.begin(output, "process", config)
    if finished:
        refuse_few(finished["processes"], least_effective)
        refuse_stale(output, finished, processor.table(), work.code)
        return finished
    missing = [name for name in parts if not (output / name).exists()]  # damaged ones were removed
    if missing:
        with executors.watched(output, missing, len(parts)):
            own = {name: parts[name] for name in missing}
            skips += _process_missing(work, own, executor, workers, scheduler, chunksize)
        _refuse_changed(changes, output, {name: parts[name] for name in missing})
    present = sorted((chunk.file.path, chunk.start, output / name) for name, chunk in parts.items())
    present = [each for each in present if each[2].exists()]  # others were skipped, and are listed
    made_of: dict[str, list[Path]] = {}
    for place, _, part in present:
        made_of.setdefault(place, []).append(part)
    copies = find_copies(made_of, processor.rows_noun())
    skips += [Skip(place, reason) for place, reason in copies.left_out.items()]
    report = Results(processor, files, skips, strict, list(copies.warnings))
    for place, _, part in present:
        if place not in copies.left_out:
            report.add(part, place)
    report.check_files()
    report.check_units()
    found = normalisation(files, report.parts, k_factors)
    report.check_processes(found)
    report.check_classes()
    refuse_few(found, least_effective)
    return report.write(output, config, work.code, found)


def _process_missing(
    work: PartProcessor,
    missing: dict[str, Chunk],
    executor: str,
    workers: int | None,
    scheduler: str | None,
    chunksize: int,
) -> list[Skip]:
    """Process the chunks whose parts are missing; those that cannot be read are returned in order."""
    done = executors.run(list(missing.values()), work, executor, workers, scheduler, chunksize)
    for failure in done.failures:
        raise XaugError(f"{failure.file}, entries {failure.start} to {failure.stop}: {failure.reason}")
    skips = list(done.skips)
    told = {(skip.file, skip.start) for skip in skips}
    for name, chunk in missing.items():
        if not (work.output / name).exists() and (chunk.file.path, chunk.start) not in told:
            skips.append(chunk.skip(LOST))
    return sorted(skips, key=lambda skip: (skip.file, skip.start or 0))


def _refuse_changed(changes: Changes, output: Path, made: dict[str, Chunk]) -> None:
    """InputFileError if a file changed while parts were made of it; these parts are removed, and others kept."""
    changed = {path: reason for path in {chunk.file.path for chunk in made.values()} if (reason := changes.of(path))}
    if not changed:
        return
    for name, chunk in made.items():
        if chunk.file.path in changed:
            (output / name).unlink(missing_ok=True)
    (output / provenance.STARTED).unlink(missing_ok=True)  # what the file holds later is another input
    path = min(changed)
    others = f" (and {len(changed) - 1} other files)" if len(changed) > 1 else ""
    raise InputFileError(
        path, f"{changed[path]}{others}. Run the command again once it is complete: parts of other files are kept"
    )
