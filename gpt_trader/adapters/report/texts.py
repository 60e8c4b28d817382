"""The words of the report: how a figure is written, what it is called, and what it means in plain language."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

MISSING = "–"
_THIN = "\u202f"  # narrow no-break space, between a number and its unit


class Figure(NamedTuple):
    """One metric as the report shows it: `kind` is percent, signed (percent with its sign), ratio, cash, count or days."""

    key: str
    label: str
    kind: str
    hint: str
    benchmark: str = ""


HEADLINE = (
    Figure("total_return", "Total return", "signed", "gain or loss over the whole span", "benchmark_total_return"),
    Figure("cagr", "Yearly growth (CAGR)", "signed", "the steady yearly rate with the same end", "benchmark_cagr"),
    Figure("sharpe", "Sharpe ratio", "ratio", "yearly return per unit of ups and downs; 1 is good, 2 rare", "benchmark_sharpe"),
    Figure("max_drawdown", "Deepest drawdown", "signed", "worst fall from a peak", "benchmark_max_drawdown"),
    Figure("volatility", "Volatility", "percent", "typical size of a year's ups and downs"),
    Figure("exposure", "Time in the market", "percent", "share of bars with a position"),
    Figure("round_trips", "Round trips", "count", "trades from flat to flat, all closed"),
    Figure("win_rate", "Win rate", "percent", "share of round trips that made money after costs"),
    Figure("profit_factor", "Profit factor", "ratio", "money won per unit of money lost; above 1 earns"),
    Figure("expectancy", "Expectancy", "cash", "average profit of a round trip"),
    Figure("costs", "Costs paid", "cash", "commission, spread and slippage together"),
    Figure("turnover", "Turnover a year", "times", "how often the account is replaced in a year"),
)

DETAILS = (
    (
        "Growth",
        (
            Figure("final_equity", "Final equity", "cash", "the account at the last close, open positions at their price"),
            Figure("total_return", "Total return", "signed", "final equity / capital − 1", "benchmark_total_return"),
            Figure("cagr", "Yearly growth (CAGR)", "signed", "the steady yearly rate with the same end", "benchmark_cagr"),
            Figure("open_pnl", "Open profit", "cash", "profit of positions that are still open, part of the equity"),
        ),
    ),
    (
        "Risk",
        (
            Figure("volatility", "Volatility", "percent", "standard deviation of the bars' returns, per year"),
            Figure("max_drawdown", "Deepest drawdown", "signed", "lowest point under an earlier peak", "benchmark_max_drawdown"),
            Figure("max_drawdown_days", "Its length", "days", "from that peak until it was reached again, or to the end"),
            Figure("max_drawdown_bars", "Its length in bars", "count", "the same, counted in bars"),
            Figure("skew", "Skew", "ratio", "below 0: the large moves are mostly losses"),
            Figure("kurtosis", "Kurtosis", "ratio", "3 for a bell curve; higher: more extreme bars"),
        ),
    ),
    (
        "Return for risk",
        (
            Figure("sharpe", "Sharpe ratio", "ratio", "yearly return / volatility", "benchmark_sharpe"),
            Figure("sortino", "Sortino ratio", "ratio", "the same, but only falls count as risk"),
            Figure("calmar", "Calmar ratio", "ratio", "yearly growth / deepest drawdown"),
        ),
    ),
    (
        "Use of the capital",
        (
            Figure("exposure", "Time in the market", "percent", "share of bars with a position at the close"),
            Figure("mean_gross", "Mean gross exposure", "percent", "average value of all positions, long and short, / equity"),
            Figure("turnover", "Turnover a year", "times", "half of all bought and sold / mean equity, per year"),
        ),
    ),
    (
        "Round trips",
        (
            Figure("round_trips", "Closed", "count", "trades from flat to flat"),
            Figure("win_rate", "Win rate", "percent", "share that made money after costs"),
            Figure("profit_factor", "Profit factor", "ratio", "sum of wins / sum of losses"),
            Figure("expectancy", "Expectancy", "cash", "average profit of a round trip"),
            Figure("best_trade", "Best", "signed", "highest return on what its entries cost"),
            Figure("worst_trade", "Worst", "signed", "lowest return on what its entries cost"),
            Figure("average_trade_bars", "Average length", "bars", "mean number of bars held"),
        ),
    ),
    (
        "Costs",
        (
            Figure("costs", "All costs", "cash", "commission and slippage together; borrow fees are in the equity"),
            Figure("commission", "Commission", "cash", "what the broker takes"),
            Figure("slippage", "Spread and slippage", "cash", "what crossing the spread and moving the price costs"),
        ),
    ),
)

ASSUMPTION_LABELS: Mapping[str, str] = {
    "costs.bps": "Commission, basis points of the notional",
    "costs.per_share": "Commission per share, cash",
    "costs.minimum": "Least commission per order, cash",
    "costs.spread_bps": "Spread, basis points (half is paid by a market or stop fill)",
    "costs.slippage_bps": "Fixed slippage, basis points",
    "costs.impact": "Market impact x (share of the bar's volume)²",
    "costs.borrow": "Borrow fee on shorts, a year",
    "fills.volume_cap": "A fill takes at most this share of a bar's volume",
    "allocation.gross": "Targets scaled to at most this gross exposure",
    "allocation.position": "Largest weight of one position",
    "allocation.max_positions": "Positions at a time",
    "allocation.leverage": "Leverage",
    "allocation.sizing": "Sizing",
    "allocation.risk": "Risk per trade (only with sizing by risk)",
    "allocation.atr": "ATR bars (only with sizing by risk)",
    "allocation.atr_k": "Stop distance in ATR (only with sizing by risk)",
    "allocation.min_rebalance": "Smallest change worth an order, share of equity",
    "allocation.cadence": "Decisions every",
    "allocation.rebalance": "Rebalanced on",
    "allocation.reentry": "Re-entry after a declared exit",
    "allocation.confirm": "Signals in a row for an entry",
    "allocation.cooldown": "Bars without entry after an exit",
    "allocation.regime": "Regime index",
    "allocation.regime_window": "Regime mean, bars",
    "allocation.allow_short": "Short positions allowed",
}

SHARES = frozenset(
    "costs.borrow fills.volume_cap allocation.gross allocation.position allocation.risk allocation.min_rebalance risk.position "
    "risk.gross risk.net risk.cash risk.daily_loss risk.weekly_loss risk.monthly_loss risk.drawdown risk.order_volume risk.sector".split()
)

RULES_OF_FILLING = (
    "A decision made at the close of a bar can never fill in that bar: market orders fill at the next open.",
    "Limits and stops fill inside the bar's range, at the open when it gaps through; of a stop and a target in one bar, "
    "the worse one is taken first.",
    "A fill's price is a price of its bar; spread and slippage are charged in cash beside it.",
    "Splits change quantities, dividends are cash to the holders on the ex-date.",
    "Positions open at the end stay open at their last price; nothing is sold for the sake of the report.",
)


def number(value: float, digits: int = 2) -> str:
    """A number with thousands separators and a true minus sign; a dash when it is undefined."""
    if not math.isfinite(value):
        return MISSING if math.isnan(value) else ("∞" if value > 0 else "−∞")
    text = f"{abs(value):,.{digits}f}"
    return f"−{text}" if value < 0 and float(text.replace(",", "")) != 0 else text


def percent(value: float, digits: int = 1, *, signed: bool = False) -> str:
    """A fraction as per cent: 0.1234 is 12.3 %; with `signed` a gain carries its plus."""
    if not math.isfinite(value):
        return number(value)
    text = number(value * 100, digits)
    plus = "+" if signed and value > 0 and text.strip("0.,") else ""
    return f"{plus}{text}{_THIN}%"


def cash(value: float) -> str:
    """Money: whole units from 1,000 on, cents below."""
    return number(value, 0 if abs(value) >= 1000 else 2)


def price(value: float) -> str:
    """A price: cents, four decimals below ten."""
    return number(value, 4 if abs(value) < 10 else 2)


def quantity(value: float) -> str:
    """Shares or units: whole numbers stay whole, fractions show up to six significant digits."""
    return number(value, 0) if value == round(value) else f"{value:,.6g}".replace("-", "−")


def write(value: float, kind: str) -> str:
    """`value` as a figure of `kind`; see `Figure`."""
    if kind in ("percent", "signed"):
        return percent(value, signed=kind == "signed")
    if kind == "cash":
        return cash(value)
    if kind in ("count", "days"):
        return number(value, 0) + (f"{_THIN}days" if kind == "days" and math.isfinite(value) else "")
    if kind in ("times", "bars"):
        unit = "×" if kind == "times" else f"{_THIN}bars"
        return number(value, 1) + (unit if math.isfinite(value) else "")
    return number(value)


def moment(value: Any, intraday: bool) -> str:
    """A time as 2020-12-31, with the minute (UTC) for intraday bars; a dash for none."""
    stamp = np.datetime64(value, "ns")
    if np.isnat(stamp):
        return MISSING
    return str(stamp.astype("datetime64[m]")).replace("T", " ") if intraday else str(stamp.astype("datetime64[D]"))


def setting(value: Any) -> str:
    """A setting of the manifest as text: none, yes, no, a short number, or the text itself."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.10g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return ", ".join(setting(item) for item in value) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {setting(item)}" for key, item in value.items()) or "none"
    return str(value)


def summary(metrics: Mapping[str, float], capital: float, first: str, last: str) -> list[str]:
    """The run in two or three plain sentences."""
    get = _getter(metrics)
    total, growth = get("total_return"), get("cagr")
    yearly = f", {percent(growth, signed=True)} a year" if math.isfinite(growth) else ""
    lines = [
        f"From {first} to {last} the account went from {cash(capital)} to {cash(get('final_equity'))}: "
        f"{percent(total, signed=True)}{yearly}, with a deepest fall of {percent(abs(get('max_drawdown')))} from a peak."
    ]
    held = get("benchmark_total_return")
    if math.isfinite(held):
        fall = get("benchmark_max_drawdown")
        deep = f", with a deepest fall of {percent(abs(fall))}" if math.isfinite(fall) else ""
        lines.append(f"Buying and holding the same symbols under the same rules gave {percent(held, signed=True)}{deep}.")
    trips, costs = get("round_trips"), get("costs")
    if trips > 0:
        lines.append(
            f"It closed {number(trips, 0)} round trip{'s' if trips != 1 else ''}, {percent(get('win_rate'), 0)} of them "
            f"with a profit, and paid {cash(costs)} in costs."
        )
    else:
        lines.append(f"It closed no round trip; costs so far: {cash(costs)}; open profit: {cash(get('open_pnl'))}.")
    return lines


def cautions(metrics: Mapping[str, float], capital: float, years: float, gross_profit: float, best: float) -> list[str]:
    """What a careful reader should know before believing the figures.

    `gross_profit` is the profit of all closed trades before costs, `best` the pnl of the best closed trade, both in cash.
    """
    get = _getter(metrics)
    notes = []
    trips, costs, gain = get("round_trips"), get("costs"), get("final_equity") - capital
    if trips < 30:
        notes.append(f"Few trades: {number(trips, 0)} closed. Win rate, profit factor and expectancy rest on little.")
    if years < 3:
        notes.append(f"A short span: {years:.1f} years. Figures per year are stretched from it and can mislead.")
    if trips > 0 and gross_profit > 0 and costs > 0.5 * gross_profit:
        share = percent(costs / gross_profit, 0)
        notes.append(f"Costs are heavy: {share} of the gross profit of the closed trades. Small changes of the rates decide.")
    if gain > 0 and best > 0.5 * gain and trips > 1:
        notes.append(f"One trade made {cash(best)}, {percent(best / gain, 0)} of the whole gain.")
    if gain > 0 and get("open_pnl") > 0.5 * gain:
        notes.append(f"{percent(get('open_pnl') / gain, 0)} of the gain is still open and not realised.")
    if get("cagr") < get("benchmark_cagr"):
        notes.append("Buying and holding grew faster; compare risk and drawdown before choosing.")
    notes.append("One run on past data. If it is the best of several tries, its figures are flattering.")
    return notes


def _getter(metrics: Mapping[str, float]) -> Any:
    return lambda key: float(metrics.get(key, math.nan))
