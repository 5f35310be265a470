"""The rules that the source tree follows, checked by reading the source: layers, cycles, sizes, names, prose."""

from __future__ import annotations

import ast
import importlib
import re
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import ModuleType

import pytest

CHECKOUT = Path(__file__).parents[1]
LAYERS = [
    "core", "data", "formats", "jets", "events", "process", "generate",
    "networks", "training", "explain", "plots", "report", "studies",
]  # fmt: skip
"""The folders of `xaug/`, from the lowest layer to the highest. A module imports from its own folder or a lower one."""
COMMANDS = len(LAYERS)
"""The layer of the modules that parse a command line: those at the top level of `xaug/`, and every `__main__`."""

MODULE_NAME = re.compile(r"(xaug(?:\.\w+)+)(?::\w+)?")
"""A string that names a module, or an object of it, to be imported later or by another process."""


def module_name(path: Path, root: Path) -> str:
    """The dotted name of a source file below the directory that holds the package."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def read_modules(root: Path) -> dict[str, ast.Module]:
    """The syntax trees of all modules of the package `xaug` in a directory, by dotted name."""
    return {module_name(path, root): ast.parse(path.read_text()) for path in sorted((root / "xaug").rglob("*.py"))}


def imported_by(tree: ast.Module, modules: set[str]) -> Iterator[tuple[int, str]]:
    """Line and name of each module of the package that this syntax tree imports or names in a string.

    Imports inside functions and under `if TYPE_CHECKING` count as well. `from xaug.data import dataset` names the
    module `xaug.data.dataset`; the package `xaug.data`, which Python runs on the way, does not count.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module in modules:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield node.lineno, submodule if submodule in modules else node.module
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found = MODULE_NAME.fullmatch(node.value)
            if found and found[1] in modules:
                yield node.lineno, found[1]


def layer(module: str) -> int:
    """The number of the layer of a module; the version belongs to the lowest."""
    parts = module.split(".")
    if module == "xaug._version":
        return 0
    if len(parts) == 1 or parts[-1] == "__main__" or parts[1] not in LAYERS:
        return COMMANDS
    return LAYERS.index(parts[1])


def upward(modules: dict[str, ast.Module]) -> list[str]:
    """The imports that point to a higher layer; only the top level of the package may be a command."""
    found = [
        f"{name}:{line} imports {other}"
        for name, tree in modules.items()
        for line, other in imported_by(tree, set(modules))
        if layer(other) > layer(name)
    ]
    return list(dict.fromkeys(found))


def cycle(modules: dict[str, ast.Module]) -> list[str]:
    """The modules of an import cycle, or an empty list."""
    names = set(modules)
    graph = {name: {other for _, other in imported_by(tree, names)} - {name} for name, tree in modules.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


@pytest.fixture(scope="module")
def modules() -> dict[str, ast.Module]:
    return read_modules(CHECKOUT)


def test_all_folders_have_a_layer():
    folders = {path.name for path in (CHECKOUT / "xaug").iterdir() if path.is_dir() and list(path.glob("*.py"))}
    assert folders == set(LAYERS)


def test_no_import_points_upward(modules):
    assert upward(modules) == []


def test_there_is_no_import_cycle(modules):
    assert cycle(modules) == []


def written(root: Path, sources: dict[str, str]) -> dict[str, ast.Module]:
    """A package of made-up modules."""
    for name, source in sources.items():
        path = root / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
        for folder in (path.parent, root / "xaug"):
            (folder / "__init__.py").touch()
    return read_modules(root)


@pytest.mark.parametrize(
    "source",
    [
        "import xaug.plots.roc",
        "from xaug.plots import roc",
        "from xaug.plots.roc import draw",
        "def late():\n    from xaug.plots.roc import draw",
        "WORKER = 'xaug.plots.roc:draw'",
        "command = ['-m', 'xaug.plots.roc']",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from xaug.plots import roc",
        "import xaug.train",
        "from xaug.plots.__main__ import main",
    ],
)
def test_the_reader_of_imports_sees_an_upward_arrow(source, tmp_path):
    """Each way to reach a module of a higher layer; the other direction is allowed."""
    others = {"xaug.plots.roc": "from xaug.core import low", "xaug.plots.__main__": "", "xaug.train": ""}
    made = written(tmp_path, {"xaug.core.low": source, **others})
    assert [entry.split(":")[0] for entry in upward(made)] == ["xaug.core.low"]


def test_the_reader_of_imports_sees_a_cycle(tmp_path):
    sources = {"xaug.core.a": "from xaug.core import b", "xaug.core.b": "def f():\n    from xaug.core.c import g"}
    assert cycle(written(tmp_path, {**sources, "xaug.core.c": ""})) == []
    assert set(cycle(written(tmp_path, {**sources, "xaug.core.c": "import xaug.core.a"}))) == {
        "xaug.core.a", "xaug.core.b", "xaug.core.c",
    }  # fmt: skip


def test_no_module_is_long():
    sources = [path for folder in ("xaug", "tests") for path in sorted((CHECKOUT / folder).rglob("*.py"))]
    sizes = {str(path.relative_to(CHECKOUT)): len(path.read_text().splitlines()) for path in sources}
    assert {name: size for name, size in sizes.items() if size > 400} == {}


def public_names() -> dict[str, set[str]]:
    """The names that each public module exports, but for those of modules."""
    found = {}
    for module in ("xaug", "xaug.explain", "xaug.plots"):
        loaded = importlib.import_module(module)
        names = getattr(loaded, "__all__", [])
        found[module] = {name for name in names if not isinstance(getattr(loaded, name), ModuleType)}
    return found


def test_no_module_has_the_name_of_a_public_function(modules):
    """`xaug.explain.lrp` is a function; a module of that name would take its place once it is imported."""
    taken = {part for name in modules for part in name.split(".")[1:]}
    assert {name for names in public_names().values() for name in names if not name.startswith("_")} & taken == set()


def test_no_two_classes_share_a_name(modules):
    found = Counter(node.name for tree in modules.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    assert [name for name, count in found.items() if count > 1] == []


def texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of every docstring (those of constants and fields too) and every `help=` of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) or (isinstance(node, ast.keyword) and node.arg == "help"):
            parts = [part.value for part in ast.walk(node.value) if isinstance(part, ast.Constant)]
            if parts and isinstance(parts[0], str) and isinstance(node.value, ast.Constant | ast.JoinedStr):
                yield node.value.lineno, parts[0]


def test_no_text_begins_without_its_noun(modules):
    """A docstring or help text names its subject first; "Of the attributions." has lost it."""
    riddles = re.compile(r"\s*(Of|What|Whose|Where|As)\b")
    found = {
        f"{name}:{line} {text.strip().splitlines()[0]}"
        for name, tree in modules.items()
        for line, text in texts(tree)
        if riddles.match(text)
    }
    assert sorted(found) == []
