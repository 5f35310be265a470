"""Parts of a dataset: the settings that decide what they hold, their rows, and what they say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from xaug._version import __version__
from xaug.core.errors import ConfigurationError
from xaug.core.files import digest_json
from xaug.core.options import Options
from xaug.core.types import Array, Arrays, JsonObject
from xaug.data.cut_flow import CutFlow
from xaug.data.variables import table_of

__all__ = ["PartSettings", "PartSummary", "Rows", "part_name"]


@dataclass(frozen=True)
class PartSettings:
    """Everything but the input that decides what a dataset holds."""

    version: ClassVar[int] = 2
    """Raised when the same events and settings give other numbers: old parts are then not taken for new ones."""

    kind: str
    selection: Options
    split_seed: int = 0
    split_fractions: tuple[float, float, float] = (0.6, 0.2, 0.2)  # train, validation, test

    def __post_init__(self) -> None:
        fractions = self.split_fractions
        if len(fractions) != 3 or not all(0 <= f <= 1 for f in fractions) or abs(sum(fractions) - 1) > 1e-9:
            raise ConfigurationError(
                f"split fractions {fractions}: must be three numbers >= 0 (train, validation, test) that sum to 1"
            )

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
        return {**asdict(self), "split_fractions": list(self.split_fractions), "processor_version": self.version}


@dataclass(frozen=True)
class Rows:
    """Rows of a dataset that a chunk of a file contributes, n of them."""

    event: Array  # (n,) event of each row within the chunk, ascending
    weight: Array  # (n,)
    columns: Arrays  # blocks of inputs, (n, ...)
    control: Arrays  # (n,) values for the control histograms
    control_weight: Array | None  # (n,) their weights; None: 1
    cut_flow: CutFlow


@dataclass(frozen=True)
class PartSummary:
    """Summary that a part holds; the manifest of the dataset repeats it."""

    part: str  # file name
    file: str  # input file
    start: int  # first entry of the input file
    stop: int  # end of its entries
    process: str
    label: int
    rows: int
    splits: Mapping[str, int]  # split -> rows
    cut_flow: CutFlow
    sum_weight_read: float  # of all entries from start to stop
    sum_weights_selected: float  # of the rows
    sum_squares_selected: float | None = None  # of their weights; older parts do not tell it

    def to_json(self) -> JsonObject:
        """The summary as plain data."""
        return {**vars(self), "splits": dict(self.splits), "cut_flow": self.cut_flow.to_json()}

    @classmethod
    def from_json(cls, content: JsonObject) -> PartSummary:
        """The summary that `to_json` gave."""
        return cls(**{**content, "cut_flow": CutFlow(content["cut_flow"])})


def part_name(key: Mapping[str, Any], settings: PartSettings, code: str, start: int, stop: int) -> str:
    """File name of a part, which differs wherever its contents could.

    Parameters
    ----------
    key
        what tells the input file from others, without its place
    code
        digest of the code that all columns share, from reading the file to the list of a jet's particles
    start, stop
        range of its entries
    """
    decides = {"input": dict(key), "settings": settings.config, "xaug": __version__}
    code = digest_json({**decides, "variables": table_of(settings.kind).digest, "code": code})
    return f"{code}_{start}_{stop}.h5"
