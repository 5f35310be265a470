"""The class whose events make a baseline: which one a name of the command line means, and whether that can be meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.progress import note
from xaug.data.records import CLASSES
from xaug.explain.targets import labels_of

if TYPE_CHECKING:
    from xaug.core.types import JsonObject
    from xaug.data.dataset import Dataset
    from xaug.explain.method import ExplainJob
    from xaug.training.runs import Run

__all__ = ["BY_CLASS", "ClassChoice", "background_of", "check_class", "choose_class", "described"]

MEAN = "mean"
BY_CLASS = ("background", "weighted", "weighted_yield", "background_mean", MEAN)
"""Names of baselines that are made of the events of one class; `:CLASS` behind them says of which."""
OF_ALL = "classes_mean"
"""The baseline that is made of the events of all classes."""


@dataclass(frozen=True)
class ClassChoice:
    """A baseline and the class of its events.

    Attributes
    ----------
    name : str
        name of the baseline, without its class
    label : int
        label of the class
    is_named : bool
        whether the user named the class
    """

    name: str
    label: int
    is_named: bool


def choose_class(option: str, choice: str, run: Run, data: Dataset) -> ClassChoice | None:
    """The class of the events of a baseline; None for baselines that are not made of the events of one class.

    Without a class it is the class called background, or the first one of two.

    Parameters
    ----------
    option : str
        "baseline" or "reference", for messages
    choice : str
        what the user gave, as `background` or `background:QCD`
    run : Run
        the run that is explained
    data : Dataset
        dataset of the events

    Raises
    ------
    ConfigurationError
        if there is no such class, none can be meant, or the events have no labels of their own
    """
    name, colon, wanted = choice.partition(":")
    if name not in BY_CLASS and choice != OF_ALL:
        return None
    if run.labels_are_predicted and data.digest == run.record.dataset_digest:
        raise ConfigurationError(
            f"--{option} {choice} needs events of known classes, and these have no labels. Add `label` to the file of "
            f"--inputs, or choose another {option}: {'blank' if option == 'baseline' else 'zero'}, event:ROW, or a file"
        )
    if choice == OF_ALL:
        return None
    if colon:
        if wanted not in data.classes:
            raise unknown_name(f"class of --{option} {choice},", wanted, data.classes)
        return ClassChoice(name, data.classes.index(wanted), True)
    label = background_of(data.classes)
    if label is None:
        raise ConfigurationError(
            f"--{option} {choice}: none of the classes {', '.join(data.classes)} is called background; name the one "
            f"that is meant, as --{option} {MEAN if name.endswith(MEAN) else name}:CLASS"
        )
    return ClassChoice(name, label, False)


def background_of(classes: Sequence[str]) -> int | None:
    """Label of the background: of the class with that name, or of the first of two; None where it is not known."""
    if CLASSES[0] in classes:
        return list(classes).index(CLASSES[0])
    return 0 if len(classes) == 2 else None


def check_class(option: str, choice: str, job: ExplainJob[Any]) -> None:
    """Refuse a baseline of the class that is explained; where the user named the class, say it only.

    Raises
    ------
    ConfigurationError
        see `choose_class`
    """
    classes, target = job.data.classes, job.options.target
    found = choose_class(option, choice, job.run, job.data)
    if found is None or target == "predicted" or found.label not in labels_of(target, classes):
        return
    own = classes[found.label]
    if found.is_named or own == CLASSES[0] or str(target).startswith(CLASSES[0]):
        note(
            f"--{option} {choice}: events are compared with those of {own!r}, the class that --target {target} explains"
        )
        return
    other = next(one for one in classes if one != own)
    raise ConfigurationError(
        f"--{option} {choice} takes the events of the first class, {own!r}, which is the one that --target {target} "
        f"explains; name another class, as --{option} {found.name}:{other}"
    )


def described(provenance: JsonObject) -> str:
    """The kind of a baseline in words and, where its events are of another class than background, that class."""
    kind = str(provenance["kind"])
    is_told = provenance.get("class", CLASSES[0]) != CLASSES[0]
    return f"{kind} (class {provenance['class']!r})" if is_told else kind
