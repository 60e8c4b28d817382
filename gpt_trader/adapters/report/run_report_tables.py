"""The report's tables, ready to print: months, drawdowns, costs, symbols, exits, decisions, orders and trades."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpt_trader import metrics
from gpt_trader.adapters.report import texts

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Times = NDArray[np.datetime64]

LEVELS = 5  # shades of the heat map on either side of zero
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
EPISODES = 10
SYMBOL_ROWS = 20


class Cell(NamedTuple):
    """One cell of the heat map: its text and its shade, -LEVELS (worst) to LEVELS (best)."""

    text: str
    level: int


class Year(NamedTuple):
    """One row of the monthly table; `benchmark` is empty when there is none."""

    year: int
    months: list[Cell]
    total: Cell
    benchmark: str


class Months(NamedTuple):
    """The monthly table and what is worth saying about it."""

    years: list[Year]
    note: str


def monthly_table(time: Times, equity: Floats, benchmark: Floats | None, capital: float) -> Months:
    """Returns of calendar months and years (UTC), newest year first; the first month counts from the capital."""
    found = metrics.monthly_returns(time, equity, capital)
    values = {
        (int(y), int(m)): float(v) for y, m, v in zip(found.year, found.month, found.value, strict=True)
    }
    shown = np.array(list(values.values()))
    scale = max(0.01, float(np.nanquantile(np.abs(shown), 0.95))) if np.isfinite(shown).any() else 0.01
    totals = _yearly(found)
    of_benchmark = {} if benchmark is None else _yearly(metrics.monthly_returns(time, benchmark, capital))
    years = [
        Year(
            year,
            [_cell(values.get((year, month)), scale) for month in range(1, 13)],
            _cell(total, 3 * scale),
            _cell(of_benchmark[year], scale).text if year in of_benchmark else "",
        )
        for year, total in sorted(totals.items(), reverse=True)
    ]
    finite = shown[np.isfinite(shown)]
    note = ""
    if finite.size:
        best, worst = (texts.percent(float(v), signed=True) for v in (finite.max(), finite.min()))
        gains, flat = int((finite > 0).sum()), int((finite == 0).sum())
        idle = f", {flat} without a change" if flat else ""
        note = f"{gains} of {finite.size} months with a gain{idle}; best {best}, worst {worst}."
    return Months(years, note)


def _yearly(found: Any) -> dict[int, float]:
    """Returns of calendar years: their months compounded."""
    years = np.asarray(found.year)
    return {int(year): float(np.prod(1.0 + found.value[years == year]) - 1.0) for year in np.unique(years)}


def _cell(value: float | None, scale: float) -> Cell:
    if value is None or not math.isfinite(value):
        return Cell("", 0)
    level = min(LEVELS, math.ceil(abs(value) / scale * LEVELS - 1e-9))
    return Cell(texts.percent(value).replace("\u202f%", ""), level if value > 0 else -level)


class Episode(NamedTuple):
    """One drawdown: from its peak over its trough to the bar that reached the peak again (or the end)."""

    depth: str
    peak: str
    trough: str
    recovery: str
    fall: str
    length: str
    peak_x: int
    end_x: int


def drawdown_table(equity: Floats, capital: float, clock: Any) -> list[Episode]:
    """The `EPISODES` deepest drawdowns, deepest first."""
    found = metrics.drawdowns(equity, capital, EPISODES)
    last = clock.time.size - 1
    rows = []
    for item in found:
        peak, end = max(item.peak, 0), item.recovery if item.recovery >= 0 else last
        days = [str(clock.time[row]) for row in (peak, item.trough, end)]
        x = clock.x(np.array([peak, end]))
        rows.append(
            Episode(
                texts.percent(item.depth, signed=True),
                texts.moment(days[0], clock.intraday),
                texts.moment(days[1], clock.intraday),
                texts.moment(days[2], clock.intraday) if item.recovery >= 0 else "not yet",
                _days(clock.time[peak], clock.time[item.trough]),
                _days(clock.time[peak], clock.time[end]),
                x[0],
                x[1],
            )
        )
    return rows


def _days(first: np.datetime64, last: np.datetime64) -> str:
    days = float((last - first) / np.timedelta64(1, "D"))
    return texts.number(days, 0 if days >= 3 else 1)


class SleeveRow(NamedTuple):
    """What one strategy of an account made of its budget, or all of them together."""

    name: str
    capital: str
    profit: str
    costs: str
    fills: str
    round_trips: str


def sleeve_table(
    attribution: pd.DataFrame | None, values: Mapping[str, float], capital: float
) -> list[SleeveRow]:
    """The strategies of an account and the account itself; nothing for a run of one strategy (None)."""
    if attribution is None:
        return []
    rows = [
        SleeveRow(
            str(row["sleeve"]), texts.cash(row["capital"]), texts.cash(row["pnl"]), texts.cash(row["costs"]),
            f"{row['fills']:,}", f"{row['round_trips']:,}",
        )
        for row in attribution.to_dict("records")
    ]  # fmt: skip
    profit, costs = (texts.cash(float(attribution[name].sum())) for name in ("pnl", "costs"))
    trips = texts.number(float(values.get("round_trips", math.nan)), 0)
    return [*rows, SleeveRow("Account", texts.cash(capital), profit, costs, "", trips)]


class CostRow(NamedTuple):
    """One kind of cost and what it amounts to."""

    name: str
    total: str
    share: str
    hint: str


def cost_table(values: Mapping[str, float], capital: float, years: float, traded: float) -> list[CostRow]:
    """Each kind of cost and their sum: in cash and as basis points of all that was traded (cash, both sides)."""

    def row(name: str, key: str, hint: str) -> CostRow:
        total = float(values.get(key, math.nan))
        share = f"{texts.number(total / traded * 1e4, 2)} bp" if traded > 0 else texts.MISSING
        return CostRow(name, texts.cash(total), share, hint)

    total = float(values.get("costs", math.nan))
    drag = texts.percent(total / capital / years, 2) if years > 0 and capital > 0 else texts.MISSING
    borrow = float(values.get("borrow", 0.0))
    return [
        row("Commission", "commission", "what the broker takes"),
        row("Spread and slippage", "slippage", "crossing the spread and moving the price"),
        *([row("Borrow fees", "borrow", "what lent shares cost")] if borrow else []),
        row("Together", "costs", f"{drag} of the starting capital a year"),
    ]


class SymbolRow(NamedTuple):
    """What one symbol did: counts and cash."""

    symbol: str
    trips: int
    wins: str
    closed: float
    open: float
    costs: str
    traded: str

    @property
    def total(self) -> float:
        """Closed and open profit."""
        return self.closed + self.open


def symbol_table(
    symbols: Sequence[str], closed: pd.DataFrame, fills: pd.DataFrame, final: pd.DataFrame
) -> list[SymbolRow]:
    """One row per symbol that traded, the best profit first; `final` are the positions at the last bar.

    Open profit is sales - purchases - costs of all fills + the value still held, less what the closed trades got of
    that; dividends and fees of an open position are not in it.
    """
    notional = fills["quantity"] * fills["price"]
    costs = fills["commission"] + fills["slippage"]
    flow = notional.where(fills["side"] == "sell", -notional) - costs
    value = final.groupby("symbol")["value"].sum()
    traded = notional.groupby(fills["symbol"]).sum()
    paid, flow = costs.groupby(fills["symbol"]).sum(), flow.groupby(fills["symbol"]).sum()
    trips = closed.groupby("symbol")
    count, pnl = trips.size(), trips["pnl"].sum()
    before_income = trips["gross_pnl"].sum() - trips["costs"].sum()
    won = closed[closed["pnl"] > 0].groupby("symbol").size()
    rows = []
    for name in (symbol for symbol in symbols if symbol in traded.index):
        number = int(count.get(name, 0))
        held = float(value.get(name, 0.0))
        rows.append(
            SymbolRow(
                name,
                number,
                texts.percent(float(won.get(name, 0)) / number, 0) if number else texts.MISSING,
                float(pnl.get(name, 0.0)),
                float(flow[name]) + held - float(before_income.get(name, 0.0)) if held else 0.0,
                texts.cash(float(paid[name])),
                texts.cash(float(traded[name])),
            )
        )
    return sorted(rows, key=lambda row: -row.total)


def best_and_worst(rows: list[SymbolRow]) -> list[SymbolRow]:
    """All rows, or half of `SYMBOL_ROWS` from either end."""
    half = SYMBOL_ROWS // 2
    return rows if len(rows) <= SYMBOL_ROWS else rows[:half] + rows[-half:]


class GroupRow(NamedTuple):
    """Round trips that have something in common."""

    name: str
    trips: int
    wins: str
    mean: str
    pnl: float


def exit_table(closed: pd.DataFrame) -> list[GroupRow]:
    """Round trips by side and by what closed them, the most frequent first."""
    if not len(closed):
        return []
    label = closed["side"].astype(str) + ", closed by " + closed["exit_reason"].map(texts.reason)
    rows = [
        GroupRow(
            str(name),
            len(part),
            texts.percent(float((part["pnl"] > 0).mean()), 0),
            texts.percent(float(part["return_"].mean()), 2, signed=True),
            float(part["pnl"].sum()),
        )
        for name, part in closed.groupby(label.to_numpy(), sort=True)
    ]
    return sorted(rows, key=lambda row: -row.trips)[:20]


class Count(NamedTuple):
    """How often something happened."""

    name: str
    detail: str
    times: int


def decision_table(decisions: pd.DataFrame) -> list[Count]:
    """Decisions by verdict and the rule that scaled or refused them."""
    rules = decisions["rule"].fillna("").astype(str).where(decisions["verdict"].astype(str) != "approved", "")
    return _counts(decisions["verdict"].astype(str), rules)


def order_table(orders: pd.DataFrame) -> list[Count]:
    """Orders by what became of them and why."""
    why = orders["end_reason" if "end_reason" in orders else "reason"].fillna("").astype(str)
    return _counts(orders["status"].astype(str), why.where(orders["status"].astype(str) != "filled", ""))


def _counts(names: pd.Series[str], details: pd.Series[str]) -> list[Count]:
    found = names.groupby([names.to_numpy(), details.to_numpy()]).size()
    rows = [Count(str(key[0]), str(key[1]), int(count)) for key, count in found.items()]  # type: ignore[index]
    return sorted(rows, key=lambda row: (-row.times, row.name, row.detail))[:30]


class Head(NamedTuple):
    """One column of the trade table: its key, its title, whether it is a number, and a hint where needed."""

    key: str
    title: str
    number: bool
    hint: str = ""


TRADE_HEADS = (
    Head("symbol", "Symbol", False),
    Head("side", "Side", False),
    Head("entry_time", "Entry", False),
    Head("exit_time", "Exit", False),
    Head("bars", "Bars", True),
    Head("quantity", "Quantity", True),
    Head("entry_price", "In at", True),
    Head("exit_price", "Out at", True),
    Head("pnl", "Profit", True),
    Head("return_", "Return", True, "profit after costs / what the entries cost"),
    Head("costs", "Costs", True),
    Head("mae", "Worst", True, "worst price inside the trade against its entry"),
    Head("mfe", "Best", True, "best price inside the trade against its entry"),
    Head("exit_reason", "Closed by", False),
)


def trade_rows(closed: pd.DataFrame, most: int, intraday: bool) -> list[list[str]]:
    """The last `most` closed trades, newest first, as text in the order of TRADE_HEADS: what shows without a script."""
    writers: dict[str, Callable[[Any], str]] = {
        **dict.fromkeys(("entry_time", "exit_time"), lambda value: texts.moment(value, intraday)),
        **dict.fromkeys(("entry_price", "exit_price"), texts.price),
        **dict.fromkeys(("pnl", "costs"), texts.cash),
        **dict.fromkeys(("mae", "mfe"), texts.percent),
        "quantity": texts.quantity,
        "bars": lambda value: texts.number(value, 0),
        "return_": lambda value: texts.percent(value, 2, signed=True),
        "exit_reason": texts.reason,
    }
    last = closed.tail(most).iloc[::-1]
    return [
        [writers.get(head.key, str)(row[head.key]) for head in TRADE_HEADS] for row in last.to_dict("records")
    ]


class PositionRow(NamedTuple):
    """One position that is open at the last bar."""

    symbol: str
    quantity: str
    price: str
    value: str
    weight: str
    open_pnl: float


def position_rows(final: pd.DataFrame) -> list[PositionRow]:
    """The given rows of the positions table as text."""
    return [
        PositionRow(
            str(row["symbol"]),
            texts.quantity(row["quantity"]),
            texts.price(row["price"]),
            texts.cash(row["value"]),
            texts.percent(row["weight"]),
            float(row["open_pnl"]),
        )
        for row in final.to_dict("records")
    ]
