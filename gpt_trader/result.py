"""What a backtest gives back: metrics, tables and the manifest, each made when it is first asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import Bars
from gpt_trader.costs import FillModel
from gpt_trader.engine.kernel_calls import direct_call
from gpt_trader.engine.metric_definitions import BENCHMARK_METRICS, METRIC_NAMES
from gpt_trader.engine.records import EQUITY
from gpt_trader.engine.run_setup import Settings
from gpt_trader.engine.run_statistics import statistics_into
from gpt_trader.engine.simulation import FinishedRun, all_exits
from gpt_trader.errors import UnknownName
from gpt_trader.look_ahead import LookAhead, look_ahead_here
from gpt_trader.periods import periods_of
from gpt_trader.research.trial_identity import TrialKeys, data_hash
from gpt_trader.result_tables import TABLES
from gpt_trader.strategy import Strategy, parameter_values, strategy_name
from gpt_trader.strategy_code import code_hash
from gpt_trader.version import __version__

if TYPE_CHECKING:
    import pandas as pd

_WITHOUT_BENCHMARK = {f"benchmark_{name}": float("nan") for name in BENCHMARK_METRICS}
_statistics_into = direct_call(statistics_into)


class Result:
    """One finished run. Tables are pandas DataFrames with the columns listed in docs/results.md; `metrics` is a dict."""

    def __init__(
        self,
        strategy: Strategy,
        bars: Bars,
        settings: Settings,
        seed: int,
        outcome: FinishedRun,
        benchmark: FinishedRun | None,
        segments: Sequence[tuple[Strategy, int]] = (),
    ) -> None:
        self.bars = bars
        self.settings = settings
        self.seed = seed
        self.outcome = outcome
        self.first = int(outcome.book.account[0]["first"])
        self._instance = strategy
        self._segments = segments
        self._benchmark = benchmark
        self._columns: dict[str, dict[str, NDArray[Any]]] = {}

    def __repr__(self) -> str:
        m = self.metrics
        return (
            f"Result({self.strategy} on {', '.join(self.symbols[:3])}{'…' if len(self.symbols) > 3 else ''}, "
            f"{self.start} to {self.end}: return {m['total_return']:.2%}, Sharpe {m['sharpe']:.2f}, "
            f"max drawdown {m['max_drawdown']:.2%}, {m['round_trips']:.0f} round trips)"
        )

    # -- identity ---------------------------------------------------------------------------------------------------

    @cached_property
    def strategy(self) -> str:
        """The name of the strategy, of the last one in a segmented backtest."""
        return strategy_name(type(self._instance))

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The values of its parameters by name."""
        return parameter_values(self._instance)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols that were traded."""
        return self.bars.symbols

    @property
    def start(self) -> str:
        """Time of the account's first bar, ISO."""
        return _iso(self.bars.time[self.first])

    @property
    def end(self) -> str:
        """Time of the last bar, ISO."""
        return _iso(self.bars.time[-1])

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """All that determines the run and its tables: strategy and its code, settings, data fingerprint, version, seed."""
        return {
            "strategy": self.strategy,
            "strategy_code": code_hash(type(self._instance)),
            "parameters": self.parameters,
            "exits": [_named(item) for item in all_exits(self._instance, self.settings)],
            "symbols": list(self.symbols),
            "start": self.start,
            "end": self.end,
            "timeframe": self.bars.timeframe,
            "adjustment": self.bars.adjustment,
            "sources": list(self.bars.sources),
            "capital": self.settings.capital,
            "costs": asdict(self.settings.costs),
            "fills": _fill_model(self.settings.fills),
            "allocation": asdict(self.settings.allocation),
            "risk": asdict(self.settings.risk) if self.settings.risk else None,
            "instruments": [asdict(item) for item in self.settings.instruments],
            "data": self.bars.fingerprint(),
            "notes": list(self.data_notes),
            "index": self.settings.index.fingerprint() if self.settings.index else None,
            "benchmark": self._benchmark is not None,
            "seed": self.seed,
            "version": __version__,
            **({"first": self.first} if self.first else {}),
            # the key is part of run_id, so it keeps the name that segments had
            **({"legs": self._named_segments()} if len(self._segments) > 1 else {}),
        }

    def _named_segments(self) -> list[dict[str, Any]]:
        """Who had the account from which row on, in a segmented backtest."""
        return [
            {
                "strategy": strategy_name(type(strategy)), "strategy_code": code_hash(type(strategy)), "first": int(first),
                "start": _iso(self.bars.time[first]), "parameters": parameter_values(strategy),
                "exits": [_named(item) for item in all_exits(strategy, self.settings)],
            }
            for strategy, first in self._segments
        ]  # fmt: skip

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over the data of all symbols, in order."""
        return data_hash(self.manifest["data"])

    @cached_property
    def run_id(self) -> str:
        """The first 16 hex digits of the SHA-256 of the manifest: the same run has the same id."""
        text = json.dumps(self.manifest, sort_keys=True, separators=(",", ":"), default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def trial_key(self) -> bytes:
        """The run's identity as a trial, 16 bytes (`research.identity`): a cell of a sweep with the same settings has it too."""
        rows = self.bars.T
        keys = TrialKeys(
            type(self._instance),
            self.settings,
            self.fingerprint,
            rows - self.account_curves.shape[1],
            rows - 1,
        )
        return keys.of(self.parameters)

    # -- numbers ----------------------------------------------------------------------------------------------------

    @cached_property
    def metrics(self) -> dict[str, float]:
        """The statistics by name (docs/results.md); undefined ones are NaN."""
        values = run_statistics(self.bars, self.outcome)
        values |= _WITHOUT_BENCHMARK
        if self._benchmark is not None:
            compared = run_statistics(self.bars, self._benchmark)
            for name in BENCHMARK_METRICS:
                values[f"benchmark_{name}"] = compared[name]
        return values

    @cached_property
    def too_good(self) -> tuple[str, ...]:
        """What about the run is too good to be true, a sentence each (`gpt_trader.too_good`); mostly nothing."""
        from gpt_trader.too_good import of_result

        return of_result(self)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What the reader of the numbers should know: what is too good, what is to be said of the data (`data_notes`) and of the
        trading."""
        from gpt_trader.run_warnings import run_warnings

        return (*self.too_good, *self.data_notes, *run_warnings(self))

    @property
    def look_ahead(self) -> LookAhead:
        """Whether this very code was checked for look-ahead with these parameters, as far as this process knows: it knows what
        `gpt_trader.check_strategy` was asked here, and the shipped strategies. Of several in a segmented backtest the worst."""
        return look_ahead_here([(type(each), parameter_values(each)) for each in self.strategies])

    @property
    def strategies(self) -> tuple[Strategy, ...]:
        """Who traded: the strategy, or in a segmented backtest each in its turn."""
        return tuple(strategy for strategy, _ in self._segments) or (self._instance,)

    @property
    def data_notes(self) -> tuple[str, ...]:
        """What was noticed when the bars, and those of the regime index, were loaded."""
        index = self.settings.index
        return (*self.bars.notes, *(() if index is None else index.notes))

    @property
    def account_curves(self) -> NDArray[np.float64]:
        """(4, T - first): equity, cash, gross and net exposure in cash at each close from row `first` of the bars on."""
        return self.outcome.book.account_curves[:, self.first :]

    @property
    def time(self) -> NDArray[np.datetime64]:
        """(T - first,) the time of each column of `account_curves`."""
        return self.bars.time[self.first :]

    def log(self, name: str) -> NDArray[Any]:
        """The engine's own records of orders, fills, trades or decisions, as written."""
        book = self.outcome.book
        rows: NDArray[Any] = getattr(book, name)
        return rows[: int(book.account[0][name])]

    # -- tables -----------------------------------------------------------------------------------------------------

    def columns(self, table: str) -> dict[str, NDArray[Any]]:
        """Table `table` as arrays by column, without pandas: equity, orders, fills, closed_trades, positions, decisions.

        Raises UnknownName for another name.
        """
        if table not in TABLES:
            raise UnknownName("table", table, TABLES)
        if table not in self._columns:
            self._columns[table] = TABLES[table](self)
        return self._columns[table]

    def _frame(self, table: str) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame({name: values.copy() for name, values in self.columns(table).items()})

    @cached_property
    def equity(self) -> pd.DataFrame:
        """Per bar, indexed by time: equity, cash, gross, net (shares of equity), drawdown, benchmark equity."""
        return self._frame("equity").set_index("time")

    @cached_property
    def orders(self) -> pd.DataFrame:
        """Every order that existed, in order of its id."""
        return self._frame("orders")

    @cached_property
    def fills(self) -> pd.DataFrame:
        """Every execution."""
        return self._frame("fills")

    @cached_property
    def closed_trades(self) -> pd.DataFrame:
        """Every round trip from flat to flat, with its own costs."""
        return self._frame("closed_trades")

    @cached_property
    def positions(self) -> pd.DataFrame:
        """One row per bar and symbol held at its close."""
        return self._frame("positions")

    @cached_property
    def decisions(self) -> pd.DataFrame:
        """Every target that led to an order, or was scaled or refused, with rule, value and limit."""
        return self._frame("decisions")

    @property
    def benchmark_equity(self) -> NDArray[np.float64] | None:
        """(T - first,) equity of buy and hold at each close, None when it was not run."""
        return None if self._benchmark is None else self._benchmark.book.account_curves[EQUITY, self.first :]

    def report(self, path: str | Path) -> Path:
        """Write the self-contained HTML report and return its path."""
        import gpt_trader  # the package hands out its adapters by name; no module of the core names one

        return gpt_trader.write_report(self, Path(path))


def run_statistics(bars: Bars, outcome: FinishedRun) -> dict[str, float]:
    """METRIC_NAMES of a run, plus `borrow`."""
    book = outcome.book
    account = book.account[0]
    trades = int(account["trades"])
    per_year = float(
        bars._once("periods_per_year", lambda: periods_of(bars.time.view(np.int64), bars.timeframe))
    )
    out = np.empty(len(METRIC_NAMES))
    _statistics_into(
        outcome.market, book, np.empty((3, bars.T)), per_year, 0.0, np.empty((2, trades)), np.empty(trades, np.int64), out
    )  # fmt: skip
    values = dict(zip(METRIC_NAMES, out.tolist(), strict=True))
    values["borrow"] = float(account["borrow"])
    return values


def _fill_model(fills: FillModel) -> dict[str, Any]:
    """The fill model as the manifest has it: a delay that is none is left out, as in runs made before there was one."""
    found = asdict(fills)
    return found if fills.delay else {name: value for name, value in found.items() if name != "delay"}


def _named(item: Any) -> dict[str, Any]:
    return {
        "kind": type(item).__name__,
        **(asdict(item) if is_dataclass(item) and not isinstance(item, type) else {}),
    }


def _iso(moment: np.datetime64) -> str:
    text = str(moment.astype("datetime64[s]"))
    return text[:10] if text.endswith("T00:00:00") else text
