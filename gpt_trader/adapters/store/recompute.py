"""placeholder"""
from __future__ import annotations
from typing import TYPE_CHECKING, Any
import numpy as np
if TYPE_CHECKING:
    import pandas as pd
from gpt_trader.bars import parse_time
from gpt_trader.errors import BadRange


def within(time: pd.Series[pd.Timestamp], start: Any, end: Any) -> pd.Series[bool]:
    """Which of `time` lies from `start` to `end`, both inclusive; a date as `end` is its whole day."""
    first, last = parse_time(start), parse_time(end, end_of_day=True)
    if first is not None and last is not None and first > last:
        raise BadRange(f"start {start} lies after end {end}; give the earlier date as start")
    values = time.to_numpy()
    return ((first is None) | (values >= first)) & ((last is None) | (values <= last))
