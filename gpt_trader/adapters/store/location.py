"""Where a store is: its URL read and checked, and shown without its password. Needs no SQLAlchemy."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

from gpt_trader.errors import UserError

EXPECTED = "expected sqlite:///FOLDER/FILE or postgresql://USER@HOST:PORT/DATABASE"


@dataclass(frozen=True, slots=True)
class Location:
    """A store's place: `path` is the file of an SQLite store and None for PostgreSQL; `shown` never has a password."""

    url: str = field(repr=False)
    shown: str
    path: Path | None
    read_only: bool = False


def locate(url: str) -> Location:
    """The place a store URL names; `sqlite:///FILE?mode=ro` opens a file only for reading. Raises UserError."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise UserError(f"a store is named by a URL: {EXPECTED}")
    if scheme in ("sqlite", "sqlite+pysqlite"):
        name, _, query = rest.removeprefix("/").partition("?")
        if not rest.startswith("/") or name in ("", ":memory:"):
            raise UserError(f"a store in memory would be lost at once: {EXPECTED}")
        if query not in ("", "mode=ro"):
            raise UserError(f"store URL has the option {query!r}; only mode=ro (read only) is known")
        return Location(url, url, Path(name).expanduser(), query == "mode=ro")
    if scheme in ("postgresql", "postgres", "postgresql+psycopg"):
        return Location(f"postgresql+psycopg://{rest}", _without_password(scheme, rest), None)
    raise UserError(f"store URL has the kind {scheme!r}: {EXPECTED}")


def _without_password(scheme: str, rest: str) -> str:
    """A PostgreSQL URL with its password starred, in the user part and in the query."""
    parts = urlsplit(f"{scheme}://{rest}")
    user, at, host = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    query = "&".join(
        f"{key}={'***' if 'pass' in key.lower() else quote(value, safe='/')}"
        for key, values in parse_qs(parts.query).items()
        for value in values
    )
    return urlunsplit((parts.scheme, f"{name}{colon and ':***'}{at}{host}", parts.path, query, ""))
