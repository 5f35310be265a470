"""The whole stage: check the inputs, process what is not done yet, write the manifest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import uproot
from coffea.processor.executor import WorkItem

from xaug.core import provenance
from xaug.core.command import bar
from xaug.core.errors import ConfigurationError, InputFileError, XaugError, unknown_name
from xaug.core.files import atomic_path, digest_json
from xaug.data.dataset import read_part_summary
from xaug.data.parts import PartProcessor, PartSettings, control_histogram, part_name
from xaug.data.variables import table_of
from xaug.events.processor import EventProcessor, EventSettings
from xaug.jets.conventions import DEFAULT, Conventions
from xaug.jets.processor import JetProcessor, Settings
from xaug.process import executors
from xaug.process.inputs import InputFile, gather, inspect, kind_of, short_names
from xaug.process.normalisation import check_normalisation, normalisation

__all__ = ["CHUNKSIZE", "process"]

KINDS: dict[str, tuple[type[PartProcessor], type[PartSettings]]] = {
    "jets": (JetProcessor, Settings),
    "events": (EventProcessor, EventSettings),
    "events_met": (EventProcessor, EventSettings),
}
"""Kind of dataset -> its processor and settings."""
CHUNKSIZE = 4000
"""Events per chunk: some seconds of work, and what a kill costs at most per worker."""


def _work_items(file: InputFile, chunksize: int) -> list[WorkItem]:
    usermeta = {key: value for key, value in asdict(file).items() if key != "uuid"}
    return [
        WorkItem(file.dataset, file.path, file.tree, start, min(start + chunksize, file.entries), file.uuid, usermeta)
        for start in range(0, file.entries, chunksize)
    ]


def default_settings(kind: str) -> PartSettings:
    """The settings of a kind of dataset where nothing else is asked for."""
    if kind not in KINDS:
        raise unknown_name("kind of dataset", kind, KINDS)
    return KINDS[kind][1](kind=kind)


def noun(kind: str) -> str:
    """What rows of a dataset are called, "jets" or "events"."""
    return kind.split("_")[0]


def infer_kind(inputs: Iterable[str]) -> str:
    """Kind of dataset that these files are meant for: "jets" or "events"."""
    return kind_of(gather(inputs))


def _inspect_all(
    inputs: Iterable[str], strict: bool, kind: str, conventions: Conventions
) -> tuple[list[InputFile], list[dict]]:
    candidates = gather(inputs)
    good, skips = {}, []
    for candidate in bar(None, "check input files", "files", iterable=candidates, leave=False):
        try:
            file = inspect(candidate, kind, conventions)
            if file.digest in good:
                first = good[file.digest].path
                raise InputFileError(file.path, f"is a copy of {first}: its {noun(kind)} would count twice; remove one")
            good[file.digest] = file
        except InputFileError as error:
            if strict:
                raise
            skips.append({"file": error.file, "reason": error.reason})
    if not good:
        reasons = "; ".join(f"{skip['file']} {skip['reason']}" for skip in skips)
        raise ConfigurationError(f"none of {len(candidates)} input files can be used: {reasons}")
    return list(good.values()), skips


def process(
    inputs: Iterable[str],
    output: str | Path,
    settings: PartSettings | None = None,
    *,
    executor: str = "iterative",
    workers: int | None = None,
    scheduler: str | None = None,
    chunksize: int = CHUNKSIZE,
    strict: bool = False,
    dry_run: bool = False,
    k_factors: dict[str, float] | None = None,
) -> dict:
    """Make a dataset of ROOT files; return its manifest (for a dry run: what would be done).

    Parameters
    ----------
    inputs
        ROOT files, directories of them, or coffea filesets as JSON
    strict
        stop at the first file that cannot be used, instead of leaving it out and listing it
    k_factors
        process name -> what multiplies the cross section in its files
    """
    inputs = list(inputs)
    settings = settings or default_settings(infer_kind(inputs))
    if chunksize < 1:
        raise ConfigurationError(f"--chunksize {chunksize}: must be at least 1")
    output = Path(output).resolve()
    files, skips = _inspect_all(inputs, strict, settings.kind, getattr(settings, "conventions", DEFAULT))
    k_factors = k_factors or {}
    check_normalisation(files, k_factors)
    for file in files:
        settings.check(file.path, file.stored)
    items = [item for file in files for item in _work_items(file, chunksize)]
    names = {part_name(item.usermeta, settings, item.entrystart, item.entrystop): item for item in items}
    missing = [name for name in names if not (output / name).exists()]
    if dry_run:
        counts = {"files": len(files), "events": sum(f.entries for f in files), "chunks": len(items)}
        return {**counts, "chunks_done": len(names) - len(missing), "skips": skips}

    digests = {file.path: file.digest for file in files} | {skip["file"]: None for skip in skips}
    short = short_names(digests)
    config = {
        **settings.config,
        "chunksize": chunksize,
        "k_factors": k_factors,
        "inputs": {short[path]: digest for path, digest in digests.items()},
    }
    finished = provenance.begin(output, "process", config)
    if finished:
        return finished
    if missing:
        work = KINDS[settings.kind][0](output, settings)
        with executors.watched(output, missing, len(names)):
            done = executors.run([names[name] for name in missing], work, executor, workers, scheduler)
        if done["failures"]:
            first = done["failures"][0]
            raise XaugError(f"{first['file']}, entries {first['start']} to {first['stop']}: {first['reason']}")
        told = {(skip["file"], skip["start"]) for skip in done["skips"]}
        for name in missing:
            file, start = _place(names[name])
            if not (output / name).exists() and (file, start) not in told:
                stop = names[name].entrystop
                lost = {"file": file, "start": start, "stop": stop, "reason": "was lost or changed while processing"}
                done["skips"].append(lost)
        if done["skips"] and strict:
            raise InputFileError(done["skips"][0]["file"], done["skips"][0]["reason"])
        skips += sorted(done["skips"], key=lambda skip: (skip["file"], skip["start"]))
    places = {name: names[name].filename for name in sorted(names, key=lambda name: _place(names[name]))}
    return _finish(output, config, files, places, skips, strict)


def _place(item: WorkItem) -> tuple[str, int]:
    return item.filename, item.entrystart


def _finish(
    output: Path, config: dict, files: list[InputFile], places: dict[str, str], skips: list[dict], strict: bool
) -> dict:
    """Sum up the parts (name -> input file), in this order, and write control histograms and manifest."""
    kind = config["kind"]
    axes = KINDS[kind][0].control
    parts, flows, control = [], {}, {}
    for name, place in places.items():
        if not (output / name).exists():
            continue  # skipped, and listed as such
        summary, counts = read_part_summary(output / name)
        parts.append({**summary, "file": place})  # which may have been moved since
        process_name = summary["process"]
        flow = flows.setdefault(process_name, dict.fromkeys(summary["cut_flow"], 0))
        for cut, count in summary["cut_flow"].items():
            flow[cut] += count
        for variable, axis in axes.items():
            histogram = control.setdefault(f"{process_name}_{variable}", control_histogram(axis, variable))
            histogram.view(flow=True)[...] += counts[variable]
    for file in files:
        own = [part for part in parts if part["file"] == file.path]
        first_cut = next(iter(islice(flows[file.process], 1, None))) if own else None
        if own and not any(part["cut_flow"][first_cut] for part in own):
            reason = f"none of its {file.entries} events has {KINDS[kind][0].needs}; is it in GeV?"
            if strict:
                raise InputFileError(file.path, reason)
            skips.append({"file": file.path, "reason": reason})
    processes = normalisation(files, parts, config["k_factors"])
    for name, found in processes.items():
        if kind != "jets" and not found["rows"]:
            where = ", ".join(file.path for file in files if file.process == name)
            reason = f"process {name}: no event passes the selection (cut flow: {flows[name]}); generate more"
            if strict:
                raise InputFileError(where, reason)
            skips.append({"file": where, "reason": reason})
    if not sum(part["rows"] for part in parts):
        reasons = "".join(f"; {skip['file']} {skip['reason']}" for skip in skips)
        raise ConfigurationError(
            f"no {noun(kind)[:-1]} of {len(files)} files passes the selection (cut flow: {flows}){reasons}"
        )
    with atomic_path(output / "control.root") as path, uproot.recreate(path) as root:
        for name, histogram in sorted(control.items()):
            root[name] = histogram
    inputs = [{key: value for key, value in asdict(file).items() if key != "uuid"} for file in files]
    code = digest_json({"settings": config, "parts": [part["part"] for part in parts]})
    if kind != "jets":
        flows = {name: {"generated": processes[name]["events_generated"], **flow} for name, flow in flows.items()}
    totals = {name: found["rows"] for name, found in processes.items()}
    return provenance.write(
        output, "process", config,
        digest=code, table=table_of(kind).to_json(), **{noun(kind): totals}, processes=processes, cut_flow=flows,
        skips=skips, inputs=inputs, parts=parts,
    )  # fmt: skip
