"""Builds what a run needs: the rules record, the market arrays and an empty book."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.allocation import Allocation
from gpt_trader.bars import Bars
from gpt_trader.costs import Costs, FillModel
from gpt_trader.declared_rules import record_values
from gpt_trader.engine.account_memory import repeat_record
from gpt_trader.engine.records import (
    ATR_SIZE,
    ATR_STOP,
    ENDED,
    EVENT,
    INFO,
    REGIME,
    RULE,
    RULE_FIELDS,
    SCORE,
    MarketData,
)  # fmt: skip
from gpt_trader.errors import BadParameter, UnknownName
from gpt_trader.exits import (
    AtrStop,
    BreakEven,
    Exit,
    ScaleOut,
    StopLoss,
    TakeProfit,
    TimeStop,
    TrailingStop,
    checked_exits,
)
from gpt_trader.instruments import Instrument
from gpt_trader.risk import NO_LIMIT, RiskLimits

UNUSED = np.full((1, 1), np.nan)
UNUSED.setflags(write=False)  # as the splits are: one type of array, one machine code
NO_SIGNALS = np.full((3, 1, 1), np.nan)
NO_RULES: dict[str, float] = dict.fromkeys(RULE_FIELDS, 0.0)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything of a run that is neither strategy nor data."""

    capital: float = 100_000.0
    costs: Costs = field(default_factory=Costs)
    allocation: Allocation = field(default_factory=Allocation)
    fills: FillModel = field(default_factory=FillModel)
    risk: RiskLimits | None = None
    exits: tuple[Exit, ...] = ()
    instruments: tuple[Instrument, ...] = ()
    index: Bars | None = None

    def __post_init__(self) -> None:
        if not 0 < self.capital < 1e15:
            raise BadParameter(f"capital is {self.capital:g}; give an amount of cash above 0 and below 1e15")


def settings_of(
    bars: Bars,
    capital: float,
    costs: Costs | None,
    allocation: Allocation | None,
    risk: RiskLimits | None,
    fills: FillModel | None,
    exits: Iterable[Exit],
    instruments: Mapping[str, Instrument] | Iterable[Instrument],
    index: Bars | None,
) -> Settings:
    """The settings of a run from the arguments of `backtest`; instruments of symbols that are not traded are left out."""
    given = tuple(instruments.values() if isinstance(instruments, Mapping) else instruments)
    _check_kinds(
        bars, capital, given, costs=costs, allocation=allocation, risk=risk, fills=fills, index=index
    )
    names = frozenset(bars.symbols) if given else frozenset()
    return Settings(
        capital, costs or Costs(), allocation or Allocation(), fills or FillModel(), risk, checked_exits(exits, "backtest"),
        tuple(item for item in given if item.symbol in names), index,
    )  # fmt: skip


_KINDS: Mapping[str, type] = {
    "costs": Costs,
    "allocation": Allocation,
    "risk": RiskLimits,
    "fills": FillModel,
    "index": Bars,
}


def _check_kinds(bars: Any, capital: Any, instruments: Iterable[Any], **settings: Any) -> None:
    """Raises BadParameter for an argument that is not what its name says, such as a table where Bars are due."""
    if not isinstance(bars, Bars):
        raise BadParameter(
            f"a backtest needs Bars, got {type(bars).__name__}; load_bars(…) or Bars.from_frame(…) makes them"
        )
    if isinstance(capital, bool) or not isinstance(capital, int | float | np.integer | np.floating):
        raise BadParameter(f"capital is {capital!r}; give a positive amount of cash")
    for name, value in settings.items():
        kind = _KINDS[name]
        if value is not None and not isinstance(value, kind):
            raise BadParameter(f"{name} is {value!r}; give {kind.__name__}(…)")
    for item in instruments:
        if not isinstance(item, Instrument):
            raise BadParameter(f"instruments holds {item!r}; give Instrument(symbol, …)")


def checked_first(first: Any, bars: Bars) -> int:
    """`first` as the row of `bars` at which an account begins. Raises BadParameter for what is no row."""
    if isinstance(first, bool) or not isinstance(first, int | np.integer) or not 0 <= first < bars.T:
        raise BadParameter(f"first is {first!r}; the account begins at a row of the bars, 0 to {bars.T - 1}")
    return int(first)


def rules_record(settings: Settings, exits: tuple[Exit, ...], units: bool, score: bool) -> NDArray[Any]:
    """The (1,) RULE record of a run, read-only."""
    return _rules_record(
        settings.costs, settings.fills, settings.allocation, settings.risk, exits, units, score
    )


@lru_cache(maxsize=64)
def _rules_record(
    costs: Costs, fills: FillModel, allocation: Allocation, risk: RiskLimits | None, exits: tuple[Exit, ...], units: bool,
    score: bool,
) -> NDArray[Any]:  # fmt: skip
    values: dict[str, float] = {
        **record_values(costs, NO_LIMIT), **record_values(fills, NO_LIMIT), **record_values(allocation, NO_LIMIT),
        "regime_on": float(allocation.regime is not None), "units": float(units), "score_on": float(score),
    }  # fmt: skip
    if units:
        values["sizing"] = 0.0
    values |= _exit_values(exits)
    if risk is not None:
        values |= {"risk_on": 1.0, **record_values(risk, NO_LIMIT)}
        if risk.positions is not None:
            values["max_positions"] = min(allocation.max_positions, risk.positions)
            values["risk_slots"] = float(risk.positions < allocation.max_positions)
    numbers = np.array(tuple((NO_RULES | values).values()), np.float64)
    numbers.setflags(write=False)
    return numbers.view(RULE)


def _exit_values(exits: tuple[Exit, ...]) -> dict[str, float]:
    if not exits:
        return {}
    values: dict[str, float] = {"exits_on": 1.0}
    kinds = [type(item) for item in exits]
    if len(set(kinds)) != len(kinds):
        raise BadParameter(
            f"the same kind of exit was declared twice: {', '.join(kind.__name__ for kind in kinds)}"
        )
    for item in exits:
        match item:
            case StopLoss(fraction):
                values["stop_loss"] = fraction
            case TrailingStop(fraction, after):
                values |= {"trailing": fraction, "trailing_after": after}
            case BreakEven(after):
                values["break_even"] = after
            case AtrStop(k, _):
                values["stop_atr_k"] = k
            case TakeProfit(fraction):
                values["take_profit"] = fraction
            case TimeStop(bars):
                values["time_stop"] = bars
            case ScaleOut(steps):
                values["scale_steps"] = len(steps)
                for number, (gain, share) in enumerate(steps, 1):
                    values |= {f"gain{number}": gain, f"share{number}": share}
    return values


def build_market(
    bars: Bars, settings: Settings, exits: tuple[Exit, ...], score: NDArray[np.float64] | None
) -> MarketData:
    """The engine's view of `bars` (raw basis), with the average true ranges, ranks and regime that the rules use."""
    info = blank_info(bars.N)
    if settings.instruments:
        _describe(info, bars.symbols, {item.symbol: item for item in settings.instruments})
    info["last_session"] = bars.last_session
    info["first_volume"], events, time = market_constants(bars)
    flags = events + REGIME * _regime(bars, settings)
    return MarketData(bars.panel, _signals(bars, settings, exits, score), time, flags, info)


def blank_info(symbols: int) -> NDArray[Any]:
    """(symbols,) INFO of symbols of which nothing is known: whole shares, no sector."""
    return repeat_record(_blank_info_record(), symbols)


@cache
def _blank_info_record() -> NDArray[Any]:
    """The INFO record of a symbol of which nothing is known."""
    info = np.zeros(1, INFO)
    info["lot"] = Instrument("").lot
    info["next_peer"] = -1
    return info


def _describe(info: NDArray[Any], symbols: tuple[str, ...], known: Mapping[str, Instrument]) -> None:
    """Lots and the chains of sectors of the instruments that are known by symbol."""
    last: dict[str, int] = {}
    for n, name in enumerate(symbols):
        item = known.get(name)
        if item is None:
            continue
        info[n]["lot"] = item.lot
        if item.sector is None:
            continue
        if item.sector in last:
            info[last[item.sector]]["next_peer"] = n
        else:
            info[n]["leads"] = 1
        last[item.sector] = n


def _signals(
    bars: Bars, settings: Settings, exits: tuple[Exit, ...], score: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """(3, T, N) average true ranges and ranks, or (3, 1, 1) when nothing asks for them."""
    if not exits and settings.allocation.sizing != "risk" and score is None:
        return NO_SIGNALS
    stop = next((item.n for item in exits if isinstance(item, AtrStop)), None)
    size = settings.allocation.atr if settings.allocation.sizing == "risk" else None
    if stop is None and size is None and score is None:
        return NO_SIGNALS
    signals = np.empty(
        (3, bars.T, bars.N)
    )  # rows that no rule asks for are never touched: they take no memory
    if stop is not None:
        signals[ATR_STOP] = _raw_atr(bars, stop)
    if size is not None:
        signals[ATR_SIZE] = _raw_atr(bars, size)
    if score is not None:
        signals[SCORE] = score
    return signals


def market_constants(bars: Bars) -> tuple[NDArray[np.int64], NDArray[np.int8], NDArray[np.int64]]:
    """(N,) first row with volume (T without any), (T,) flags EVENT and ENDED, (T,) time in ns; made once per bars."""
    return bars._once("market_constants", lambda: _market_constants(bars))


def _market_constants(bars: Bars) -> tuple[NDArray[np.int64], NDArray[np.int8], NDArray[np.int64]]:
    flags = np.zeros(bars.T, np.int8)
    if bars.has_splits:
        flags[(bars.split != 1.0).any(axis=1)] = EVENT
    if bars.dividend.any():
        flags[bars.dividend.any(axis=1)] = EVENT
    if any(bars.delisted):
        left = bars.last_session + 1
        flags[left[left < bars.T]] = EVENT
        flags[left.min() :] |= ENDED
    return _first_volume(bars.volume), flags, bars.time.view(np.int64)


def _first_volume(volume: NDArray[np.float64]) -> NDArray[np.int64]:
    """(N,) first row with volume, T without any."""
    bars, symbols = volume.shape
    rows = np.zeros(symbols, np.int64)
    if volume[0].all():  # none is negative
        return rows
    waiting = np.flatnonzero(volume[0] == 0)
    step = 64
    for start in range(1, bars, step):
        if waiting.size == 0:
            break
        traded = volume[start : start + step, waiting] > 0
        found = traded.any(axis=0)
        rows[waiting[found]] = start + traded[:, found].argmax(axis=0)
        waiting = waiting[~found]
    rows[waiting] = bars
    return rows


def _raw_atr(bars: Bars, n: int) -> NDArray[np.float64]:
    """Wilder's average true range (T, N), made on the continuous basis and given back on the raw one."""
    from gpt_trader.indicators import atr

    smooth = bars.continuous()
    average: NDArray[np.float64] = atr(smooth.high, smooth.low, smooth.close, n)
    return average if smooth is bars else average / bars.split_factor


def _regime(bars: Bars, settings: Settings) -> NDArray[np.int8] | np.int8:
    """(T,) 1 where the regime symbol closes at or above its mean; 0 before the mean is defined.

    The symbol is one of the run's, or of `settings.index`, whose last bar at or before bar t then counts.
    """
    symbol, window = settings.allocation.regime, settings.allocation.regime_window
    if symbol is None:
        return np.int8(1)
    from gpt_trader.indicators import sma

    source = bars if symbol in bars.symbols else settings.index
    if source is None or symbol not in source.symbols:
        raise UnknownName("regime symbol (trade it, or pass its bars as index=)", symbol, bars.symbols)
    if source.timeframe != bars.timeframe:
        raise BadParameter(
            f"the regime index has bars of {source.timeframe}, the run of {bars.timeframe}; they must be the same, for a "
            "longer bar is not complete when a shorter one of its time closes"
        )
    close = np.ascontiguousarray(source.continuous().close[:, source.symbols.index(symbol)])
    with np.errstate(invalid="ignore"):
        above = (close >= sma(close, window)).astype(np.int8)
    if source is bars:
        return above
    known = ~np.isnan(close)
    rows = np.searchsorted(source.time[known], bars.time, side="right") - 1
    return np.where(rows >= 0, above[known][np.maximum(rows, 0)], 0).astype(np.int8)
