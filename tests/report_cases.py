"""Results for the tests of the report: a plain loop that trades seeded random walks, as the result's tables and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from gpt_trader.bars import Bars


@dataclass(frozen=True)
class Case:
    """The attributes of a result that the report reads."""

    run_id: str
    strategy: str
    parameters: Mapping[str, Any]
    symbols: tuple[str, ...]
    metrics: Mapping[str, float]
    manifest: Mapping[str, Any]
    fingerprint: Any
    bars: Bars | None
    orders: pd.DataFrame
    fills: pd.DataFrame
    positions: pd.DataFrame
    closed_trades: pd.DataFrame
    equity: pd.DataFrame
    decisions: pd.DataFrame
    warnings: tuple[str, ...] = field(default=())


COLUMNS = {
    "orders": "order_id parent_id decision_id symbol time side quantity kind limit stop status filled reason",
    "fills": "fill_id order_id symbol time side quantity price commission slippage reason",
    "closed_trades": "trade_id symbol side quantity entry_time entry_price exit_time exit_price bars gross_pnl costs pnl "
    "return_ mae mfe exit_reason",
    "positions": "time symbol quantity price value weight open_pnl",
    "decisions": "decision_id time symbol target accepted verdict rule value limit",
}
CAPITAL = 100_000.0


def random_bars(symbols: tuple[str, ...], count: int, timeframe: str = "1d", seed: int = 7) -> Bars:
    """Seeded random walks on business days, or on minutes of 390-minute sessions."""
    rng = np.random.default_rng(seed)
    if timeframe == "1d":
        time = pd.bdate_range("2010-01-04", periods=count).to_numpy("datetime64[ns]")
    else:
        session = np.arange(390) * np.timedelta64(1, "m") + np.timedelta64(870, "m")
        days = pd.bdate_range("2018-01-02", periods=-(-count // 390)).to_numpy("datetime64[D]")
        time = (days[:, None] + session[None, :]).ravel()[:count].astype("datetime64[ns]")
    scale = 0.012 if timeframe == "1d" else 0.0006
    steps = rng.normal(scale * 0.03, scale, (count, len(symbols)))
    close = 50 * np.exp(np.cumsum(steps, axis=0))
    open_ = close * np.exp(rng.normal(0, scale / 3, close.shape))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, scale / 2, close.shape)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, scale / 2, close.shape)))
    panel = np.stack([open_, high, low, close, np.full_like(close, 1e6), np.ones_like(close), np.zeros_like(close)])
    return Bars(symbols, time, panel, timeframe)


def traded_case(
    symbols: tuple[str, ...] = ("AAA", "BBB", "CCC"), count: int = 2520, timeframe: str = "1d", *, fast: int = 10, slow: int = 50
) -> Case:
    """Long while the fast mean leads, an equal share of the capital each, next open, 5 bp."""
    bars = random_bars(symbols, count, timeframe)
    cash, books = CAPITAL, np.zeros((count, len(symbols)))
    paid = np.zeros(count + 1)
    fills: list[tuple[Any, ...]] = []
    trades: list[tuple[Any, ...]] = []
    for n, symbol in enumerate(symbols):
        close, open_ = bars.close[:, n], bars.open[:, n]
        lead = _mean(close, fast) > _mean(close, slow)
        held, entry = 0.0, 0
        for t in range(1, count):
            if lead[t - 1] and not held:
                held, entry = float(np.floor(0.9 * CAPITAL / len(symbols) / open_[t])), t
                fills.append((symbol, bars.time[t], "buy", held, open_[t], held * open_[t] * 5e-4, held * open_[t] * 1e-4, "signal"))
                paid[t] += held * open_[t] * 1.0006
            elif held and not lead[t - 1]:
                fills.append((symbol, bars.time[t], "sell", held, open_[t], held * open_[t] * 5e-4, held * open_[t] * 1e-4, "signal"))
                paid[t] -= held * open_[t] * 0.9994
                gross, costs = held * (open_[t] - open_[entry]), held * (open_[t] + open_[entry]) * 6e-4
                span = slice(entry, t + 1)
                trades.append(
                    (symbol, "long", held, bars.time[entry], open_[entry], bars.time[t], open_[t], t - entry, gross, costs, gross - costs,
                     (gross - costs) / (held * open_[entry]), bars.low[span, n].min() / open_[entry] - 1,
                     bars.high[span, n].max() / open_[entry] - 1, "signal")
                )  # fmt: skip
                held = 0.0
            books[t, n] = held
    value = books * bars.close
    equity = CAPITAL - np.cumsum(paid[:count]) + value.sum(axis=1)
    cash = float(equity[-1] - value[-1].sum())
    fills.sort(key=lambda row: (row[1], row[0]))
    trades.sort(key=lambda row: (row[5], row[0]))
    return _case(bars, equity, value, books, fills, trades, cash, {"fast": fast, "slow": slow})


def idle_case(count: int = 30, symbols: tuple[str, ...] = ("AAA",)) -> Case:
    """A run that never traded: every table is empty."""
    bars = random_bars(symbols, count)
    zero = np.zeros((count, len(symbols)))
    return _case(bars, np.full(count, CAPITAL), zero, zero, [], [], CAPITAL, {})


def _mean(values: np.ndarray, window: int) -> np.ndarray:
    return pd.Series(values).rolling(window).mean().to_numpy()


def _case(
    bars: Bars, equity: np.ndarray, value: np.ndarray, books: np.ndarray, fills: list[Any], trades: list[Any], cash: float, parameters: Any
) -> Case:
    benchmark = CAPITAL * (0.6 * (bars.close / bars.close[0]).mean(axis=1) + 0.4)
    peak = np.maximum.accumulate(np.maximum(equity, CAPITAL))
    gross = value.sum(axis=1) / equity
    curve = {"equity": equity, "cash": equity - value.sum(axis=1), "gross": gross, "net": gross, "drawdown": equity / peak - 1, "benchmark": benchmark}
    frames = {name: pd.DataFrame(columns=columns.split()) for name, columns in COLUMNS.items()}
    fill_table = pd.DataFrame([(i, i, *row) for i, row in enumerate(fills)], columns=COLUMNS["fills"].split())
    trade_table = pd.DataFrame([(i, *row) for i, row in enumerate(trades)], columns=COLUMNS["closed_trades"].split())
    if fills:
        orders = fill_table.assign(parent_id=-1, decision_id=fill_table["fill_id"], kind="market", limit=np.nan, stop=np.nan, status="filled", filled=fill_table["quantity"], reason="")
        frames["orders"] = orders[COLUMNS["orders"].split()]
        verdicts = np.where(np.arange(len(fills)) % 7 == 3, "scaled", np.where(np.arange(len(fills)) % 11 == 5, "refused", "approved"))
        rules = np.where(verdicts == "scaled", "gross", np.where(verdicts == "refused", "cooldown", ""))
        frames["decisions"] = pd.DataFrame({"decision_id": range(len(fills)), "time": fill_table["time"], "symbol": fill_table["symbol"], "target": 0.3, "accepted": 0.3, "verdict": verdicts, "rule": rules, "value": np.nan, "limit": np.nan})
        t, n = np.nonzero(books)
        frames["positions"] = pd.DataFrame({"time": bars.time[t], "symbol": np.array(bars.symbols, object)[n], "quantity": books[t, n], "price": bars.close[t, n], "value": value[t, n], "weight": value[t, n] / equity[t], "open_pnl": 0.0})
    frames["fills"], frames["closed_trades"] = fill_table, trade_table
    return Case(
        "20261122-abcdef12", "demo_ma", parameters, bars.symbols, _metrics(equity, benchmark, gross, fill_table, trade_table),
        {"version": "0.1.0", "capital": CAPITAL, "seed": 0, "timeframe": bars.timeframe, "strategy": "demo_ma", "parameters": dict(parameters),
         "costs": {"bps": 5.0, "per_share": 0.0, "minimum": 0.0, "spread_bps": 2.0, "slippage_bps": 0.0, "impact": 0.1, "borrow": 0.005},
         "fills": {"volume_cap": 0.1}, "allocation": {"gross": 0.6, "max_positions": 10, "sizing": "weight", "regime": None, "allow_short": True}, "risk": None},
        bars.fingerprint(), bars, frames["orders"], frames["fills"], frames["positions"], frames["closed_trades"],
        pd.DataFrame(curve, index=pd.DatetimeIndex(bars.time, name="time")), frames["decisions"],
    )  # fmt: skip


def _metrics(equity: np.ndarray, benchmark: np.ndarray, gross: np.ndarray, fills: pd.DataFrame, trades: pd.DataFrame) -> dict[str, float]:
    """Only what the report's sentences need; the rest is left out, as a metric that is not defined would be NaN."""
    pnl, costs = trades["pnl"].to_numpy(float), float((fills["commission"] + fills["slippage"]).sum())
    lost = -pnl[pnl < 0].sum()
    return {
        "total_return": equity[-1] / CAPITAL - 1, "final_equity": equity[-1], "cagr": (equity[-1] / CAPITAL) ** (260 / len(equity)) - 1,
        "max_drawdown": float((equity / np.maximum.accumulate(equity) - 1).min()), "sharpe": 0.61, "volatility": 0.123,
        "exposure": float((gross > 0).mean()), "round_trips": float(len(pnl)), "win_rate": float((pnl > 0).mean()) if len(pnl) else np.nan,
        "profit_factor": pnl[pnl > 0].sum() / lost if lost else np.nan, "expectancy": float(pnl.mean()) if len(pnl) else np.nan,
        "costs": costs, "commission": float(fills["commission"].sum()), "slippage": float(fills["slippage"].sum()), "open_pnl": 0.0, "turnover": 3.4,
        "benchmark_total_return": benchmark[-1] / CAPITAL - 1, "benchmark_cagr": (benchmark[-1] / CAPITAL) ** (260 / len(benchmark)) - 1,
        "benchmark_sharpe": 0.4, "benchmark_max_drawdown": float((benchmark / np.maximum.accumulate(benchmark) - 1).min()),
    }  # fmt: skip
