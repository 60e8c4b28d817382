"""Keeps what steps write down: in memory only the newest rows, the others with whoever takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.engine.account_memory import join_records
from gpt_trader.engine.messages import Written

LOGS = Written._fields


class Recorder:
    """Gathers records until there are `most` rows of one kind, and hands these to `sink(kind, rows)`.

    Kinds: "orders", "fills", "trades", "decisions" (rows of `records` types), "curve" (K, 4). Without a sink all rows are kept.
    """

    def __init__(self, sink: Callable[[str, NDArray[Any]], None] | None = None, most: int = 4_096) -> None:
        self._sink, self._most = sink, most
        self._parts: dict[str, list[NDArray[Any]]] = {name: [] for name in LOGS}
        self._counts = dict.fromkeys(LOGS, 0)

    def add(self, written: Written) -> None:
        """Keep what a step wrote."""
        for name, rows in zip(LOGS, written, strict=True):
            if not len(rows):
                continue
            self._parts[name].append(rows)
            self._counts[name] += len(rows)
            if self._sink is not None and self._counts[name] >= self._most:
                self._sink(name, self.take(name))

    def take(self, name: str) -> NDArray[Any]:
        """The rows of one kind that are kept, which then are no longer."""
        rows = self.rows(name)
        self._parts[name], self._counts[name] = [], 0
        return rows

    def rows(self, name: str) -> NDArray[Any]:
        """The rows of one kind that are kept, oldest first."""
        parts = self._parts[name]
        if not parts:
            return np.empty(0)
        return np.concatenate(parts) if parts[0].dtype.names is None else join_records(parts)

    def flush(self) -> None:
        """Hand over everything that is kept."""
        if self._sink is not None:
            for name in LOGS:
                if self._counts[name]:
                    self._sink(name, self.take(name))
