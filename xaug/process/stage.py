"""The whole stage: check the inputs, process what is not done yet, write the manifest."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import uproot

from xaug.core import provenance
from xaug.core.command import bar
from xaug.core.errors import ConfigurationError, InputFileError, XaugError
from xaug.core.files import atomic_path, digest_json
from xaug.core.types import Array, JsonObject
from xaug.data.cut_flow import CutFlow
from xaug.data.part_files import read_part_summary, refuse_stale
from xaug.data.parts import PartSettings, PartSummary
from xaug.data.variables import table_of
from xaug.formats.base import PROPERTIES
from xaug.formats.registry import format_of
from xaug.process import executors
from xaug.process.changes import Changes
from xaug.process.chunks import LOST, Chunk, PartProcessor, control_histogram
from xaug.process.inputs import InputFile, infer_defaults, infer_kind, inspect, short_names, with_classes
from xaug.process.kinds import AnyProcessor, default_settings, processor_class
from xaug.process.normalisation import check_normalisation, normalisation, refuse_few
from xaug.process.search import gather
from xaug.process.skips import Skip

__all__ = ["CHUNKSIZE", "default_settings", "infer_kind", "process"]

CHUNKSIZE = 4000
"""Events per chunk: some seconds of work, which is all that a kill costs for each worker."""


def left_out(processor: AnyProcessor) -> dict[str, list[str]]:
    """Variables that cannot be computed of the input files -> what the files lack."""
    now = processor.table().labels()
    missing = set(PROPERTIES) - set(getattr(processor.settings, "holds", PROPERTIES))
    return {
        name: sorted(missing.intersection(v.needs))
        for name, v in table_of(processor.settings.kind).labels().items()
        if name not in now
    }


def chunks_of(file: InputFile, chunksize: int) -> list[Chunk]:
    """Divide the entries of a file that are to be read into chunks."""
    return [
        Chunk(file, start, min(start + chunksize, last))
        for first, last in file.steps
        for start in range(first, last, chunksize)
    ]


def inspect_all(
    inputs: Iterable[str | os.PathLike[str]], strict: bool, processor: AnyProcessor, changes: Changes
) -> tuple[list[InputFile], list[Skip]]:
    """Check all input files: those that can be used, and those that are left out.

    Raises
    ------
    ConfigurationError
        if none can be used
    InputFileError
        if `strict` and one cannot be used
    """
    search = gather(inputs)
    candidates, skips = search.found, search.skips
    for skip in skips:
        if strict:
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
    return list(good.values()), skips


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
    files, skips = inspect_all(inputs, strict, processor, changes)
    files, names = with_classes(files, classes)
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

    digests = {skip.file: None for skip in skips} | {file.path: file.read for file in files}
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
            skips += _process_missing(work, {name: parts[name] for name in missing}, executor, workers, scheduler)
        _refuse_changed(changes, output, {name: parts[name] for name in missing})
    report = _Report(processor, files, skips, strict)
    for name, chunk in sorted(parts.items(), key=lambda item: (item[1].file.path, item[1].start)):
        if (output / name).exists():  # else it was skipped, and is listed
            report.add(output / name, chunk.file.path)
    report.check_files()
    found = normalisation(files, report.parts, k_factors)
    report.check_processes(found)
    refuse_few(found, least_effective)
    return report.write(output, config, work.code, found)


def _process_missing(
    work: PartProcessor, missing: dict[str, Chunk], executor: str, workers: int | None, scheduler: str | None
) -> list[Skip]:
    """Process the chunks whose parts are missing; those that cannot be read are returned in order."""
    done = executors.run(list(missing.values()), work, executor, workers, scheduler)
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


@dataclass
class _Report:
    """Sums over the parts of a dataset, from which control histograms and manifest are written."""

    processor: AnyProcessor
    files: list[InputFile]
    skips: list[Skip]
    strict: bool
    parts: list[PartSummary] = field(default_factory=list)
    flows: dict[str, CutFlow] = field(default_factory=dict)
    control: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.strict:
            for skip in self.skips:
                raise InputFileError(skip.file, skip.reason)

    def add(self, part: Path, place: str) -> None:
        """Add a part, whose input file lies in a place that may have changed since the part was written."""
        content, counts = read_part_summary(part)
        summary = PartSummary.from_json({**content, "file": place})
        self.parts.append(summary)
        for i, own in enumerate(summary.contents):
            self.flows[own.process] = self.flows.get(own.process, CutFlow({})) + own.cut_flow
            for name, axis in self.processor.control.items():
                self._add_control(f"{own.process}_{name}", axis, name, np.atleast_2d(counts[name])[i])

    def _add_control(self, name: str, axis: Any, variable: str, counts: Array) -> None:
        histogram = self.control.setdefault(name, control_histogram(axis, variable))
        histogram.view(flow=True)[...] += counts

    def skip(self, file: str, reason: str) -> None:
        """Leave out a file, or stop if that is not allowed."""
        if self.strict:
            raise InputFileError(file, reason)
        self.skips.append(Skip(file, reason))

    def check_files(self) -> None:
        """Report the files of which nothing passes the first cut."""
        for file in self.files:
            own = [part for part in self.parts if part.file == file.path]
            if own and not any(one.cut_flow.after_first_cut for part in own for one in part.contents):
                self.skip(file.path, f"none of its {file.entries} events has {self.processor.needs}; is it in GeV?")

    def check_processes(self, processes: Mapping[str, JsonObject]) -> None:
        """Report the processes without a row, where their yields matter; ConfigurationError if there is no row."""
        for name, found in processes.items():
            if self.processor.weighted and not found["rows"]:
                where = ", ".join(file.path for file in self.files if name in file.processes)
                row, flow = self.processor.row, self.flows[name]
                self.skip(
                    where,
                    f"process {name}: no {row} of {found['events_generated']} passes the selection "
                    f"(cut flow: {flow}); generate several times as many, or with thresholds for this selection",
                )
        if not any(part.rows for part in self.parts):
            reasons = "".join(f"; {skip.file} {skip.reason}" for skip in self.skips)
            flows = "; ".join(f"{name}: {flow}" for name, flow in self.flows.items())
            raise ConfigurationError(
                f"no {self.processor.row} of {len(self.files)} files passes the selection (cut flow: {flows}){reasons}"
            )

    def write(
        self, output: Path, config: JsonObject, code: Mapping[str, str], processes: Mapping[str, JsonObject]
    ) -> JsonObject:
        """Write control histograms and manifest.

        `code` has the digest of the code that read each format, `processes` the normalisation of each process.
        """
        with atomic_path(output / "control.root") as path, uproot.recreate(path) as root:
            for name, histogram in sorted(self.control.items()):
                root[name] = histogram
        flows = self.flows
        if self.processor.weighted:
            flows = {
                name: CutFlow({"generated": processes[name]["events_generated"]}) + flow for name, flow in flows.items()
            }
        return provenance.write(
            output,
            "process",
            config,
            digest=digest_json({"settings": config, "parts": [part.part for part in self.parts]}),
            classes=list(self.processor.settings.classes),
            table=self.processor.table().to_json(),
            left_out=left_out(self.processor),
            warnings=[text for name, flow in self.flows.items() for text in flow.losses(name)],
            code=dict(code),
            **{self.processor.rows_noun(): {name: found["rows"] for name, found in processes.items()}},
            processes=processes,
            cut_flow={name: flow.to_json() for name, flow in flows.items()},
            skips=[skip.to_json() for skip in self.skips],
            inputs=[asdict(file) for file in self.files],
            parts=[part.to_json() for part in self.parts],
        )
