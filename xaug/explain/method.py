"""Base class of explanation methods, and their options.

A method is one object. It has a name, a label, a dataclass of typed options, and a function `explain` from events to an
`Attribution`. The stage, the command line and the report read these; none of them knows a method by its name.

    @dataclass(frozen=True, kw_only=True)
    class GradientOptions:
        target: str = option("signal", "Class whose output is explained.")

    class GradientTimesInput(Method[GradientOptions]):
        name = "gradient"
        label = "gradient x input"
        description = "Gradient of the output times the input."
        options = GradientOptions

        def explain(self, job, events, on_events):
            ...
            return Attribution(relevance, logit, job.run.variables, {"method": self.name, "target": job.options.target})

`xaug.explain.methods` is the registry: `register(GradientTimesInput())` makes the method known.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.types import Array, Arrays, JsonObject

if TYPE_CHECKING:
    import keras

    from xaug.data.dataset import Dataset
    from xaug.explain.attribution import Attribution
    from xaug.explain.gradients.samples import Sample
    from xaug.training.runs import Run

__all__ = [
    "AnyMethod", "Events", "ExplainJob", "Method", "MethodOption", "OnEvents", "class_level_path", "method_options",
    "option", "part_path", "part_paths", "required",
]  # fmt: skip

OptionsT = TypeVar("OptionsT")
"""The options class of a method."""
T = TypeVar("T")
OnEvents = Callable[[int], None]
"""Called with the number of events that were explained since the last call."""


# Options ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MethodOption:
    """One option of a method, as its options class declares it.

    Attributes
    ----------
    name : str
        name of the field; the flag of the command line is the same with hyphens
    types : tuple of type
        types that a value may have
    default : object
        value where none is given; None where the option is required, or where the method chooses
    help : str
        one sentence for the command line
    choices : tuple of str
        all allowed values; empty where any value of the right type is allowed
    default_text : str
        what the default amounts to, where it is None
    need : str
        what the method lacks without the option; empty where the option is not required
    examples : tuple of str
        values that the error about a missing option suggests
    """

    name: str
    types: tuple[type, ...]
    default: object
    help: str
    choices: tuple[str, ...] = ()
    default_text: str = ""
    need: str = ""
    examples: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """The option on the command line."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def shown_default(self) -> str:
        """The default as help texts show it; empty where there is none to show."""
        if self.default_text or self.default is None or self.default is False:
            return self.default_text
        return str(self.default)

    def checked(self, value: object) -> object:
        """The value, if the option may have it.

        Raises
        ------
        ConfigurationError
            if the value has another type than the option or is not among its choices
        """
        if isinstance(value, int) and not isinstance(value, bool) and float in self.types:
            return float(value)
        if not isinstance(value, self.types) or (isinstance(value, bool) and bool not in self.types):
            known = " or ".join(kind.__name__ for kind in self.types)
            raise ConfigurationError(f"{self.flag} {value!r} is of type {type(value).__name__}; it must be {known}")
        if self.choices and value not in self.choices:
            raise unknown_name(self.name, str(value), self.choices)
        return value


def option(default: T, help: str, *, choices: Sequence[str] = (), default_text: str = "") -> T:
    """Declare an option of a method, as a field of its options class.

    Parameters
    ----------
    default
        value where the user gives none
    help : str
        one sentence for the command line
    choices : sequence of str, optional
        all allowed values
    default_text : str, optional
        what the default amounts to, where it is None

    Returns
    -------
    dataclasses.Field
        typed as the default, so that the field of the class has that type
    """
    metadata = {"help": help, "choices": tuple(choices), "default_text": default_text}
    return dataclasses.field(default=default, metadata=metadata)


def required(need: str, help: str, *, examples: Sequence[str] = ()) -> Any:
    """Declare an option without which a method cannot run.

    Parameters
    ----------
    need : str
        what the method lacks without it, as in "a baseline to compare with"
    help : str
        one sentence for the command line
    examples : sequence of str, optional
        values that the error about the missing option suggests

    Returns
    -------
    dataclasses.Field
    """
    return dataclasses.field(metadata={"help": help, "need": need, "examples": tuple(examples)})


def method_options(method: AnyMethod) -> dict[str, MethodOption]:
    """The options of a method by name, in the order of their declaration."""
    hints = typing.get_type_hints(method.options)
    found = {}
    for field in dataclasses.fields(method.options):
        default = None if field.default is dataclasses.MISSING else field.default
        found[field.name] = MethodOption(field.name, _types(hints[field.name]), default, **field.metadata)
    return found


def _types(hint: object) -> tuple[type, ...]:
    """The types of an annotation such as `str | None`, without None."""
    members = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return tuple(member for member in members if isinstance(member, type) and member is not type(None))


# Methods ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class ExplainJob(Generic[OptionsT]):
    """The input that all calls of `Method.explain` have in common: a run, events to explain, and options.

    Attributes
    ----------
    run : Run
        the trained models, with their scaler
    data : Dataset
        dataset whose events are explained
    split : str
        split of the dataset whose events are explained
    options : object
        instance of the method's options class
    seed : int
        seed of all random numbers
    directory : Path
        directory of the attributions, in which a method may write tables of its own
    baseline : Sample, optional
        baselines that `Method.prepare` has drawn
    """

    run: Run
    data: Dataset
    split: str
    options: OptionsT
    seed: int
    directory: Path
    baseline: Sample | None = None


@dataclass(frozen=True, eq=False)
class Events:
    """Events that one model explains.

    Attributes
    ----------
    model : keras.Model
        the model of this training
    training : int
        number of the training, from 0
    x : dict of arrays
        scaled inputs by input name, each (n, ...)
    label : (n,) array
        class of each event, 0 for background and 1 for signal
    weight : (n,) array, optional
        what each event counts for in means over events; None: all the same
    """

    model: keras.Model
    training: int
    x: Arrays
    label: Array
    weight: Array | None = None


class Method(ABC, Generic[OptionsT]):
    """One explanation method. Methods have no state: everything that varies is in `ExplainJob` and `Events`.

    Attributes
    ----------
    name : str
        name on the command line and in manifests
    label : str
        name in captions
    description : str
        one line for the help of the command line
    options : type
        frozen dataclass, declared with `dataclass(frozen=True, kw_only=True)`, of fields made by `option` or `required`
    by_part : bool
        True: each block of events can be explained apart from all others, also by workers of a Dask cluster.
        False: `explain` gets all events in one call; on a cluster each training is the work of one worker
    block : int
        events of a part that are explained at a time, where `by_part` is True: what a kill costs at most
    has_baseline : bool
        whether events are compared with a baseline, whose origin is then in the settings of the attributions
    attributes_class : bool
        whether a table of signed attributions of the class is written (`class_level_path`), by which features rank.
        Features rank by their mean absolute relevance otherwise
    uses_seed : bool
        whether `ExplainJob.seed` changes the numbers
    adds_up : bool
        whether the relevance of an event is meant to add up to the explained output, or to its difference from that at
        a baseline; only then can completeness be asked of the method
    """

    name: ClassVar[str]
    label: ClassVar[str]
    description: ClassVar[str]
    by_part: ClassVar[bool] = True
    block: ClassVar[int] = 128
    has_baseline: ClassVar[bool] = False
    attributes_class: ClassVar[bool] = False
    uses_seed: ClassVar[bool] = False
    adds_up: ClassVar[bool] = True
    options: type[OptionsT]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Method) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def digests(self, options: OptionsT) -> JsonObject:
        """Digests of files that options name: attributions made with other contents are not taken for finished."""
        return {}

    def check(self, job: ExplainJob[OptionsT]) -> None:
        """Refuse options that do not go with the run or the dataset, before anything is written or computed."""

    def prepare(self, job: ExplainJob[OptionsT]) -> ExplainJob[OptionsT]:
        """Add to a job, once in each process, what all calls of `explain` need (as a drawn baseline)."""
        return job

    @abstractmethod
    def explain(self, job: ExplainJob[OptionsT], events: Events, on_events: OnEvents) -> Attribution:
        """Explain some events by one model.

        Parameters
        ----------
        job : ExplainJob
            what `prepare` returned
        events : Events
            a block of events; all events where `by_part` is False
        on_events : callable
            to be called with the number of events done since the last call

        Returns
        -------
        Attribution
            the stage adds `rows` and `label`
        """

    def caption(self, settings: JsonObject) -> str:
        """How events were explained, for captions of figures, from the settings of an attribution."""
        return f"{self.label}, target {settings['target']}"


AnyMethod = Method[Any]
"""A method, whatever the class of its options."""


def class_level_path(directory: Path, training: int) -> Path:
    """The file of the attributions of the class in one training."""
    return directory / f"class_level_{training}.csv"


def part_path(directory: Path, training: int, name: str) -> Path:
    """A file that keeps a part of the work on one training until all of it is done."""
    return directory / f"attribution_{training}_part_{name}"


def part_paths(directory: Path, training: int) -> list[Path]:
    """All such files."""
    return list(directory.glob(part_path(directory, training, "*").name))
