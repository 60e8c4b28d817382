"""The tables of a run: their columns, and the same rows as plain arrays, as Arrow and as DataFrames."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from gpt_trader.adapters.store.errors import StoreError
from gpt_trader.errors import BadRange

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Kind = Literal["time", "text", "integer", "number"]

TABLES: Mapping[str, Mapping[str, Kind]] = {
    "orders": {
        "order_id": "integer", "parent_id": "integer", "decision_id": "integer", "symbol": "text", "time": "time",
        "side": "text", "quantity": "number", "kind": "text", "limit": "number", "stop": "number", "status": "text",
        "filled": "number", "reason": "text", "end_reason": "text",
    },
    "fills": {
        "fill_id": "integer", "order_id": "integer", "symbol": "text", "time": "time", "side": "text",
        "quantity": "number", "price": "number", "commission": "number", "slippage": "number", "reason": "text",
    },
    "positions": {
        "time": "time", "symbol": "text", "quantity": "number", "price": "number", "value": "number",
        "weight": "number", "open_pnl": "number",
    },
    "closed_trades": {
        "trade_id": "integer", "symbol": "text", "side": "text", "quantity": "number", "entry_time": "time",
        "entry_price": "number", "exit_time": "time", "exit_price": "number", "bars": "integer",
        "gross_pnl": "number", "income": "number", "costs": "number",
        "pnl": "number", "return_": "number", "mae": "number",
        "mfe": "number", "exit_reason": "text",
    },
    "equity": {
        "time": "time", "equity": "number", "cash": "number", "gross": "number", "net": "number",
        "drawdown": "number", "benchmark": "number",
    },
    "decisions": {
        "decision_id": "integer", "time": "time", "symbol": "text", "target": "number", "accepted": "number",
        "verdict": "text", "rule": "text", "value": "number", "limit": "number",
    },
}  # fmt: skip
"""Every table of a run: its columns in order, each of one kind. Numbers are double precision, times naive UTC."""


def clean_table(name: str, table: Mapping[str, Any] | pd.DataFrame) -> dict[str, NDArray[Any]]:
    """`table` as the store and the files keep it: the columns of TABLES in order, arrays of one length.

    Takes a DataFrame (its index may be `time`) or a mapping of columns. Numbers become float64 (NaN = none), times
    datetime64[ns] (NaT = none), integers int64 or, where one is missing, objects with None; text objects with None.
    Raises StoreError for a missing, an unexpected or an unconvertible column.
    """
    kinds = TABLES[name]
    index = getattr(table, "index", None)
    names = list(getattr(table, "columns", table))
    if "time" in kinds and "time" not in names and getattr(index, "name", None) == "time":
        table = {"time": index, **{column: table[column] for column in names}}
        names = list(table)
    missing = [column for column in kinds if column not in names]
    unknown = [str(column) for column in names if column not in kinds]
    if missing or unknown:
        raise StoreError(
            f"table {name!r} of the result does not have the columns of the store: missing {missing or 'none'}, "
            f"unexpected {unknown or 'none'}; add a migration when the result gains a column"
        )
    cleaned = {}
    for column, kind in kinds.items():
        try:
            cleaned[column] = _clean_column(np.asarray(table[column]), kind)
        except (TypeError, ValueError, OverflowError) as problem:
            raise StoreError(
                f"column {column!r} of table {name!r} is not of kind {kind}: {problem}"
            ) from problem
    lengths = {column: len(values) for column, values in cleaned.items()}
    if len(set(lengths.values())) > 1:
        raise StoreError(f"the columns of table {name!r} differ in length: {lengths}")
    return cleaned


def _clean_column(values: NDArray[Any], kind: Kind) -> NDArray[Any]:
    """One column as the array of its kind."""
    if kind == "number":
        return np.ascontiguousarray(values, np.float64)
    if kind == "time":
        if values.dtype.kind not in "M" and values.size:
            raise TypeError(f"expected naive datetime64, got {values.dtype}")
        return np.ascontiguousarray(values, "datetime64[ns]")
    if kind == "integer" and values.dtype.kind in "iub":
        return np.ascontiguousarray(values, np.int64)
    if kind == "integer" and values.dtype.kind == "f":
        present = ~np.isnan(values)
        whole = np.where(present, values, 0.0).astype(np.int64)
        if not np.array_equal(whole[present], values[present]):
            raise ValueError("it holds fractions or infinities")
        if present.all():
            return whole
        gaps = whole.astype(object)
        gaps[~present] = None
        return gaps
    cells: list[Any]
    if kind == "text":
        cells = [cell if type(cell) is str else _text(cell) for cell in values.tolist()]
        if b"\0" in "".join(filter(None, cells)).encode("utf-8"):
            raise ValueError("it holds a NUL character")
    else:
        cells = [None if _is_absent(cell) else int(cell) for cell in values.tolist()]
        if None not in cells:
            return np.array(cells, np.int64)
    cleaned = np.empty(len(cells), object)
    cleaned[:] = cells
    return cleaned


def _text(value: Any) -> str | None:
    if _is_absent(value):
        return None
    return str(value.value) if isinstance(value, Enum) else str(value)


def _is_absent(value: Any) -> bool:
    """Whether a cell stands for nothing: None, NaN, NaT or pandas' NA."""
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def as_frame(name: str, columns: Mapping[str, Any]) -> pd.DataFrame:
    """Columns of table `name` (as `clean_table` makes them, or with None for absent cells) as a DataFrame.

    Times are datetime64[ns], text `str`, numbers float64, integers int64 (Int64 where one is missing).
    """
    import pandas as pd

    made: dict[str, pd.Series[Any]] = {}
    for column, kind in TABLES[name].items():
        values = columns[column]
        if kind == "time":
            made[column] = pd.Series(pd.to_datetime(values)).astype("datetime64[ns]")
        elif kind == "integer":
            integers = pd.Series(values, dtype="Int64")
            made[column] = integers if integers.isna().any() else integers.astype("int64")
        else:
            made[column] = pd.Series(values, dtype="float64" if kind == "number" else "str")
    return pd.DataFrame(made)


def rows_within(time: pd.Series[Any], start: Any, end: Any) -> NDArray[np.bool_]:
    """Which of `time` (T,) lie from `start` to `end`, both inclusive; a date as `end` is its whole day."""
    from gpt_trader.bars import parse_time

    first, last = parse_time(start), parse_time(end, end_of_day=True)
    if first is not None and last is not None and first > last:
        raise BadRange(f"start {start} lies after end {end}; give the earlier date as start")
    chosen = np.ones(len(time), bool)
    if first is not None:
        chosen &= time.to_numpy() >= first
    if last is not None:
        chosen &= time.to_numpy() <= last
    return chosen


def arrow_table(name: str, columns: Mapping[str, NDArray[Any]]) -> pa.Table:
    """Cleaned columns of table `name` as Arrow, with a fixed schema and no metadata of its maker."""
    import pyarrow as pa

    arrays = [_arrow_array(columns[column], kind) for column, kind in TABLES[name].items()]
    fields = [pa.field(column, array.type) for column, array in zip(TABLES[name], arrays, strict=True)]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _arrow_array(values: NDArray[Any], kind: Kind) -> pa.Array:
    """An Arrow array over a cleaned column's own memory; pyarrow's converters would import pandas (1.3 s)."""
    import pyarrow as pa

    if kind == "number":
        present = ~np.isnan(values)
    elif kind == "time":
        present = ~np.isnat(values)
    elif values.dtype == object:
        present = np.array([value is not None for value in values.tolist()], bool)
    else:
        present = np.ones(len(values), bool)
    mask = None if present.all() else pa.py_buffer(np.packbits(present, bitorder="little"))
    if kind == "text":
        encoded = [b"" if value is None else value.encode("utf-8") for value in values.tolist()]
        ends = np.zeros(len(values) + 1, np.int32)
        np.cumsum([len(item) for item in encoded], out=ends[1:])
        buffers = [mask, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]
        return pa.Array.from_buffers(pa.string(), len(values), buffers)
    if kind == "integer":
        values = np.where(present, values, 0).astype(np.int64)
    types = {"number": pa.float64(), "time": pa.timestamp("ns"), "integer": pa.int64()}
    return pa.Array.from_buffers(types[kind], len(values), [mask, pa.py_buffer(values.view(np.uint8))])
