"""Decisions that wait: weights, ranks and order requests on which a fill model with a delay acts some bars later."""

from __future__ import annotations

from collections import deque
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gpt_trader.orders import OrderRequest

Floats = NDArray[np.float64]


@dataclass(slots=True)
class DecisionDelay:
    """The decisions of the last `delay` bars.

    `weights` and `ranks` (delay, N): what was decided in bar t stands in row t % delay until bar t + delay, NaN where nothing
    was. `requests`: the bar in which an order is submitted, and the request, in the order in which they were made.
    """

    delay: int
    weights: Floats
    ranks: Floats
    requests: deque[tuple[int, OrderRequest]]

    @classmethod
    def empty(cls, delay: int, symbols: int) -> Self:
        """Before the first decision."""
        rows = np.empty((2, delay, symbols))
        rows.fill(np.nan)
        return cls(delay, rows[0], rows[1], deque())

    def copy(self) -> Self:
        """An independent deep copy."""
        return deepcopy(self)

    def weights_at(self, t: int, decided: Floats) -> Floats:
        """The weights (N,) to act on in bar t, whose own were `decided`."""
        if self.delay == 0:
            return decided
        row = t % self.delay
        due = self.weights[row].copy()
        self.weights[row] = decided
        return due

    def requests_at(self, t: int, made: tuple[OrderRequest, ...]) -> tuple[OrderRequest, ...]:
        """The requests to submit in bar t, in which those of `made` were decided."""
        if self.delay == 0:
            return made
        self.requests.extend((t + self.delay, request) for request in made)
        due = []
        while self.requests and self.requests[0][0] <= t:
            due.append(self.requests.popleft()[1])
        return tuple(due)

    def queue(self) -> tuple[Floats, NDArray[np.int64]]:
        """The requests as the compiled loop keeps them: rows of due bar and fields, and (first row, row after the last)."""
        rows = np.empty((2 * len(self.requests) + 16, 1 + len(OrderRequest._fields)))
        for row, (due, request) in zip(rows, self.requests, strict=False):
            row[0], row[1:] = due, request
        return rows, np.array([0, len(self.requests)], np.int64)

    def restore(self, rows: Floats, ends: NDArray[Any]) -> None:
        """The requests from such a queue."""
        self.requests = deque(
            (
                int(due),
                OrderRequest(int(kind), quantity, limit, stop, trail, profit, loss, int(day), int(symbol)),
            )
            for due, kind, quantity, limit, stop, trail, profit, loss, day, symbol in rows[
                ends[0] : ends[1]
            ].tolist()
        )


def delayed_rows(ring: Floats, rows: Floats, start: int) -> Floats:
    """`rows` (L, N), decided from bar `start` on, as they are acted on: later by as many bars as `ring` has rows, those that
    waited in `ring` first. The last of them wait in it afterwards."""
    delay, count = len(ring), len(rows)
    if delay == 0:
        return rows
    ahead = min(delay, count)
    out = np.empty_like(rows)
    out[:ahead] = ring[np.arange(start, start + ahead) % delay]
    out[ahead:] = rows[: count - ahead]
    ring[np.arange(start + count - ahead, start + count) % delay] = rows[count - ahead :]
    return out
