"""What the user gives to process: files, directories or a coffea fileset, checked before any work.

A file that cannot be used is found here, with a reason, rather than in the middle of a long run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import uproot

from xaug.errors import ConfigurationError, InputFileError
from xaug.generate.tree import TREE, read_metadata
from xaug.process.conventions import DEFAULT, Conventions
from xaug.process.schemas import required_branches
from xaug.storage import digest_file

__all__ = ["Candidate", "InputFile", "gather", "inspect"]

METADATA = ("label", "process", "xsec")
"""What a fileset's metadata, or the file itself, may say; label and process it must."""


@dataclass(frozen=True)
class Candidate:
    """A file that somebody named, and what they said of it."""

    dataset: str
    path: str
    tree: str
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
            found += [Candidate(path.name, str(file.resolve()), TREE, {}) for file in files]
        else:
            where = str(path.resolve()) if _local(text) else text
            found.append(Candidate(path.parent.name or "files", where, TREE, {}))
    seen: set[str] = set()
    for candidate in found:
        if candidate.path in seen:
            raise ConfigurationError(f"{candidate.path} is given twice: its jets would count twice")
        seen.add(candidate.path)
    return sorted(found, key=lambda candidate: candidate.path)


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
        tree = content.get("treename", TREE)
        if not all(isinstance(file, str) for file in files):
            raise bad(f"dataset {dataset!r} lists {files!r}; paths are text")
        trees = files if isinstance(files, dict) else dict.fromkeys(files, tree)
        for file, own in trees.items():
            own = own.get("object_path") if isinstance(own, dict) else own  # the longer form that coffea knows
            where = str((path.parent / file).resolve()) if _local(file) else file
            found.append(Candidate(dataset, where, own or tree, metadata))
    return found


def inspect(candidate: Candidate, conventions: Conventions = DEFAULT) -> InputFile:
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
            return _inspect_open(candidate, root, bad, conventions)
    except InputFileError:
        raise
    except Exception as error:  # uproot raises most kinds of errors on a damaged file
        if not local:
            raise bad(f"cannot be read ({_first_line(error)}); is the server reachable?") from None
        raise bad(f"is truncated or damaged ({_first_line(error)}); copy or generate it again") from error


def _inspect_open(candidate: Candidate, root, bad, conventions: Conventions) -> InputFile:
    keys = root.keys(cycle=False)
    if candidate.tree not in keys:
        raise bad(f"has no tree {candidate.tree!r} (it holds: {', '.join(keys) or 'nothing'}); name it as treename")
    metadata = {**read_metadata(root), **candidate.metadata}
    for name in ("label", "process"):
        if name not in metadata:
            raise bad(f"has no {name}: list it in a fileset JSON whose metadata says {name} (label 1 is signal)")
    if metadata["label"] not in (0, 1):
        raise bad(f"has label {metadata['label']!r}; must be 1 (signal) or 0 (background)")
    tree = root[candidate.tree]
    branches = set(tree.keys())
    for branch in required_branches(metadata["label"], conventions):
        if branch not in branches:
            near = get_close_matches(branch, branches, n=1)
            guess = f"; nearest is {near[0]!r}" if near else ""
            raise bad(f"tree {candidate.tree!r} has no branch {branch!r}{guess}")
    if conventions.neutrinos and metadata.get("sample") == "zbb" and not metadata.get("neutrinos"):
        raise bad("was generated without neutrinos; generate with --options paper-literal")
    if tree.num_entries == 0:
        raise bad(f"tree {candidate.tree!r} has no entries; leave the file out")
    uuid = root.file.fUUID
    digest = digest_file(candidate.path) if _local(candidate.path) else uuid.hex()
    xsec = metadata.get("xsec")
    return InputFile(
        dataset=candidate.dataset,
        path=candidate.path,
        tree=candidate.tree,
        process=str(metadata["process"]),
        label=int(metadata["label"]),
        xsec=None if xsec is None else float(xsec),
        entries=int(tree.num_entries),
        digest=digest,
        identity=metadata.get("identity", digest),
        uuid=uuid,
    )


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
