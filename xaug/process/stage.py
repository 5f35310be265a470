"""The whole stage: check the inputs, process what is not done yet, write the manifest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import uproot
from coffea.processor.executor import WorkItem

from xaug import manifest
from xaug.command import bar
from xaug.dataset import read_part_summary
from xaug.errors import ConfigurationError, InputFileError, XaugError
from xaug.process import executors
from xaug.process.conventions import Conventions
from xaug.process.inputs import InputFile, gather, inspect
from xaug.process.processor import CONTROL, JetProcessor, Settings, control_histogram, part_name
from xaug.storage import atomic_path, digest_json

__all__ = ["CHUNKSIZE", "process"]

CHUNKSIZE = 4000
"""Events per chunk: some seconds of work, and what a kill costs at most per worker."""


def _work_items(file: InputFile, chunksize: int) -> list[WorkItem]:
    usermeta = {key: value for key, value in asdict(file).items() if key != "uuid"}
    return [
        WorkItem(file.dataset, file.path, file.tree, start, min(start + chunksize, file.entries), file.uuid, usermeta)
        for start in range(0, file.entries, chunksize)
    ]


def _inspect_all(inputs: Iterable[str], strict: bool, conventions: Conventions) -> tuple[list[InputFile], list[dict]]:
    candidates = gather(inputs)
    good, skips = [], []
    for candidate in bar(None, "check input files", "files", iterable=candidates, leave=False):
        try:
            good.append(inspect(candidate, conventions))
        except InputFileError as error:
            if strict:
                raise
            skips.append({"file": error.file, "reason": error.reason})
    if not good:
        reasons = "; ".join(f"{skip['file']} {skip['reason']}" for skip in skips)
        raise ConfigurationError(f"none of {len(candidates)} input files can be used: {reasons}")
    return good, skips


def process(
    inputs: Iterable[str],
    output: str | Path,
    settings: Settings | None = None,
    *,
    executor: str = "iterative",
    workers: int | None = None,
    scheduler: str | None = None,
    chunksize: int = CHUNKSIZE,
    strict: bool = False,
    dry_run: bool = False,
) -> dict:
    """Make a dataset of ROOT files; return its manifest (for a dry run: what would be done).

    Parameters
    ----------
    inputs
        ROOT files, directories of them, or coffea filesets as JSON
    strict
        stop at the first file that cannot be used, instead of leaving it out and listing it
    """
    settings = settings or Settings()
    if chunksize < 1:
        raise ConfigurationError(f"--chunksize {chunksize}: must be at least 1")
    output = Path(output).resolve()
    files, skips = _inspect_all(inputs, strict, settings.conventions)
    items = [item for file in files for item in _work_items(file, chunksize)]
    names = {part_name(item.usermeta, settings, item.entrystart, item.entrystop): item for item in items}
    missing = [name for name in names if not (output / name).exists()]
    if dry_run:
        counts = {"files": len(files), "events": sum(f.entries for f in files), "chunks": len(items)}
        return {**counts, "chunks_done": len(names) - len(missing), "skips": skips}

    config = {
        **settings.config,
        "chunksize": chunksize,
        "inputs": {file.path: file.digest for file in files} | {skip["file"]: None for skip in skips},
    }
    finished = manifest.begin(output, "process", config)
    if finished:
        return finished
    if missing:
        work = JetProcessor(output, settings)
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
    return _finish(output, config, files, sorted(names, key=lambda name: _place(names[name])), skips, strict)


def _place(item: WorkItem) -> tuple[str, int]:
    return item.filename, item.entrystart


def _finish(
    output: Path, config: dict, files: list[InputFile], names: list[str], skips: list[dict], strict: bool
) -> dict:
    """Sum up the parts in the order of (file, start) and write control histograms and manifest."""
    parts, flows, control = [], {}, {}
    for name in names:
        if not (output / name).exists():
            continue  # skipped, and listed as such
        summary, counts = read_part_summary(output / name)
        parts.append(summary)
        process_name = summary["process"]
        flow = flows.setdefault(process_name, dict.fromkeys(summary["cut_flow"], 0))
        for cut, count in summary["cut_flow"].items():
            flow[cut] += count
        for variable in CONTROL:
            histogram = control.setdefault(f"{process_name}_{variable}", control_histogram(variable))
            histogram.view(flow=True)[...] += counts[variable]
    for file in files:
        own = [part for part in parts if part["file"] == file.path]
        if own and not any(part["cut_flow"]["jet with pT"] for part in own):
            reason = f"none of its {file.entries} events has a jet that passes the pT cut; is it in GeV?"
            if strict:
                raise InputFileError(file.path, reason)
            skips.append({"file": file.path, "reason": reason})
    if not sum(part["jets"] for part in parts):
        reasons = "".join(f"; {skip['file']} {skip['reason']}" for skip in skips)
        raise ConfigurationError(f"no jet of {len(files)} files passes the selection (cut flow: {flows}){reasons}")
    with atomic_path(output / "control.root") as path, uproot.recreate(path) as root:
        for name, histogram in sorted(control.items()):
            root[name] = histogram
    inputs = [{key: value for key, value in asdict(file).items() if key != "uuid"} for file in files]
    code = digest_json({"settings": config, "parts": [part["part"] for part in parts]})
    totals = {name: flow[list(flow)[-1]] for name, flow in flows.items()}
    return manifest.write(
        output, "process", config,
        digest=code, jets=totals, cut_flow=flows, skips=skips, inputs=inputs, parts=parts,
    )  # fmt: skip
