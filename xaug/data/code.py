"""Digests of code: two functions that compute the same in the same way have the same one.

A digest covers the source of a function without docstrings, comments, annotations and layout, the values that it
closes over, and the functions, methods and constants of xaug that it uses, and those that they use. An object may say
itself which of its content is code: its class then has a method `code_content`.
"""

from __future__ import annotations

import ast
import copy
import dis
import functools
import importlib
import inspect
import linecache
from collections.abc import Callable, Iterator
from dataclasses import dataclass, is_dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from xaug.core.files import digest_json

__all__ = ["code_digest", "content_digest"]

PACKAGE = "xaug"
MEMBERS = (property, functools.cached_property, classmethod, staticmethod, FunctionType)
"""Members of a class that are code."""


@functools.cache
def code_digest(function: Callable[..., Any]) -> str:
    """A digest of a function's code, 16 hexadecimal digits.

    Parameters
    ----------
    function : callable
        a function, method or class of xaug or of the user, a closure or a `functools.partial`

    Returns
    -------
    str
        the same whatever the docstrings, comments, annotations, layout and order of other definitions
    """
    return digest_json(_describe(function, ()))


def content_digest(value: object) -> str:
    """A digest of any object: its class, its content, and the code that runs when parts of it are called."""
    return digest_json(_describe(value, ()))


def _describe(value: Any, above: tuple[Any, ...]) -> Any:
    """A value as plain data; code that is being described above it is told by its name."""
    if isinstance(value, functools.partial):
        arguments = [_describe(v, above) for v in value.args]
        named = {name: _describe(v, above) for name, v in sorted(value.keywords.items())}
        return ["partial", _describe(value.func, above), arguments, named]
    if isinstance(value, property):
        return _describe(value.fget, above)
    if isinstance(value, functools.cached_property):
        return _describe(value.func, above)
    if isinstance(value, (classmethod, staticmethod)):
        return _describe(value.__func__, above)
    if inspect.ismethod(value):
        return [_describe(value.__func__, above), _describe(value.__self__, above)]
    if hasattr(type(value), "code_content"):
        return _describe(value.code_content(), above)
    value = inspect.unwrap(value) if callable(value) else value
    if inspect.isfunction(value):
        # digests themselves decide no number
        return _name(value) if value.__module__ == __name__ else _describe_function(value, above)
    if isinstance(value, type):
        return [_name(value), *(_describe(f, above) for f in _own_functions(value, "__init__", "__post_init__"))]
    if isinstance(value, ModuleType):
        return value.__name__
    if _is_described_by_content(value):
        return _describe_object(value, above)
    return _name(value) if callable(value) else _describe_constant(value, above)


def _name(value: Any) -> str:
    """Dotted name of a class, or of a callable object without a source, as a function of NumPy."""
    own = getattr(value, "__qualname__", None) or getattr(value, "__name__", None) or type(value).__qualname__
    return f"{getattr(value, '__module__', '')}.{own}"


def _is_described_by_content(value: Any) -> bool:
    """Whether an object is told from others by its class and attributes: by its text it cannot be."""
    kind: Any = type(value)
    return is_dataclass(value) or kind.__repr__ is object.__repr__ or any(_own_functions(kind, "__call__"))


def _describe_object(value: Any, above: tuple[Any, ...]) -> Any:
    """Class and attributes of an object, and the code that runs when it is called."""
    if any(value is one for one in above):
        return _name(type(value))
    above = (*above, value)
    attributes = {name: _describe(one, above) for name, one in sorted(getattr(value, "__dict__", {}).items())}
    return [_name(type(value)), *(_describe(f, above) for f in _own_functions(type(value), "__call__")), attributes]


def _own_functions(cls: type, *names: str) -> Iterator[Any]:
    """Those of the named methods of a class that are written in Python, in a file."""
    for name in names:
        member = inspect.getattr_static(cls, name, None)
        if inspect.isfunction(member) and member.__code__.co_filename != "<string>":  # not made by `dataclass`
            yield member


def _describe_constant(value: Any, above: tuple[Any, ...]) -> Any:
    if isinstance(value, np.ndarray):
        return [str(value.dtype), list(value.shape), value.tolist()]
    if isinstance(value, dict):
        return [[_describe(key, above), _describe(one, above)] for key, one in value.items()]
    if isinstance(value, (list, tuple)):
        return [_describe(one, above) for one in value]
    if isinstance(value, (set, frozenset)):
        return sorted(str(_describe(one, above)) for one in value)
    return repr(value)


def _describe_function(function: Any, above: tuple[Any, ...]) -> Any:
    name = f"{function.__module__}.{function.__qualname__}"
    if any(function is one for one in above):
        return name
    above = (*above, function)
    source = _source(function.__code__)
    closed = inspect.getclosurevars(function).nonlocals
    used = {}
    for key, value in sorted(_used(function, source).items()):
        used[key] = _describe(value, above)
    return {
        "source": _bytecode(function.__code__) if source is None else source.text,
        "closed": {key: _describe(value, above) for key, value in sorted(closed.items())},
        "defaults": _describe([function.__defaults__, function.__kwdefaults__], above),
        "used": used,
    }


@dataclass(frozen=True)
class _Source:
    """The source of a function by itself, whatever the names in it stand for.

    Attributes
    ----------
    text : str
        the source without what changes no number
    attributes : tuple of nodes
        each attribute that is read, as `np.exp`
    members : tuple of str
        names of members of classes that may run
    imports : tuple of nodes
        imports from modules of xaug
    """

    text: str
    attributes: tuple[ast.Attribute, ...]
    members: tuple[str, ...]
    imports: tuple[ast.ImportFrom, ...]


@functools.cache
def _source(code: CodeType) -> _Source | None:
    """The source of a function's code; None where it is not to be had."""
    tree = _tree(code)
    if tree is None:
        return None
    nodes = list(ast.walk(tree))
    return _Source(
        ast.unparse(tree),
        tuple(node for node in nodes if isinstance(node, ast.Attribute)),
        tuple(dict.fromkeys(name for node in nodes for name in _members_used(node))),
        tuple(n for n in nodes if isinstance(n, ast.ImportFrom) and (n.module or "").startswith(f"{PACKAGE}.")),
    )


def _tree(code: CodeType) -> ast.AST | None:
    """The syntax tree of a function without what changes no number; None where its source is not to be had."""
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    for node in _definitions(code.co_filename):
        if isinstance(node, ast.Lambda):
            first, called = node.lineno, "<lambda>"
        else:
            first, called = min([node.lineno, *(d.lineno for d in node.decorator_list)]), node.name
        arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        own = tuple(argument.arg for argument in arguments)
        if (first, called, own) == (code.co_firstlineno, code.co_name, names):
            bare = _Bare().visit(copy.deepcopy(node))
            if isinstance(bare, ast.FunctionDef):
                bare.name, bare.decorator_list = "function", []
            whole: ast.AST = ast.fix_missing_locations(bare)
            return whole
    return None


@functools.cache
def _definitions(file: str) -> list[Any]:
    """All functions and lambdas that a file defines."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return []
    return [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.Lambda))]


class _Bare(ast.NodeTransformer):
    """Drops docstrings and annotations from a syntax tree."""

    def _body(self, node: Any) -> Any:
        self.generic_visit(node)
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            node.body = node.body[1:] or [ast.Pass()]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        node.returns = None
        return self._body(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        return self._body(node)

    def visit_arg(self, node: ast.arg) -> Any:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        self.generic_visit(node)
        if node.value is None:
            return None
        return ast.copy_location(ast.Assign([node.target], node.value), node)


def _bytecode(code: CodeType) -> list[Any]:
    constants = [_bytecode(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return [code.co_code.hex(), constants, list(code.co_names)]


def _used(function: Any, source: _Source | None) -> dict[str, Any]:
    """Code that a function uses: globals and imports of xaug's own, and members of classes that its module knows."""
    found = {}
    space = function.__globals__
    for name in _global_names(function.__code__):
        value = space.get(name)
        if _is_ours(value, space):
            found[name] = value
    if source is None:
        return found
    for statement in source.imports:
        found |= _imported(statement)
    for node in source.attributes:
        module = _module(node.value, space)
        if module is not None and module.__name__.startswith(PACKAGE) and hasattr(module, node.attr):
            found[f"{module.__name__}.{node.attr}"] = getattr(module, node.attr)
    classes = [value for value in space.values() if isinstance(value, type) and _is_ours(value, space)]
    for name in source.members:
        for cls in classes:
            member = inspect.getattr_static(cls, name, None)
            if isinstance(member, MEMBERS) and (_is_ours(member, space) or not callable(member)):
                found[f"{cls.__qualname__}.{name}"] = member
    return found


def _members_used(node: ast.AST) -> Iterator[str]:
    """Names of members of a class that an expression can run."""
    if isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Subscript):
        yield "__getitem__"
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len":
        yield "__len__"
    elif isinstance(node, (ast.For, ast.comprehension)):
        yield "__iter__"


def _imported(node: ast.ImportFrom) -> dict[str, Any]:
    """Objects of xaug that a function imports when it runs."""
    module = importlib.import_module(str(node.module))
    return {f"{node.module}.{alias.name}": getattr(module, alias.name, alias.name) for alias in node.names}


def _module(node: ast.AST, space: dict[str, Any]) -> ModuleType | None:
    """The module that a name or a dotted name stands for; None if it stands for something else."""
    if isinstance(node, ast.Name):
        found = space.get(node.id)
    elif isinstance(node, ast.Attribute):
        found = getattr(_module(node.value, space), node.attr, None)
    else:
        return None
    return found if isinstance(found, ModuleType) else None


@functools.cache
def _global_names(code: CodeType) -> tuple[str, ...]:
    """Globals that a function reads, but for those that it sets: these are what a process remembers, not code."""
    instructions = list(dis.get_instructions(code))
    state = {one.argval for one in instructions if one.opname == "STORE_GLOBAL"}
    reads = (one.argval for one in instructions if one.opname in ("LOAD_GLOBAL", "LOAD_NAME"))
    inner = (name for one in code.co_consts if isinstance(one, CodeType) for name in _global_names(one))
    return tuple(dict.fromkeys([*(name for name in reads if name not in state), *inner]))


def _is_ours(value: Any, space: dict[str, Any]) -> bool:
    """Whether a global is code of xaug (or of the module in question), or a constant."""
    if value is None or isinstance(value, ModuleType):
        return False
    if callable(value):
        module = getattr(value, "__module__", None) or ""
        return module.startswith(f"{PACKAGE}.") or module == space.get("__name__")
    return True
