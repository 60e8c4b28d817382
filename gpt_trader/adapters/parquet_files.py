"""Bars from Parquet files: a folder with one file per symbol, or one long file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gpt_trader.adapters.table_files import TableFiles
from gpt_trader.errors import BadData

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
