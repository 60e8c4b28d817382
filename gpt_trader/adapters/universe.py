"""Reads a universe file: which symbols to trade, whatever the spelling; bad lines are skipped and named."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from gpt_trader.errors import BadData, UserError

_HEADINGS = ("symbol", "ticker", "symbols", "tickers", "sym")
_VALID = re.compile(r"\^?[A-Z0-9][A-Z0-9._=/-]{0,19}")
_SHARE_CLASS = re.compile(r"([A-Z]{1,5})[-/ ]([A-Z])")


@dataclass(frozen=True, slots=True)
class Skipped:
    """A line that gave no symbol: where it stood, what it held and why it was left out."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Universe:
    """Symbols in the order of the file, each once, and the lines that were skipped."""

    symbols: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()


def normalise_symbol(text: str) -> str:
    """The one spelling of a symbol: capitals, no blanks around, share classes with a dot.

    brk-b, BRK/B and "BRK B" are BRK.B; BTC-USD and EURUSD=X stay as they are, for only a single letter is a class.
    """
    symbol = text.strip().strip("'\"").strip().upper()
    match = _SHARE_CLASS.fullmatch(symbol)
    return f"{match[1]}.{match[2]}" if match else symbol


def read_universe(path: str | Path) -> Universe:
    """The symbols of a CSV file: its column `symbol` or `ticker`, or its only column when there is no heading.

    Blank lines and lines that begin with # are passed over; doubles count once. Raises UserError when the file does not
    exist and BadData when it cannot be read, has no column for symbols, or holds no valid one.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"universe file {path} does not exist; give a CSV file with a column 'symbol'")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        raise BadData(f"universe file {path.name} cannot be read: {error}") from None
    separator = max(",;\t", key=text.partition("\n")[0].count)
    rows = [
        (number, [cell.strip() for cell in next(csv.reader([line], delimiter=separator))])
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip(f" \t{separator}") and not line.lstrip().startswith("#")
    ]
    if not rows:
        raise BadData(
            f"universe file {path.name} is empty; expected a column 'symbol' with one symbol a line"
        )
    column, rows = _symbol_column(rows, path.name)
    return _collect(rows, column, path.name)


def _symbol_column(rows: list[tuple[int, list[str]]], name: str) -> tuple[int, list[tuple[int, list[str]]]]:
    heading = [cell.strip("'\"").lower() for cell in rows[0][1]]
    for wanted in _HEADINGS:
        if wanted in heading:
            return heading.index(wanted), rows[1:]
    if all(len(cells) == 1 for _, cells in rows):
        return 0, rows
    raise BadData(
        f"universe file {name} has no column 'symbol' or 'ticker'; its columns are {', '.join(heading)}"
    )


def _collect(rows: list[tuple[int, list[str]]], column: int, name: str) -> Universe:
    symbols: dict[str, int] = {}
    skipped: list[Skipped] = []
    for line, cells in rows:
        text = cells[column] if column < len(cells) else ""
        symbol = normalise_symbol(text)
        if not symbol:
            skipped.append(Skipped(line, text, "no symbol on this line"))
        elif not _VALID.fullmatch(symbol):
            skipped.append(Skipped(line, text, "not a symbol: letters, digits and . - = / ^ only"))
        else:
            symbols.setdefault(symbol, line)
    if not symbols:
        first = f" (line {skipped[0].line}: {skipped[0].reason})" if skipped else ""
        raise BadData(f"universe file {name} holds no symbol{first}; expected one symbol a line")
    return Universe(tuple(symbols), tuple(skipped))
