"""Plants a bug: changes what one function says, wherever it stands and however it is formatted."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

Statements = list[ast.stmt]


class NotPlanted(AssertionError):
    """The function is not there, or does not say once what is to be changed."""


def plant(folder: Path, function: str, old: str, new: str) -> Path:
    """Change `old` to `new` in the only function of that name in the modules of `folder`; returns the file.

    `old` and `new` are an expression, or statements; no statement stands for `pass`. Spaces, line breaks and comments do not
    count. Raises NotPlanted unless there is one such function, which says `old` once.
    """
    path, tree = _module_of(folder, function)
    in_expression = _is_expression(old) and _is_expression(new)
    places = _expressions(tree, function, old) if in_expression else _statements(tree, function, old)
    if len(places) != 1:
        raise NotPlanted(f"{function} says {len(places)} times: {old}")
    places[0].say(_expression(new) if in_expression else ast.parse(dedent(new)).body or [ast.Pass()])
    path.write_text(ast.unparse(ast.fix_missing_locations(tree)))
    return path


@dataclass(frozen=True, slots=True)
class Place:
    """A field `name` of the node `holder`, or the part `span` of it where it is a list."""

    holder: ast.AST
    name: str
    span: slice | None = None

    def say(self, part: ast.expr | Statements) -> None:
        """Put `part` there instead of what is there."""
        if self.span is None:
            setattr(self.holder, self.name, part)
        else:
            getattr(self.holder, self.name)[self.span] = part if isinstance(part, list) else [part]


def _module_of(folder: Path, function: str) -> tuple[Path, ast.Module]:
    trees = ((path, ast.parse(path.read_text())) for path in sorted(folder.glob("*.py")))
    found = [(path, tree) for path, tree in trees for _ in _named(tree, function)]
    if len(found) != 1:
        raise NotPlanted(f"there are {len(found)} functions {function} in {folder}")
    return found[0]


def _named(tree: ast.Module, function: str) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == function)


def _is_expression(text: str) -> bool:
    try:
        _expression(text)
    except SyntaxError:
        return False
    return True


def _expression(text: str) -> ast.expr:
    return ast.parse(dedent(text).strip(), mode="eval").body


def _expressions(tree: ast.Module, function: str, old: str) -> list[Place]:
    """Where the function says an expression; also as a statement of its own."""
    wanted = ast.dump(_expression(old))

    def is_wanted(part: object) -> bool:
        return isinstance(part, ast.expr) and ast.dump(part) == wanted

    places: list[Place] = []
    for node, name, value in _fields(tree, function):
        if isinstance(value, list):
            places += [
                Place(node, name, slice(at, at + 1)) for at, part in enumerate(value) if is_wanted(part)
            ]
        elif is_wanted(value):
            places.append(Place(node, name))
    return places


def _statements(tree: ast.Module, function: str, old: str) -> list[Place]:
    """Where the function says these statements one after the other."""
    wanted = [ast.dump(statement) for statement in ast.parse(dedent(old)).body]
    places: list[Place] = []
    for node, name, value in _fields(tree, function):
        if isinstance(value, list) and all(isinstance(part, ast.stmt) for part in value):
            said = [ast.dump(part) for part in value]
            spans = [slice(at, at + len(wanted)) for at in range(len(said) - len(wanted) + 1)]
            places += [Place(node, name, span) for span in spans if said[span] == wanted]
    return places


def _fields(tree: ast.Module, function: str) -> Iterator[tuple[ast.AST, str, Any]]:
    """Every field of every node of the function."""
    for found in _named(tree, function):
        for node in ast.walk(found):
            for name, value in ast.iter_fields(node):
                yield node, name, value
