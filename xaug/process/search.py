"""Find the input files that the user named: files, directories, wildcards, lists, or filesets of coffea.

Nothing is lost in silence. What looks like an input file and is not taken, as a link loop, a pipe or a file whose name
has an unusual ending, is returned beside the files that were found, with the reason.
"""

from __future__ import annotations

import functools
import glob
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from xaug.core import provenance
from xaug.core.errors import ConfigurationError, DatasetError
from xaug.core.files import TEMPORARY
from xaug.core.integrity import load_manifest, records
from xaug.core.types import JsonObject
from xaug.formats.base import Source
from xaug.formats.registry import FORMATS
from xaug.process.descriptions import is_description, read_description
from xaug.process.filesets import FilesetEntry, Steps, is_fileset, read_fileset, within
from xaug.process.skips import Skip

__all__ = ["Candidate", "FoundInputs", "broken_link", "file_kind", "gather", "is_local", "recorded", "split_tree"]

WILDCARDS = re.compile(r"[*?\[]")
KINDS = {
    stat.S_ISFIFO: "a pipe (FIFO)",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
    stat.S_ISDIR: "a directory",
}


@dataclass(frozen=True)
class Candidate:
    """A file that the user named, and what the user said of it."""

    dataset: str
    path: str
    tree: str | None  # None: the tree of its format
    metadata: JsonObject
    steps: Steps | None = None  # ranges of entries to read; None: all
    entries: int | None = None  # entries that it should have; None: the user does not say
    format: str | None = None  # name of its format; None: it is recognised by its content

    def opened(self) -> Source:
        """The file, for formats to look at; use it in a `with` statement."""
        return Source(self.path, self.tree)


@dataclass
class FoundInputs:
    """Files that were found, and what was left out.

    Attributes
    ----------
    found : list of Candidate
        files to process, in the order of their paths
    skips : list of Skip
        what looks like an input and was not taken
    classes : tuple of str
        names of classes in the order in which descriptions and filesets list them
    taken : set of (str, str or None)
        files of directories that the user named without a fileset, and their tree, by their real path
    """

    found: list[Candidate] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    classes: tuple[str, ...] = ()
    taken: set[tuple[str, str | None]] = field(default_factory=set)

    def add(self, text: str, base: Path, given: FilesetEntry | None = None, lists: tuple[str, ...] = ()) -> None:
        """Add the files that one text names.

        Parameters
        ----------
        text
            path, URL, wildcards, list or fileset, with the name of a tree behind a colon or without
        base
            directory from which relative paths count
        given
            entry of the fileset that names it, if one does
        lists
            the lists that led here
        """
        where = text if not is_local(text) or os.path.isabs(text) else str(base / text)
        path, tree = split_tree(where)
        if is_local(path) and not os.path.lexists(path) and WILDCARDS.search(path):
            self._add_matches(path, tree, base, given, lists)
        elif not is_local(path):
            if WILDCARDS.search(path.rpartition("?")[0] or path):
                raise ConfigurationError(f"{path}: wildcards work for local files only; list the files in a .txt file")
            self._add_file(path, tree, given)
        elif os.path.isdir(path):
            self._add_directory(path, tree, given)
        elif _is_own_record(Path(path)):
            pass  # `DIR/*` names it too
        elif path.endswith(".txt"):
            self._add_list(path, given, lists)
        elif is_description(path) and given is None:
            for entry in read_description(Path(path)):
                self.add(entry.path, Path(path).parent, entry)
        elif is_fileset(path) and (given is None or given.format):  # a description may name filesets
            for entry in read_fileset(Path(path)):
                self.add(entry.path, Path(path).parent, within(given, entry))
        else:
            self._add_file(path, tree, given)

    def _add_file(self, path: str, tree: str | None, given: FilesetEntry | None, dataset: str | None = None) -> None:
        where = os.path.realpath(path) if is_local(path) else path
        reason = broken_link(path) if is_local(path) else None
        if reason:
            self.skips.append(Skip(os.path.abspath(path), reason))
        elif given is None:
            folder = (Path(path).absolute() if is_local(path) else Path(path)).parent
            self.found.append(Candidate(dataset or folder.name or "files", where, tree, {}))
        else:
            self.found.append(
                Candidate(
                    given.dataset, where, tree or given.tree, given.metadata, given.steps, given.entries, given.format
                )
            )

    def _add_matches(
        self, pattern: str, tree: str | None, base: Path, given: FilesetEntry | None, lists: tuple[str, ...]
    ) -> None:
        folder = Path(pattern).parent
        lost = [] if WILDCARDS.search(str(folder)) else [str(p) for p in missing(folder) if fnmatch(p, pattern)]
        matches = sorted({*glob.glob(pattern, recursive=True), *lost})
        if not matches:
            raise ConfigurationError(f"{pattern} matches no file")
        for match in matches:
            self.add(f"{match}:{tree}" if tree else match, base, given, lists)

    def _add_list(self, path: str, given: FilesetEntry | None, lists: tuple[str, ...]) -> None:
        """Add the files that the lines of a text file name; empty lines and comments (#) are passed over."""
        place = os.path.realpath(path)
        if place in lists:
            raise ConfigurationError(f"list {path} names itself")
        try:
            refuse_irregular(path)
            lines = Path(path).read_text(encoding="utf-8-sig").splitlines()  # Windows marks it
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"list {path} cannot be read: {error}") from None
        names = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
        if not names:
            raise ConfigurationError(f"list {path} names no file; give one path in each line")
        for name in names:
            self.add(name, Path(path).parent, given, (*lists, place))

    def _add_directory(self, path: str, tree: str | None, given: FilesetEntry | None) -> None:
        skipped, files = len(self.skips), []
        for file, skip in sorted(walk(Path(path), {}, ()), key=lambda finding: finding[0]):
            if skip is None:
                files.append(file)
            else:
                self.skips.append(skip)
        if not files:
            first, *others = sorted(_suffixes(), key=lambda suffix: suffix != ".root")
            known = f"{first} file (nor {', '.join(others)})" if others else f"{first} file"
            reasons = "".join(f"; {skip}" for skip in self.skips[skipped:])
            raise ConfigurationError(f"{path} holds no {known}{reasons}")
        taken = self.taken if given is None else set()
        if {(os.path.realpath(file), tree) for file in files} <= taken:
            place, own = os.path.realpath(path), os.path.abspath(path)
            what = "is no new folder: its files" if place == own else f"is a link to {place}, whose files"
            self.skips.append(Skip(own, f"{what} are taken already", lost=False))
            return
        for file in files:
            place = os.path.realpath(file)
            if (place, tree) in taken:
                link = "" if place == os.path.abspath(file) else f"is a link to {place}, which "
                self.skips.append(Skip(file, f"{link}is taken already", lost=False))
            else:
                taken.add((place, tree))
                self._add_file(file, tree, given, Path(path).absolute().name)


def gather(inputs: Iterable[str | os.PathLike[str]]) -> FoundInputs:
    """Find all files that `inputs` name.

    Parameters
    ----------
    inputs : iterable of path
        each is a file or URL, with `:TREE` behind it or without; a directory, which is searched with all directories
        below it and behind links; a path with wildcards; a `.txt` file that lists any of these; or a fileset of coffea
        (`.json`, `.json.gz`). Hidden files and directories are not searched

    Returns
    -------
    FoundInputs
        files in the order of their paths, and what was left out

    Raises
    ------
    ConfigurationError
        if an input names no file, or two of them name the same file; directories may, and their files are taken once
    """
    search = FoundInputs()
    for text in map(str, inputs):
        search.add(text, Path.cwd())
    seen: set[tuple[str, str | None]] = set()
    for candidate in search.found:
        if (candidate.path, candidate.tree) in seen or (candidate.path, None) in seen:
            raise ConfigurationError(f"{candidate.path} is given twice: its jets would count twice")
        seen.add((candidate.path, candidate.tree))
    labels = [candidate.metadata.get("label") for candidate in search.found]
    classes = tuple(dict.fromkeys(label for label in labels if isinstance(label, str)))
    found = sorted(search.found, key=lambda candidate: (candidate.path, candidate.tree or ""))
    return FoundInputs(found, list(dict.fromkeys(search.skips)), classes)


def is_local(path: str) -> bool:
    """True for a path of this machine's file system, False for a URL."""
    return "://" not in path


def split_tree(text: str) -> tuple[str, str | None]:
    """Path and tree of a text `PATH:TREE`, as uproot writes them; no tree where the text names none."""
    if is_local(text) and os.path.lexists(text):
        return text, None
    path, colon, tree = text.rpartition(":")
    while colon:
        if (is_local(path) and os.path.lexists(path)) or _ending().search(path) or path.endswith(".txt"):
            break
        path, colon, more = path.rpartition(":")
        tree = f"{more}:{tree}"
    return (path, tree or None) if colon and path else (text, None)


def _suffixes() -> list[str]:
    """Endings of the file names of all formats."""
    return list(dict.fromkeys(suffix for known in FORMATS.values() for suffix in known.suffixes))


def _ending() -> re.Pattern[str]:
    """The ends of file names that are taken when a directory is searched: `x.root`, and `x.root.1` or `x.root_1`."""
    return re.compile(rf"({'|'.join(map(re.escape, _suffixes()))})([._-]?\d+)?$", re.IGNORECASE)


Finding = tuple[str, Skip | None]
"""A path, and the record of leaving it out; None if it is taken."""


def walk(folder: Path, done: dict[tuple[int, int], Path], above: tuple[tuple[int, int], ...]) -> Iterator[Finding]:
    """Files below a folder, and what is left out; links to folders are followed.

    `done` are the folders that were searched before, by device and inode, and `above` those that lead here.
    """
    try:
        found = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield _left_out(folder, f"cannot be searched ({error.strerror})")
        return
    place = (found.st_dev, found.st_ino)
    if place in done:
        loop = f"is a link to {done[place]}, "
        reason = loop + ("which leads back here" if place in above else "which is searched already")
        yield _left_out(folder, reason, lost=False)
        return
    done[place] = folder
    stage = _stage_of(folder)
    if stage not in (None, "generate") and above:
        yield _left_out(folder, f"holds what `xaug.{stage}` wrote, not input files")
        return
    for path in missing(folder):
        if _ending().search(path.name):
            yield str(path), None  # the inspection says that it is missing
    for entry in entries:
        if entry.name.startswith((".", TEMPORARY)):
            continue
        path = folder / entry.name
        if os.path.isdir(path):
            yield from walk(path, done, (*above, place))
        else:
            yield from _judge(path)


def _left_out(path: Path, reason: str, lost: bool = True) -> Finding:
    return str(path), Skip(str(path), reason, lost=lost)


def _judge(path: Path) -> Iterator[Finding]:
    """One file of a folder: taken, left out with a reason, or passed over since nothing says that it holds events."""
    named = _ending().search(path.name)
    link, kind = broken_link(str(path)), file_kind(str(path))
    if link or kind:
        if named or kind or _holds_suffix(path.name):
            yield _left_out(path, link or f"is {kind}, not a file")
    elif named:
        yield str(path), None
    elif _holds_suffix(path.name) or _is_root(path):
        yield _left_out(
            path, f"is left out because its name does not end in {' or '.join(_suffixes())}; name it itself"
        )


def _holds_suffix(name: str) -> bool:
    return any(suffix in name.lower() for suffix in _suffixes())


def _is_root(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(5) == b"root\0"  # and the rest of the version
    except OSError:
        return False


def broken_link(path: str) -> str | None:
    """Say why a link leads nowhere, as the predicate of a sentence; None for what is not such a link."""
    try:
        os.stat(path)
    except OSError as error:
        if os.path.islink(path):
            return f"is a broken link to {os.readlink(path)} ({error.strerror})"
    return None


def file_kind(path: str) -> str | None:
    """Noun for something that is not a regular file, as "a pipe (FIFO)"; None for files and where nothing is."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return None
    if stat.S_ISREG(mode):
        return None
    return next((noun for test, noun in KINDS.items() if test(mode)), "something else")


def refuse_irregular(path: str) -> None:
    """Raise OSError for a pipe, a socket or a device, which could be waited for without an end."""
    kind = file_kind(path)
    if kind:
        raise OSError(f"it is {kind}, not a file")


def recorded(folder: Path) -> list[str]:
    """Names of the files that the manifest of a folder records; none if it has no manifest of xaug.

    Raises
    ------
    DatasetError
        if the manifest is damaged
    """
    manifest = _manifest(folder)
    return [] if manifest is None else list(records(manifest))


def missing(folder: Path) -> list[Path]:
    """Files that the manifest of a folder records and that are not there."""
    return [folder / name for name in recorded(folder) if not (folder / name).exists()]


def _stage_of(folder: Path) -> str | None:
    """The stage of xaug that wrote a folder; None for other folders."""
    manifest = _manifest(folder)
    return None if manifest is None or not (folder / provenance.STARTED).is_file() else str(manifest["stage"])


def _is_own_record(path: Path) -> bool:
    """True for what xaug wrote about a folder, which is no input."""
    return path.name in (provenance.NAME, provenance.STARTED) and _stage_of(path.parent) is not None


@functools.lru_cache(maxsize=64)
def _manifest_as_of(path: Path, changed: int) -> JsonObject:
    """A manifest, which is asked for once for each file beside it."""
    return load_manifest(path)


def _manifest(folder: Path) -> JsonObject | None:
    path = folder / provenance.NAME
    if not path.is_file():
        return None
    try:
        return _manifest_as_of(path, path.stat().st_mtime_ns)
    except DatasetError:
        if (folder / provenance.STARTED).is_file():
            raise
        return None  # other programs call files by this name as well
