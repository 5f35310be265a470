"""Contents of a path: an input file, or the directory of any stage, told by its content."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from xaug.core import provenance
from xaug.core.errors import ConfigurationError, DatasetError, InputFileError, XaugError
from xaug.core.integrity import FILES, check_sizes, load_manifest
from xaug.core.statistics import sample_deviation
from xaug.core.types import JsonObject
from xaug.data.dataset import Dataset
from xaug.data.splits import SPLITS
from xaug.explain.explanation import Explanation
from xaug.networks.model_files import model_facts
from xaug.training.runs import load_run

__all__ = ["inspect_path", "presets"]

WHAT = {
    "generate": "generated files",
    "process": "a dataset",
    "train": "a run",
    "explain": "attributions",
    "report": "a report",
}
"""Stage that wrote a directory -> what it is."""


def presets() -> list[JsonObject]:
    """All file formats: name, what they are, endings, layout with units, and whether they give jets."""
    from xaug.formats.registry import FORMATS

    formats = [*FORMATS.values()]
    listed = [
        {
            "format": form.name,
            "label": form.label,
            "suffixes": list(form.suffixes),
            "layout": form.layout,
            "gives_jets": form.gives_jets,
        }
        for form in formats
    ]
    columns: JsonObject = {
        "format": "columns",
        "label": "any file of columns (ROOT, parquet, HDF5, NumPy), which a YAML describes",
        "suffixes": [".yaml"],
        "layout": "as the YAML says",
        "gives_jets": True,
    }
    return [*listed, columns]


def inspect_path(path: str | os.PathLike[str]) -> JsonObject:
    """Say what a path holds.

    Parameters
    ----------
    path : path-like
        file, with the name of a tree behind a colon or without; or directory of any stage

    Returns
    -------
    dict
        `what` it is, and what is known of it, as plain data

    Raises
    ------
    XaugError
        if there is nothing, or it is damaged or of no known kind; the message says which
    """
    text = os.fspath(path)
    place = Path(text)
    if place.is_dir():
        if (place / provenance.NAME).is_file():
            return _directory(place)
        if (place / provenance.STARTED).is_file():
            stage = load_manifest(place / provenance.STARTED)["stage"]
            raise DatasetError(f"{place} is not finished: run the same `xaug {stage}` command again to go on")
        return _folder(place)
    if place.is_file():  # a model needs none of the packages that read files of events
        _refuse_part_of_output(place)
        model = model_facts(place)
        if model is not None:
            return {"what": "a Keras model; explain it with `xaug.explain MODEL --inputs`", "path": text, **model}
    from xaug.process.descriptions import is_description
    from xaug.process.filesets import is_fileset

    if place.is_file() and (is_description(text) or is_fileset(text) or text.endswith(".txt")):
        return _list(text)
    return _file(text)


def _refuse_part_of_output(path: Path) -> None:
    """Refuse a file of the directory that a stage wrote, except one of generated events."""
    folder = path.absolute().parent
    if (folder / provenance.STARTED).is_file() and (folder / provenance.NAME).is_file():
        stage = str(load_manifest(folder / provenance.NAME)["stage"])
        if stage != "generate":
            raise ConfigurationError(f"{path} belongs to what `xaug {stage}` wrote; inspect {folder}")


def _list(text: str) -> JsonObject:
    """Files that a YAML, a fileset or a list of paths names, and what each holds."""
    from xaug.process.search import gather

    found = gather([text])
    files = []
    for one in found.found:
        named: JsonObject = {"file": one.path, "class": one.metadata.get("label")}
        try:
            own = _file(one.path, one.tree, one.format)
            named |= {key: own[key] for key in ("format", "entries", "classes") if own[key]}
        except (ConfigurationError, InputFileError) as error:
            named["cannot be used"] = str(error).removeprefix(f"{one.path}: ")
        files.append({key: value for key, value in named.items() if value is not None})
    return {
        "what": "a list of input files",
        "path": text,
        "files": files,
        "left_out": [str(one) for one in found.skips],
    }


def _folder(place: Path) -> JsonObject:
    from xaug.process.search import gather

    found = gather([place])
    return {
        "what": "a directory of input files",
        "path": str(place),
        "files": [one.path for one in found.found],
        "left_out": [str(skip) for skip in found.skips],
    }


def _directory(place: Path) -> JsonObject:
    """Contents of a finished directory, and the command that made it."""
    manifest = load_manifest(place / provenance.NAME)
    check_sizes(place, manifest)
    stage = str(manifest["stage"])
    content: JsonObject = {
        "what": WHAT.get(stage, f"the output of xaug {stage}"),
        "path": str(place),
        "command": manifest.get("command"),
        "versions": manifest.get("versions", {}),
        "commit": manifest.get("commit"),
        "files": len(manifest.get(FILES, {})),
        "config": manifest["config"],
    }
    more = OF_STAGE.get(stage)
    return content if more is None else content | more(place)


def _dataset(place: Path) -> JsonObject:
    data = Dataset.open(place)
    manifest = data.manifest
    return {
        "kind": data.kind,
        "rows": len(data),
        "classes": list(data.classes),
        "processes": data.counts,
        "splits": {split: data.size(split) for split in SPLITS},
        "columns": {name: data.names(name) for name in data.table.blocks},
        "shapes": {name: list(data.table.block_shape(name, len(data.names(name)))) for name in data.table.blocks},
        "cut_flow": manifest.get("cut_flow", {}),
        "left_out": manifest.get("left_out", {}),
        "particles_left_out": manifest.get("particles_left_out", {}),
        "warnings": manifest.get("warnings", []),
        "skips": manifest.get("skips", []),
        "digest": data.digest,
    }


def _run(place: Path) -> JsonObject:
    run = load_run(place)
    return {
        "network": run.input_spec.network,
        "trainings": len(run),
        "parameters": run.metrics[0]["parameters"],
        "classes": list(run.classes),
        "columns": run.variables,
        "shapes": {name: list(shape) for name, shape in run.input_spec.shapes.items()},
        "metrics": {
            name: {"mean": float(np.mean(values)), "rms": float(sample_deviation(values)) if len(values) > 1 else None}
            for name in run.metrics[0]
            if name not in ("training", "seed", "parameters")
            and all(isinstance(own[name], (int, float)) for own in run.metrics)
            for values in [[own[name] for own in run.metrics]]
        },
        "dataset": str(run.record.dataset),
        "dataset_digest": run.record.dataset_digest,
    }


def _attributions(place: Path) -> JsonObject:
    found = Explanation.open(place)
    return {
        "method": found.method.name,
        "settings": found.settings,
        "trainings": found.trainings,
        "events": found.events,
        "split": found.split,
        "only": found.only,
        "top5": found.top5,
        "rankings": found.rankings,
        "run": str(found.run),
        "run_digest": found.run_digest,
        "dataset": str(found.dataset),
        "dataset_digest": found.dataset_digest,
    }


def _report(place: Path) -> JsonObject:
    names = sorted(path.stem for path in place.glob("*.png"))
    return {"figures": names, "tables": sorted(path.name for path in place.glob("*.csv") if path.stem not in names)}


OF_STAGE: dict[str, Callable[[Path], JsonObject]] = {
    "process": _dataset,
    "train": _run,
    "explain": _attributions,
    "report": _report,
}
"""Stage -> what is told of its directories beside how they were made."""


def _file(text: str, named_tree: str | None = None, named_format: str | None = None) -> JsonObject:
    """Contents of an input file, and its format, where these are not named."""
    from xaug.formats.base import Source, UnsuitableFile
    from xaug.formats.registry import format_of, recognise
    from xaug.process.search import broken_link, file_kind, is_local, split_tree

    path, tree = split_tree(text)
    if is_local(path):
        broken = broken_link(path)
        if broken:
            raise InputFileError(path, broken)
        kind = file_kind(path)
        if kind:
            raise InputFileError(path, f"is {kind}, not a file")
        if not os.path.exists(path):
            raise ConfigurationError(f"{path} does not exist; give a file, or the directory of a stage")
        if os.path.getsize(path) == 0:
            raise InputFileError(path, "is empty (0 bytes)")
        _refuse_part_of_output(Path(path))
    try:
        with Source(path, named_tree or tree) as source:
            form = recognise(source) if named_format is None else format_of(named_format)
            contents = form.contents(source)
            classes = form.classes(source)
    except UnsuitableFile as error:
        raise InputFileError(path, str(error)) from None
    except XaugError:
        raise
    except Exception as error:  # libraries raise most kinds of errors on a damaged file
        first = (str(error).strip().splitlines() or [""])[0]
        told = "is truncated or damaged" if is_local(path) else "cannot be read; is the server reachable?"
        raise InputFileError(path, f"{told} ({type(error).__name__}: {first})") from None
    return {
        "what": form.label,
        "path": path,
        "format": form.name.partition(":")[0],
        "tree": contents.tree,
        "entries": contents.entries,
        "kind": contents.kind,
        "gives_jets": format_of(form.name).gives_jets,
        "holds": sorted(form.holds(contents.columns)),
        "classes": classes,
        "columns": sorted(contents.columns),
        "metadata": contents.metadata,
    }
