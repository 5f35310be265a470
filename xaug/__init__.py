"""xaug: see what a jet or event classifier has learned, from ROOT files to figures with error bars."""

from __future__ import annotations

import importlib

from xaug._version import __version__
from xaug.errors import XaugError

# Loaded on first use: `import xaug` stays fast and never pulls in TensorFlow.
_LAZY = {
    "Dataset": "xaug.dataset",
    "Scaler": "xaug.scaling",
    "load_reference": "xaug.reference",
    "load_run": "xaug.runs",
    "explain": "xaug.explain",
    "plots": "xaug.plots",
    "variables": "xaug.variables",
}

__all__ = [
    "Dataset", "Scaler", "XaugError", "__version__", "explain", "load_reference", "load_run", "plots", "variables",
]  # fmt: skip


def __getattr__(name: str):
    if name not in _LAZY:
        raise AttributeError(f"module 'xaug' has no attribute {name!r}")
    module = importlib.import_module(_LAZY[name])
    return module if module.__name__ == f"xaug.{name}" else getattr(module, name)


def __dir__():
    return sorted(__all__)
