"""Runs for the tests of the report: the engine on seeded walks, such a run as it leaves a store, and a page as read."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from gpt_trader.backtesting import backtest
from gpt_trader.bars import Bars
from gpt_trader.result import Result
from gpt_trader.strategies.demo_ma import DemoMa

TABLES = ("equity", "orders", "fills", "closed_trades", "positions", "decisions")
ATTRIBUTES = (
    "run_id",
    "strategy",
    "parameters",
    "symbols",
    "metrics",
    "manifest",
    "fingerprint",
    "warnings",
    "look_ahead",
    "too_good",
    "bars",
)


def random_bars(symbols: tuple[str, ...], count: int, timeframe: str = "1d", seed: int = 7) -> Bars:
    """Seeded random walks on business days, or on the minutes of 390-minute sessions."""
    rng = np.random.default_rng(seed)
    if timeframe == "1d":
        time = pd.bdate_range("2010-01-04", periods=count).to_numpy("datetime64[ns]")
    else:
        session = np.arange(390) * np.timedelta64(1, "m") + np.timedelta64(870, "m")
        days = pd.bdate_range("2018-01-02", periods=-(-count // 390)).to_numpy("datetime64[D]")
        time = (days[:, None] + session[None, :]).ravel()[:count].astype("datetime64[ns]")
    scale, drift = (0.012, 0.00036) if timeframe == "1d" else (0.0006, 1e-6)
    close = 50 * np.exp(np.cumsum(rng.normal(drift, scale, (count, len(symbols))), axis=0))
    open_ = close * np.exp(rng.normal(0, scale / 3, close.shape))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, scale / 2, close.shape)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, scale / 2, close.shape)))
    one = np.ones_like(close)
    return Bars(symbols, time, np.stack([open_, high, low, close, 1e6 * one, one, 0 * one]), timeframe)


def run(
    symbols: tuple[str, ...] = ("AAA", "BBB"), count: int = 900, timeframe: str = "1d", **options: Any
) -> Result:
    """A backtest of demo_ma on random walks; `options` go to `backtest`, `fast` and `slow` to the strategy."""
    strategy = DemoMa(fast=options.pop("fast", 10), slow=options.pop("slow", 50))
    return backtest(strategy, random_bars(symbols, count, timeframe), **options)


def stored(result: Result, **changes: Any) -> Any:
    """The same run as plain attributes and copied tables, some of them changed: what a store hands to the report."""
    plain = {name: getattr(result, name) for name in ATTRIBUTES}
    return SimpleNamespace(**{**plain, **{name: getattr(result, name).copy() for name in TABLES}, **changes})


VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """The page as a list of elements (tag, attributes, own text), in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str], list[str]]] = []
        self._open: list[int] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}, []))
        if tag not in VOID:
            self._open.append(len(self.elements) - 1)

    def handle_endtag(self, tag: str) -> None:
        assert self.elements[self._open.pop()][0] == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        for index in self._open[-4:]:
            self.elements[index][2].append(data)

    def find(self, tag: str, **attributes: str) -> list[str]:
        """Texts of the elements of this tag whose attributes contain these words (`class_` for class)."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [
            "".join(text).strip()
            for name, given, text in self.elements
            if name == tag and all(value in given.get(key, "").split() for key, value in wanted.items())
        ]

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.find("script", id="data")[0])  # type: ignore[no-any-return]
