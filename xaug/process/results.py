"""Sums over the parts of a dataset, and the manifest that is written of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import uproot

from xaug.core import provenance
from xaug.core.errors import ConfigurationError, InputFileError
from xaug.core.files import atomic_path, digest_json
from xaug.core.types import Array, JsonObject
from xaug.data.cut_flow import CutFlow
from xaug.data.labels import refuse_no_weight
from xaug.data.part_files import read_part_summary
from xaug.data.parts import PartSummary
from xaug.data.plugins import with_plugins
from xaug.data.variables import table_of
from xaug.formats.base import PROPERTIES, format_of
from xaug.process.chunks import LOST, control_histogram
from xaug.process.inputs import InputFile
from xaug.process.kinds import AnyProcessor
from xaug.process.skips import Skip
from xaug.process.units import Magnitudes, check_scales

__all__ = ["Results"]


def left_out(processor: AnyProcessor) -> dict[str, list[str]]:
    """Variables that cannot be computed of the input files -> what the files lack."""
    now = processor.table().labels()
    missing = set(PROPERTIES) - set(getattr(processor.settings, "holds", PROPERTIES))
    return {
        name: sorted(missing.intersection(v.needs))
        for name, v in with_plugins(table_of(processor.settings.kind), processor.settings.plugins).labels().items()
        if name not in now
    }


def without_pt(parts: Iterable[PartSummary]) -> dict[str, dict[str, int]]:
    """Files that have particles of pT 0 -> how many, and the number of all their particles."""
    found: dict[str, dict[str, int]] = {}
    for part in parts:
        own = Magnitudes.from_json(part.scale or {})
        of_file = found.setdefault(part.file, {"without_pt": 0, "particles": 0})
        of_file["without_pt"] += own.without_pt
        of_file["particles"] += own.particles
    return {file: own for file, own in found.items() if own["without_pt"]}


@dataclass
class Results:
    """Sums over the parts of a dataset, from which control histograms and manifest are written."""

    processor: AnyProcessor
    files: list[InputFile]
    skips: list[Skip]
    strict: bool
    warnings: list[str]
    parts: list[PartSummary] = field(default_factory=list)
    flows: dict[str, CutFlow] = field(default_factory=dict)
    control: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.strict:
            for skip in self.skips:
                if skip.lost:
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

    def check_units(self) -> None:
        """Warn about files whose units seem wrong; ConfigurationError if those of momenta differ between files."""
        found: dict[str, list[Magnitudes]] = {}
        for part in self.parts:
            if part.scale is not None and part.rows:  # files without a jet are told apart before
                found.setdefault(part.file, []).append(Magnitudes.from_json(part.scale))
        processes = {file.path: frozenset(file.processes) for file in self.files}
        units = {file.path: format_of(file.format).momentum_unit for file in self.files}
        self.warnings += check_scales(found, processes, units)

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
        if not self.parts:
            reasons = "; ".join(f"{skip.file} {skip.reason}" for skip in self.skips)
            raise ConfigurationError(f"nothing could be read of {len(self.files)} files: {reasons}")
        if not any(part.rows for part in self.parts):
            reasons = "".join(f"; {skip.file} {skip.reason}" for skip in self.skips)
            flows = "; ".join(f"{name}: {flow}" for name, flow in self.flows.items())
            raise ConfigurationError(
                f"no {self.processor.row} of {len(self.files)} files passes the selection (cut flow: {flows}){reasons}"
            )

    def check_classes(self) -> None:
        """ConfigurationError if a class has no row although files of it were read."""
        lost = {skip.file for skip in self.skips if skip.reason == LOST}
        given: dict[str, set[str]] = {}
        for file in self.files:
            told = set(file.processes) & {file.process, *self.processor.settings.classes}  # without classes left out
            for name in sorted(told) if file.path not in lost else ():
                given.setdefault(file.class_name or name, set()).add(name)
        rows = {one.process: 0 for part in self.parts for one in part.contents}
        for part in self.parts:
            for one in part.contents:
                rows[one.process] += one.rows
        for label, names in given.items():
            if any(rows.get(name) for name in names):
                own = [one.sum_weights_selected for part in self.parts for one in part.contents if one.process in names]
                refuse_no_weight(label, sum(own))
                continue
            flows = "; ".join(f"{name}: {self.flows[name]}" for name in sorted(names & self.flows.keys()))
            reasons = "".join(f"; {skip.file} {skip.reason}" for skip in self.skips)
            hint = ". Are its momenta in GeV and its lengths in mm, not in MeV and cm? Else loosen the cuts with --set"
            raise ConfigurationError(
                f"class {label} has 0 {self.processor.rows_noun()} (cut flow: {flows or 'nothing was read'})"
                f"{reasons}{hint if flows else ''}"
            )
        known = self.processor.settings.classes
        if len(known) == 1:
            self.warnings.append(
                f"the dataset has one class only, {known[0]}, of which no network learns; process files of all classes "
                "together"
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
            particles_left_out=without_pt(self.parts),
            warnings=[*self.warnings, *(text for name, flow in self.flows.items() for text in flow.losses(name))],
            code=dict(code),
            **{self.processor.rows_noun(): {name: found["rows"] for name, found in processes.items()}},
            processes=processes,
            cut_flow={name: flow.to_json() for name, flow in flows.items()},
            skips=[skip.to_json() for skip in self.skips],
            inputs=[asdict(file) for file in self.files],
            parts=[part.to_json() for part in self.parts],
        )
