"""xaug: see what a jet or event classifier has learned, from ROOT files to figures with error bars."""

from __future__ import annotations

import importlib

from xaug._version import __version__
from xaug.core.errors import XaugError

# Loaded on first use: `import xaug` stays fast and never imports TensorFlow.
_MODULES = {"explain": "xaug.explain", "plots": "xaug.plots", "variables": "xaug.data.variables"}
_TABLES = ("xaug.jets.table", "xaug.events.table", "xaug.generate.toy_table")
"""Modules that register the variables of the kinds of datasets of this package."""
_OBJECTS = {
    "Dataset": "xaug.data.dataset",
    "Scaler": "xaug.data.scaling",
    "load_reference": "xaug.training.reference",
    "load_run": "xaug.training.runs",
}

__all__ = [
    "Dataset", "Scaler", "XaugError", "__version__", "explain", "load_reference", "load_run", "plots", "variables",
]  # fmt: skip


def __getattr__(name: str) -> object:
    if name == "variables":
        for table in _TABLES:
            importlib.import_module(table)
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name in _OBJECTS:
        return getattr(importlib.import_module(_OBJECTS[name]), name)
    raise AttributeError(f"module 'xaug' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
