"""Check the input files.

All files are checked before any is processed, so that one which cannot be used is found now, with a reason, rather
than in the middle of a long run.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path

from xaug.core.errors import ConfigurationError, DatasetError, InputFileError, unknown_name
from xaug.core.integrity import record_of, verified
from xaug.core.types import JsonObject
from xaug.data.labels import check_class_names, is_background, ordered_classes
from xaug.data.records import CLASSES
from xaug.formats.base import FORMATS, Contents, Source, UnsuitableFile
from xaug.formats.beams import beams_of
from xaug.formats.processor import AnyProcessor
from xaug.formats.registry import format_of, recognise
from xaug.process.filesets import Steps
from xaug.process.named_weights import WEIGHT
from xaug.process.search import Candidate, file_kind, gather, is_local, recorded
from xaug.process.skips import Skip

__all__ = [
    "InputFile", "infer_defaults", "infer_kind", "inspect", "refuse_lost_classes", "short_names", "with_classes",
]  # fmt: skip

LARGEST_XSEC = 2e11
"""Cross section [pb] that no process exceeds: 200 mb, while protons of 100 TeV have about 150 mb in all."""


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
    events_generated: int | None  # the entries are those of them that were stored
    sum_weight: float | None  # sum of the weights of all generated events
    format: str  # name of its format
    entries: int
    digest: str
    identity: str  # the same for the same generated events, wherever they are stored
    steps: Steps  # ranges of entries to read
    holds: tuple[str, ...] = ()  # properties of particles that it holds
    class_name: str = ""  # name of the class of all its entries; "" where the file tells the class of each
    classes: tuple[tuple[str, int], ...] = ()  # classes that it tells, and those of the entries to read
    weight: str | None = None  # column of the weights, where the user names one: "LHEWeight[0]"
    beams: str = ""  # beams and energy of a file of xaug's generator, in words; "" where it does not tell them

    @property
    def listed(self) -> int:
        """Number of entries to read."""
        return sum(stop - start for start, stop in self.steps)

    @property
    def processes(self) -> dict[str, int]:
        """Processes of the entries to read, and how many entries each has."""
        return dict(self.classes) or {self.process: self.listed}

    @property
    def read(self) -> str:
        """Digest of the file, with the entries that are read where these are not all."""
        ranges = ",".join(f"{start}-{stop}" for start, stop in self.steps)
        return self.digest if self.steps == ((0, self.entries),) else f"{self.digest} entries {ranges}"

    @property
    def key(self) -> JsonObject:
        """Properties that tell this file from others, without its place."""
        return {
            "tree": self.tree,
            "digest": self.digest,
            "identity": self.identity,
            "label": self.label,
            "process": self.process,
            **({"format": self.format} if self.classes or ":" in self.format else {}),
            **({} if self.weight is None else {"weight": self.weight}),
        }


def short_names(paths: Iterable[str]) -> dict[str, str]:
    """Paths of files below the folder that all local ones share, by full path.

    A study that was moved as a whole is recognised by them.
    """
    paths = list(paths)
    local = [path for path in paths if is_local(path)]
    shared = os.path.commonpath([os.path.dirname(path) for path in local]) if local else ""
    return {path: os.path.relpath(path, shared) if is_local(path) else path for path in paths}


def infer_kind(inputs: Iterable[str | os.PathLike[str]]) -> str:
    """Kind of dataset that these files are meant for, by the first of them that can be read."""
    return infer_defaults(inputs)[0]


def infer_defaults(inputs: Iterable[str | os.PathLike[str]]) -> tuple[str, bool]:
    """Kind of dataset that these files are meant for, and whether they give jets, by the first that can be read."""
    for candidate in gather(inputs).found:
        if is_local(candidate.path) and file_kind(candidate.path):
            continue  # a pipe could be waited for without an end
        try:
            with candidate.opened() as source:
                form = recognise(source) if candidate.format is None else format_of(candidate.format)
                return form.contents(source).kind, form.gives_jets
        except Exception:  # whatever it is, the inspection of the file will say
            continue
    return "jets", False


def inspect(candidate: Candidate, processor: AnyProcessor) -> InputFile:
    """Check a file as far as that is possible without reading its events.

    Raises
    ------
    InputFileError
        with the reason and the remedy, if the file cannot be used
    ConfigurationError
        if the settings of the processor do not go with the file
    """
    path = candidate.path
    local = is_local(path)
    if local:
        _check_readable(Path(path))
    try:
        with candidate.opened() as source:
            return _inspect_opened(candidate, source, processor)
    except (InputFileError, ConfigurationError):
        raise
    except UnsuitableFile as error:
        raise InputFileError(path, str(error)) from None
    except ImportError as error:
        raise InputFileError(
            path, f"needs a package that is not installed ({_first_line(error)}); install it, or copy the file here"
        ) from None
    except Exception as error:  # libraries raise most kinds of errors on a damaged file
        if not local:
            reason = f"cannot be read ({_first_line(error)}); is the server reachable?"
            raise InputFileError(path, reason) from None
        if "Object arrays cannot be loaded" in str(error):
            reason = "holds arrays of Python objects, which could run any code; write arrays of numbers, padded with 0"
            raise InputFileError(path, reason) from None
        raise InputFileError(
            path, f"is truncated or damaged ({_first_line(error)}); copy or generate it again"
        ) from error


def _check_readable(file: Path) -> None:
    if file.name in recorded(file.parent):
        try:
            verified(file)
        except DatasetError as error:
            raise InputFileError(str(file), str(error).removeprefix(f"{file} ")) from None
    if not file.exists():
        raise InputFileError(str(file), "does not exist")
    kind = file_kind(str(file))
    if kind:
        raise InputFileError(str(file), f"is {kind}, not a file")
    if file.stat().st_size == 0:
        raise InputFileError(str(file), "is empty (0 bytes); copy or generate it again")
    try:
        with open(file, "rb") as stream:
            stream.read(1)
    except OSError as error:
        raise InputFileError(str(file), f"cannot be read ({error.strerror})") from None


def _inspect_opened(candidate: Candidate, source: Source, processor: AnyProcessor) -> InputFile:
    found = recognise(source) if candidate.format is None else format_of(candidate.format)
    if found.name in FORMATS and candidate.format is not None and not found.likeness(source):
        raise UnsuitableFile(f"is not {found.label}, as the YAML says; it seems to be {recognise(source).label}")
    contents = found.contents(source)
    if source.tree and not contents.tree:
        raise UnsuitableFile(f"is {found.label}, which has no tree {source.tree!r}; leave the name of the tree out")
    metadata = {**contents.metadata, **candidate.metadata}
    name = _class_name(metadata)
    label = _label(name, processor)
    if contents.entries == 0:
        raise UnsuitableFile(f"{_table(contents)}has no entries; leave the file out")
    _check_columns(contents, processor.columns(found, label), partial(processor.remedy, found, label))
    processor.settings.check(candidate.path, metadata)
    steps = _steps(candidate, contents)
    classes = found.classes(source, steps)
    if name and len(classes) > 1:
        told = ", ".join(f"{n} {own}" for own, n in list(classes.items())[:4])
        raise UnsuitableFile(
            f"tells the class of each entry ({told}{', ...' if len(classes) > 4 else ''}), but is listed as a whole "
            f"under {name!r}; list it without a class, and choose with --classes"
        )
    if name:
        classes = {}
    if classes:
        metadata["process"] = ""
    for needed in ("label", "process"):
        if needed not in metadata and not classes:
            raise UnsuitableFile(
                f"has no {needed}: list it in a fileset JSON whose metadata gives its {needed} (label 1 is signal), or "
                f"by class in a YAML: `format: {found.name.partition(':')[0]}` and `files: {{QCD: ..., Hbb: ...}}`"
            )
    digest = str(record_of(Path(candidate.path))["digest"]) if source.is_local else contents.fingerprint
    return InputFile(
        dataset=candidate.dataset,
        path=candidate.path,
        tree=contents.tree,
        process=str(metadata["process"]),
        label=label,
        xsec=_number(metadata, "xsec"),
        xsec_error=_number(metadata, "xsec_error"),
        events_generated=metadata.get("events_generated"),
        sum_weight=_number(metadata, "sum_weight"),
        format=found.name,
        entries=contents.entries,
        digest=digest,
        identity=metadata.get("identity", digest),
        steps=steps,
        holds=tuple(sorted(found.holds(contents.columns))),
        class_name=name,
        classes=tuple(classes.items()),
        weight=_weight(metadata, contents),
        beams=beams_of(metadata["card"]) if isinstance(metadata.get("card"), list) else "",
    )


def _weight(metadata: JsonObject, contents: Contents) -> str | None:
    """The column of the weights that the user names; UnsuitableFile if the file does not have it."""
    name = metadata.get("weight")
    if name is None:
        return None
    if not isinstance(name, str) or not WEIGHT.fullmatch(name):
        raise UnsuitableFile(f"has weight {name!r}; must name a column, or a component of it as LHEWeight[0]")
    column = name.partition("[")[0]
    if "." not in column:  # the fields of collections are checked where they are read
        _check_columns(contents, [column], lambda name: "")
    return name


def _class_name(metadata: JsonObject) -> str:
    """Name of the class that the metadata give a file; "" if they give none."""
    label = metadata.get("label")
    if label is None:
        return ""
    if isinstance(label, str) and label:
        return label
    if label not in (0, 1):
        raise UnsuitableFile(f"has label {label!r}; must be 1 (signal) or 0 (background), or the name of a class")
    return CLASSES[int(label)]


def _label(name: str, processor: AnyProcessor) -> int:
    """Label of a class before all classes are known: 0 for a background by name, -1 where the class is not known."""
    if name in processor.settings.classes:
        return int(processor.settings.classes.index(name))
    return -1 if not name else 0 if is_background(name) else 1


def with_classes(
    files: Sequence[InputFile], wanted: Sequence[str] | None, listed: Sequence[str] = ()
) -> tuple[list[InputFile], tuple[str, ...]]:
    """The files with their labels, and the names of all classes by label.

    Parameters
    ----------
    files
        input files
    wanted
        names of the classes by label, as the user orders them; None: all that occur, backgrounds by name first
    listed
        names in the order in which a description or a fileset lists them; others come behind them

    Raises
    ------
    ConfigurationError
        if a wanted class does not occur, or a file is of another class
    """
    names = [name for file in files for name in ([file.class_name] if file.class_name else dict(file.classes))]
    known = tuple(dict.fromkeys([*(name for name in listed if name in names), *names]))
    if wanted is not None:
        for name in wanted:
            if name not in known:
                raise unknown_name("class", name, known)
        classes = tuple(wanted)
    else:
        classes = CLASSES if set(known) <= set(CLASSES) else ordered_classes(known)
    for file in files:
        if file.class_name and file.class_name not in classes:
            raise ConfigurationError(
                f"{file.path} is of the class {file.class_name!r}, which is none of {', '.join(classes)}"
            )
    check_class_names(classes)
    label = {name: i for i, name in enumerate(classes)}
    return [replace(file, label=label.get(file.class_name, -1)) for file in files], classes


def refuse_lost_classes(
    candidates: Iterable[Candidate], files: Iterable[InputFile], skips: Iterable[Skip], wanted: Sequence[str] | None
) -> None:
    """ConfigurationError if the user lists files by class and none of a class can be used.

    Parameters
    ----------
    candidates, files
        all input files, and those that can be used
    skips
        why the others are left out
    wanted
        names of the classes that the user chooses; None: all
    """
    reasons = {skip.file: skip.reason for skip in skips}
    left = {name for file in files for name in (file.class_name, *dict(file.classes))}
    lost: dict[str, list[str]] = {}
    for candidate in candidates:
        label = candidate.metadata.get("label")
        name = label if isinstance(label, str) else CLASSES[label] if label in (0, 1) else ""
        if name and name not in left and (wanted is None or name in wanted):
            lost.setdefault(name, []).append(f"{candidate.path} {reasons.get(candidate.path, 'is left out')}")
    for name, told in lost.items():
        more = f"; and {len(told) - 3} more" if len(told) > 3 else ""
        raise ConfigurationError(
            f"no file of the class {name!r} can be used: {'; '.join(told[:3])}{more}. Mend one of them, or choose "
            f"classes without {name} by --classes"
        )


def _steps(candidate: Candidate, contents: Contents) -> Steps:
    """Ranges of entries to read; UnsuitableFile if a fileset was made of another file of this name."""
    if candidate.entries is not None and candidate.entries != contents.entries:
        raise UnsuitableFile(
            f"has {contents.entries} entries, but the fileset says num_entries {candidate.entries}: the file has "
            "changed since. Make the fileset again"
        )
    if candidate.steps is None:
        return ((0, contents.entries),)
    if candidate.steps[-1][1] > contents.entries:
        raise UnsuitableFile(
            f"has {contents.entries} entries, but the fileset has the step {list(candidate.steps[-1])}. "
            "Make the fileset again"
        )
    return candidate.steps


def _table(contents: Contents) -> str:
    """Subject of messages about the table of a file's events; empty where the file has only one."""
    return f"tree {contents.tree!r} " if contents.tree else ""


def _check_columns(contents: Contents, needed: Iterable[str], remedy: Callable[[str], str]) -> None:
    """UnsuitableFile if a column is missing; the message ends with its remedy, or suggests the nearest."""
    noun = "branch" if contents.tree else "column"
    for name in needed:
        if name not in contents.columns:
            near = get_close_matches(name, contents.columns, n=1)
            guess = f"; nearest is {near[0]!r}" if near else ""
            raise UnsuitableFile(f"{_table(contents)}has no {noun} {name!r}{remedy(name) or guess}")


def _number(metadata: JsonObject, name: str) -> float | None:
    """A number >= 0 of the metadata; None where they do not name it."""
    value = metadata.get(name)
    if value is None:
        return None
    if not (isinstance(value, (int, float)) and math.isfinite(value) and value >= 0):
        raise UnsuitableFile(f"has {name} {value!r}; must be a number >= 0")
    if name == "xsec" and value > LARGEST_XSEC:
        raise UnsuitableFile(
            f"has xsec {value:g} pb, more than protons have at any collider ({LARGEST_XSEC:g} pb); is it in fb?"
        )
    return float(value)


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
