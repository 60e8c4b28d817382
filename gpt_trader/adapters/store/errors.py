"""The error a store raises: what failed, where, and what to do about it."""

from __future__ import annotations

from gpt_trader.errors import GptTraderError


class StoreError(GptTraderError):
    """The store or the runs folder could not be read or written (exit code 1)."""
