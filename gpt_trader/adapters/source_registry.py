"""The bar sources by name: each is imported only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gpt_trader.errors import BadParameter, UnknownName

if TYPE_CHECKING:
    from pydantic import SecretStr

    from gpt_trader.sources import BarSource


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What a source is built from; each takes what it needs."""

    path: Path | None = None
    seed: int = 0
    timezone: str | None = None
    adjustment: str = "raw"
    calendar: str | None = None
    alpaca_key_id: SecretStr | None = None
    alpaca_secret_key: SecretStr | None = None


def _demo(_options: SourceOptions) -> BarSource:
    from gpt_trader.adapters.demo import DemoSource

    return DemoSource()


def _synthetic(options: SourceOptions) -> BarSource:
    from gpt_trader.adapters.synthetic import SyntheticSource

    return SyntheticSource(options.seed, calendar=options.calendar or "XNYS")


def _csv(options: SourceOptions) -> BarSource:
    from gpt_trader.adapters.csv_files import CsvFiles

    return CsvFiles(_path(options, "csv"), timezone=options.timezone, adjustment=options.adjustment)


def _parquet(options: SourceOptions) -> BarSource:
    from gpt_trader.adapters.parquet_files import ParquetFiles

    return ParquetFiles(_path(options, "parquet"), timezone=options.timezone, adjustment=options.adjustment)


def _yahoo(_options: SourceOptions) -> BarSource:
    from gpt_trader.adapters.yahoo import YahooSource

    return YahooSource()


def _alpaca(options: SourceOptions) -> BarSource:
    from gpt_trader.adapters.alpaca import AlpacaSource

    return AlpacaSource(options.alpaca_key_id, options.alpaca_secret_key)


SOURCES: Mapping[str, Callable[[SourceOptions], BarSource]] = {
    "demo": _demo,
    "csv": _csv,
    "parquet": _parquet,
    "synthetic": _synthetic,
    "yahoo": _yahoo,
    "alpaca": _alpaca,
}
LOCAL = ("demo", "csv", "parquet", "synthetic")
"""Sources that open no socket; a cache before them would only copy files."""


def open_source(
    name: str, options: SourceOptions | None = None, cache_dir: str | Path | None = None
) -> BarSource:
    """The source of a name in SOURCES, or a failover over several ("yahoo,alpaca"); with a cache before each that
    opens sockets when `cache_dir` is given. Raises UnknownName and what the source's own construction raises."""
    options = options or SourceOptions()
    names = [part.strip().lower() for part in name.split(",") if part.strip()]
    for part in names:
        if part not in SOURCES:
            raise UnknownName("source", part, SOURCES)
    if not names:
        raise UnknownName("source", name, SOURCES)
    sources = [_cached(SOURCES[part](options), part, options, cache_dir) for part in names]
    if len(sources) == 1:
        return sources[0]
    from gpt_trader.adapters.failover import FailoverSource

    return FailoverSource(sources)


def _cached(source: BarSource, name: str, options: SourceOptions, cache_dir: str | Path | None) -> BarSource:
    if cache_dir is None or name in LOCAL:
        return source
    from gpt_trader.adapters.cache import CachedSource

    feed = getattr(source, "feed", None)  # the bars of two feeds of one vendor are not the same
    key = f"{source.name}-{feed}" if feed else source.name
    return CachedSource(source, cache_dir, calendar=options.calendar or "XNYS", key=key)


def _path(options: SourceOptions, source: str) -> Path:
    if options.path is None:
        raise BadParameter(
            f"the source {source!r} needs a path: a folder with one file per symbol, or one file"
        )
    return options.path
