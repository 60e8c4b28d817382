"""The register of look-ahead checks: every check that was made of any code, never changed and never removed."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime

from gpt_trader.adapters.store.errors import StoreError
from gpt_trader.adapters.store.rows import Rows, json_text, moment, names
from gpt_trader.check_records import CheckOutcome, CheckRecord

_COLUMNS = (
    "code", "strategy", "parameters", "version", "outcome", "finding", "data", "symbols", "start", "end", "timeframe", "bars",
    "samples", "checked_at", "code_version",
)  # fmt: skip
_AS_TEXT = ("parameters", "symbols", "checked_at")
_OF_CODE = (
    "SELECT "
    + ", ".join(f'CAST("{name}" AS text)' if name in _AS_TEXT else f'"{name}"' for name in _COLUMNS)
    + " FROM checks WHERE code = ? ORDER BY checked_at, number"
)


@dataclass(frozen=True, slots=True)
class CheckRegister:
    """The register of a store; `RunStore.checks` gives it. Every method raises StoreError as those of the store do.

    On SQLite it imports neither SQLAlchemy nor pandas.
    """

    _writing: Callable[[], AbstractContextManager[Rows]] = field(repr=False)
    _reading: Callable[[], AbstractContextManager[Rows]] = field(repr=False)

    def record(self, check: CheckRecord) -> None:
        """Add a check. Raises StoreError for one that was not made at a time: that of a shipped strategy, which is in no store."""
        if check.checked_at is None:
            raise StoreError(
                f"the check of {check.strategy} has no time; only one that was made here is recorded"
            )
        values = (
            check.code, check.strategy, json_text(dict(check.parameters or {})), check.version, check.outcome.value, check.finding,
            check.data, json_text(list(check.symbols)), check.start, check.end, check.timeframe, check.bars, check.samples,
            moment(check.checked_at), check.code_version,
        )  # fmt: skip
        marks = ", ".join("?" * len(_COLUMNS))
        with self._writing() as rows:
            rows.execute(f"INSERT INTO checks ({names(_COLUMNS)}) VALUES ({marks})", values)

    def of(self, code: str) -> tuple[CheckRecord, ...]:
        """The checks of the code with this hash, oldest first."""
        with self._reading() as rows:
            found = rows.select(_OF_CODE, (code,))
        return tuple(_check(dict(zip(_COLUMNS, row, strict=True))) for row in found)


def _check(row: dict[str, object]) -> CheckRecord:
    """A row as a record."""
    told: dict[str, object] = {
        **row,
        "parameters": json.loads(str(row["parameters"])),
        "symbols": tuple(json.loads(str(row["symbols"]))),
        "outcome": CheckOutcome(str(row["outcome"])),
        "checked_at": datetime.fromisoformat(str(row["checked_at"])),
    }
    return CheckRecord(**told)  # type: ignore[arg-type]
