"""Reads the documentation: which pages there are, their code blocks, headings and links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.command import ROOT

FENCE = re.compile(
    r"^```(?P<language>[\w-]*)[ \t]*(?P<note>[^\n]*)\n(?P<text>.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL
)
FILE_NAME = re.compile(r"# file: ([\w./-]+)\n")
NO_RUN = "no-run"


@dataclass(frozen=True)
class Block:
    """One fenced block: `line` is the page's line of its first line of text; `note` what follows the language."""

    language: str
    note: str
    text: str
    line: int

    @property
    def skipped(self) -> bool:
        """True when the page says that the block is not for running."""
        return self.note.startswith(NO_RUN)

    @property
    def reason(self) -> str:
        """Why it is not run."""
        return self.note.removeprefix(NO_RUN).strip(" :")

    @property
    def file(self) -> str | None:
        """The file that the block is, when its first line says so: `# file: my_trend.py`."""
        found = FILE_NAME.match(self.text)
        return found[1] if found else None


def pages() -> list[Path]:
    """Every page a user reads: those of the top folder and of docs/, decisions included."""
    return [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]


def name_of(page: Path) -> str:
    """A page's path from the top folder."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(m["language"], m["note"].strip(), m["text"], text.count("\n", 0, m.start("text")) + 1)
        for m in FENCE.finditer(text)
    ]


def without_blocks(page: Path) -> str:
    """The page's text with its fenced blocks and inline code taken out."""
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    found: dict[str, int] = {}
    names = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *$", text, re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading).lower()).replace(" ", "-")
        number = found.get(slug, 0)
        found[slug] = number + 1
        names.add(f"{slug}-{number}" if number else slug)
    return names


def links(page: Path) -> list[str]:
    """The targets of a page's links that lead to files of this repository or to headings."""
    found = re.findall(r"\]\(([^)\s]+)\)", without_blocks(page))
    return [target for target in found if "://" not in target and not target.startswith("mailto:")]
