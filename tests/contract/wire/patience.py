"""A retry policy for tests: its own clock, waits that only move that clock, and short real time-outs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from gpt_trader.adapters.http_policy import RetryPolicy


@dataclass
class Waits:
    """Records each wait; `elapsed` counts the waits and the real time that passed."""

    waited: list[float] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def sleep(self, seconds: float) -> None:
        """Waits without waiting."""
        self.waited.append(seconds)

    def elapsed(self) -> float:
        """Seconds since the start, the waits included."""
        return time.monotonic() - self.began + sum(self.waited)


def policy_at(now: float, waits: Waits | None = None, **changes: Any) -> RetryPolicy:
    """The adapters' default policy at Unix time `now`, with `waits` in place of real ones."""
    waits = waits or Waits()
    return RetryPolicy(sleep=waits.sleep, clock=waits.elapsed, wall_clock=lambda: now, **changes)
