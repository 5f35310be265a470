"""The interface of processors, which turn what a format reads into rows of a dataset, and their registry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.files import digest_json
from xaug.core.types import Array
from xaug.data.code import code_digest, content_digest
from xaug.data.parts import PartSettings, Rows
from xaug.data.plugins import with_plugins
from xaug.data.splits import assign_split, event_ids
from xaug.data.variables import Table, table_of
from xaug.formats.base import Collisions, FinalState, Format

__all__ = ["PROCESSORS", "AnyProcessor", "Processor", "default_settings", "processor_class", "register_processor"]

Settings = TypeVar("Settings", bound=PartSettings)
Content = TypeVar("Content")


class Processor(ABC, Generic[Settings, Content]):
    """A processor of one or several kinds of dataset.

    A subclass sets the class attributes and implements the abstract methods. It is sent to worker processes with
    its settings, and keeps no state between chunks.

    Parameters
    ----------
    settings
        selection, split and all else that decides what the dataset holds
    """

    row: ClassVar[str]
    """Noun for a row of the dataset, in the singular."""
    needs: ClassVar[str]
    """Requirement of the first cut, which every file must pass at least once; a noun phrase for messages."""
    control: ClassVar[Mapping[str, Any]]
    """Axes (of `hist`) of the control histograms, by the names of `Rows.control`."""
    weighted: ClassVar[bool]
    """True if rows are weighted. Then a process without a row is reported, since its yield cannot be estimated, and cut
    flows begin with the number of generated events."""

    def __init__(self, settings: Settings):
        self.settings = settings

    @classmethod
    def rows_noun(cls) -> str:
        """Noun for rows of the dataset, in the plural."""
        return f"{cls.row}s"

    def code(self, source: Format) -> str:
        """Digest of the code that makes rows of a file of a format: whatever decides the numbers of all columns."""
        form = type(source)
        reading = (form.open, form.read_particles, form.read_collisions, form.weights)
        steps = (*reading, type(self).read, type(self).rows, type(self).rows_of_files, event_ids, assign_split)
        return digest_json([*(code_digest(step) for step in steps), content_digest(self.settings)])

    @classmethod
    @abstractmethod
    def default_settings(cls, kind: str) -> Settings:
        """The settings of a kind of dataset, where the user changes none."""

    def table(self) -> Table:
        """The variables of the dataset, with their functions."""
        return with_plugins(table_of(self.settings.kind), self.settings.plugins)

    def for_inputs(self, formats: Sequence[tuple[Format, Collection[str]]]) -> Settings:
        """The settings for files of some formats, each given with the properties that the file holds."""
        return self.settings

    @abstractmethod
    def columns(self, source: Format, label: int) -> Collection[str]:
        """Columns that a file of a format and of a class must have.

        Raises
        ------
        UnsuitableFile
            if files of that format cannot become this kind of dataset
        """

    def remedy(self, source: Format, label: int, column: str) -> str:
        """The end of the message about a column that a file lacks: the reason and the remedy; "" if there is none."""
        return ""

    @abstractmethod
    def read(self, source: Format, chunk: Any, label: int, first: int) -> Content:
        """Read opened entries of a file, of which `first` is the number of the first one.

        Raises
        ------
        BadValues
            if a number is one that no event can have
        """

    @abstractmethod
    def particles(self, content: Content) -> FinalState | Collisions:
        """The particles of what `read` gave, by which events are told apart."""

    def rows_of_files(self, contents: Sequence[Content], weights: Sequence[Array], ids: Sequence[Array]) -> list[Rows]:
        """Select and describe what was read of several files: what `rows` gives for each, in less time."""
        return [self.rows(*own) for own in zip(contents, weights, ids, strict=True)]

    @abstractmethod
    def rows(self, content: Content, weights: Array, ids: Array) -> Rows:
        """Select and describe.

        Parameters
        ----------
        content
            what `read` gave of n events
        weights, ids
            generator weights and event ids, (n,)
        """


AnyProcessor = Processor[Any, Any]
PROCESSORS: dict[str, type[AnyProcessor]] = {}
"""Kind of dataset -> its processor."""


def register_processor(kind: str, added: type[AnyProcessor]) -> None:
    """Make a processor that of a kind of dataset.

    Raises
    ------
    ConfigurationError
        if the kind has a processor already
    """
    if kind in PROCESSORS:
        raise ConfigurationError(f"kind of dataset {kind!r} is registered twice; give one of them another name")
    PROCESSORS[kind] = added


def processor_class(kind: str) -> type[AnyProcessor]:
    """The processor of a kind of dataset."""
    if kind not in PROCESSORS:
        raise unknown_name("kind of dataset", kind, PROCESSORS)
    return PROCESSORS[kind]


def default_settings(kind: str) -> PartSettings:
    """The settings of a kind of dataset, where the user changes none."""
    found: PartSettings = processor_class(kind).default_settings(kind)
    return found
