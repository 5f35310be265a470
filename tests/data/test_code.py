"""Digests of code: what changes a number changes them, and nothing else does."""

import functools
import importlib.util
import sys
import textwrap

import pytest

from xaug import variables
from xaug.data.code import code_digest
from xaug.data.table import Variable
from xaug.process.stage import process

BASE = """
    import functools

    import numpy as np

    FLOOR = 1e-3
    KINDS = {"a": lambda ids: ids == 1, "b": lambda ids: ids == 2}

    def helper(x):
        return np.maximum(x, FLOOR)

    class Jets:
        def __init__(self, pt):
            self.pt = pt

        @functools.cached_property
        def log_pt(self):
            return np.log(self.pt)

        def __getitem__(self, name):
            return getattr(self, name)

        def __len__(self):
            return 1 * self.pt.size

        def shifted(self, by):
            return self.pt - by

    class Power:
        def __init__(self, exponent, function):
            self.exponent, self.function = exponent, function

        def __call__(self, jets):
            return self.function(jets.pt) ** self.exponent

        def method(self, jets):
            return jets.pt**self.exponent

    class Settings:
        def __init__(self, size):
            self.size = 2 * size

    SETTINGS = Settings(7)

    def uses_methods(jets):
        return jets["pt"] * len(jets) + jets.shifted(3) + Settings(5).size + SETTINGS.size

    root = Power(0.5, np.abs)
    rooted = Power(0.25, np.abs).method

    def compute(jets):
        return helper(jets.log_pt) * KINDS["a"](jets.pt)

    def closure(power):
        def inner(jets):
            return jets.pt**power
        return inner

    squared, cubed = closure(2), closure(3)
"""


@pytest.fixture
def digest(tmp_path, monkeypatch):
    """digest(source, name): that of a function of a module of xaug with this source."""
    count = iter(range(100))

    def make(source, name="compute"):
        path = tmp_path / f"module_{next(count)}.py"
        path.write_text(textwrap.dedent(source))
        spec = importlib.util.spec_from_file_location("xaug.made_up", path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "xaug.made_up", module)
        spec.loader.exec_module(module)
        return code_digest(getattr(module, name))

    return make


@pytest.mark.parametrize(
    "old, new",
    [
        ("def helper(x):", 'def helper(x):\n        """A docstring."""'),
        ("def helper(x):", "def helper(x):  # a comment"),
        ("def helper(x):", "def helper(x: np.ndarray) -> np.ndarray:"),
        ("np.maximum(x, FLOOR)", "np.maximum(\n            x,\n            FLOOR,\n        )"),
        ("FLOOR = 1e-3", "OTHER = 5\n    FLOOR = 0.001"),
        ("def closure(power):", "def unused():\n        return 1\n\n    def closure(power):"),
    ],
)
def test_what_changes_no_number(digest, old, new):
    assert old in BASE
    assert digest(BASE.replace(old, new)) == digest(BASE)


@pytest.mark.parametrize(
    "old, new",
    [
        ("FLOOR = 1e-3", "FLOOR = 1e-4"),
        ("np.maximum(x, FLOOR)", "np.minimum(x, FLOOR)"),
        ("np.log(self.pt)", "np.log10(self.pt)"),
        ("ids == 1", "ids == 3"),
        ("helper(jets.log_pt) *", "helper(jets.log_pt) +"),
    ],
)
def test_what_changes_a_number(digest, old, new):
    assert old in BASE
    assert digest(BASE.replace(old, new)) != digest(BASE)


@pytest.mark.parametrize(
    "name, old, new",
    [
        ("uses_methods", "getattr(self, name)", "2 * getattr(self, name)"),
        ("uses_methods", "1 * self.pt.size", "2 * self.pt.size"),
        ("uses_methods", "self.pt - by", "self.pt + by"),
        ("uses_methods", "2 * size", "3 * size"),
        ("uses_methods", "Settings(7)", "Settings(8)"),
        ("root", "Power(0.5, np.abs)", "Power(0.6, np.abs)"),
        ("root", "Power(0.5, np.abs)", "Power(0.5, np.sqrt)"),
        ("root", "(jets.pt) ** self", "(jets.pt + 1) ** self"),
        ("rooted", "Power(0.25, np.abs)", "Power(0.35, np.abs)"),
        ("rooted", "jets.pt**self", "jets.pt + self"),
    ],
)
def test_methods_and_objects(digest, name, old, new):
    assert old in BASE
    assert digest(BASE, name) == digest(BASE, name)
    assert digest(BASE.replace(old, new), name) != digest(BASE, name)


def test_code_that_is_imported_when_a_function_runs(digest):
    source = "def compute(x):\n    from xaug.made_up import {} as f\n    return f(x)"
    helpers = "def one(x):\n    return x\ndef two(x):\n    return {} * x\n"
    found = {digest(helpers.format(factor) + source.format(name)) for name in ("one", "two") for factor in (2, 3)}
    assert len(found) == 3  # that of `one` does not depend on the factor in `two`


def test_values_that_a_function_closes_over(digest):
    assert digest(BASE, "squared") != digest(BASE, "cubed")
    assert digest(BASE, "squared") == digest(BASE.replace("closure(3)", "closure(5)"), "squared")


@pytest.mark.parametrize("kind, block", [("jets", "xaug"), ("jets", "list"), ("jets", "image"), ("events", "event")])
def test_every_variable_has_a_digest_of_its_own(kind, block):
    digests = [variable.digest for variable in variables.rows(kind, block)]
    assert all(digests) and len(set(digests)) == len(digests)


def test_every_function_that_runs_is_in_the_digest(zbb_files, tmp_path, monkeypatch, code_outside_digest):
    outside, counted = {}, []

    def watched(variable):
        def compute(objects):
            values, outside[variable.name], number = code_outside_digest(
                functools.partial(variable.compute, objects), lambda: variable.digest
            )
            counted.append(number)
            return values

        return compute

    monkeypatch.setattr(Variable, "function", property(watched))
    process([zbb_files], tmp_path / "made", executor="iterative")
    assert len(outside) == 53 and sum(counted) > 200
    assert {name: missing for name, missing in outside.items() if missing} == {}
