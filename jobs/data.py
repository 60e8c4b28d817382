"""`gpt-trader data`: fetches bars into the cache, lists what is there, checks files and repairs them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gpt_trader.errors import GptTraderError
from jobs.console import Output, report_error
from jobs.data_files import SHOWN, check, repair
from jobs.data_options import DataOptions
from jobs.options import grouped
from jobs.settings_options import SettingsOptions

if TYPE_CHECKING:
    from gpt_trader.adapters.configuration import Configuration
    from gpt_trader.sources import BarSource

app = typer.Typer(
    add_completion=False, help="Fetch, list, check and repair market data.", no_args_is_help=True
)


@app.command(
    help="Fetch bars into the cache, only what is missing there; a second run asks the provider nothing."
)
@grouped
def fetch(
    *,
    data: DataOptions,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Ask for everything again, keep revisions.")
    ] = False,
    settings: SettingsOptions,
    output: Output,
) -> None:
    """Fetch each symbol on its own, so that one failure loses no other; exit code 1 when one failed."""
    configuration = settings.load()
    source = data.open(configuration)
    for cached in _caches(source):
        cached.refresh = refresh
    names = data.names(source)
    rows = []
    with output.progress("fetching", len(names)) as step:
        for name in names:
            rows.append(_fetch_one(name, data, source, configuration))
            step()
    failed = [row["symbol"] for row in rows if row["error"]]
    output.emit({"series": rows, "failed": failed})
    if output.tables:
        from jobs.console_tables import listing

        columns = ["Symbol", "Bars", "First", "Last", "From", "How"]
        keys = ("symbol", "bars", "first", "last", "source", "how")
        cells = [[row[key] for key in keys] for row in rows[:SHOWN]]
        output.show(listing(columns, cells, right=["Bars"]))
        _tell_of_more(len(rows), output)
        for row in rows[:SHOWN]:
            for note in row["notes"]:
                output.line(f"note: {note}")
    for row in rows:
        if row["error"]:
            report_error(f"{row['symbol']}: {row['error']}")
    if failed:
        raise typer.Exit(1)


@app.command("list", help="The series in the cache, and the symbols of the demo data.")
@grouped
def list_command(settings: SettingsOptions, output: Output) -> None:
    """Print every cached series with the days that it covers."""
    from gpt_trader.adapters.cache import stored_manifests
    from gpt_trader.adapters.demo import DemoSource

    folder = settings.load().data.cache_dir
    rows = [
        {
            "source": item.source,
            "symbol": item.symbol,
            "timeframe": item.timeframe,
            "adjustment": item.delivered or item.adjustment,
            "covered": [[str(first), str(last)] for first, last in item.covered],
            "versions": len(item.versions),
        }
        for item in stored_manifests(folder)
    ]
    demo = DemoSource().symbols()
    output.emit({"cache": folder, "series": rows, "demo": demo})
    if output.tables:
        from jobs.console_tables import listing

        output.line(f"demo data (no network): {', '.join(demo)}")
        output.line(
            f"cache {folder}: {f'{len(rows)} series' if rows else 'empty; gpt-trader data fetch fills it'}"
        )
        if rows:
            columns = ["Source", "Symbol", "Timeframe", "Prices", "Days", "Versions"]
            cells = [
                [
                    *(row[key] for key in ("source", "symbol", "timeframe", "adjustment")),
                    _days(row["covered"]),
                    row["versions"],
                ]
                for row in rows[:SHOWN]
            ]
            output.show(listing(columns, cells, right=["Versions"]))
            _tell_of_more(len(rows), output)


app.command(help="Name the row and the rule of each defect of a file; exit code 1 when one is an error.")(
    check
)
app.command(help="Mend a file into a new one and report each change; the input is left as it is.")(repair)


def _tell_of_more(count: int, output: Output) -> None:
    if count > SHOWN:
        output.line(f"… and {count - SHOWN:,} more; --json lists them all")


def _fetch_one(
    name: str, data: DataOptions, source: BarSource, configuration: Configuration
) -> dict[str, Any]:
    """What became of one symbol; an error of ours is part of the answer."""
    from gpt_trader.adapters.loader import load

    before = {id(cache): len(cache.outcomes) for cache in _caches(source)}
    row: dict[str, Any] = {
        "symbol": name,
        "bars": 0,
        "first": "",
        "last": "",
        "source": "",
        "error": None,
        "notes": (),
    }
    try:
        loaded = load(
            [name],
            source=source,
            start=data.start,
            end=data.end,
            timeframe=data.timeframe,
            adjustment=data.adjustment,
            quality=data.quality or configuration.data.quality,
            calendar=data.calendar,
        )
        bars = loaded.bars
        row |= {"bars": bars.T, "first": str(bars.time[0])[:10], "last": str(bars.time[-1])[:10]}
        row |= {"source": bars.sources[0], "notes": loaded.warnings}
    except GptTraderError as problem:
        row["error"] = str(problem)
    outcomes = [outcome for cache in _caches(source) for outcome in cache.outcomes[before[id(cache)] :]]
    row["asked"] = [[str(first), str(last)] for outcome in outcomes for first, last in outcome.asked]
    row["hit"] = bool(outcomes) and all(outcome.hit for outcome in outcomes)
    row["revised"] = sum(outcome.revised for outcome in outcomes)
    stale = any(outcome.stale for outcome in outcomes)
    asked = f"asked for {_days(row['asked'])}" if row["asked"] else "no network needed"
    row["how"] = (
        "failed" if row["error"] else "stale" if stale else "all in the cache" if row["hit"] else asked
    )
    return row


def _caches(source: BarSource) -> Iterator[Any]:
    """The caches before a source, also those of a failover."""
    from gpt_trader.adapters.cache import CachedSource

    for each in getattr(source, "sources", (source,)):
        if isinstance(each, CachedSource):
            yield each


def _days(spans: Any) -> str:
    return ", ".join(f"{first} … {last}" for first, last in spans)


if __name__ == "__main__":
    from jobs.cli import run_module

    run_module("jobs.data", app)
