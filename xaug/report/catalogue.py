"""The registry of figures: what each figure shows, of which subject it is drawn, what it needs, and what draws it.

A figure is one function, which draws a subject into files and returns a caption, and one entry, which the decorator
`Catalogue.figure` makes of it. Nothing else lists figures. `GENERIC` holds the figures that fit any dataset and any
network; the studies of papers have catalogues of their own, which may take figures over from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.files import as_path
from xaug.networks.registry import networks
from xaug.report.explained_run import Shape
from xaug.report.subjects import Facts, ReportInputs, Subject

__all__ = ["GENERIC", "AnyEntry", "Catalogue", "FigureEntry", "Needs"]

SubjectT = TypeVar("SubjectT", bound=Subject)
Draw = Callable[[SubjectT, Path], str]
"""Draws a subject into the files of this stem, and returns the caption."""


@dataclass(frozen=True)
class Needs:
    """The conditions that a subject must meet so that a figure can be drawn of it.

    Attributes
    ----------
    shapes
        shapes that must be among its inputs
    variables
        variables that must be among its inputs
    count
        number of variables that it must have at least
    two_classes
        whether the figure is drawn for two classes only
    networks
        the figure is drawn for these networks only; () is any network
    baseline
        the figure is drawn for this baseline only, named as by `xaug.explain --baseline`; "" is any
    """

    shapes: tuple[Shape, ...] = ()
    variables: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    baseline: str = ""
    count: int = 0
    two_classes: bool = False

    def met_by(self, facts: Facts) -> bool:
        """Whether a subject has all of this."""
        return (
            facts.shapes.issuperset(self.shapes)
            and facts.variables.issuperset(self.variables)
            and (not self.networks or facts.network in self.networks)
            and self.baseline in ("", facts.baseline)
            and len(facts.variables) >= self.count
            and (facts.classes == 2 or not self.two_classes)
        )

    @property
    def words(self) -> str:
        """The needs as an error message lists them behind the kind of subject."""
        inputs = [*(shape.words for shape in self.shapes), *self.variables]
        return (
            (f" of {' or '.join(self.networks)}" if self.networks else "")
            + (f" with {', '.join(inputs)}" if inputs else "")
            + (f" with at least {self.count} variables" if self.count else "")
            + (f" with --baseline {self.baseline}" if self.baseline else "")
            + (" with two classes" if self.two_classes else "")
        )


@dataclass(frozen=True)
class FigureEntry(Generic[SubjectT]):
    """One figure of a catalogue.

    Attributes
    ----------
    key
        its name in `xaug.report --figures`
    shows
        what it shows, in a line, of whatever network it is drawn: see `heading`
    subject
        class of what it is drawn of
    draw
        the function that draws it
    file
        name of its files; the name of the subject is appended
    needs
        what a subject must have
    once
        whether it is drawn for a single run: for the first of `needs.networks` that there is, and of its runs for that
        with the most variables
    each_explanation
        with `once`: whether all explanations of that run have the figure, side by side
    """

    key: str
    shows: str
    subject: type[SubjectT]
    draw: Draw[SubjectT]
    file: str
    needs: Needs = Needs()
    once: bool = False
    each_explanation: bool = True

    def found_in(self, inputs: ReportInputs) -> list[SubjectT]:
        """The subjects that the figure can be drawn of; [] if the inputs of the report do not allow it."""
        found = [one for one in self.subject.found_in(inputs) if self.needs.met_by(one.facts)]
        if not self.once:
            return found
        for network in self.needs.networks or [one.facts.network for one in found]:
            own = [one for one in found if one.facts.network == network]
            if own:
                best = max(own, key=lambda one: len(one.facts.variables))
                of_run = [one for one in own if one.facts.run == best.facts.run]
                return of_run if self.each_explanation and best.facts.run else [best]
        return []

    def stem(self, subject: SubjectT, output: Path, alone: bool = False) -> Path:
        """The files of the figure of a subject, without their suffix.

        Parameters
        ----------
        subject
            what is drawn
        output
            directory of the report
        alone
            whether the report draws the figure of no other subject
        """
        named = subject.name and not (alone and not self.subject.always_named)
        return output / (as_path(f"{self.file}_{subject.name}") if named else self.file)

    def heading(self, subjects: Sequence[SubjectT]) -> str:
        """The line above the figures of these subjects: what they show, and of a single run its network."""
        names = {subject.facts.network for subject in subjects} if self.once else set()
        labels = [network.label for name, network in networks().items() if name in names and network.label]
        return ", ".join([self.shows, *labels])

    @property
    def requirement(self) -> str:
        """The inputs that a report needs to draw the figure, in words."""
        return f"{self.subject.requirement}{self.needs.words}"

    def only_for(self, *networks: str) -> FigureEntry[SubjectT]:
        """The same figure, drawn for some networks only."""
        return replace(self, needs=replace(self.needs, networks=networks))


AnyEntry = FigureEntry[Any]


class Catalogue:
    """Figures by key, in the order in which a page shows them.

    Parameters
    ----------
    name
        what an error message calls it
    base
        another catalogue, whose figures can be asked for by their keys as well
    """

    def __init__(self, name: str, base: Catalogue | None = None) -> None:
        self.name = name
        self.base = base
        self._entries: dict[str, AnyEntry] = {}

    def __iter__(self) -> Iterator[AnyEntry]:
        return iter(self._entries.values())

    def __getitem__(self, key: str) -> AnyEntry:
        return self._entries[key]

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def add(self, *entries: AnyEntry) -> None:
        """Append figures.

        Raises
        ------
        ConfigurationError
            if the catalogue has a figure of the same key
        """
        for entry in entries:
            if entry.key in self._entries:
                raise ConfigurationError(f"{self.name} has a figure {entry.key!r} already; choose another key")
            self._entries[entry.key] = entry

    def figure(
        self,
        key: str,
        shows: str,
        subject: type[SubjectT],
        *,
        file: str | None = None,
        needs: Needs | None = None,
        once: bool = False,
        each_explanation: bool = True,
    ) -> Callable[[Draw[SubjectT]], Draw[SubjectT]]:
        """Register the function below as a figure; see `FigureEntry`. `file` is the key unless it is given."""

        def register(draw: Draw[SubjectT]) -> Draw[SubjectT]:
            self.add(FigureEntry(key, shows, subject, draw, file or key, needs or Needs(), once, each_explanation))
            return draw

        return register

    def chosen(self, keys: Iterable[str] | None = None) -> list[AnyEntry]:
        """The figures of some keys, in the order of the catalogue; all of its own figures if there are no keys.

        Raises
        ------
        ConfigurationError
            for an unknown key; the message suggests the nearest
        """
        if keys is None:
            return list(self)
        everything = {**{entry.key: entry for entry in self.base or ()}, **self._entries}
        wanted = set(keys)
        for key in sorted(wanted):
            if key not in everything:
                raise unknown_name(f"figure of {self.name}", key, everything)
        own = [entry for entry in self if entry.key in wanted]
        return [*own, *(entry for entry in self.base or () if entry.key in wanted and entry.key not in self)]


GENERIC = Catalogue("the general report")
"""Figures for any dataset and any network."""
