"""How the report writes numbers, times and settings, and what it says about a run in plain sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

MISSING = "–"
_THIN = "\u202f"  # narrow no-break space, between a number and its unit


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
    text = number(value * 100, digits if abs(value) < 10 else 0)
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
    """`value` as a figure of `kind`; see `catalogue.Figure`."""
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
    return (
        str(stamp.astype("datetime64[m]")).replace("T", " ")
        if intraday
        else str(stamp.astype("datetime64[D]"))
    )


def reason(value: Any) -> str:
    """Why something was bought or sold; the engine's "target" is the strategy's own decision."""
    text = "" if value is None else str(value)
    return "the strategy" if text in ("", "target") else text


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
    deepest = percent(abs(get("max_drawdown")))
    first_line = (
        f"From {first} to {last} the account went from {cash(capital)} to {cash(get('final_equity'))}: "
        f"{percent(total, signed=True)}{yearly}, with a deepest fall of {deepest} from a peak."
    )
    lines = [first_line]
    benchmark = get("benchmark_total_return")
    if math.isfinite(benchmark):
        fall = get("benchmark_max_drawdown")
        deep = f", with a deepest fall of {percent(abs(fall))}" if math.isfinite(fall) else ""
        gave = percent(benchmark, signed=True)
        lines.append(f"Buying and holding the same symbols under the same rules gave {gave}{deep}.")
    trips, costs = get("round_trips"), get("costs")
    if trips > 0:
        closed = f"{number(trips, 0)} round trip{'s' if trips != 1 else ''}"
        won = percent(get("win_rate"), 0)
        lines.append(f"It closed {closed}, {won} of them with a profit, and paid {cash(costs)} in costs.")
    else:
        lines.append(
            f"It closed no round trip; costs so far: {cash(costs)}; open profit: {cash(get('open_pnl'))}."
        )
    return lines


def cautions(
    metrics: Mapping[str, float], capital: float, years: float, gross_profit: float, best: float
) -> list[str]:
    """What a careful reader should know before believing the figures.

    `gross_profit` is the profit of all closed trades before costs, `best` the pnl of the best closed trade, both in
    cash.
    """
    get = _getter(metrics)
    notes = []
    trips, costs, gain = get("round_trips"), get("costs"), get("final_equity") - capital
    if years < 3:
        notes.append(
            f"A short span: {years:.1f} years. Figures per year are stretched from it and can mislead."
        )
    if trips > 0 and gross_profit > 0 and costs > 0.5 * gross_profit:
        share = percent(costs / gross_profit, 0)
        notes.append(
            f"Costs took {share} of the gross profit of the closed trades. Small changes of the rates decide."
        )
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
