"""What a strategy decides at the close of one bar, called in Python: weights, or order requests, with every answer checked."""

from __future__ import annotations

from collections.abc import Mapping
from math import isinf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.engine import strategy_calls
from gpt_trader.errors import StrategyError
from gpt_trader.orders import OrderRequest
from gpt_trader.strategy import Held, Row, Strategy, is_per_symbol, strategy_name

Columns = Mapping[str, NDArray[Any]]
Requests = tuple[OrderRequest, ...]


def decided_weights(
    strategy: Strategy, columns: Columns, held: Held | None, t: int, symbols: int
) -> NDArray[np.float64]:
    """The weights (N,) that a strategy decides at row t of its columns, each (T, N) or (T, 1); `held` for rules that read it."""
    if is_per_symbol(strategy):
        return decide_each(strategy, columns, held, t, symbols)
    return decide_row(strategy, columns, held, t, symbols)


def decide_row(
    strategy: Strategy, columns: Columns, held: Held | None, t: int, symbols: int
) -> NDArray[np.float64]:
    """The targets (N,) of one bar from one call."""
    return strategy_calls.decide_bar(strategy, Row({k: a[t] for k, a in columns.items()}), held, symbols)


def decide_each(
    strategy: Strategy, columns: Columns, held: Held | None, t: int, symbols: int
) -> NDArray[np.float64]:
    """The targets (N,) of one bar from a call per symbol with plain numbers."""
    cells = [a[t].tolist() if a.shape[1] == symbols else a[t].tolist() * symbols for a in columns.values()]
    rows = [Row(dict(zip(columns, values, strict=True))) for values in zip(*cells, strict=True)]
    if held is None:
        answers = [strategy_calls.call_strategy(strategy, "decide", strategy.decide, row) for row in rows]
    else:
        answers = [
            strategy_calls.call_strategy(strategy, "decide", strategy.decide, row, held_of(held, n))
            for n, row in enumerate(rows)
        ]
    if all(type(answer) is float and not isinf(answer) for answer in answers):
        return np.array(answers)
    return np.array([strategy_calls.checked_targets(strategy, answer, (1,))[0] for answer in answers])


def decided_requests(strategy: Any, columns: Columns, held: Held, t: int, symbols: int) -> Requests:
    """The orders that an order strategy asks for at row t of its columns; those of a `@per_symbol` rule go to their symbol."""
    name = strategy_name(type(strategy))
    if not is_per_symbol(strategy):
        row = Row({k: a[t] for k, a in columns.items()})
        answer = strategy_calls.call_strategy(strategy, "decide", strategy.decide, row, held)
        return () if answer is None or answer == () else checked_requests(answer, name)
    found: list[OrderRequest] = []
    for n in range(symbols):
        row = Row({k: a[t, n if a.shape[1] > n else 0].item() for k, a in columns.items()})
        answer = strategy_calls.call_strategy(strategy, "decide", strategy.decide, row, held_of(held, n))
        if answer is not None and answer != ():
            found += [request._replace(symbol=n) for request in checked_requests(answer, name)]
    return tuple(found)


def held_of(held: Held, n: int) -> Held:
    """The scalars of symbol n."""
    return Held(
        float(held.weight[n]), float(held.quantity[n]), float(held.entry[n]), float(held.peak[n]), float(held.age[n]),
        held.equity, held.cash,
    )  # fmt: skip


def checked_requests(answer: Any, name: str) -> Requests:
    """One request or a sequence of them as a tuple. Raises StrategyError for anything else."""
    requests = (answer,) if isinstance(answer, OrderRequest) else answer
    if not isinstance(requests, tuple | list) or not all(isinstance(item, OrderRequest) for item in requests):
        raise StrategyError(f"{name}.decide returned {type(answer).__name__}; return OrderRequests or None")
    return tuple(requests)
