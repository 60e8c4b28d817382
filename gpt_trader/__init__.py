"""GPT-Trader: one strategy file from sweep to broker. Everything a user needs is importable from here, and loaded when named."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gpt_trader.version import __version__

if TYPE_CHECKING:
    from gpt_trader import indicators as ta
    from gpt_trader.adapters.loader import load_bars
    from gpt_trader.adapters.report import write_report
    from gpt_trader.allocation import Allocation
    from gpt_trader.backtesting import backtest
    from gpt_trader.bars import Bars
    from gpt_trader.batch import backtest_many
    from gpt_trader.check_and_remember import check_strategy
    from gpt_trader.costs import Costs, FillModel
    from gpt_trader.exits import AtrStop, BreakEven, ScaleOut, StopLoss, TakeProfit, TimeStop, TrailingStop
    from gpt_trader.instruments import Instrument
    from gpt_trader.orders import OrderRequest
    from gpt_trader.parameter_sweep import SweepResult, sweep
    from gpt_trader.portfolio import PortfolioResult, Sleeve, backtest_portfolio
    from gpt_trader.result import Result
    from gpt_trader.risk import RiskLimits
    from gpt_trader.segmented_backtest import Segment, backtest_segments
    from gpt_trader.strategy import Features, Held, OrderStrategy, Row, Strategy, Weights, param, per_symbol

_HOMES = {
    "Allocation": "allocation", "Bars": "bars", "Costs": "costs", "FillModel": "costs", "Instrument": "instruments",
    "RiskLimits": "risk", "Result": "result", "backtest": "backtesting", "backtest_many": "batch",
    **dict.fromkeys(("Segment", "backtest_segments"), "segmented_backtest"),
    "check_strategy": "check_and_remember", "load_bars": "adapters.loader", "write_report": "adapters.report",
    **dict.fromkeys(("PortfolioResult", "Sleeve", "backtest_portfolio"), "portfolio"),
    "OrderRequest": "orders", "SweepResult": "parameter_sweep", "sweep": "parameter_sweep",
    **dict.fromkeys(("AtrStop", "BreakEven", "ScaleOut", "StopLoss", "TakeProfit", "TimeStop", "TrailingStop"), "exits"),
    **dict.fromkeys(
        ("Features", "Held", "OrderStrategy", "Row", "Strategy", "Weights", "param", "per_symbol"), "strategy"
    ),
}  # fmt: skip

__all__ = [
    "Allocation", "AtrStop", "Bars", "BreakEven", "Costs", "Features", "FillModel", "Held", "Instrument", "OrderRequest",
    "OrderStrategy", "PortfolioResult", "Result", "RiskLimits", "Row", "ScaleOut", "Segment", "Sleeve", "StopLoss", "Strategy",
    "SweepResult", "TakeProfit", "TimeStop", "TrailingStop", "Weights", "__version__", "backtest", "backtest_many",
    "backtest_portfolio", "backtest_segments", "check_strategy", "load_bars", "param", "per_symbol", "sweep", "ta",
    "write_report",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "ta":
        value: Any = import_module("gpt_trader.indicators")
    elif name in _HOMES:
        value = getattr(import_module(f"gpt_trader.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module 'gpt_trader' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
