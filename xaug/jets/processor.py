"""The processor of jets: images, particle lists and expert variables of the selected jets."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import hist
import numpy as np

import xaug.jets.table  # noqa: F401  # registers the variables
from xaug.core.errors import BadValues, ConfigurationError, InputFileError
from xaug.core.types import Array, Arrays, JsonObject
from xaug.data.cut_flow import CutFlow
from xaug.data.labels import is_background
from xaug.data.parts import PartSettings, Rows
from xaug.data.variables import Table
from xaug.formats.base import PROPERTIES, FinalState, Format, UnsuitableFile, Wanted, joined
from xaug.formats.processor import Processor, register_processor
from xaug.jets.constituents import make_list
from xaug.jets.conventions import DEFAULT, Conventions
from xaug.jets.cuts import Selection
from xaug.jets.images import make_images
from xaug.jets.jets import OPEN, Jets
from xaug.jets.selection import select_and_follow

__all__ = ["JetProcessor", "JetSettings"]


@dataclass(frozen=True)
class JetSettings(PartSettings):
    """All settings that decide what a dataset of jets holds, beside its input."""

    kind: str = "jets"
    selection: Selection = field(default_factory=Selection)
    conventions: Conventions = DEFAULT
    holds: tuple[str, ...] = tuple(sorted(PROPERTIES))  # properties of particles that all input files have

    def for_given_jets(self, given: bool) -> JetSettings:
        """The settings of version 0.1, or no cuts for jets that a file gives."""
        return replace(self, selection=replace(self.selection, **OPEN)) if given else self

    def check(self, path: str, metadata: JsonObject) -> None:
        """Refuse files of `xaug.generate zbb` that were generated without the neutrinos that are to be clustered."""
        if self.conventions.neutrinos and metadata.get("sample") == "zbb" and not metadata.get("neutrinos"):
            raise InputFileError(path, "was generated without neutrinos; generate with --options paper-literal")

    @property
    def config(self) -> JsonObject:
        """The settings as plain data; of the conventions, only those that are not the default."""
        settings = super().config | {"selection": self.selection.config}
        del settings["conventions"], settings["holds"]
        if set(self.holds) != PROPERTIES:
            settings["holds"] = list(self.holds)
        return settings | ({"conventions": self.conventions.changes} if self.conventions.changes else {})


def jet_columns(jets: Jets, table: Table) -> Arrays:
    """The blocks "image", "list", "mask" and "xaug" of selected jets, float32, with the columns of a table."""
    lists, mask = make_list(jets, [variable.function for variable in table.variables("list")])
    xaugs = [variable.function(jets) for variable in table.variables("xaug")]
    return {
        "image": make_images(jets),
        "list": lists,
        "mask": mask,
        "xaug": np.stack(xaugs, axis=1).astype(np.float32).reshape(len(jets), len(xaugs)),
    }


@dataclass(frozen=True)
class JetChunk:
    """Events of a chunk, and the partons that their jets must contain."""

    events: FinalState
    truth: str

    @property
    def label(self) -> Array | None:
        """Label (n,) of each event, where the file has one."""
        return self.events.label

    def only(self, events: Array) -> JetChunk:
        """Some of the events, by number."""
        return replace(self, events=self.events.only(events))


class JetProcessor(Processor[JetSettings, JetChunk]):
    """Cluster, groom, select and describe the jets of a chunk."""

    row = "jet"
    needs = "a jet that passes the pT cut"
    control = {  # noqa: RUF012 (declared a class variable by the base class)
        "pt": hist.axis.Regular(50, 0, 1000, label=r"leading jet $p_T$ [GeV]"),
        "eta": hist.axis.Regular(48, -2.4, 2.4, label=r"jet $\eta$"),
        "softdrop_mass": hist.axis.Regular(50, 0, 250, label=r"$m_\mathrm{SD}$ [GeV]"),
        "n_constituents": hist.axis.Regular(50, 0, 200, label="constituents"),
    }
    weighted = False

    @classmethod
    def default_settings(cls, kind: str) -> JetSettings:
        """The selection of arXiv:2011.13466, and the conventions of xaug."""
        return JetSettings(kind=kind)

    def table(self) -> Table:
        """The variables whose inputs all files have."""
        return super().table().holding(self.settings.holds)

    def for_inputs(self, formats: Sequence[tuple[Format, Collection[str]]]) -> JetSettings:
        """The settings with the properties that all files have.

        Raises
        ------
        ConfigurationError
            if some files give jets and others do not, or a convention needs what a file lacks
        """
        given = {form.gives_jets: form for form, _ in formats}
        if len(given) > 1:
            raise ConfigurationError(
                f"{given[True].label} gives jets, {given[False].label} gives particles of which jets are clustered; "
                "make a dataset of each, or one of files of the same kind"
            )
        algorithm = self.settings.selection.algorithm
        if True in given and algorithm != Selection().algorithm:
            raise ConfigurationError(
                f"selection algorithm = {algorithm}: {given[True].label} gives jets, which are not clustered; leave "
                "that option out"
            )
        holds = frozenset(PROPERTIES).intersection(*(held for _, held in formats))
        if self.settings.conventions.dxy_from_x and "vertex" not in holds:
            raise ConfigurationError("--options paper-literal computes dxy of vertices, which these files do not have")
        return replace(self.settings, holds=tuple(sorted(holds)))

    def truth(self, source: Format, label: int) -> str:
        """Name of the partons that jets of a class must contain."""
        classes = self.settings.classes
        background = label == 0 or (0 < label < len(classes) and is_background(classes[label]))
        return self.settings.selection.match(label, background, source.name == "xaug_tree")

    def wanted(self, source: Format, label: int) -> Wanted:
        """The partons where jets are matched to them; the status where a convention asks for it."""
        status = () if self.settings.conventions.status is None else ("status",)
        partons = self.truth(source, label) != "none"
        return Wanted(columns=status, partons=partons, classes=self.settings.classes)

    def columns(self, source: Format, label: int) -> Collection[str]:
        """Columns of particles and, where jets are matched to them, of partons."""
        wanted = self.wanted(source, label)
        try:
            return source.particle_columns(wanted)
        except UnsuitableFile as error:
            if not wanted.columns:
                raise
            source.particle_columns(replace(wanted, columns=()))  # fails for its own reason, if it is not the status
            raise UnsuitableFile(f"{error}{self._without_status()}") from None

    def remedy(self, source: Format, label: int, column: str) -> str:
        """The convention that needs the status of particles, and the way to do without."""
        plain = source.particle_columns(replace(self.wanted(source, label), columns=()))
        return "" if column in plain else self._without_status()

    def _without_status(self) -> str:
        status = self.settings.conventions.status
        return (
            f": the convention status = {status} (part of --options paper-literal) describes jets by those of their "
            "particles that have this status in Pythia. Give files that store it, as those of xaug.generate zbb, or "
            "add --convention status=any"
        )

    def read(self, source: Format, chunk: Any, label: int, first: int) -> JetChunk:
        """Read particles and the partons to match; refuse particles of which none has the status that is described."""
        found = source.read_particles(chunk, self.wanted(source, label), first)
        status = self.settings.conventions.status
        if status is not None and len(found.particles["pt"]) and not (found.particles["status"] == status).any():
            raise BadValues(f"no particle of its events from {first} on has status {status}{self._without_status()}")
        return JetChunk(found, self.truth(source, label))

    def particles(self, content: JetChunk) -> FinalState:
        """All particles, those of given jets or of events."""
        return content.events

    def rows(self, content: JetChunk, weights: Array, ids: Array) -> Rows:
        """Images, lists and expert variables of the selected jets; control histograms are not weighted."""
        return self.rows_of_files([content], [weights], [ids])[0]

    def rows_of_files(self, contents: Sequence[JetChunk], weights: Sequence[Array], ids: Sequence[Array]) -> list[Rows]:
        """Rows of several files: those whose jets must contain the same partons are clustered at once."""
        found: dict[int, Rows] = {}
        for truth in dict.fromkeys(content.truth for content in contents):
            places = [i for i, content in enumerate(contents) if content.truth == truth]
            rows = self._rows([contents[i].events for i in places], truth, [weights[i] for i in places])
            found |= dict(zip(places, rows, strict=True))
        return [found[i] for i in range(len(contents))]

    def _rows(self, parts: Sequence[FinalState], truth: str, weights: Sequence[Array]) -> Iterator[Rows]:
        """Rows of each of several files."""
        settings = self.settings
        jets, left = select_and_follow(joined(parts), settings.selection, True, settings.conventions, truth)
        control = {
            "pt": jets.pt,
            "eta": jets.eta,
            "softdrop_mass": jets.softdrop_mass,
            "n_constituents": np.bincount(jets.jet_index, minlength=len(jets)),
        }
        columns = jet_columns(jets, self.table())
        edges = np.cumsum([0, *map(len, parts)])
        counts = {cut: np.diff(np.searchsorted(events, edges)) for cut, events in left.items()}
        for i, own in enumerate(parts):
            rows = slice(*np.searchsorted(jets.event, edges[i : i + 2]))
            event = jets.event[rows] - edges[i]
            yield Rows(
                event,
                weights[i][event],
                {name: values[rows] for name, values in columns.items()},
                {name: values[rows] for name, values in control.items()},
                None,
                CutFlow({cut: int(number[i]) for cut, number in counts.items()}),
                None if own.split is None else own.split[event],
            )


register_processor("jets", JetProcessor)
