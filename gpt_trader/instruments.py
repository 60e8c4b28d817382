"""What an instrument is to the engine: its lot and its sector."""

from __future__ import annotations

from dataclasses import dataclass

from gpt_trader.errors import BadParameter


@dataclass(frozen=True, slots=True)
class Instrument:
    """One tradable symbol: `lot` is the smallest quantity and its multiples (1 = whole shares, 0 = any fraction)."""

    symbol: str
    lot: float = 1.0
    sector: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.lot < 1e9:
            raise BadParameter(f"{self.symbol}: lot is {self.lot}; use 1 for whole shares, 0 for fractions")
