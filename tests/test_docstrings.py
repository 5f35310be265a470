"""Docstrings of the public API follow the numpydoc standard and agree with the signatures.

Public are the names that `xaug`, `xaug.explain` and `xaug.plots` export, and the public methods of exported classes.
"""

from __future__ import annotations

import importlib
import inspect
from types import ModuleType

import pytest
from numpydoc.validate import validate

CHECKS = {
    "GL06": "only known sections",
    "GL07": "sections in their order",
    "GL08": "there is a docstring",
    "SS01": "there is a summary",
    "SS03": "the summary ends with a period",
    "SS04": "the summary is not indented",
    "PR01": "all parameters are described",
    "PR02": "no parameter is described that does not exist",
    "PR03": "parameters are in the order of the signature",
    "PR04": "each parameter has its type",
    "PR07": "each parameter has its description",
    "PR10": "there is a space before the colon of a parameter",
    "RT01": "what is returned is described",
    "RT03": "each returned value has its description",
    "YD01": "what is yielded is described",
}
"""Checks of numpydoc that hold here, and what each of them asks for."""
EXPORTED = [
    (module, name)
    for module in ("xaug", "xaug.explain", "xaug.plots")
    for name in getattr(importlib.import_module(module), "__all__", [])
    if not name.startswith("_")
]


def errors_of(name: str) -> list[str]:
    """The checks that fail for the docstring of a dotted name."""
    return [f"{name}: {code} {text}" for code, text in validate(name)["errors"] if code in CHECKS]


def is_described_alone(member: object) -> bool:
    """True for methods of all kinds; properties and fields are described like attributes."""
    return inspect.isfunction(member) or isinstance(member, classmethod | staticmethod)


@pytest.mark.parametrize(("module", "name"), EXPORTED, ids=[".".join(exported) for exported in EXPORTED])
def test_docstrings_follow_numpydoc(module, name):
    found = getattr(importlib.import_module(module), name)
    if isinstance(found, ModuleType):
        assert found.__doc__ and found.__doc__.strip()
        return
    errors = errors_of(f"{module}.{name}")
    if inspect.isclass(found):
        for key, member in vars(found).items():
            if not key.startswith("_") and isinstance(member, property):
                assert member.__doc__, key
            elif not key.startswith("_") and is_described_alone(member):
                errors += errors_of(f"{module}.{name}.{key}")
    assert errors == []


def test_the_validator_sees_what_is_missing(tmp_path, monkeypatch):
    """A made-up function with three faults has three errors."""
    docstring = ["Add", "", "    Parameters", "    ----------", "    a : int", "        One.", "    "]
    source = 'def f(a, b):\n    """' + "\n".join(docstring) + '"""\n    return a + b\n'
    (tmp_path / "made_up_module.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    assert {error.split()[1] for error in errors_of("made_up_module.f")} == {"SS03", "PR01", "RT01"}
