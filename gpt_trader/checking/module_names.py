"""Which values that a module computes when it is imported the code of a class can reach, told from the text of the file."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterable, Iterator

ANYTHING = {"globals", "vars", "locals", "eval", "exec", "sys", "gc", "inspect", "importlib", "__import__"}
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def computed_names(source: str, class_name: str) -> list[str] | None:
    """Names of the module's variables that a class at its top level uses, itself or through functions and classes of the file, and
    that are more than a plain number, text or tuple; names by which every variable can be reached count, too.

    None when the file or the class cannot be read.
    """
    try:
        module = ast.parse(source)
        tables = symtable.symtable(source, "strategy", "exec").get_children()
    except (SyntaxError, ValueError):
        return None
    definitions: dict[str, list[Definition]] = {}
    for node in _statements(module.body):
        if isinstance(node, Definition):
            definitions.setdefault(node.name, []).append(node)
    scopes: dict[str, list[symtable.SymbolTable]] = {}
    for table in tables:
        scopes.setdefault(table.get_name(), []).append(table)
    if class_name not in definitions:
        return None
    computed = set(_computed(module, set(definitions)))
    found = [class_name] if class_name in computed else []
    seen = {class_name}
    waiting = [class_name]
    while waiting:
        name = waiting.pop()
        inside = (used for table in scopes.get(name, ()) for used in _globals_used(table))
        beside = (used for node in definitions[name] for used in _used_to_define(node))
        for used in (*inside, *beside):
            if used in seen:
                continue
            seen.add(used)
            if used in computed or used in ANYTHING:
                found.append(used)
            elif used in definitions:
                waiting.append(used)
    return sorted(found)


def _used_to_define(node: Definition) -> Iterator[str]:
    """Names in the decorators, default values and bases of a function or class: the module's, not of its own scope."""
    given: list[ast.expr | None] = list(node.decorator_list)
    if isinstance(node, ast.ClassDef):
        given += [*node.bases, *(keyword.value for keyword in node.keywords)]
    else:
        given += [*node.args.defaults, *node.args.kw_defaults]
    for expression in given:
        if expression is not None:
            yield from _stored(expression)


def _computed(module: ast.Module, definitions: set[str]) -> Iterator[str]:
    """Module variables that are given anything but an immutable literal or a lambda, that are handed to a call of the module's own
    statements, or that a function declares global."""
    for inner in ast.walk(module):
        if isinstance(inner, ast.Global):
            yield from inner.names
        elif isinstance(inner, ast.NamedExpr):
            yield from _stored(inner.target)
        elif isinstance(inner, ast.Call) and inner.args and _sets_an_attribute(inner.func):
            yield from _stored(inner.args[0])
    value: ast.expr | None
    for node in _statements(module.body):
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif (isinstance(node, ast.AnnAssign) and node.value is not None) or isinstance(node, ast.AugAssign):
            targets, value = [node.target], node.value
        elif isinstance(node, ast.Expr):
            yield from (name for name in _stored(node.value) if name not in definitions)
            continue
        elif isinstance(node, ast.For):
            targets, value = [node.target], node.iter
        elif isinstance(node, ast.With):
            for item in node.items:
                if item.optional_vars is not None:
                    yield from _stored(item.optional_vars)
            continue
        else:
            continue
        if value is not None and not (_is_literal(value) or isinstance(value, ast.Lambda)):
            for target in targets:
                yield from _stored(target)


def _sets_an_attribute(function: ast.expr) -> bool:
    """Whether what is called is `setattr` or a `__setattr__`."""
    name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
    return name in ("setattr", "__setattr__")


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when the module is imported: those of its blocks, not of its functions and classes."""
    for node in body:
        yield node
        if not isinstance(node, Definition):
            for field in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(node, field, ()))
            for handler in getattr(node, "handlers", ()):
                yield from _statements(handler.body)


def _stored(target: ast.expr) -> Iterator[str]:
    """Names in an expression: what an assignment changes, also where it changes a part of what they hold."""
    for node in ast.walk(target):
        if isinstance(node, ast.Name):
            yield node.id


def _is_literal(node: ast.expr) -> bool:
    try:
        hash(ast.literal_eval(node))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _globals_used(table: symtable.SymbolTable) -> Iterator[str]:
    """Names of the module that the code of a function or class uses, by Python's own rules of scope."""
    for symbol in table.get_symbols():
        if symbol.is_global():
            yield symbol.get_name()
    for inner in table.get_children():
        yield from _globals_used(inner)
