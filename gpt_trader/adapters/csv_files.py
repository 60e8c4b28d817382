"""Bars from CSV files: a folder with one file per symbol, or one long file."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING

from gpt_trader.adapters.table_files import TableFiles
from gpt_trader.errors import BadData

if TYPE_CHECKING:
    import pandas as pd

_SEPARATORS = (",", ";", "\t", "|")


class CsvFiles(TableFiles):
    """See TableFiles; rows are labelled with their line in the file, of which the first is the header.

    The separator (comma, semicolon, tab or bar) is read off the header; with semicolons a decimal comma is
    understood.
    """

    name = "csv"
    suffixes = (".csv", ".csv.gz", ".txt", ".tsv")

    def _load(self, path: Path) -> pd.DataFrame:
        import pandas as pd

        try:
            lines = _first_lines(path)
            if not lines:
                raise BadData(f"{path.name}: the file is empty; expected a header line and rows")
            separator = max(_SEPARATORS, key=lines[0].count)
            comma = separator == ";" and len(lines) > 1 and "." not in lines[1].partition(";")[2]
            frame = pd.read_csv(
                path,
                sep=separator,
                decimal="," if comma else ".",
                skip_blank_lines=False,
                encoding="utf-8-sig",
                index_col=False,
                low_memory=False,
            )
        except (
            UnicodeDecodeError,
            EOFError,
            OSError,
            pd.errors.ParserError,
            pd.errors.EmptyDataError,
        ) as error:
            reason = str(error).strip().splitlines()[0]
            raise BadData(f"{path.name}: not a readable CSV file: {reason}") from None
        frame.index = frame.index + 2
        return frame.dropna(how="all")


def _first_lines(path: Path) -> list[str]:
    unpack = gzip.open if path.name.lower().endswith(".gz") else open
    with unpack(path, "rt", encoding="utf-8-sig") as file:
        return [line for line in (file.readline(), file.readline()) if line.strip()]
