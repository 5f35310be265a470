"""Digests of code: two functions that compute the same in the same way have the same one.

A digest covers the source of a function without docstrings, comments, annotations and layout, the values that it
closes over, and the functions and constants of xaug that it uses, and those that they use.
"""

from __future__ import annotations

import ast
import copy
import dis
import functools
import inspect
import linecache
from collections.abc import Callable, Iterator
from types import CodeType, ModuleType
from typing import Any

import numpy as np

from xaug.core.files import digest_json

__all__ = ["code_digest"]

PACKAGE = "xaug"


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
    if isinstance(value, (classmethod, staticmethod)) or inspect.ismethod(value):
        return _describe(value.__func__, above)
    value = inspect.unwrap(value) if callable(value) else value
    if inspect.isfunction(value):
        return _describe_function(value, above)
    if isinstance(value, type) or inspect.isbuiltin(value) or callable(value):
        return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__qualname__)}"
    if isinstance(value, ModuleType):
        return value.__name__
    return _describe_constant(value, above)


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
    if function in above:
        return name
    above = (*above, function)
    tree = _tree(function)
    source = ast.unparse(tree) if tree is not None else _bytecode(function.__code__)
    closed = inspect.getclosurevars(function).nonlocals
    used = {}
    for key, value in sorted(_used(function, tree).items()):
        used[key] = _describe(value, above)
    return {
        "source": source,
        "closed": {key: _describe(value, above) for key, value in sorted(closed.items())},
        "defaults": _describe([function.__defaults__, function.__kwdefaults__], above),
        "used": used,
    }


def _tree(function: Any) -> ast.AST | None:
    """The syntax tree of a function without what changes no number; None where its source is not to be had."""
    code = function.__code__
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
            return ast.fix_missing_locations(bare)
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


def _used(function: Any, tree: ast.AST | None) -> dict[str, Any]:
    """Code that a function uses: globals of xaug's own, and computed members of the classes that its module knows."""
    found = {}
    space = function.__globals__
    for name in _global_names(function.__code__):
        value = space.get(name)
        if _is_ours(value, space):
            found[name] = value
    if tree is None:
        return found
    classes = [value for value in space.values() if isinstance(value, type) and _is_ours(value, space)]
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        if isinstance(node.value, ast.Name) and isinstance(space.get(node.value.id), ModuleType):
            module = space[node.value.id]
            if module.__name__.startswith(PACKAGE) and hasattr(module, node.attr):
                found[f"{node.value.id}.{node.attr}"] = getattr(module, node.attr)
        for cls in classes:
            member = inspect.getattr_static(cls, node.attr, None)
            if isinstance(member, (property, functools.cached_property)):
                found[f"{cls.__qualname__}.{node.attr}"] = member
    return found


def _global_names(code: CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _global_names(constant)


def _is_ours(value: Any, space: dict[str, Any]) -> bool:
    """Whether a global is code of xaug (or of the module in question), or a constant."""
    if value is None or isinstance(value, ModuleType):
        return False
    if callable(value):
        module = getattr(value, "__module__", None) or ""
        return module.startswith(f"{PACKAGE}.") or module == space.get("__name__")
    return True
