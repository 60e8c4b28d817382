"""Bringing a store's schema up or down: one transaction each, so that a kill leaves the old schema or the new one."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from gpt_trader.adapters.store.errors import StoreError
from gpt_trader.adapters.store.location import Location
from gpt_trader.adapters.store.migrations import HEAD, REVISIONS
from gpt_trader.errors import UnknownName

_LOCK = 7_203_145_551  # any fixed number: PostgreSQL's advisory lock that lets one process migrate at a time


def refuse_unknown(revision: str | None, location: Location) -> None:
    """Raise StoreError for a store that newer code has made."""
    if revision is not None and revision not in REVISIONS:
        raise StoreError(
            f"store {location.shown} has schema {revision}, this code knows up to {HEAD}: a newer GPT-Trader made it; "
            f"upgrade GPT-Trader or name another store"
        )


def current_revision(connection: Connection) -> str | None:
    """The store's revision, None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if revision is None else str(revision)


def migrate(engine: Engine, location: Location, target: str = HEAD) -> tuple[str | None, str | None]:
    """Bring the store to revision `target` ("base" for an empty one); the revisions before and after.

    Raises UnknownName for a target that does not exist and StoreError for a store that newer code has made.
    """
    if target not in (*REVISIONS, "base"):
        raise UnknownName("schema revision", target, (*REVISIONS, "base"))
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        before = current_revision(connection)
        refuse_unknown(before, location)
        order = ("base", *REVISIONS)
        steps = order.index(target) - order.index(before or "base")
        if steps:
            _run_alembic(connection, target, up=steps > 0)
        return before, current_revision(connection)


def _run_alembic(connection: Connection, target: str, *, up: bool) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    (command.upgrade if up else command.downgrade)(config, target)
