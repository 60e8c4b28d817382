"""The store of runs in SQLite or PostgreSQL; SQLAlchemy is imported only when one of these names is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpt_trader.adapters.store.errors import StoreError

if TYPE_CHECKING:
    from gpt_trader.adapters.store.records import RunRecord
    from gpt_trader.adapters.store.repository import RunStore

__all__ = ["RunRecord", "RunStore", "StoreError"]


def __getattr__(name: str) -> Any:
    if name == "RunStore":
        from gpt_trader.adapters.store.repository import RunStore

        return RunStore
    if name == "RunRecord":
        from gpt_trader.adapters.store.records import RunRecord

        return RunRecord
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
