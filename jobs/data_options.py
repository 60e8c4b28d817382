"""Which bars a command works on: symbols or a universe file, a source, a span; loaded as one panel with its notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from gpt_trader.adapters.source_registry import FILES, SOURCES, in_order
from gpt_trader.errors import BadParameter, UserError
from gpt_trader.progress import OnProgress, no_progress
from jobs.options import option_in

if TYPE_CHECKING:
    from gpt_trader.adapters.configuration import Configuration
    from gpt_trader.adapters.loader import Loaded
    from gpt_trader.adapters.universe import Universe
    from gpt_trader.bars import Bars
    from gpt_trader.instruments import Instrument
    from gpt_trader.sources import BarSource

PANEL = "Data"
DEFAULT_SYMBOLS = ("AAPL",)
FILE_KINDS = {ending: name for name, source in SOURCES.items() for ending in source.endings}
FRAMES = "1m 5m 15m 30m 1h 1d 1w 1mo. (default 1d)"
SYMBOLS_HELP = "Symbols, separated by commas. (default AAPL of the demo, all of a file)"
SOURCE_HELP = f"{' '.join(in_order())}; several, by comma, stand in for each other. (default demo)"

_data = option_in(PANEL)


# fmt: off
@dataclass(frozen=True, slots=True)
class DataOptions:
    """The bars as they were asked for."""

    symbols: Annotated[list[str] | None, _data("--symbols", "--symbol", "-s", text=SYMBOLS_HELP, metavar="A,B")] = None
    universe: Annotated[
        Path | None, _data("--universe", text="CSV with a column symbol; sector, lot, delisted where known.", metavar="FILE")
    ] = None
    source: Annotated[str | None, _data("--source", text=SOURCE_HELP, metavar="SOURCE")] = None
    path: Annotated[
        Path | None, _data("--path", text=f"{' or '.join(FILES)} file, or folder of one a symbol.", metavar="PATH")
    ] = None
    timeframe: Annotated[str, _data("--timeframe", text=FRAMES, metavar="TIMEFRAME")] = "1d"
    start: Annotated[str | None, _data("--start", text="First day, as 2005-01-01, or time.", metavar="DATE")] = None
    end: Annotated[str | None, _data("--end", text="Last day, all of it, or time.", metavar="DATE")] = None
    adjustment: Annotated[
        str, _data("--adjustment", text="raw, with splits as events; split; or all. (default raw)", metavar="BASIS")
    ] = "raw"
    quality: Annotated[
        str | None, _data("--quality", text="strict refuses defects, repair mends. (default strict)", metavar="MODE")
    ] = None
    calendar: Annotated[
        str | None, _data("--calendar", text="Exchange whose sessions the bars must keep, as XNYS.", metavar="NAME")
    ] = None
    timezone: Annotated[
        str | None, _data("--timezone", text="Zone of file times without an offset. (default UTC)", metavar="ZONE")
    ] = None
    # fmt: on

    def or_else(self, market: Mapping[str, Any]) -> DataOptions:
        """These options, and where one was not given what `market` says of it by its name."""
        if not market:
            return self
        blank = DataOptions()
        said: dict[str, Any] = {
            name: Path(value) if name in ("universe", "path") else value
            for name, value in market.items()
            if getattr(self, name) == getattr(blank, name)
        }
        if self.symbols or self.universe:  # one of them says which symbols there are
            said.pop("symbols", None)
            said.pop("universe", None)
        return replace(self, **said)

    def load(
        self, configuration: Configuration, seed: int = 0, told: OnProgress = no_progress
    ) -> Loaded:
        """The bars as one panel, with what was noticed on the way; `told` hears how far it is.

        Raises UnknownName, SymbolNotFound, BadRange, BadData, BadParameter or SourceUnavailable, each with what to do.
        """
        from gpt_trader.adapters.bar_reader import watch
        from gpt_trader.adapters.loader import load
        from gpt_trader.quality import MODES

        quality = self.quality or configuration.data.quality
        if quality not in MODES:
            raise BadParameter(f"--quality {quality!r} is none of {', '.join(MODES)}")
        source = self.open(configuration, seed)
        watch(source, told)
        return load(
            self.names(source),
            source=source,
            start=self.start,
            end=self.end,
            timeframe=self.timeframe,
            adjustment=self.adjustment,
            quality=quality,
            skip_missing=self.universe is not None,
            calendar=self.calendar,
            noted=self.skipped_lines(),
            on_progress=told,
            delisted={} if self.universe is None else self._read_universe(self.universe).delisted,
        )

    def load_index(self, configuration: Configuration, symbol: str, seed: int = 0) -> Bars:
        """One symbol that is watched and not traded, as far back as the source goes. Raises as `load` does."""
        from gpt_trader.adapters.loader import load

        source = self.open(configuration, seed)
        quality = self.quality or configuration.data.quality
        return load((symbol,), source=source, end=self.end, timeframe=self.timeframe, quality=quality).bars

    def open(self, configuration: Configuration, seed: int = 0) -> BarSource:
        """The source that the flags, else the configuration, name; with the cache before it where it opens sockets."""
        from gpt_trader.adapters.source_registry import SourceOptions, open_source

        options = SourceOptions(
            self.path,
            seed,
            self.timezone,
            calendar=self.calendar,
            secrets=configuration.secrets.keys(),
        )
        return open_source(self._source(configuration), options, configuration.data.cache_dir)

    def names(self, source: BarSource) -> tuple[str, ...]:
        """The symbols asked for: the flag's, the universe's, else AAPL of the demo or every symbol of a file.

        Raises UserError when two lists are given, or none where one is needed; BadParameter for an empty one.
        """
        if self.symbols and self.universe:
            raise UserError("--symbols and --universe are both given; give one of them")
        if self.universe is not None:
            return self._read_universe(self.universe).symbols
        if self.symbols:
            names = [name.strip() for part in self.symbols for name in part.split(",")]
            if not any(names):
                raise BadParameter("--symbols is empty; name at least one, such as --symbols AAPL")
            return tuple(dict.fromkeys(name for name in names if name))
        if source.name == "demo":
            return DEFAULT_SYMBOLS
        listed: tuple[str, ...] = source.symbols() if source.name in FILES else ()  # type: ignore[attr-defined]
        if not listed:
            raise UserError(f"the source {source.name!r} needs names: --symbols A,B or --universe FILE")
        return listed

    def skipped_lines(self) -> tuple[str, ...]:
        """A note for each line of the universe file that gave no symbol."""
        if self.universe is None:
            return ()
        from gpt_trader.adapters.bar_reader import shortened

        skipped = self._read_universe(self.universe).skipped
        lines = [f"{self.universe} line {item.line}: {item.text!r} left out: {item.reason}" for item in skipped]
        what = f"lines of {self.universe} are left out"
        return tuple(shortened(lines, [f"{item.line} {item.text!r}" for item in skipped], what))

    def instruments(self, symbols: Sequence[str], *, fractional: bool) -> tuple[Instrument, ...]:
        """Lot and sector of `symbols` as the universe file has them; with `fractional` every lot is 0."""
        from gpt_trader.instruments import Instrument

        listed = () if self.universe is None else self._read_universe(self.universe).instruments
        if not fractional:
            return listed
        known = {item.symbol: item for item in listed}
        return tuple(replace(known.get(name, Instrument(name)), lot=0.0) for name in symbols)

    @staticmethod
    def _read_universe(path: Path) -> Universe:
        from gpt_trader.adapters.universe import read_universe

        return read_universe(path)

    def _source(self, configuration: Configuration) -> str:
        if self.source is not None:
            return self.source
        if self.path is not None:
            return _kind_of(self.path)
        return ",".join((configuration.data.source, *configuration.data.failover))


def _kind_of(path: Path) -> str:
    """The source that reads a file or folder, by its endings. Raises UserError."""
    if not path.exists():
        raise UserError(f"--path {path} does not exist; give a csv or parquet file, or a folder of them")
    files = [path] if path.is_file() else sorted(path.iterdir())
    kinds = [FILE_KINDS[file.suffix.lower()] for file in files if file.suffix.lower() in FILE_KINDS]
    if not kinds:
        raise UserError(f"--path {path} is neither {' nor '.join(FILES)}; known endings: {', '.join(FILE_KINDS)}")
    return kinds[0]
