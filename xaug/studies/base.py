"""The registry of studies: what `xaug.study` can run, and what each study adds to a report."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xaug.core.errors import ConfigurationError
from xaug.core.types import JsonObject

if TYPE_CHECKING:
    from xaug.report.stage import ReportExtension
    from xaug.studies.planned_stage import PlannedStage

__all__ = ["STUDIES", "Study", "StudyOption", "known_methods", "register", "study_with_figures"]


def known_methods() -> list[str]:
    """Names of all methods of explanation, which take a moment to load."""
    from xaug.explain.methods import registered

    return [method.name for method in registered()]


@dataclass(frozen=True)
class StudyOption:
    """An option of the command line that one study has beside those of all studies.

    Attributes
    ----------
    flag
        the option, as "--networks"; its name without dashes is that of the keyword of `Study.run`
    help
        a line for `--help`
    default
        its value unless it is given
    choices
        the values that it may have; () is any
    names
        returns the names that it may have, several of them separated by commas; None is any
    type
        the type of its value, where it has no choices
    names_directory
        whether a value that is given becomes part of the name of the output directory, unless the user names one
    """

    flag: str
    help: str
    default: str | None = None
    choices: tuple[str, ...] = ()
    names: Callable[[], Collection[str]] | None = None
    type: type[str] | type[int] = str
    names_directory: bool = False

    @property
    def keyword(self) -> str:
        """The keyword of `Study.run`."""
        return self.flag.removeprefix("--").replace("-", "_")

    @property
    def noun(self) -> str:
        """The noun by which a message calls its values."""
        return f"value of {self.flag}"


@dataclass(frozen=True)
class Study:
    """One study.

    Attributes
    ----------
    name
        the command, as in `python -m xaug.study NAME`
    help
        text for `--help`
    kinds
        kinds of datasets that its figures are of
    run
        runs all stages: takes the output directory, then `scale`, the size, `trainings`, `epochs`, `seed`, `workers`
        and its own options by keyword
    extension
        gives what it adds to a report; called only when a report is drawn
    scales
        names of its scales
    plan
        gives the stages that `run` of the same arguments would do
    size_flag, size_of
        option that replaces the size of the sample, and of what it is the size
    options
        its own options
    """

    name: str
    help: str
    kinds: tuple[str, ...]
    run: Callable[..., JsonObject]
    extension: Callable[[], ReportExtension]
    scales: Collection[str] = ("quick", "standard", "paper")
    plan: Callable[..., Sequence[PlannedStage]] | None = None
    size_flag: str = "--jets"
    size_of: str = "class"
    options: Sequence[StudyOption] = ()

    def directory(self, scale: str, chosen: JsonObject) -> str:
        """The name of the output directory, unless the user names one."""
        named = [chosen[one.keyword] for one in self.options if one.names_directory and chosen.get(one.keyword)]
        return "_".join([self.name, scale, *(value.replace("-", "_") for value in named)])


STUDIES: dict[str, Study] = {}
"""All studies by name."""


def register(study: Study) -> None:
    """Make a study known to `xaug.study` and `xaug.report`.

    Raises
    ------
    ConfigurationError
        if there is another one of the same name
    """
    if study.name in STUDIES:
        raise ConfigurationError(f"there is a study {study.name!r} already; choose another name")
    STUDIES[study.name] = study


def study_with_figures(keys: Collection[str], kind: str) -> Study | None:
    """The study for this kind of dataset that has figures of all these keys; None if there is none."""
    for study in STUDIES.values():
        if kind in study.kinds and all(key in study.extension().figures for key in keys):
            return study
    return None
