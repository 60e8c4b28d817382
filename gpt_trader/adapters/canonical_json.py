"""Canonical JSON: one spelling of a value, so that equal content has equal bytes and an equal hash."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from enum import Enum
from pathlib import PurePath
from typing import Any

import numpy as np

from gpt_trader.errors import UserError


def canonical_json(value: Any) -> bytes:
    """`value` as UTF-8 JSON with one possible spelling: sorted keys, no spaces, shortest exact floats, a final newline.

    NaN becomes null and infinities "Infinity" or "-Infinity", which JSON has no numbers for; times become ISO 8601.
    """
    text = json.dumps(
        _plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode("utf-8") + b"\n"


def _plain(value: Any) -> Any:
    """`value` as JSON's own types."""
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, np.generic) and not isinstance(value, (np.datetime64, np.timedelta64)):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return None if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(item) for item in value), key=repr)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.datetime64):
        return iso_time(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, PurePath):
        return value.as_posix()
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    raise UserError(
        f"cannot write a {type(value).__name__} into a manifest: expected numbers, text, times, lists, tuples, "
        f"mappings or dataclasses of these; convert it in the strategy's parameters or the manifest"
    )


def iso_time(value: Any) -> str:
    """A time of any kind as ISO 8601: a date when it is midnight, else to the second or as fine as it is."""
    moment = np.datetime64(value, "ns")
    if np.isnat(moment):
        return ""
    for unit in ("D", "s", "us"):
        if moment.astype(f"datetime64[{unit}]").astype("datetime64[ns]") == moment:
            return str(moment.astype(f"datetime64[{unit}]"))
    return str(moment)
