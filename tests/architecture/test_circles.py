"""No module imports, at its top or inside a function, what imports it: each can be read, tested and changed after what it needs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("gpt_trader", "actors", "jobs", "serve")
ALLOWED = {("gpt_trader.bars", "gpt_trader.frames")}
"""`Bars.from_frame` and `to_frame` reach pandas through `frames`, which makes `Bars`: one class in two files."""


def modules() -> dict[str, Path]:
    """Every module of ours by its dotted name."""
    found: dict[str, Path] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            found[".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")] = path
    return found


def _statements(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports anywhere in a node, but for those that only a type checker reads."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and getattr(child.test, "id", "") == "TYPE_CHECKING":
            for other in child.orelse:
                yield from _statements(other)
            continue
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        yield from _statements(child)


def imported(source: str, known: set[str]) -> set[str]:
    """The modules among `known` that a file of this text imports."""
    names: set[str] = set()
    for statement in _statements(ast.parse(source)):
        if isinstance(statement, ast.Import):
            names |= {item.name for item in statement.names}
        elif statement.module:
            inner = {f"{statement.module}.{item.name}" for item in statement.names}
            names |= inner & known or {statement.module}
    return names & known


def circle(imports: dict[str, set[str]]) -> list[str]:
    """The modules of a circle, each importing the one before it; empty without one."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_modules_import_each_other() -> None:
    found = modules()
    imports = {
        name: imported(path.read_text(encoding="utf-8"), set(found)) - {name} for name, path in found.items()
    }
    for importing, other in ALLOWED:
        assert other in imports[importing], "the exception is not needed any more: take it out"
        imports[importing].discard(other)
    assert circle(imports) == []


@pytest.mark.parametrize(
    "text",
    [
        "import b\n",
        "from b import thing\n",
        "def f():\n    from b import thing\n",
        "class A:\n    def f(self):\n        import b\n",
        "try:\n    import b\nexcept ImportError:\n    pass\n",
    ],
)
def test_a_circle_is_seen_wherever_the_import_stands(text: str) -> None:
    assert circle({"a": imported(text, {"a", "b"}), "b": imported("import a\n", {"a", "b"})})
    types = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from b import thing\n"
    assert not circle({"a": imported(types, {"a", "b"}), "b": imported("import a\n", {"a", "b"})})


def test_a_module_of_a_package_is_imported_by_its_name() -> None:
    assert imported("from p import one, name\n", {"p", "p.one", "p.two"}) == {"p.one"}
    assert imported("from p import name\n", {"p", "p.one"}) == {"p"}
