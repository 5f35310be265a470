"""What the user gives to process: files, directories or a coffea fileset, checked before any work.

A file that cannot be used is found here, with a reason, rather than in the middle of a long run.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import uproot

from xaug.core.errors import ConfigurationError, InputFileError
from xaug.core.files import digest_file
from xaug.formats.event_formats import DELPHES_BRANCHES, TREE_BRANCHES
from xaug.formats.tree_writer import TREE, read_metadata
from xaug.formats.xaug_tree import required_branches
from xaug.jets.conventions import DEFAULT, Conventions

__all__ = ["Candidate", "InputFile", "gather", "inspect", "kind_of", "short_names"]

FORMATS = {"tree": TREE, "delphes": "Delphes"}
"""Format -> name of its tree, where the user does not name it."""


@dataclass(frozen=True)
class Candidate:
    """A file that somebody named, and what they said of it."""

    dataset: str
    path: str
    tree: str | None  # None: that of its format
    metadata: dict


@dataclass(frozen=True)
class InputFile:
    """A file that can be processed."""

    dataset: str
    path: str
    tree: str
    process: str
    label: int
    xsec: float | None  # [pb]
    xsec_error: float | None  # [pb]
    events_generated: int | None  # of which the entries are those stored
    sum_weight: float | None  # of all events generated
    stored: dict | None  # cuts that all events of the file have passed, by name; None if unknown
    format: str  # a key of FORMATS
    entries: int
    digest: str
    identity: str  # of its events: the same for the same generated events, wherever they are stored
    uuid: bytes


def _local(path: str) -> bool:
    return "://" not in path


def gather(inputs: Iterable[str]) -> list[Candidate]:
    """All files that `inputs` name: ROOT files, directories of them, or fileset JSON files (coffea's dict)."""
    found: list[Candidate] = []
    for text in map(str, inputs):
        path = Path(text)
        if text.endswith(".json"):
            found += _from_fileset(path)
        elif _local(text) and path.is_dir():
            files = sorted(file for file in path.rglob("*.root") if not file.name.startswith("."))
            if not files:
                raise ConfigurationError(f"{path} holds no .root file")
            found += [Candidate(path.name, str(file.resolve()), None, {}) for file in files]
        else:
            where = str(path.resolve()) if _local(text) else text
            found.append(Candidate(path.parent.name or "files", where, None, {}))
    seen: set[str] = set()
    for candidate in found:
        if candidate.path in seen:
            raise ConfigurationError(f"{candidate.path} is given twice: its jets would count twice")
        seen.add(candidate.path)
    return sorted(found, key=lambda candidate: candidate.path)


def short_names(paths: Iterable[str]) -> dict[str, str]:
    """What files are called wherever they lie: path -> path below the folder that all local ones share.

    A study that was moved as a whole is thus known again.
    """
    paths = list(paths)
    local = [path for path in paths if _local(path)]
    shared = os.path.commonpath([os.path.dirname(path) for path in local]) if local else ""
    return {path: os.path.relpath(path, shared) if _local(path) else path for path in paths}


def _from_fileset(path: Path) -> list[Candidate]:
    def bad(reason: str) -> ConfigurationError:
        return ConfigurationError(f"fileset {path}: {reason}")

    try:
        fileset = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"fileset {path} cannot be read: {error}") from None
    if not isinstance(fileset, dict) or not fileset:
        raise bad("expected {dataset: {files, metadata}}, see `python -m xaug.process -h`")
    found = []
    for dataset, content in fileset.items():
        content = content if isinstance(content, dict) else {"files": content}
        files, metadata = content.get("files"), content.get("metadata") or {}
        if not isinstance(files, (list, dict)) or not files:
            raise bad(f"dataset {dataset!r} lists no files; give a list of paths, or {{path: tree}}")
        if not isinstance(metadata, dict):
            raise bad(f"dataset {dataset!r} has metadata {metadata!r}; must be an object as {{'label': 1}}")
        if not isinstance(metadata.get("xsec", 0.0), (int, float)):
            raise bad(f"dataset {dataset!r} has xsec {metadata['xsec']!r}; must be a number [pb]")
        tree = content.get("treename")
        if not all(isinstance(file, str) for file in files):
            raise bad(f"dataset {dataset!r} lists {files!r}; paths are text")
        trees = files if isinstance(files, dict) else dict.fromkeys(files, tree)
        for file, own in trees.items():
            own = own.get("object_path") if isinstance(own, dict) else own  # the longer form that coffea knows
            where = str((path.parent / file).resolve()) if _local(file) else file
            found.append(Candidate(dataset, where, own or tree, metadata))
    return found


def kind_of(candidates: Iterable[Candidate]) -> str:
    """What a row of a dataset of these files is, by the first that can be read: "jets" or "events"."""
    for candidate in candidates:
        try:
            with uproot.open(candidate.path) as root:
                if FORMATS["delphes"] in (candidate.tree, *root.keys(cycle=False)):
                    return "events"
                return read_metadata(root).get("kind", "jets")
        except Exception:  # whatever it is, the inspection of the file will say
            continue
    return "jets"


def inspect(candidate: Candidate, kind: str = "jets", conventions: Conventions = DEFAULT) -> InputFile:
    """Check a file as far as that is possible without reading its events.

    Raises
    ------
    InputFileError
        with the reason and the remedy, if the file cannot be used
    """
    path = candidate.path

    def bad(reason: str) -> InputFileError:
        return InputFileError(path, reason)

    local = _local(path)
    if local:
        file = Path(path)
        if not file.exists():
            raise bad("does not exist")
        if file.stat().st_size == 0:
            raise bad("is empty (0 bytes); copy or generate it again")
        try:
            with open(file, "rb") as stream:
                magic = stream.read(4)
        except OSError as error:
            raise bad(f"cannot be read ({error.strerror})") from None
        if magic != b"root":
            raise bad("is not a ROOT file")
    try:
        with uproot.open(path) as root:
            if local and root.file._fEND > file.stat().st_size:
                raise bad(
                    f"is truncated or damaged ({file.stat().st_size} of {root.file._fEND} bytes); "
                    "copy or generate it again"
                )
            return _inspect_open(candidate, kind, root, bad, conventions)
    except InputFileError:
        raise
    except Exception as error:  # uproot raises most kinds of errors on a damaged file
        if not local:
            raise bad(f"cannot be read ({_first_line(error)}); is the server reachable?") from None
        raise bad(f"is truncated or damaged ({_first_line(error)}); copy or generate it again") from error


def _inspect_open(candidate: Candidate, kind: str, root, bad, conventions: Conventions) -> InputFile:
    keys = root.keys(cycle=False)
    name_of_tree = candidate.tree or next((tree for tree in FORMATS.values() if tree in keys), TREE)
    if name_of_tree not in keys:
        raise bad(f"has no tree {name_of_tree!r} (it holds: {', '.join(keys) or 'nothing'}); name it as treename")
    metadata = {**read_metadata(root), **candidate.metadata}
    for name in ("label", "process"):
        if name not in metadata:
            raise bad(f"has no {name}: list it in a fileset JSON whose metadata says {name} (label 1 is signal)")
    if metadata["label"] not in (0, 1):
        raise bad(f"has label {metadata['label']!r}; must be 1 (signal) or 0 (background)")
    tree = root[name_of_tree]
    branches = set(tree.keys())
    form = "delphes" if "Event/Event.Weight" in branches or name_of_tree == FORMATS["delphes"] else "tree"
    for branch in _required(kind, form, metadata["label"], conventions):
        if branch not in branches:
            near = get_close_matches(branch, branches, n=1)
            guess = f"; nearest is {near[0]!r}" if near else ""
            raise bad(f"tree {name_of_tree!r} has no branch {branch!r}{guess}")
    if conventions.neutrinos and metadata.get("sample") == "zbb" and not metadata.get("neutrinos"):
        raise bad("was generated without neutrinos; generate with --options paper-literal")
    if tree.num_entries == 0:
        raise bad(f"tree {name_of_tree!r} has no entries; leave the file out")
    uuid = root.file.fUUID
    digest = digest_file(candidate.path) if _local(candidate.path) else uuid.hex()
    numbers = {name: metadata.get(name) for name in ("xsec", "xsec_error", "sum_weight")}
    for name, value in numbers.items():
        if value is not None and not (isinstance(value, (int, float)) and math.isfinite(value) and value >= 0):
            raise bad(f"has {name} {value!r}; must be a number >= 0")
    return InputFile(
        dataset=candidate.dataset,
        path=candidate.path,
        tree=name_of_tree,
        process=str(metadata["process"]),
        label=int(metadata["label"]),
        **{name: None if value is None else float(value) for name, value in numbers.items()},
        events_generated=metadata.get("events_generated"),
        stored=metadata.get("stored"),
        format=form,
        entries=int(tree.num_entries),
        digest=digest,
        identity=metadata.get("identity", digest),
        uuid=uuid,
    )


def _required(kind: str, form: str, label: int, conventions: Conventions) -> Iterable[str]:
    """Branches that a file must have to become a dataset of this kind."""
    if kind == "jets":
        return required_branches(label, conventions)
    return DELPHES_BRANCHES if form == "delphes" else TREE_BRANCHES


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
