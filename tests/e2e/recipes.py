"""Reads the recipes of CONTRIBUTING.md and follows them in a copy of the tree.

A recipe is a section of second level with a step for each section of third level: `Code`, `Test` or `Document` with a file, or
`Run`.
A step's blocks are new files, lines above, below or instead of the one line that begins with what stands in the sentence before the
block, or commands; `Left out` names the test that fails without the step.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.e2e.command import ROOT

PAGE = ROOT / "CONTRIBUTING.md"
FOLDERS = ("gpt_trader", "jobs", "actors", "serve", "tests", "docs")
STEP = re.compile(r"^(?P<kind>Code|Test|Document|Run)(?:: `(?P<file>[^`]+)`)?$", re.MULTILINE)
BLOCK = re.compile(
    r"^(?:(?P<place>New file|At the end|Above|Below|Instead of)(?: (?P<ticks>`+)(?P<line>.+?)(?P=ticks))?:\n\n)?"
    r"^```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LEFT_OUT = re.compile(r"^Left out: `(?P<test>[^`]+)`$", re.MULTILINE)


@dataclass(frozen=True)
class Edit:
    """One change of a file: `place` is where its `text` goes, `line` what the line that it refers to begins with."""

    place: str
    line: str
    text: str

    def made_in(self, file: str, before: str) -> str:
        """The file's text with the change. Raises ValueError where there is not exactly one such line."""
        if self.place in ("New file", "At the end"):
            return before + self.text
        lines = before.splitlines(keepends=True)
        found = [i for i, line in enumerate(lines) if line.strip().startswith(self.line)]
        if len(found) != 1:
            raise ValueError(f"{file} has {len(found)} lines that begin with {self.line!r}")
        first, last = found[0] + (self.place == "Below"), found[0] + (self.place != "Above")
        return "".join([*lines[:first], self.text, *lines[last:]])


@dataclass(frozen=True)
class Step:
    """One step: the `file` it changes, or what it runs; `test` fails when it is left out."""

    kind: str
    file: str
    edits: tuple[Edit, ...]
    commands: tuple[str, ...]
    test: str


def recipes() -> dict[str, tuple[Step, ...]]:
    """The steps of every recipe by its title."""
    found = {}
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        steps = tuple(_step(part) for part in f"\n{body}".split("\n### ")[1:])
        if steps:
            found[title.strip()] = steps
    return found


def _step(part: str) -> Step:
    head, left_out = STEP.match(part), LEFT_OUT.search(part)
    assert head is not None, f"{part.splitlines()[0]!r} begins no step"
    assert left_out is not None, f"{head[0]!r} does not say which test fails without it"
    blocks = list(BLOCK.finditer(part))
    edits = [Edit(m["place"], m["line"] or "", _plain(m)) for m in blocks if m["language"] != "console"]
    commands = [
        line.removeprefix("$ ")
        for m in blocks
        if m["language"] == "console"
        for line in m["text"].splitlines()
    ]
    return Step(head["kind"], head["file"] or "", tuple(edits), tuple(commands), left_out["test"])


def _plain(block: re.Match[str]) -> str:
    """The text of a block; of a difference without the signs before the lines."""
    return (
        re.sub(r"^\+", "", block["text"], flags=re.MULTILINE)
        if block["language"] == "diff"
        else block["text"]
    )


def edited(file: str, steps: Iterable[Step]) -> str | None:
    """The text of a file with the edits of steps; None when neither the tree nor they have it."""
    origin = ROOT / file
    text = origin.read_text(encoding="utf-8") if origin.is_file() else None
    for step in steps:
        for edit in step.edits if step.file == file else ():
            text = edit.made_in(file, text or "")
    return text


@contextmanager
def worker() -> Iterator[Worker]:
    """A process that has imported what others make, so that each run in a copy of the tree begins at once."""
    settings = {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": "", "COLUMNS": "80", "PYTHONDONTWRITEBYTECODE": ""}
    started = subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "e2e" / "recipe_worker.py")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **settings},
    )  # fmt: skip
    assert started.stdin is not None
    assert started.stdout is not None
    try:
        yield Worker(started.stdin, started.stdout)
    finally:
        started.stdin.close()
        started.wait(timeout=30)
        started.stdout.close()


@dataclass(frozen=True)
class Worker:
    """What runs modules in a copy of the tree, one after the other."""

    asks: IO[str]
    answers: IO[str]

    def run(self, folder: Path, module: str, *arguments: str) -> tuple[int, str]:
        """Exit code and output of `python -m module arguments`; as module `-c` a program."""
        print(json.dumps([str(folder), module, *arguments]), file=self.asks, flush=True)
        code, output = json.loads(self.answers.readline())
        return int(code), str(output)

    def test(self, folder: Path, *names: str) -> tuple[int, str]:
        """The same of pytest with tests by name."""
        return self.run(folder, "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", *names)


class Tree:
    """A copy of the tree in which the steps of one recipe are made and taken back."""

    def __init__(self, folder: Path, steps: tuple[Step, ...], worker: Worker) -> None:
        self.folder, self.steps, self.worker = folder, steps, worker
        self._made: dict[Step, dict[str, str | None]] = {}
        ignored = shutil.ignore_patterns("__pycache__", ".*")
        for name in FOLDERS:
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        for path in ROOT.iterdir():
            if path.suffix in (".md", ".toml", ".yaml"):
                shutil.copy(path, folder / path.name)

    def follow(self) -> None:
        """Make every step, in order."""
        for step in self.steps:
            before = self._generated()
            for file in {step.file} - {""}:
                self._write(file, self._edited(file, {s for s in self.steps if s in self._made} | {step}))
            for command in step.commands:
                python, _, module, *arguments = command.split()
                assert python == "python", command
                code, output = self.worker.run(self.folder, module, *arguments)
                assert code == 0, output
            after = self._generated() if step.commands else before
            self._made[step] = {
                name: before.get(name) for name, text in after.items() if before.get(name) != text
            }

    @contextmanager
    def without(self, step: Step) -> Iterator[None]:
        """The tree with all steps but one."""
        changed = {
            name: (self.folder / name).read_text(encoding="utf-8")
            for name in {step.file, *self._made[step]} - {""}
        }
        if step.file:
            self._write(step.file, self._edited(step.file, set(self.steps) - {step}))
        for name, text in self._made[step].items():
            self._write(name, text)
        try:
            yield
        finally:
            for name, text in changed.items():
                self._write(name, text)

    def _edited(self, file: str, steps: set[Step]) -> str | None:
        return edited(file, [step for step in self.steps if step in steps])

    def _write(self, name: str, text: str | None) -> None:
        path = self.folder / name
        for stale in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
            stale.unlink()
        if text is None:
            path.unlink()
        else:
            path.write_text(text, encoding="utf-8")

    def _generated(self) -> dict[str, str]:
        """The files that commands write."""
        places = ("docs/*.md", "tests/golden/data/*", "gpt_trader/data/*.json")
        paths: list[Any] = [path for place in places for path in self.folder.glob(place)]
        return {str(path.relative_to(self.folder)): path.read_text(encoding="utf-8") for path in paths}
