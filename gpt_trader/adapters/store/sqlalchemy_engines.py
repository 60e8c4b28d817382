"""SQLAlchemy engines for the store, and the errors of both databases as StoreError."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from gpt_trader.adapters.store import postgres, sqlite
from gpt_trader.adapters.store.errors import StoreError
from gpt_trader.adapters.store.location import EXPECTED, Location
from gpt_trader.errors import UserError


def open_engine(location: Location, busy_timeout: float) -> Engine:
    """An engine for the store; `busy_timeout` is how long, in seconds, to wait for another writer.

    Writing transactions on SQLite are BEGIN IMMEDIATE, so that none fails half way for want of the lock.
    """
    if location.path is not None:
        engine = create_engine(
            f"sqlite:///{location.path}",
            creator=lambda: sqlite.connect(location, busy_timeout),
            poolclass=NullPool,
        )
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        return create_engine(
            location.url,
            pool_pre_ping=True,
            connect_args=postgres.options(busy_timeout),
        )
    except (ArgumentError, ValueError):
        raise UserError(f"store URL {location.shown} cannot be read: {EXPECTED}") from None


def reading(engine: Engine) -> Engine:
    """The same engine for transactions that only read: one consistent view and no write lock."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(gpt_trader_reading=True)
    return engine.execution_options(isolation_level="REPEATABLE READ")


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get("gpt_trader_reading", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


@contextmanager
def store_errors(location: Location) -> Iterator[None]:
    """Turn the database's errors into StoreError with the cause and what to do."""
    try:
        yield
    except DBAPIError as problem:
        raise StoreError(f"store {location.shown}: {_cause(problem.orig or problem, location)}") from problem
    except SQLAlchemyError as problem:
        raise StoreError(f"store {location.shown}: {problem}") from problem
    except _driver_error(location) as problem:
        raise StoreError(f"store {location.shown}: {_cause(problem, location)}") from problem


def _driver_error(location: Location) -> type[Exception]:
    """The error of the driver itself, which rows written past SQLAlchemy raise."""
    if location.path is not None:
        return sqlite3.Error
    from psycopg import Error

    return Error


def _cause(problem: BaseException, location: Location) -> str:
    """One sentence for what the database said."""
    return sqlite.cause(problem) if location.path is not None else postgres.cause(problem)
