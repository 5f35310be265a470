"""Variables of the user, in Python files beside the package: `@xaug.variable(...)` on functions, `--plugin FILE`."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.files import digest_file
from xaug.core.types import Array
from xaug.core.user_files import run_file
from xaug.data.column_names import check_column_name
from xaug.data.table import PADDING, PLUGIN, PROPERTIES, Block, Table, Variable

__all__ = ["Plugin", "plugin_of", "variable", "with_plugins"]

BLOCKS = {"xaug": "kinematic", "list": "list", "event": "event"}
"""Blocks that a plugin can add columns to, and the group of these."""
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Plugin:
    """A file of variables.

    Attributes
    ----------
    path : str
        the file
    digest : str
        digest of its bytes
    """

    path: str
    digest: str

    def code_content(self) -> tuple[object, ...]:
        """Nothing: the digest of each variable covers its code."""
        return ()


@dataclass(frozen=True)
class CheckedFunction:
    """A function of a plugin, whose values are checked."""

    name: str
    file: str
    function: Callable[..., Any]

    def __call__(self, objects: Any) -> Array:
        """The values; ConfigurationError where the function fails, or gives no finite number for each object."""
        called = f"{self.file}: variable {self.name!r}"
        try:
            values: Array = np.asarray(self.function(read_only(objects, {})), dtype=np.float64)
        except (Exception, SystemExit) as error:
            hint = ". Change a copy: the arrays are those of the dataset" if "read-only" in str(error) else ""
            raise ConfigurationError(f"{called} fails ({type(error).__name__}: {error}){hint}") from error
        if values.shape != (len(objects),):
            raise ConfigurationError(
                f"{called} has the shape {values.shape}; it must be one number for each of the {len(objects)} objects"
            )
        if not np.isfinite(values).all():
            where = int(np.argmin(np.isfinite(values)))
            raise ConfigurationError(f"{called} is {values[where]} for object {where}")
        return values

    def code_content(self) -> tuple[object, ...]:
        """The function alone decides the numbers."""
        return self.name, self.function


def read_only(value: Any, done: dict[int, Any]) -> Any:
    """The same objects with arrays that cannot be written: what a plugin changes in place would change the dataset.

    `done` has what was met already, by identity.
    """
    if id(value) in done:
        return done[id(value)]
    if isinstance(value, np.ndarray):
        done[id(value)] = view = value.view()
        view.flags.writeable = False
        return view
    if type(value) is dict:
        done[id(value)] = {name: read_only(own, done) for name, own in value.items()}
    elif type(value).__module__.startswith("xaug.") and hasattr(value, "__dict__"):
        done[id(value)] = twin = copy.copy(value)
        for name, own in vars(value).items():
            object.__setattr__(twin, name, read_only(own, done))
    return done.get(id(value), value)


def variable(
    label: str, block: str = "xaug", *, name: str | None = None, unit: str = "", needs: Sequence[str] = ()
) -> Callable[[Function], Function]:
    """Make a variable of a function, in a file that `python -m xaug.process --plugin FILE` reads.

    Parameters
    ----------
    label : str
        LaTeX, without the unit.
    block : str
        "xaug": a function of jets (`xaug.jets.jets.Jets`), with one number for each jet; "list": a function of the
        constituents of lists (`xaug.jets.constituents.Constituents`), with one number for each; "event": a function of
        the objects of events, with one number for each event.
    name : str, optional
        Name of the column; default: that of the function.
    unit : str
        Unit of the values, "" if they have none.
    needs : sequence of str
        What files must have of "id", "charge", "dxy", "dz", "phi", "vertex"; without it, the variable is left out.

    Returns
    -------
    callable
        Decorator that returns the function as it is.

    Raises
    ------
    ConfigurationError
        If the block or a need is none of these.
    """
    if block not in BLOCKS:
        raise ConfigurationError(f"@xaug.variable: block {block!r} is none of {', '.join(BLOCKS)}")
    for need in needs:
        if need not in PROPERTIES:
            raise unknown_name("need of @xaug.variable", need, sorted(PROPERTIES))

    def mark(function: Function) -> Function:
        own = name or function.__name__
        padding = PADDING if block == "list" else None
        made = Variable(own, label, unit, BLOCKS[block], PLUGIN, function, padding, needs=tuple(needs))
        function.xaug_variable = (block, made)  # type: ignore[attr-defined]
        return function

    return mark


def plugin_of(path: str | Path) -> Plugin:
    """The plugin of a file, which is read once to check it.

    Raises
    ------
    ConfigurationError
        if the file cannot be run, or defines no variable
    """
    place = Path(path).resolve()
    if not place.is_file():
        raise ConfigurationError(f"--plugin {path}: there is no such file")
    plugin = Plugin(str(place), digest_file(place))
    if not variables_of(plugin):
        raise ConfigurationError(f"--plugin {path}: no function has the decorator @xaug.variable(label)")
    return plugin


@functools.lru_cache(maxsize=32)
def variables_of(plugin: Plugin) -> tuple[tuple[str, Variable], ...]:
    """Blocks and variables of a plugin, in the order of the file.

    Raises
    ------
    ConfigurationError
        if the file has changed since, or cannot be run
    """
    path = Path(plugin.path)
    if not path.is_file() or digest_file(path) != plugin.digest:
        raise ConfigurationError(f"plugin {path} is gone or has changed since the command began; run it again")
    module = run_file(path, plugin.digest, "plugin", f"plugin {path}")
    marked = [own.xaug_variable for own in vars(module).values() if hasattr(own, "xaug_variable")]
    return tuple(
        (block, replace(own, compute=CheckedFunction(own.name, path.name, own.function))) for block, own in marked
    )


def with_plugins(table: Table, plugins: Sequence[Plugin]) -> Table:
    """A table with the variables of plugins behind its own.

    Raises
    ------
    ConfigurationError
        if a name is there already, or the kind of dataset has no such block
    """
    for plugin in plugins:
        for name, own in variables_of(plugin):
            if name not in table.blocks:
                raise ConfigurationError(
                    f"plugin {plugin.path}: variable {own.name!r} is of the block {name!r}; a dataset of {table.kind} "
                    f"has {', '.join(table.blocks)}"
                )
            check_column_name(f"plugin {plugin.path}", own.name, name)
            block = table.blocks[name]
            if own.name in table.labels():
                raise ConfigurationError(f"plugin {plugin.path}: there is a variable {own.name!r} already; rename it")
            added = Block(name, (*block.variables, own), block.shape, block.selections)
            table = Table(table.kind, {**table.blocks, name: added})
    return table
