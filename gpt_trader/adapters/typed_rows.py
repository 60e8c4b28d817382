"""The rows of a table file as typed columns, grouped by symbol: what most files allow, and what makes large ones quick.

A column of such a file is one array. A file in which a value does not fit its column (a text among the prices, a date in
another format) has no typed rows; it is read as a table of pandas, cell by cell as it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.adapters.universe import normalise_symbol
from gpt_trader.errors import BadData
from gpt_trader.progress import OnProgress, no_progress

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]
_ISO_DATE = "YYYY-MM-DD"
NEUTRAL = {"split": 1.0, "dividend": 0.0}


@dataclass(frozen=True, slots=True, eq=False)
class TypedRows:
    """Columns (R,) of a file under our names, the rows of a symbol together and in the order of the file.

    `time` is datetime64[ns] (UTC where `zone` names the zone that the file keeps) or whole numbers as the file has them;
    numbers keep the file's own type. `labels` (R,) names the rows, None where a row is its position plus `offset`.
    `places` says which rows are whose.
    """

    columns: Mapping[str, Array]
    places: Mapping[str, slice]
    labels: NDArray[np.int64] | None = None
    offset: int = 0
    zone: str | None = None

    def labels_of(self, place: slice) -> NDArray[np.int64]:
        """(r,) the names of some rows."""
        if self.labels is not None:
            return self.labels[place]
        return np.arange(place.start, place.stop, dtype=np.int64) + self.offset

    def number(self, name: str, place: slice) -> Array:
        """(r,) a column of numbers; splits and dividends that the file does not have are neutral."""
        if name in self.columns or name not in NEUTRAL:
            return self.columns[name][place]
        return np.broadcast_to(NEUTRAL[name], place.stop - place.start)

    def frame(self, symbol: str) -> pd.DataFrame:
        """The rows of a symbol as a table, its index the names of the rows."""
        import pandas as pd

        place = self.places[symbol]
        found: dict[str, Any] = {name: values[place] for name, values in self.columns.items()}
        found["time"] = (
            self.time_column(place).to_numpy() if self.zone is None else self.time_column(place).array
        )
        return pd.DataFrame(found, index=self.labels_of(place))

    def time_column(self, place: slice) -> pd.Series:
        """(r,) the times of some rows as the file has them."""
        import pandas as pd

        times = self.columns["time"][place]
        if self.zone is None:
            return pd.Series(times)
        return pd.Series(pd.DatetimeIndex(times).tz_localize("UTC").tz_convert(self.zone))


def arrays_of(
    read: Callable[[str], Any],
    names: Mapping[str, str],
    where: str,
    symbol: str,
    offset: int = 0,
    on_progress: OnProgress = no_progress,
) -> TypedRows | None:
    """The columns of a file, of which `read` gives each by its heading, one after the other, so that no two copies of all are
    there at once; `names` has our name for each heading. None when a column is neither numbers nor times.

    Rows are labelled from `offset`; without a column of symbols all are of `symbol`. Raises BadData for a row without one.
    """
    columns: dict[str, Array] = {}
    codes, written, zone = None, [symbol], None
    for done, (heading, name) in enumerate(names.items()):
        on_progress(f"columns of {where}", done, len(names))
        column = read(heading)
        if name == "symbol":
            codes, written = codes_of(column)
            continue
        array, zone = _times(column) if name == "time" else (_numbers(column), zone)
        if array is None:
            return None
        columns[name] = array
    order = None
    places = {symbol: slice(0, columns["time"].size)}
    if codes is not None:
        places, order = grouped(columns, codes, written, where, lambda row: row + offset)
    labels = None if order is None else order + offset
    return TypedRows(typed_numbers(columns), places, labels, offset, zone)


def release_unused() -> None:
    """Give back to the system what Arrow keeps for the next file: the panel of a large one comes next."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()


def codes_of(column: Any) -> tuple[Array, list[Any]]:
    """(R,) which of the written symbols stands in each row, -1 for none; and what is written."""
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    column = column.unify_dictionaries()
    written = column.chunk(0).dictionary.to_pylist() if column.num_chunks else []
    parts = [chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False) for chunk in column.chunks]
    codes = np.concatenate(parts).astype(np.int64) if parts else np.empty(0, np.int64)
    blank = [number for number, name in enumerate(written) if name is None or name != name]
    return np.where(np.isin(codes, blank), -1, codes) if blank else codes, written


def _numbers(column: Any) -> Array | None:
    """(R,) integers or floats as they are, a column with blanks as floats; None for another type."""
    import pyarrow as pa

    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)) or kind == pa.float16():
        return None
    array: Array = column.to_numpy()
    return array


def _times(column: Any) -> tuple[Array | None, str | None]:
    """(R,) datetime64[ns], or whole numbers as they are, and the zone of the file; None for what is neither a time nor ISO."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_integer(kind) and not column.null_count:
        return column.to_numpy(), None
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind):
        text = column.cast(pa.string())
        if pc.all(pc.equal(pc.utf8_length(text), len(_ISO_DATE))).as_py() is not True:
            return None, None
        column = text.cast(pa.date32())
        kind = column.type
    if not (pa.types.is_date(kind) or pa.types.is_timestamp(kind)):
        return None, None
    zone = kind.tz if pa.types.is_timestamp(kind) else None
    array: Array = column.cast(pa.timestamp("ns")).to_numpy()
    return array, zone


def grouped(
    columns: dict[str, Array],
    codes: NDArray[np.int64],
    written: Sequence[Any],
    where: str,
    label: Callable[[int], int],
) -> tuple[dict[str, slice], NDArray[np.intp] | None]:
    """Where each symbol's rows are after the columns were put in order (in place), and the order they were taken in, None
    when they lay together already. `codes` (R,) count into `written`, -1 for a blank. Symbols come in the order of the file.

    Raises BadData naming (`label`) the first row without a symbol.
    """
    spelled: dict[str, int] = {}
    same = [spelled.setdefault(normalise_symbol(str(name)), len(spelled)) for name in written]
    names = list(spelled)
    renumbered = np.array([*same, -1], np.int64)
    nameless = spelled.get("", -1)
    codes = renumbered[codes] if same != list(range(len(same))) or nameless >= 0 else codes
    blank = (codes < 0) | (codes == nameless)
    if blank.any():
        raise BadData(f"{where}: row {label(int(blank.argmax()))} has no symbol; name it or remove the row")
    if codes.size == 0:
        return {}, None
    starts = np.flatnonzero(np.append(True, codes[1:] != codes[:-1]))
    order: NDArray[np.intp] | None = None
    used = np.count_nonzero(np.bincount(codes))  # of the names that are written, not all need have rows
    if starts.size > used:
        small = codes.astype(np.uint16) if len(names) < 2**16 else codes
        order = np.argsort(small, kind="stable")
        for name in columns:
            columns[name] = columns[name][order]
        counts = np.bincount(codes, minlength=len(names))
        starts = np.append(0, np.cumsum(counts)[:-1])
        owners = range(len(names))
    else:
        owners = codes[starts].tolist()
    ends = [*starts[1:].tolist(), codes.size]
    return {
        names[owner]: slice(first, last)
        for owner, first, last in zip(owners, starts.tolist(), ends, strict=True)
        if last > first
    }, order


def typed_numbers(columns: dict[str, Array]) -> dict[str, Array]:
    """The columns with blank events neutral, and the 0 of yfinance's "Stock Splits" as no split."""
    found = dict(columns)
    if "stock_splits" in found:
        events = found.pop("stock_splits")
        found["split"] = np.where(events == 0, 1, events)
    for name, neutral in NEUTRAL.items():
        if name in found and found[name].dtype.kind == "f":
            found[name] = np.where(np.isnan(found[name]), neutral, found[name])
    return found
