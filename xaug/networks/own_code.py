"""Python code of the user that a model file needs: classes of layers, functions, and names that Lambda layers use.

A model file names classes and functions, and holds the code of Lambda layers, but not the module in which they were
written. The user names that module, or its file, and it is run once.
"""

from __future__ import annotations

import builtins
import dis
import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from xaug.core.errors import ConfigurationError
from xaug.core.files import digest_file
from xaug.core.types import JsonObject
from xaug.core.user_files import run_file
from xaug.networks.keras_versions import inner_layers, loader_of_functions

__all__ = ["OwnCode", "code_digests"]

USUAL = {
    "K": "keras.backend", "backend": "keras.backend", "keras": "keras", "layers": "keras.layers", "np": "numpy",
    "numpy": "numpy", "tf": "tensorflow",
}  # fmt: skip
"""Names by which scripts call these modules; a Lambda layer whose own module is not there can use them."""
FUNCTIONS = ("function", "activation", "mask")
"""Attributes of layers that may be functions of the user."""
LAMBDA = ("module", "output_shape_module", "mask_module")
"""Options of a Lambda layer that name the module of one of its functions."""


def code_digests(code: Sequence[str]) -> list[str]:
    """Digests of files and names of modules, which identify code."""
    return [digest_file(_path(one)) if _is_file(one) else one for one in code]


class OwnCode:
    """Files and modules with code of the user.

    Parameters
    ----------
    code : sequence of str
        paths of Python files, or names of modules that can be imported

    Attributes
    ----------
    objects : dict
        classes and functions that they define, by the names by which model files call them

    Raises
    ------
    ConfigurationError
        if one of them is not there, or fails
    """

    def __init__(self, code: Sequence[str] = ()):
        self.objects: dict[str, Any] = {}
        self._names: dict[str, Any] = {name: importlib.import_module(module) for name, module in USUAL.items()}
        for one in code:
            content = vars(_module(one))
            self._names |= {name: value for name, value in content.items() if not name.startswith("__")}
            for name, value in content.items():
                if isinstance(value, (type, FunctionType)) and _is_own(value):
                    self.objects |= {name: value, _registered_name(value): value}

    @contextmanager
    def at_hand(self, config: JsonObject) -> Iterator[None]:
        """Make the objects known to Keras, and the names known that the Lambda layers of a configuration use."""
        import keras

        modules = [*sorted(_modules_of(config)), loader_of_functions()]
        with keras.saving.custom_object_scope(self.objects), _names_in(modules, self._names):
            yield

    def bind(self, model: Any) -> Any:
        """A model that was opened with these names at hand; functions of its layers keep them.

        Raises
        ------
        NameError
            if a function uses a name that is not known; Keras 3 opens such models, and would fail when they are used
        """
        loader = vars(importlib.import_module(loader_of_functions()))
        for layer in inner_layers(model):
            for name in FUNCTIONS:
                function = getattr(layer, name, None)
                if isinstance(function, FunctionType) and function.__globals__ is loader:
                    content = {**self._names, **loader}
                    for unknown in sorted(_names_used(function.__code__) - set(content) - set(vars(builtins))):
                        raise NameError(f"name {unknown!r} is not defined")
                    own = FunctionType(
                        function.__code__, content, function.__name__, function.__defaults__, function.__closure__
                    )
                    setattr(layer, name, own)
        return model


def _names_used(code: CodeType) -> set[str]:
    """Global names that the code of a function reads, and those of functions inside it."""
    own = {one.argval for one in dis.get_instructions(code) if one.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    inner = [_names_used(each) for each in code.co_consts if isinstance(each, CodeType)]
    return own.union(*inner)


def _is_own(value: type | FunctionType) -> bool:
    """Whether a class or function is none of Keras, TensorFlow, NumPy or Python."""
    package = value.__module__.partition(".")[0]
    return package not in ("keras", "tensorflow", "numpy") and package not in sys.stdlib_module_names


def _is_file(one: str) -> bool:
    return one.endswith(".py")


def _path(one: str) -> Path:
    path = Path(one).resolve()
    if not path.is_file():
        raise ConfigurationError(f"--code {one}: there is no such file")
    return path


def _module(one: str) -> ModuleType:
    """The module of a file, which is run once, or of a name."""
    if _is_file(one):
        path = _path(one)
        remedy = "It must define layers and functions, and do nothing else"
        return run_file(path, digest_file(path), "code", f"--code {path}: the file", remedy, imports_beside=True)
    try:
        return importlib.import_module(one)
    except (Exception, SystemExit) as error:  # code of others may raise anything, and leave Python
        raise ConfigurationError(
            f"--code {one}: the module cannot be imported ({type(error).__name__}: {error}). Install its package in "
            "this environment, or give the path of a Python file that ends in .py"
        ) from error


def _registered_name(value: Any) -> str:
    import keras

    return str(keras.saving.get_registered_name(value))


def _modules_of(config: Any) -> set[str]:
    """Names of the modules in which the functions of Lambda layers were written."""
    if isinstance(config, list):
        return {name for one in config for name in _modules_of(one)}
    if not isinstance(config, Mapping):
        return set()
    found = {name for value in config.values() for name in _modules_of(value)}
    own = config.get("config")
    if config.get("class_name") == "Lambda" and isinstance(own, Mapping):
        found |= {own[key] for key in LAMBDA if isinstance(own.get(key), str)}
    return found


def _imported(name: str) -> bool:
    """Import a module of a package; a plain name is mostly that of the script that trained, which would run again."""
    if "." not in name:
        return False
    try:
        importlib.import_module(name)
    except (Exception, SystemExit):  # code of others may raise anything; names that are added may do
        return False
    return True


@contextmanager
def _names_in(modules: Sequence[str], names: Mapping[str, Any]) -> Iterator[None]:
    """Add names to modules that lack them, for a while; modules that cannot be imported are empty ones so long."""
    added: list[tuple[ModuleType, list[str]]] = []
    made: list[str] = []
    for name in modules:
        if name not in sys.modules and not _imported(name):
            sys.modules[name] = ModuleType(name)
            made.append(name)
        own = vars(sys.modules[name])
        lacking = [each for each in names if each not in own]
        own.update({each: names[each] for each in lacking})
        added.append((sys.modules[name], lacking))
    try:
        yield
    finally:
        for module, lacking in added:
            for each in lacking:
                vars(module).pop(each, None)
        for name in made:
            sys.modules.pop(name, None)
