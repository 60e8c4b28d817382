"""The examples run as scripts, and every Python block of the documentation runs as it stands on its page."""

from __future__ import annotations

import io
import subprocess
import sys
import types
from collections.abc import Iterator
from contextlib import redirect_stdout
from os import environ
from pathlib import Path

import pytest

from tests.e2e.command import ROOT
from tests.e2e.pages import Block, blocks, name_of, pages

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
LONGEST = 60
PAGES = [page for page in pages() if any(block.language == "python" for block in blocks(page))]
NOT_RUN = {"docs/data.md": 1}
"""Python blocks that a page shows and no test can run, and how many of them."""


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.name)
def test_example_runs_and_prints_the_same_each_time(script: Path, tmp_path: Path) -> None:
    said = [_run(script, tmp_path, hash_seed) for hash_seed in ("1", "2")]
    assert said[0].strip()
    assert said[0] == said[1]


def _run(script: Path, folder: Path, hash_seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", script],
        cwd=folder,
        env={**environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return done.stdout


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.name)
def test_example_is_short_and_says_what_it_shows(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    assert text.count("\n") < LONGEST
    assert text.startswith('"""')


def _namespace(page: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> dict[str, object]:
    """The module that a page's blocks share; its file has the code on the page's own lines."""
    lines = [""] * page.read_text(encoding="utf-8").count("\n")
    for block in blocks(page):
        if block.language == "python" and not block.skipped:
            code = block.text.splitlines()
            lines[block.line - 1 : block.line - 1 + len(code)] = code
    file = folder / f"page_{page.stem.replace('-', '_')}.py"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    module = types.ModuleType(file.stem)
    module.__file__ = str(file)
    monkeypatch.setitem(sys.modules, file.stem, module)
    return module.__dict__


def _with_output(page: Path) -> Iterator[tuple[Block, str | None]]:
    """The Python blocks that run, each with the text block right behind it, which is what it prints."""
    found = blocks(page)
    for block, after in zip(found, [*found[1:], None], strict=True):
        if block.language == "python" and not block.skipped:
            shown = after is not None and after.language == "text" and after.note == ""
            yield block, after.text if shown and after is not None else None


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_of_a_page_runs_from_top_to_bottom(
    page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    names = _namespace(page, monkeypatch, tmp_path_factory.mktemp("page"))
    for block, expected in _with_output(page):
        if block.file is not None:
            Path(block.file).write_text(block.text, encoding="utf-8")
        code = compile("\n" * (block.line - 1) + block.text, str(names["__file__"]), "exec")
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(code, names)  # noqa: S102 - our own pages
        if expected is not None:
            assert printed.getvalue() == expected, f"{name_of(page)}:{block.line} prints something else"


def test_blocks_that_are_not_run_are_few_and_say_why() -> None:
    found: dict[str, int] = {}
    for page in PAGES:
        for block in blocks(page):
            if block.language == "python" and block.skipped:
                assert len(block.reason) > 10, f"{name_of(page)}:{block.line} does not say why it is not run"
                found[name_of(page)] = found.get(name_of(page), 0) + 1
    assert found == NOT_RUN
