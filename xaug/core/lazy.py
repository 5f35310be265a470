"""Packages that are loaded when they are first used, so that commands answer `-h` and find wrong options at once."""

from __future__ import annotations

import importlib.util
import sys
import threading
from types import ModuleType

__all__ = ["load_when_used"]

LOADING = threading.RLock()
"""Held by the thread that loads a package; the package itself may ask for its attributes meanwhile."""


class WaitingModule(ModuleType):
    """A package that loads itself when something is read of it, or a part of it is imported; then a usual module.

    `importlib.util.LazyLoader` of Python 3.10 and 3.11 loads as soon as a second module imports the package.
    """

    def __getattr__(self, name: str) -> object:
        """Load the package, and return its attribute."""
        state = vars(self)
        with LOADING:
            if type(self) is WaitingModule and "__path__" not in state:
                spec = state["__spec__"]
                state["__path__"] = spec.submodule_search_locations
                try:
                    spec.loader.exec_module(self)
                except BaseException:
                    sys.modules.pop(self.__name__, None)  # as of every package that cannot be imported
                    raise
                self.__class__ = ModuleType  # type: ignore[assignment]
        if name in state:
            return state[name]
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


def load_when_used(*names: str) -> None:
    """Let `import NAME` give a module that loads itself when it is used.

    Packages that are loaded already, or are not installed, are left alone.

    Parameters
    ----------
    *names : str
        names of packages
    """
    for name in names:
        spec = None if name in sys.modules else importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            module = WaitingModule(name)
            vars(module).update(__spec__=spec, __loader__=spec.loader, __file__=spec.origin, __package__=name)
            sys.modules[name] = module
