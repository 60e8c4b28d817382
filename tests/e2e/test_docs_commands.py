"""Every command that the documentation shows runs, in its order and with the exit code that is promised; links lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from os import environ
from pathlib import Path

import pytest

from tests.e2e.command import ROOT, Done, cli
from tests.e2e.pages import Block, anchors, blocks, links, name_of, pages

SHELL = ("bash", "console", "sh", "shell")
OWN_TEST = {"README.md"}
"""Pages whose commands tests/e2e/test_cli_reference.py runs."""
SET_UP = re.compile(
    r"(git clone .*|cd gpt-trader|python3 bootstrap\.py( demo| test| check)?|make [a-z]+|\. \.venv/bin/activate|pip install .*)"
)
"""Commands that set a machine up or run tests: .ci/run does that, no test within a test."""
NOT_RUN = [*["docs/cluster.md"] * 3, "docs/data.md"]
"""The page of each block of commands that no test can run: those need a cluster, or a network."""
EXIT_CODE = re.compile(r"\s+# exit code (\d+)$")


def _is_shell(block: Block) -> bool:
    return block.language in SHELL and not block.skipped


PAGES = [page for page in pages() if name_of(page) not in OWN_TEST and any(map(_is_shell, blocks(page)))]


def commands(block: Block) -> list[str]:
    """The commands of a block: after a `$` in a console, every line otherwise; a backslash joins lines."""
    lines = re.sub(r"\\\n\s*(?:> )?", " ", block.text).splitlines()
    if block.language == "console":
        return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return [line for line in lines if line.strip() and not line.startswith("#")]


def _run(command: str) -> Done:
    """One command of a page; `gpt-trader` is `python -m jobs.cli`, in this process."""
    settings, program, arguments = {}, "", []
    for word in shlex.split(command):
        if not program and re.fullmatch(r"[A-Z_0-9]+=.*", word):
            name, _, settings[name] = word.partition("=")
        elif not program:
            program = word
        else:
            arguments.append(word)
    if program in ("gpt-trader", ".venv/bin/gpt-trader"):
        with pytest.MonkeyPatch.context() as patch:
            for name, value in settings.items():
                patch.setenv(name, value)
            return cli(*arguments)
    assert program in ("python", "python3", ".venv/bin/python"), f"no way to run {command!r} in a test"
    words = [str(ROOT / word) if (ROOT / word).is_file() else word for word in arguments]
    done = subprocess.run(
        [sys.executable, *words],
        env={**environ, "PYTHONPATH": str(ROOT), **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_of_a_page_run_in_their_order(page: Path) -> None:
    for block in blocks(page):
        if block.file is not None:
            Path(block.file).write_text(block.text, encoding="utf-8")
        for line in commands(block) if _is_shell(block) else []:
            promised = EXIT_CODE.search(line)
            command = EXIT_CODE.sub("", line)
            if SET_UP.fullmatch(command):
                continue
            done = _run(command)
            code = int(promised[1]) if promised else 0
            assert done.code == code, f"{name_of(page)}: {command}\n{done.out}\n{done.err}"


@pytest.mark.parametrize("script", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name)
def test_commands_in_the_docstring_of_an_example_run(script: Path) -> None:
    shown = re.findall(r"^\$ (.+)$", script.read_text(encoding="utf-8").split('"""')[1], re.MULTILINE)
    assert shown[0] == f"python examples/{script.name}"  # test_examples.py runs it
    for line in shown[1:]:
        done = _run(re.sub(r"examples/\S+", str(script), line))
        assert done.code == 0, f"{script.name}: {line}\n{done.err}"


def test_targets_of_make_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in pages():
        for block in filter(_is_shell, blocks(page)):
            for command in commands(block):
                if command.startswith("make "):
                    assert command.split()[1] in targets, f"{name_of(page)}: {command}"


def test_shell_blocks_that_are_not_run_are_few_and_say_why() -> None:
    found = [
        (name_of(page), block)
        for page in pages()
        for block in blocks(page)
        if block.language in SHELL and block.skipped
    ]
    assert not [f"{name}:{block.line}" for name, block in found if len(block.reason) < 10]
    assert [name for name, _ in found] == NOT_RUN


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{name_of(page)}: {target}"
        if anchor:
            assert anchor in anchors(file), f"{name_of(page)}: {target} names no heading"


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    listed = {(index.parent / target.partition("#")[0]).resolve() for target in links(index)}
    missing = [name_of(page) for page in pages() if page != index and page.resolve() not in listed]
    assert not missing
