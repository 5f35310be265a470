"""The registry of tests of explanations: what each measures, where it is defined, and what is better."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field
from typing import ClassVar

import numpy as np
from scipy.stats import t as student_t

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.statistics import sample_deviation
from xaug.core.types import Array, JsonObject
from xaug.report.judgement.judged import Judged

__all__ = ["TESTS", "ExplanationTest", "Measure", "chosen_tests", "register"]

LEVEL = 0.97725
"""Quantile of two standard deviations of a normal distribution."""


@dataclass(frozen=True)
class Measure:
    """One number of one explanation.

    Attributes
    ----------
    test : str
        name of the test
    name : str
        what is measured, as a row of the table calls it
    value : float
        mean over trainings; nan where there is none
    event_error : float
        statistical error from the finite number of events; nan if unknown
    training_spread : float
        standard deviation over trainings (ddof 1); nan for one training
    trainings : int
        number of trainings
    better : int
        1 if larger is better, -1 if smaller is better, 0 if neither
    note : str
        why there is no value, or what else must be known
    rounding : float
        differences below this are those of single precision
    curves : dict
        numbers behind a figure
    """

    test: str
    name: str
    value: float
    event_error: float = np.nan
    training_spread: float = np.nan
    trainings: int = 1
    better: int = 0
    note: str = ""
    rounding: float = 0.0
    curves: JsonObject = field(default_factory=dict, repr=False)

    @property
    def margin(self) -> float:
        """Half the 95% interval of the mean over trainings from both errors, in quadrature, and at least `rounding`.

        It is nan if neither error is known.

        A standard deviation over few trainings is itself uncertain, for which Student's t stands.
        """
        widened = float(student_t.ppf(LEVEL, max(self.trainings - 1, 1)))
        of_mean = widened * self.training_spread / np.sqrt(self.trainings)
        known = [one for one in (2 * self.event_error, of_mean) if np.isfinite(one)]
        return max(float(np.sqrt(np.sum(np.square(known)))), self.rounding) if known else float("nan")

    def to_json(self) -> JsonObject:
        """The measure as plain data; numbers that are nan become None."""
        return {
            name: None if isinstance(value, float) and np.isnan(value) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, content: JsonObject) -> Measure:
        """The measure that `to_json` gave."""
        plain: JsonObject = {name: np.nan if value is None else value for name, value in content.items()}
        return cls(**plain)


def over_trainings(
    test: str, name: str, values: Array, event_error: float, better: int, note: str = "", rounding: float = 0.0
) -> Measure:
    """A measure of values (trainings,), one a training."""
    spread = float(sample_deviation(values))
    return Measure(test, name, float(np.mean(values)), float(event_error), spread, len(values), better, note, rounding)


class ExplanationTest(ABC):
    """One test of explanations.

    Attributes
    ----------
    name : str
        name on the command line
    words : str
        what is tested, in a line of help
    explains_again : bool
        whether events are explained again by the method, which may take long
    """

    name: ClassVar[str]
    words: ClassVar[str]
    explains_again: ClassVar[bool] = False

    def undefined(self, judged: Judged) -> str:
        """Why the test is not defined for an explanation; "" where it is."""
        return ""

    @abstractmethod
    def measure(self, judged: Judged) -> list[Measure]:
        """Test an explanation for which the test is defined."""


TESTS: dict[str, ExplanationTest] = {}
"""All tests by name, in the order of the tables."""


def register(test: type[ExplanationTest]) -> type[ExplanationTest]:
    """Make a test known to `xaug.judge`."""
    if test.name in TESTS:
        raise ConfigurationError(f"there is a test {test.name!r} already; choose another name")
    TESTS[test.name] = test()
    return test


def chosen_tests(names: list[str] | None) -> list[ExplanationTest]:
    """The tests of some names; without names those that need no new explanations, and for "all" all.

    Raises
    ------
    ConfigurationError
        if there is no such test
    """
    if names is not None and not names:
        raise ConfigurationError(f"no test is named; choose from {', '.join([*TESTS, 'all'])}, or leave --tests out")
    if names is None:
        return [test for test in TESTS.values() if not test.explains_again]
    if "all" in names:
        return list(TESTS.values())
    for name in names:
        if name not in TESTS:
            raise unknown_name("test", name, [*TESTS, "all"])
    return [test for test in TESTS.values() if test.name in names]
