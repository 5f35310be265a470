"""xaug: see what a jet or event classifier has learned, from ROOT files to figures with error bars.

Public names, each loaded when it is first used, so that `import xaug` is fast and never imports TensorFlow:

Dataset
    a finished dataset; `Dataset.open(path)` opens it
Variable
    one input variable: its name, label and unit
Scaler
    scales the columns of a dataset to the range in which networks read them
load_model
    opens the file of a Keras model, of Keras 2 or 3, without running code that it brings
load_run
    opens a finished run: its trained models, scaler, variables and metrics
load_reference
    opens one of the small trained networks that come with the package
explain
    functions that explain a model: Layer-wise Relevance Propagation, Integrated Gradients, and their summaries
plots
    functions that draw figures into the axes of matplotlib
variable
    decorator that makes a variable of a function, in a file for `xaug.process --plugin`
variables
    the table of input variables: their names, labels, units and groups
XaugError
    base class of all errors that xaug raises on purpose
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from xaug._version import __version__
from xaug.core.errors import XaugError

if TYPE_CHECKING:
    from xaug.data import variables
    from xaug.data.dataset import Dataset
    from xaug.data.plugins import variable
    from xaug.data.scaling import Scaler
    from xaug.data.table import Variable
    from xaug.networks.model_files import load_model
    from xaug.training.reference import load_reference
    from xaug.training.runs import load_run

__all__ = [
    "Dataset", "Scaler", "Variable", "XaugError", "__version__", "explain", "load_model", "load_reference", "load_run",
    "plots", "variable", "variables",
]  # fmt: skip

_MODULES = {"explain": "xaug.explain", "plots": "xaug.plots", "variables": "xaug.data.variables"}
_OBJECTS = {
    "Dataset": "xaug.data.dataset",
    "Scaler": "xaug.data.scaling",
    "Variable": "xaug.data.table",
    "variable": "xaug.data.plugins",
    "load_reference": "xaug.training.reference",
    "load_model": "xaug.networks.model_files",
    "load_run": "xaug.training.runs",
}
_TABLES = ("xaug.jets.table", "xaug.events.table", "xaug.generate.toy_table")
"""Modules that register the variables of the kinds of datasets of this package."""
_READING_TABLES = ("variables", "load_run", "load_reference")
"""Public names that read the registered variables; a run compares them with its own."""


def __getattr__(name: str) -> object:
    """Load a public name when it is first used."""
    if name in _READING_TABLES:
        for table in _TABLES:
            importlib.import_module(table)
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name in _OBJECTS:
        return getattr(importlib.import_module(_OBJECTS[name]), name)
    raise AttributeError(f"module 'xaug' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
