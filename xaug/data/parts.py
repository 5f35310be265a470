"""Parts of a dataset: the settings that decide what they hold, their rows, and what they say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, TypeVar

from xaug._version import __version__
from xaug.core.errors import ConfigurationError
from xaug.core.files import digest_json
from xaug.core.options import Options
from xaug.core.types import Array, Arrays, JsonObject
from xaug.data.cut_flow import CutFlow
from xaug.data.plugins import Plugin, with_plugins
from xaug.data.records import CLASSES
from xaug.data.variables import table_of

Own = TypeVar("Own", bound="PartSettings")

__all__ = ["PartSettings", "PartSummary", "ProcessSummary", "Rows", "deciding", "part_name"]


@dataclass(frozen=True)
class PartSettings:
    """Everything but the input that decides what a dataset holds."""

    version: ClassVar[int] = 2
    """Raised when the same events and settings give other numbers: old parts are then not taken for new ones."""

    kind: str
    selection: Options
    split_seed: int = 0
    split_fractions: tuple[float, float, float] = (0.6, 0.2, 0.2)  # train, validation, test
    classes: tuple[str, ...] = CLASSES  # names of the classes by label
    plugins: tuple[Plugin, ...] = ()  # files of further variables

    def __post_init__(self) -> None:
        fractions = self.split_fractions
        if len(fractions) != 3 or not all(0 <= f <= 1 for f in fractions) or abs(sum(fractions) - 1) > 1e-9:
            raise ConfigurationError(
                f"split fractions {fractions}: must be three numbers >= 0 (train, validation, test) that sum to 1"
            )

    def for_given_jets(self: Own, given: bool) -> Own:
        """The default settings for files that give their jets, or do not."""
        return self

    def check(self, path: str, metadata: JsonObject) -> None:
        """Refuse a file that does not hold what these settings select, going by what it says of itself.

        Raises
        ------
        InputFileError
            if the file is to be left out
        ConfigurationError
            if the settings must be changed
        """

    @property
    def config(self) -> JsonObject:
        """The settings as plain data, with the version of the code that computes."""
        content = {**asdict(self), "split_fractions": list(self.split_fractions), "processor_version": self.version}
        del content["classes"], content["plugins"]
        if self.plugins:
            content["plugins"] = [own.digest for own in self.plugins]
        return content if self.classes == CLASSES else {**content, "classes": list(self.classes)}


@dataclass(frozen=True)
class Rows:
    """Rows of a dataset that a chunk of a file contributes, n of them."""

    event: Array  # (n,) event of each row within the chunk, ascending
    weight: Array  # (n,)
    columns: Arrays  # blocks of inputs, (n, ...)
    control: Arrays  # (n,) values for the control histograms
    control_weight: Array | None  # (n,) their weights; None: 1
    cut_flow: CutFlow
    split: Array | None = None  # (n,) split of each row, where the input has one


@dataclass(frozen=True)
class ProcessSummary:
    """Rows of one process in a part."""

    process: str
    label: int
    rows: int
    splits: Mapping[str, int]  # split -> rows
    cut_flow: CutFlow
    sum_weight_read: float  # of all its entries that were read
    sum_weights_selected: float  # of the rows
    sum_squares_selected: float | None = None  # of their weights; older parts do not tell it

    def to_json(self) -> JsonObject:
        """The summary as plain data."""
        return {**vars(self), "splits": dict(self.splits), "cut_flow": self.cut_flow.to_json()}

    @classmethod
    def from_json(cls, content: JsonObject) -> ProcessSummary:
        """The summary that `to_json` gave."""
        own = {field.name: content[field.name] for field in fields(cls) if field.name in content}
        return cls(**{**own, "cut_flow": CutFlow(content["cut_flow"])})


@dataclass(frozen=True)
class PartSummary:
    """Summary that a part holds; the manifest of the dataset repeats it."""

    part: str  # file name
    file: str  # input file
    start: int  # first entry of the input file
    stop: int  # end of its entries
    contents: tuple[ProcessSummary, ...]  # its processes
    scale: JsonObject | None = None  # sizes of momenta and lengths, by which units are told; older parts have none

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(own.rows for own in self.contents)

    def to_json(self) -> JsonObject:
        """The summary as plain data; that of a single process is not nested."""
        place: JsonObject = {"part": self.part, "file": self.file, "start": self.start, "stop": self.stop}
        if self.scale is not None:
            place["scale"] = self.scale
        if len(self.contents) == 1:
            return place | self.contents[0].to_json()
        return place | {"contents": [own.to_json() for own in self.contents]}

    @classmethod
    def from_json(cls, content: JsonObject) -> PartSummary:
        """The summary that `to_json` gave."""
        contents = tuple(ProcessSummary.from_json(own) for own in content.get("contents", [content]))
        return cls(content["part"], content["file"], content["start"], content["stop"], contents, content.get("scale"))


def deciding(settings: PartSettings) -> JsonObject:
    """The facts from which the contents of all parts follow, beside input and shared code, as plain data."""
    table = with_plugins(table_of(settings.kind), settings.plugins)
    return {"settings": settings.config, "xaug": __version__, "variables": table.digest}


def part_name(key: Mapping[str, Any], settings: PartSettings | JsonObject, code: str, start: int, stop: int) -> str:
    """File name of a part, which differs wherever its contents could.

    Parameters
    ----------
    key
        what tells the input file from others, without its place
    settings
        the settings, or what `deciding` returned for them, which takes as long as to read a small file
    code
        digest of the code that all columns share, from reading the file to the list of a jet's particles
    start, stop
        range of its entries
    """
    decides = deciding(settings) if isinstance(settings, PartSettings) else settings
    digest = digest_json({"input": dict(key), **decides, "code": code})
    return f"{digest}_{start}_{stop}.h5"
