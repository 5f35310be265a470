"""Records of a dataset, read from its manifest once, when it is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xaug.core.errors import DatasetError
from xaug.core.types import JsonObject
from xaug.data.table import Table
from xaug.data.variables import table_of_version_0_1

__all__ = ["CLASSES", "DatasetRecord", "PartRecord", "ProcessRecord", "ProcessRows"]

CLASSES = ("background", "signal")
"""Names of the classes by label."""


@dataclass(frozen=True)
class ProcessRows:
    """Rows of one process in one part of a dataset.

    Attributes
    ----------
    process : str
        name of the process
    label : int
        class of its events
    rows : int
        number of rows
    splits : dict of int
        rows by split
    """

    process: str
    label: int
    rows: int
    splits: Mapping[str, int]

    @classmethod
    def from_json(cls, content: JsonObject) -> ProcessRows:
        """The record of a process in a part of a manifest."""
        return cls(content["process"], content["label"], content["rows"], content["splits"])


@dataclass(frozen=True)
class PartRecord:
    """One part of a dataset.

    Attributes
    ----------
    part : str
        name of its file
    file : str
        the input file that it was made of
    contents : tuple of ProcessRows
        its processes. Where there are several, the part stores the position of each row's process in this tuple
    """

    part: str
    file: str
    contents: tuple[ProcessRows, ...]

    def __getitem__(self, name: str) -> object:
        """An attribute by name, since scripts for version 0.1 read parts as dicts."""
        if name not in ("part", "file", "rows", "splits"):
            raise KeyError(name)
        return getattr(self, name)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(own.rows for own in self.contents)

    @property
    def splits(self) -> dict[str, int]:
        """Rows by split."""
        return {split: sum(own.splits[split] for own in self.contents) for split in self.contents[0].splits}

    @classmethod
    def from_json(cls, content: JsonObject) -> PartRecord:
        """The record of a part in a manifest: of several processes in `contents`, or of a single one."""
        contents = content.get("contents", [content])
        return cls(content["part"], content["file"], tuple(ProcessRows.from_json(own) for own in contents))


@dataclass(frozen=True)
class ProcessRecord:
    """Normalisation of one process; None where it is not known.

    Attributes
    ----------
    xsec : float or None
        cross section [pb] of all generated events
    sum_weights_generated, sum_weights_selected : float or None
        sums of the weights of all generated, and of the selected events
    """

    xsec: float | None = None
    sum_weights_generated: float | None = None
    sum_weights_selected: float | None = None

    @classmethod
    def from_json(cls, content: JsonObject) -> ProcessRecord:
        """The record of a process in a manifest."""
        return cls(content.get("xsec"), content.get("sum_weights_generated"), content.get("sum_weights_selected"))

    @property
    def weight_scale(self) -> float | None:
        """Cross section [pb] over the sum of generated weights."""
        if self.xsec is None or self.sum_weights_generated is None:
            return None
        return self.xsec / self.sum_weights_generated

    @property
    def expected_yield(self) -> float | None:
        """Cross section [pb] of the selected events: cross section x selected weight / generated weight."""
        if self.weight_scale is None or self.sum_weights_selected is None:
            return None
        return self.weight_scale * self.sum_weights_selected


@dataclass(frozen=True)
class DatasetRecord:
    """All that the code reads from the manifest of a dataset.

    Attributes
    ----------
    kind : str
        kind of dataset
    digest : str
        digest of its inputs, settings, variables and versions
    table : Table
        its variables; for a dataset of version 0.1, those that this version had
    classes : tuple of str
        names of the classes by label
    parts : tuple of PartRecord
        its parts in order
    processes : dict of ProcessRecord
        normalisation by process
    """

    kind: str
    digest: str
    table: Table
    classes: tuple[str, ...]
    parts: tuple[PartRecord, ...]
    processes: Mapping[str, ProcessRecord]

    @classmethod
    def from_json(cls, content: JsonObject) -> DatasetRecord:
        """The record of a manifest.

        Raises
        ------
        DatasetError
            if something is missing in it
        """
        try:
            kind, stored = content["config"]["kind"], content.get("table")
            return cls(
                kind,
                content["digest"],
                table_of_version_0_1(kind) if stored is None else Table.from_json(stored),
                tuple(content.get("classes", CLASSES)),
                tuple(PartRecord.from_json(part) for part in content["parts"]),
                {name: ProcessRecord.from_json(own) for name, own in content.get("processes", {}).items()},
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise DatasetError(f"it lacks {error}") from None
