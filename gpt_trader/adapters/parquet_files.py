"""Bars from Parquet files: a folder with one file per symbol, or one long file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gpt_trader.adapters.bar_files import TableFiles
from gpt_trader.adapters.table_columns import plain_names
from gpt_trader.adapters.typed_rows import TypedRows, arrays_of
from gpt_trader.errors import BadData
from gpt_trader.progress import no_progress

if TYPE_CHECKING:
    import pandas as pd


class ParquetFiles(TableFiles):
    """See TableFiles; rows are labelled with their position in the file, from 0."""

    name = "parquet"
    suffixes = (".parquet", ".pq")

    def _load(self, path: Path) -> pd.DataFrame:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.ParquetFile(path).read()
        except (pa.ArrowException, OSError) as error:
            reason = str(error).strip().splitlines()[0]
            raise BadData(f"{path.name}: not a readable Parquet file: {reason}") from None
        frame: pd.DataFrame = table.to_pandas(date_as_object=False, ignore_metadata=True)
        return frame

    def _typed(self, path: Path) -> TypedRows | None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            names = plain_names(pq.read_schema(path).names, path.name)
            if names is None:
                return None
            codes = [heading for heading, name in names.items() if name == "symbol"]
            with pq.ParquetFile(path, read_dictionary=codes) as file:
                return arrays_of(
                    lambda heading: file.read(columns=[heading]).column(heading),
                    names,
                    path.name,
                    self._symbol_of(path),
                    on_progress=no_progress if self._folder else self.on_progress,
                )
        except (pa.ArrowException, OSError):
            return None  # `_load` says what is wrong with it
