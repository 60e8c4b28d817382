"""Hold from the first tradable bar: the benchmark of every report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gpt_trader.strategy import Strategy, Weights


@dataclass(frozen=True)
class BuyAndHold(Strategy):
    """An equal share of the capital in every symbol from its first bar on; never sold."""

    def decide(self, now: Any) -> Weights:
        """1/N in every symbol that trades."""
        return np.where(np.isnan(now.close), np.nan, 1.0 / now.close.shape[-1])
