"""Reads a universe file: which symbols to trade and what is known of them; bad lines are skipped and named."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from gpt_trader.errors import BadData, BadParameter, UserError
from gpt_trader.instruments import Instrument

_HEADINGS = ("symbol", "ticker", "symbols", "tickers", "sym")
_FACTS = ("sector", "lot", "delisted")
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
    """Symbols in the order of the file, each once, and the lines that were skipped.

    `instruments` has the sector and lot of each symbol, nothing where the file has neither column; `delisted` the last
    session (ISO date) of the symbols that have left the market.
    """

    symbols: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()
    instruments: tuple[Instrument, ...] = ()
    delisted: Mapping[str, str] = field(default_factory=dict)


def normalise_symbol(text: str) -> str:
    """The one spelling of a symbol: capitals, no blanks around, share classes with a dot.

    brk-b, BRK/B and "BRK B" are BRK.B; BTC-USD and EURUSD=X stay as they are, for only a single letter is a class.
    """
    symbol = text.strip().strip("'\"").strip().upper()
    match = _SHARE_CLASS.fullmatch(symbol)
    return f"{match[1]}.{match[2]}" if match else symbol


def read_universe(path: str | Path) -> Universe:
    """The symbols of a CSV file: its column `symbol` or `ticker`, or its only column when there is no heading.

    The columns `sector`, `lot` (smallest quantity and its multiples, 0 = any fraction) and `delisted` (last session,
    2012-06-29) are read where they are there; an empty cell means not known. Blank lines and lines that begin with #
    are passed over; doubles count once. Raises UserError when the file does not exist and BadData when it cannot be
    read, has no column for symbols, has one of the columns twice, or holds no valid symbol.
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
    columns, rows = _columns(rows, path.name)
    return _collect(rows, columns, path.name)


def _columns(
    rows: list[tuple[int, list[str]]], name: str
) -> tuple[dict[str, int], list[tuple[int, list[str]]]]:
    """Where `symbol` and the facts stand, and the rows below the heading."""
    heading = [cell.strip("'\"").lower() for cell in rows[0][1]]
    wanted = next((word for word in _HEADINGS if word in heading), None)
    if wanted is None:
        if all(len(cells) == 1 for _, cells in rows):
            return {"symbol": 0}, rows
        raise BadData(
            f"universe file {name} has no column 'symbol' or 'ticker'; its columns are {', '.join(heading)}"
        )
    for fact in _FACTS:
        if heading.count(fact) > 1:
            raise BadData(f"universe file {name} has two columns {fact!r}; leave one")
    facts = {fact: heading.index(fact) for fact in _FACTS if fact in heading}
    return {"symbol": heading.index(wanted), **facts}, rows[1:]


def _collect(rows: list[tuple[int, list[str]]], columns: Mapping[str, int], name: str) -> Universe:
    found: dict[str, tuple[Instrument, str | None]] = {}
    skipped: list[Skipped] = []
    for line, cells in rows:
        row = {title: cells[place] if place < len(cells) else "" for title, place in columns.items()}
        text = row["symbol"]
        try:
            known = _facts(row)
        except BadData as problem:
            skipped.append(Skipped(line, text, str(problem)))
            continue
        if found.setdefault(known[0].symbol, known) != known:
            skipped.append(Skipped(line, text, "it is there again, with other facts; the first line counts"))
    if not found:
        first = f" (line {skipped[0].line}: {skipped[0].reason})" if skipped else ""
        raise BadData(f"universe file {name} holds no symbol{first}; expected one symbol a line")
    described = "sector" in columns or "lot" in columns
    return Universe(
        tuple(found),
        tuple(skipped),
        tuple(instrument for instrument, _ in found.values()) if described else (),
        {symbol: left for symbol, (_, left) in found.items() if left is not None},
    )


def _facts(row: Mapping[str, str]) -> tuple[Instrument, str | None]:
    """The instrument of a line and its last session. Raises BadData with the reason why the line is left out."""
    symbol = normalise_symbol(row["symbol"])
    if not symbol:
        raise BadData("no symbol on this line")
    if not _VALID.fullmatch(symbol):
        raise BadData("not a symbol: letters, digits and . - = / ^ only")
    lot, left = row.get("lot", ""), row.get("delisted", "")
    try:
        instrument = Instrument(symbol, float(lot or 1.0), row.get("sector") or None)
    except (ValueError, BadParameter):
        raise BadData(f"lot {lot!r} is no number from 0 up; 1 is whole shares, 0 any fraction") from None
    try:
        return instrument, date.fromisoformat(left).isoformat() if left else None
    except ValueError:
        raise BadData(f"delisted {left!r} is no date; write it as 2012-06-29") from None
