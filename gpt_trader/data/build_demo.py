"""Writes `demo.parquet`, the demo prices, from the stock table of the package bokeh-sampledata.

One-off: `pip install --no-deps bokeh-sampledata` somewhere temporary, then
`python gpt_trader/data/build_demo.py PATH/bokeh_sampledata/_data/stocks.csv.gz`. The package is no dependency.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

SHA256 = "5abadf99b2d394f920120a27de6f0df129859d71d4cfb0bf661bcc99446ab1fd"
TARGET = Path(__file__).with_name("demo.parquet")
NOTICE = "Quandl WIKI Prices, public domain, by way of bokeh-sampledata; events worked out; see README.md"
_EVENT = 1e-9  # the adjusted closes carry about 14 digits: without an event the factor moves by under 1e-12


def with_events(prices: pd.DataFrame) -> pd.DataFrame:
    """One symbol's raw prices with `split` and `dividend`, worked out from the adjusted close.

    WIKI multiplies all prices before an ex-date by split and by close / (close + dividend), where close is the raw
    close OF the ex-date. So the cumulative factor adjusted / raw grows over an ex-date by split x (close + dividend)
    / close, and solving for the dividend gives whole cents to ten digits. A day with both would be one number for
    two unknowns; there is none here, which is checked.
    """
    factor = (prices["Adj Close"] / prices["Close"]).to_numpy()
    growth = np.append(1.0, factor[1:] / factor[:-1])
    split, dividend = np.ones(growth.size), np.zeros(growth.size)
    for row in np.flatnonzero(np.abs(growth - 1.0) > _EVENT):
        whole = round(growth[row])
        if whole >= 2 and abs(growth[row] / whole - 1.0) < 1e-9:
            split[row] = whole
            continue
        cash = (growth[row] - 1.0) * prices["Close"].iloc[row]
        if abs(cash - round(cash, 2)) > 1e-9 or not 0 < cash < 5:
            raise SystemExit(
                f"{prices['Ticker'].iloc[row]} {prices['Date'].iloc[row]}: {growth[row]} is unclear"
            )
        dividend[row] = round(cash, 2)
    return prices.drop(columns="Adj Close").assign(split=split, dividend=dividend)


def main(source: Path) -> None:
    if hashlib.sha256(source.read_bytes()).hexdigest() != SHA256:
        raise SystemExit(f"{source} is another edition of the table; look at it before you change SHA256")
    table = pd.read_csv(source)
    parts = [with_events(part.reset_index(drop=True)) for _, part in table.groupby("Ticker")]
    demo = pd.concat(parts, ignore_index=True).rename(columns=str.lower).rename(columns={"ticker": "symbol"})
    arrow = pa.table(
        {
            "symbol": pa.array(demo["symbol"]).dictionary_encode(),
            "date": pa.array(pd.to_datetime(demo["date"]).dt.date, pa.date32()),
            **{name: pa.array(demo[name], pa.float64()) for name in ("open", "high", "low", "close")},
            "volume": pa.array(demo["volume"], pa.int64()),
            "split": pa.array(demo["split"], pa.float64()),
            "dividend": pa.array(demo["dividend"], pa.float64()),
        },
        metadata={"source": NOTICE},
    )
    with pq.ParquetWriter(TARGET, arrow.schema, compression="zstd", compression_level=19) as writer:
        for symbol in demo["symbol"].unique():
            writer.write_table(arrow.filter(pa.compute.equal(arrow["symbol"].cast(pa.string()), symbol)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
