"""Which code of the shipped strategies this version's own tests have checked for look-ahead, by its hash."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from gpt_trader.check_records import CheckOutcome, CheckRecord

TABLE = Path(__file__).with_name("data") / "shipped_checks.json"


def shipped_check(code: str) -> CheckRecord | None:
    """The check of a shipped strategy whose code has this hash; None for other code, an edited copy of it too."""
    table = _table()
    name = table["strategies"].get(code)
    if name is None:
        return None
    return CheckRecord(
        code=code,
        strategy=str(name),
        parameters=None,
        version=int(table["version"]),
        outcome=CheckOutcome.PASSED,
    )


@cache
def _table() -> dict[str, Any]:
    """`version`, and `strategies`: the name by the hash of the code. `gpt_trader/data/build_shipped_checks.py` writes it."""
    table: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return table
