"""Writes what the code's own tables say into the pages of docs/: `python -m jobs.doc_tables docs`.

Each is the first table below a heading; the words around it are the page's own. `docs/cli.md` is written as a whole
(`jobs.command_reference`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple


class DocTable(NamedTuple):
    """A table of a page: the `page` below docs/, the `heading` it stands under, its lines of Markdown."""

    page: str
    heading: str
    lines: tuple[str, ...]


def tables() -> tuple[DocTable, ...]:
    """Every table that is written from the code."""
    return (*_metrics(), _profiles(), _sources())


def pages(folder: Path) -> dict[Path, str]:
    """The text that each page with such a table has to have. Raises ValueError for a page without its heading or table."""
    from jobs.command_reference import reference

    found = {folder / "cli.md": reference()}
    for table in tables():
        path = folder / table.page
        found[path] = with_table(found.get(path) or path.read_text(encoding="utf-8"), table)
    return found


def with_table(text: str, table: DocTable) -> str:
    """`text` with the first table below the heading replaced. Raises ValueError where there is none."""
    lines = text.split("\n")
    try:
        below = lines.index(table.heading) + 1
        first = next(i for i in range(below, len(lines)) if lines[i].startswith("|"))
    except (ValueError, StopIteration):
        raise ValueError(f"docs/{table.page} has no table below {table.heading!r}") from None
    end = next((i for i in range(first, len(lines)) if not lines[i].startswith("|")), len(lines))
    return "\n".join([*lines[:first], *table.lines, *lines[end:]])


def _table(page: str, heading: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> DocTable:
    lines = [heads, ["---"] * len(heads), *rows]
    return DocTable(page, heading, tuple(f"| {' | '.join(cells)} |" for cells in lines))


def _metrics() -> Iterator[DocTable]:
    from gpt_trader.engine.metric_definitions import (
        BENCHMARK_METRICS,
        METRIC,
        METRIC_NAMES,
        Activity,
        Curve,
        Trades,
    )

    alone = [name for name in METRIC if name not in METRIC_NAMES]
    parts = (
        ("### Return and risk", Curve._fields),
        ("### Use of the capital", (*Activity._fields, *alone)),
        ("### Round trips", Trades._fields),
    )
    heads = ("name", "definition", "source")
    for heading, names in parts:
        rows = [(f"`{name}`", METRIC[name].meaning, METRIC[name].source) for name in names]
        yield _table("results.md", heading, heads, rows)
    beside = [(f"`benchmark_{name}`", "as above", "–") for name in BENCHMARK_METRICS]
    yield _table("results.md", "### Against buy and hold", heads, beside)


def _profiles() -> DocTable:
    from gpt_trader.risk import LIMITS, PROFILES

    rows = [
        (f"`{name}`", *(_short(getattr(limits, name)) for limits in PROFILES.values())) for name in LIMITS
    ]
    return _table("risk.md", "## Profiles", ("limit", *PROFILES), rows)


def _sources() -> DocTable:
    """One row on each source, and one on those next to each other of which the same is said."""
    from gpt_trader.adapters.source_registry import SOURCES, in_order

    rows: dict[tuple[str, str, str], list[str]] = {}
    for name in in_order():
        row = SOURCES[name]
        rows.setdefault((row.what, row.span, row.adjustments), []).append(f"`{name}`")
    cells = [(", ".join(names), *said) for said, names in rows.items()]
    return _table("data.md", "## Sources", ("`--source`", "what", "span", "adjustments"), cells)


def _short(value: object) -> str:
    return "off" if value is None else f"{value:g}" if isinstance(value, int | float) else str(value)


def main() -> None:
    """Write the pages below the folder that is named."""
    for path, text in pages(Path(sys.argv[1] if len(sys.argv) > 1 else "docs")).items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
