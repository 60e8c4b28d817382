"""The bar sources by name: each is imported only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gpt_trader.errors import BadParameter, UnknownName

if TYPE_CHECKING:
    from pydantic import SecretStr

    from gpt_trader.sources import BarSource

ALPACA_KEYS = ("alpaca_key_id", "alpaca_secret_key")


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What a source is built from; each takes what it needs."""

    path: Path | None = None
    seed: int = 0
    timezone: str | None = None
    adjustment: str = "raw"
    calendar: str | None = None
    secrets: Mapping[str, SecretStr | None] = field(default_factory=dict)


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

    key_id, secret_key = (options.secrets.get(name) for name in ALPACA_KEYS)
    return AlpacaSource(key_id, secret_key)


KINDS = ("shipped", "files", "vendor", "invented")
"""Where the bars of a source are: in the package, in files of the user's own, in the network, nowhere; people read of them in
this order."""


@dataclass(frozen=True, slots=True)
class Source:
    """One source of bars: how it is made, what the settings ask for it, and what docs/data.md says of it.

    `kind` is one of KINDS; `what`, `span` and `adjustments` are its row of the page; `endings` are those of the files it reads;
    `secrets` the keys it needs, each a setting `secrets.NAME`, a question of `init` and an entry of `SourceOptions.secrets`;
    `package` the vendor's own client, which `doctor` looks for.
    """

    open: Callable[[SourceOptions], BarSource]
    kind: str
    what: str
    span: str
    adjustments: str
    endings: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    package: str = ""


_YOUR_FILES = ("files", "your files", "theirs", "what the files are, and what follows from it")

SOURCES: Mapping[str, Source] = {
    "demo": Source(
        _demo,
        "shipped",
        "shipped with the package: AAPL, IBM, MSFT, GOOG, FB as traded, with splits and dividends; DEMO, which is synthetic",
        "2000-03-01 to 2013-03-01 (GOOG from 2004-08-19, FB from 2012-05-18); DEMO 2018 to 2024",
        "all three",
    ),
    "csv": Source(_csv, *_YOUR_FILES, endings=(".csv", ".gz", ".txt", ".tsv")),
    "parquet": Source(_parquet, *_YOUR_FILES, endings=(".parquet", ".pq")),
    "synthetic": Source(
        _synthetic,
        "invented",
        "seeded random walk on New York sessions, any symbol, any timeframe, no splits or dividends",
        "2000 to 2024",
        "–",
    ),
    "yahoo": Source(
        _yahoo,
        "vendor",
        "Yahoo Finance through yfinance",
        "daily: all of it; 1m: 7 days back unless a start is given; 5m to 30m: 59; 1h: 729",
        "all three; raw prices are computed back from Yahoo's, rounded to 7 digits",
        package="yfinance",
    ),
    "alpaca": Source(
        _alpaca,
        "vendor",
        "Alpaca, US stocks, through alpaca-py; needs a key",
        "from 2016",
        "all three",
        secrets=ALPACA_KEYS,
        package="alpaca-py",
    ),
}
FILES = tuple(name for name, source in SOURCES.items() if source.kind == "files")
LOCAL = tuple(name for name, source in SOURCES.items() if source.kind != "vendor")
"""Sources that open no socket; a cache before them would only copy files."""


AGAIN = tuple(name for name, source in SOURCES.items() if source.kind in ("shipped", "invented"))
"""Sources that need neither file nor network, so that their bars can always be had again."""


def in_order() -> tuple[str, ...]:
    """The names in the order in which people read of them: by kind."""
    return tuple(sorted(SOURCES, key=lambda name: KINDS.index(SOURCES[name].kind)))


def secret_names() -> tuple[str, ...]:
    """The keys that sources need, by source."""
    return tuple(name for source in SOURCES.values() for name in source.secrets)


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
    sources = [_cached(SOURCES[part].open(options), part, options, cache_dir) for part in names]
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
