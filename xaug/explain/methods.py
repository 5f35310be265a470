"""The registry of explanation methods.

To add a method, write its class (`xaug.explain.method.Method`) in a module of its own, and add an object of it to
`BUILT_IN`. A method from elsewhere is made known by `register`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.data.records import CLASSES
from xaug.explain.gradients.baseline_class import background_of
from xaug.explain.gradients.expectation import ExpectedGradients
from xaug.explain.gradients.method import IntegratedGradients
from xaug.explain.gradients.smoothing import SmoothGrad
from xaug.explain.gradients.times_input import GradientTimesInput
from xaug.explain.method import AnyMethod, Method, OptionsT, method_options
from xaug.explain.perturbation.method import Occlusion, Permutation, ShapleyValues
from xaug.explain.propagation.method import LayerwiseRelevance, Rescale

__all__ = ["BUILT_IN", "choose_options", "comparable_options", "find_method", "register", "registered"]

BUILT_IN: tuple[AnyMethod, ...] = (
    LayerwiseRelevance(), IntegratedGradients(), Rescale(), GradientTimesInput(), SmoothGrad(), ExpectedGradients(),
    Occlusion(), Permutation(), ShapleyValues(),
)  # fmt: skip
"""The methods of xaug. The first is the default of the command line."""

RESERVED = ("run", "output", "method", "dataset", "split", "only", "max_events", "scheduler", "seed", "json")
"""Names of the options that all methods share, which no option of a method may have."""
_REGISTERED: dict[str, AnyMethod] = {}


def register(method: AnyMethod) -> None:
    """Make a method known to the stage, the command line and the report.

    Raises
    ------
    ConfigurationError
        if another method has this name, or an option of the same name and another type
    """
    before = _REGISTERED.get(method.name)
    if before is not None and type(before) is not type(method):
        raise ConfigurationError(
            f"method {method.name!r} is {type(before).__name__} already; give {type(method).__name__} another name"
        )
    for one in method_options(method).values():
        if one.name in RESERVED:
            raise ConfigurationError(f"method {method.name!r}: {one.flag} is an option of all methods; rename this one")
        for other in registered():
            theirs = method_options(other).get(one.name, one)
            if theirs.types != one.types:
                raise ConfigurationError(
                    f"method {method.name!r}: {one.flag} has other types than that of method {other.name!r}; give both "
                    "the same, or rename one"
                )
    _REGISTERED[method.name] = method


def registered() -> list[AnyMethod]:
    """All methods, in the order of their registration."""
    return list(_REGISTERED.values())


def find_method(name: str) -> AnyMethod:
    """The method of a name.

    Raises
    ------
    ConfigurationError
        if there is none
    """
    if name not in _REGISTERED:
        raise unknown_name("method", name, {one.name: one.label for one in registered()})
    return _REGISTERED[name]


def comparable_options(
    method: AnyMethod, classes: Sequence[str] = CLASSES, target: str | None = None
) -> dict[str, object]:
    """Options with which a method is compared with others: averaged background events where it takes a baseline.

    Parameters
    ----------
    method : Method
    classes : sequence of str
        names of the classes; where none is the background, the first one that is not explained stands for it
    target : str, optional
        class that is explained, where the method has the choice; default: that of the method
    """
    other = next(name for name in classes if name != target)
    baseline = "background" if background_of(classes) is not None else f"background:{other}"
    wanted = {"baseline": baseline, "target": target}
    return {name: value for name, value in wanted.items() if name in method_options(method) and value is not None}


def choose_options(method: Method[OptionsT], given: Mapping[str, object]) -> OptionsT:
    """The options of a method: the given ones where they are not None, else their defaults.

    Parameters
    ----------
    method : Method
    given : mapping of str to object
        options by name; those of other methods may be there if they are None

    Returns
    -------
    object
        an instance of `method.options`

    Raises
    ------
    ConfigurationError
        if an option belongs to another method, is unknown, has a wrong value, or is required and missing
    """
    known = method_options(method)
    for name, value in given.items():
        if name not in known and value is not None:
            others = [other.name for other in registered() if name in method_options(other)]
            if not others:
                raise unknown_name(f"option of method {method.name}", name, known)
            flag = f"--{name.replace('_', '-')}"
            raise ConfigurationError(f"{flag} belongs to --method {' or '.join(others)}, not to {method.name}")
    chosen = {name: known[name].checked(value) for name, value in given.items() if name in known and value is not None}
    for one in known.values():
        if one.need and one.name not in chosen:
            examples = " | ".join(one.examples) or one.name.upper()
            raise ConfigurationError(f"--method {method.name} needs {one.need}: {one.flag} {examples}")
    return method.options(**chosen)


for _method in BUILT_IN:
    register(_method)
