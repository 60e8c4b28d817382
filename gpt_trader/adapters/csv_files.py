"""Bars from CSV files: a folder with one file per symbol, or one long file."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpt_trader.adapters.bar_files import TableFiles
from gpt_trader.adapters.table_columns import our_names, plain_names
from gpt_trader.adapters.typed_rows import TypedRows, arrays_of
from gpt_trader.errors import BadData
from gpt_trader.progress import OnProgress

if TYPE_CHECKING:
    import pandas as pd

_SEPARATORS = (",", ";", "\t", "|")
_BLANK = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL",
    "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip
"""What counts as no number; pandas' own list. A symbol may be spelled so: NA and NAN are tickers."""
_FIRST_LINE = 2  # of the rows; the header is line 1
_LARGE = 1 << 25
_BLOCK = 1 << 22
_DATE, _CLOCK = re.compile(r"\d{4}-\d{2}-\d{2}"), re.compile(r"[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?")
_DIGITS = re.compile(r"-?\d+")


class CsvFiles(TableFiles):
    """See TableFiles; rows are labelled with their line in the file, of which the first is the header.

    The separator (comma, semicolon, tab or bar) is read off the header; with semicolons a decimal comma is
    understood. Symbols are text, so that 000001 keeps its zeros and NA is a ticker.
    """

    name = "csv"
    suffixes = (".csv", ".csv.gz", ".txt", ".tsv")

    def _load(self, path: Path) -> pd.DataFrame:
        import pandas as pd

        try:
            layout = _Layout.of(path)
            if layout is None:
                raise BadData(f"{path.name}: the file is empty; expected a header line and rows")
            given: dict[str, Any] = {"sep": layout.separator, "encoding": "utf-8-sig", "index_col": False}
            headings = pd.read_csv(path, nrows=0, **given).columns
            symbol = [heading for heading, name in our_names(headings, path.name).items() if name == "symbol"]
            frame: pd.DataFrame = pd.read_csv(
                path,
                decimal=layout.decimal,
                skip_blank_lines=False,
                low_memory=False,
                dtype=dict.fromkeys(symbol, "str"),
                keep_default_na=False,
                na_values={heading: [""] if heading in symbol else list(_BLANK) for heading in headings},
                **given,
            )
        except (*_UNREADABLE, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
            reason = str(error).strip().splitlines()[0]
            raise BadData(f"{path.name}: not a readable CSV file: {reason}") from None
        frame.index = frame.index + _FIRST_LINE
        return frame.dropna(how="all")

    def _typed(self, path: Path) -> TypedRows | None:
        import pyarrow as pa

        try:
            layout = _Layout.of(path)
            names = None if layout is None else plain_names(layout.headings, path.name)
            types = None if layout is None or names is None else layout.types(names)
            if layout is None or names is None or types is None:
                return None
            columns = _columns(path, layout, types, names, self.on_progress)
            if columns is None:
                return None
            return arrays_of(columns.pop, names, path.name, self._symbol_of(path), _FIRST_LINE)
        except (*_UNREADABLE, pa.ArrowException, BadData):
            return None  # `_load` reads it, or says what is wrong with it


_UNREADABLE = (UnicodeDecodeError, EOFError, OSError, csv.Error, zlib.error)


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a file is written: read off its first two lines."""

    separator: str
    decimal: str
    headings: tuple[str, ...]
    first: tuple[str, ...]

    @classmethod
    def of(cls, path: Path) -> _Layout | None:
        """None for an empty file. Raises what opening and decoding raise."""
        lines = _first_lines(path)
        if not lines:
            return None
        separator = max(_SEPARATORS, key=lines[0].count)
        comma = separator == ";" and len(lines) > 1 and "." not in lines[1].partition(";")[2]
        cells = [tuple(next(csv.reader([line], delimiter=separator))) for line in lines]
        return cls(separator, "," if comma else ".", cells[0], cells[1] if len(cells) > 1 else ())

    def types(self, names: Mapping[str, str]) -> dict[str, Any] | None:
        """The type of each column by the first row; None when its time is in no format that is read as it is."""
        import pyarrow as pa

        if len(self.first) != len(self.headings):
            return None
        found = dict.fromkeys(self.headings, pa.dictionary(pa.int32(), pa.string()))
        for heading, cell in zip(self.headings, self.first, strict=True):
            name = names.get(heading, "symbol")
            if name == "time":
                kind = _time_type(cell)
                if kind is None:
                    return None
                found[heading] = kind
            elif name == "volume" and _DIGITS.fullmatch(cell):
                found[heading] = pa.int64()
            elif name != "symbol":
                found[heading] = pa.float64()
        return found


def _time_type(cell: str) -> Any:
    """Of Arrow, or None for a format that it does not read by itself."""
    import pyarrow as pa

    day = _DATE.match(cell)
    if day is None:
        return pa.int64() if _DIGITS.fullmatch(cell) else None
    clock = cell[day.end() :]
    if not clock:
        return pa.date32()
    return pa.timestamp("ns") if _CLOCK.fullmatch(clock) else None


def _columns(
    path: Path, layout: _Layout, types: Mapping[str, Any], names: Mapping[str, str], on_progress: OnProgress
) -> dict[str, Any] | None:
    """Each column by its heading; None when the rows are not the lines of the file (blank lines, a line break in a cell).

    Raises ArrowInvalid when a cell does not fit the type of its column.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow

    large = path.stat().st_size > _LARGE  # threads only then: many small files are read side by side
    data = b"" if large else _unpacked(path)
    reading = arrow.ReadOptions(use_threads=large, block_size=_BLOCK)
    parsing = arrow.ParseOptions(delimiter=layout.separator)

    def read(kinds: Mapping[str, Any]) -> Any:
        converting = arrow.ConvertOptions(
            column_types=kinds, null_values=list(_BLANK), decimal_point=layout.decimal
        )
        if not large:
            return arrow.read_csv(pa.BufferReader(data), reading, parsing, converting)
        with _Watched(path, on_progress) as file:
            return arrow.read_csv(file, reading, parsing, converting)

    try:
        table = read(types)
    except pa.ArrowInvalid:
        broken = {heading: pa.float64() for heading, name in names.items() if name == "volume"}
        if types == {**types, **broken}:
            raise
        table = read({**types, **broken})  # a volume that began with whole shares
    if table.num_rows != (_count_lines(path) if large else _lines(data)) - 1:
        return None
    return {heading: table.column(heading) for heading in layout.headings}


class _Watched:
    """A large file, unpacked, that tells how far it is read; what Arrow asks of a file."""

    def __init__(self, path: Path, on_progress: OnProgress) -> None:
        self._file = path.open("rb")
        packed = path.name.lower().endswith(".gz")
        self._text: Any = gzip.GzipFile(fileobj=self._file) if packed else self._file
        self._size, self._what, self._on_progress = (
            path.stat().st_size >> 20,
            f"MiB of {path.name}",
            on_progress,
        )
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        self._on_progress(self._what, self._file.tell() >> 20, self._size)
        block: bytes = self._text.read(size)
        return block

    def close(self) -> None:
        """Ends it."""
        self.closed = True
        self._file.close()

    def __enter__(self) -> _Watched:
        return self

    def __exit__(self, *_problem: object) -> None:
        self.close()


def _first_lines(path: Path) -> list[str]:
    unpack = gzip.open if path.name.lower().endswith(".gz") else open
    with unpack(path, "rt", encoding="utf-8-sig") as file:
        return [line for line in (file.readline(), file.readline()) if line.strip()]


def _unpacked(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.name.lower().endswith(".gz") else path.read_bytes()


def _lines(data: bytes) -> int:
    """How many lines there are, those after the last text not counted."""
    return data.rstrip(b"\r\n").count(b"\n") + 1


def _count_lines(path: Path) -> int:
    """`_lines` of a file that need not fit into memory."""
    unpack: Any = gzip.open if path.name.lower().endswith(".gz") else open
    lines, pending = 1, 0
    with unpack(path, "rb") as file:
        while block := file.read(_BLOCK):
            full = block.rstrip(b"\r\n")
            if full:
                lines += pending + full.count(b"\n")
                pending = 0
            pending += block.count(b"\n", len(full))
    return lines
