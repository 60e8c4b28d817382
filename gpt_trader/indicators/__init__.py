"""Causal indicators on arrays of bars, used as `from gpt_trader import ta`; each is loaded when first named.

Every indicator takes float64 arrays of shape (T,) or (T, N), time along the first axis, and returns the same
shape (several outputs: a named tuple of such arrays), read-only. Row t depends on rows 0..t alone.

THE RULE FOR MISSING BARS. A bar of a symbol is missing when any input of the call is NaN there. Missing bars
are skipped: windows, lags and recursions run over the symbol's present bars as if the others did not exist,
and the output at a missing bar is NaN. So a window of 20 is 20 present bars, leading NaNs only delay the
start (which makes indicators of indicators work), and each symbol is treated on its own.

A warm-up of w means that the first w present bars are NaN. Values without a meaning, such as a correlation
with a constant, are NaN as well, unless the docstring names a neutral value. Inputs are finite or NaN; while an
infinity is in the window, or in the history of a recursion, the output is undefined.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpt_trader.indicators.averages import Macd, ema, macd, rma, sma, wma
    from gpt_trader.indicators.bands import Bands, bollinger, donchian, highest, keltner, lowest
    from gpt_trader.indicators.changes import crossover, crossunder, momentum, returns, roc, shift
    from gpt_trader.indicators.oscillators import DirectionalMovement, Stochastic, adx, rsi, stochastic
    from gpt_trader.indicators.statistics import (
        percentile_rank,
        rolling_beta,
        rolling_corr,
        rolling_quantile,
        rolling_std,
        zscore,
    )
    from gpt_trader.indicators.volatility import atr, realised_volatility, true_range
    from gpt_trader.indicators.volume import obv, rolling_vwap, vwap

__all__ = [
    "Bands",
    "DirectionalMovement",
    "Macd",
    "Stochastic",
    "adx",
    "atr",
    "bollinger",
    "crossover",
    "crossunder",
    "donchian",
    "ema",
    "highest",
    "keltner",
    "lowest",
    "macd",
    "momentum",
    "obv",
    "percentile_rank",
    "realised_volatility",
    "returns",
    "rma",
    "roc",
    "rolling_beta",
    "rolling_corr",
    "rolling_quantile",
    "rolling_std",
    "rolling_vwap",
    "rsi",
    "shift",
    "sma",
    "stochastic",
    "true_range",
    "vwap",
    "wma",
    "zscore",
]

_MODULES = {
    "averages": ("Macd", "ema", "macd", "rma", "sma", "wma"),
    "bands": ("Bands", "bollinger", "donchian", "highest", "keltner", "lowest"),
    "changes": ("crossover", "crossunder", "momentum", "returns", "roc", "shift"),
    "oscillators": ("DirectionalMovement", "Stochastic", "adx", "rsi", "stochastic"),
    "statistics": (
        "percentile_rank",
        "rolling_beta",
        "rolling_corr",
        "rolling_quantile",
        "rolling_std",
        "zscore",
    ),
    "volatility": ("atr", "realised_volatility", "true_range"),
    "volume": ("obv", "rolling_vwap", "vwap"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    found = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
