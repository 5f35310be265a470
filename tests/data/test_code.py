"""Digests of code: what changes a number changes them, and nothing else does."""

import importlib.util
import sys
import textwrap

import pytest

from xaug import variables
from xaug.data.code import code_digest

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


def test_values_that_a_function_closes_over(digest):
    assert digest(BASE, "squared") != digest(BASE, "cubed")
    assert digest(BASE, "squared") == digest(BASE.replace("closure(3)", "closure(5)"), "squared")


@pytest.mark.parametrize("kind, block", [("jets", "xaug"), ("jets", "list"), ("jets", "image"), ("events", "event")])
def test_every_variable_has_a_digest_of_its_own(kind, block):
    digests = [variable.digest for variable in variables.rows(kind, block)]
    assert all(digests) and len(set(digests)) == len(digests)
