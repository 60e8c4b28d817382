"""`gpt-trader data check|repair`: names every defect of a file, or mends it into a new one and reports each change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gpt_trader.errors import BadParameter, UserError
from jobs.console import Output
from jobs.options import grouped

if TYPE_CHECKING:
    import pandas as pd

    from gpt_trader.quality import Change, Checked, Defect

SHOWN = 40
FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="A csv or parquet file, or a folder of them.")
]


@dataclass(frozen=True, slots=True)
class RuleOptions:
    """How a file is judged."""

    calendar: Annotated[
        str | None,
        typer.Option(
            "--calendar",
            metavar="EXCHANGE",
            help="Also judge sessions: XNYS, XLON, 24/7, …",
            show_default=False,
        ),
    ] = None
    timezone: Annotated[
        str | None,
        typer.Option("--timezone", metavar="ZONE", help="Zone of times without an offset. (default UTC)"),
    ] = None


@grouped
def check(
    *,
    file: FileArgument,
    symbols: Annotated[
        str | None, typer.Option("--symbols", metavar="A,B", help="Only these. (default all)")
    ] = None,
    rules: RuleOptions,
    output: Output,
) -> None:
    """Print every defect: symbol, row, time, rule, what was found and what was expected."""
    from gpt_trader.adapters.bar_reader import fetched, found_defects, watch
    from gpt_trader.quality import Severity
    from gpt_trader.sources import BarRequest

    found: list[Defect] = []
    rows: dict[str, int] = {}
    source, calendar = _files(file, rules.timezone), _calendar(rules)
    with output.counting("checking") as told:
        watch(source, told)
        wanted = [BarRequest(symbol) for symbol in _wanted(file, source, symbols)]
        for request, arrays in fetched(source, wanted):
            rows[request.symbol], defects = found_defects(source, request, arrays, calendar)
            found += defects
            told("symbols", len(rows), len(wanted))
    errors = sum(item.severity is Severity.ERROR for item in found)
    output.emit(
        {
            "file": file,
            "rows": rows,
            "ok": not errors,
            "defects": [_as_dict(item, message=item.message) for item in found],
        }
    )
    if output.tables:
        for item in found[:SHOWN]:
            output.line(f"{item.severity}: {item.message}")
        if len(found) > SHOWN:
            output.line(f"… and {len(found) - SHOWN:,} more; --json lists them all")
        counts = ", ".join(
            f"{rule} {count}" for rule, count in Counter(item.rule for item in found).most_common()
        )
        output.line(f"{sum(rows.values()):,} rows of {_count(len(rows), 'symbol')}: {counts or 'no defect'}")
    if errors:
        raise typer.Exit(1)


@grouped
def repair(
    *,
    file: FileArgument,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="The mended file. (default FILE.repaired.csv)"),
    ] = None,
    changes_to: Annotated[
        Path | None,
        typer.Option("--changes", metavar="FILE", help="The list of changes. (default beside it)"),
    ] = None,
    symbols: Annotated[
        str | None, typer.Option("--symbols", metavar="A,B", help="Only these. (default all)")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    rules: RuleOptions,
    output: Output,
) -> None:
    """Write the mended table (one long file: symbol, time, prices, volume, split, dividend) and the changes as CSV."""
    from gpt_trader.adapters.bar_reader import watch
    from gpt_trader.quality import repair as mend
    from gpt_trader.sources import BarRequest

    target = out or file.with_name(
        f"{file.stem}.repaired{file.suffix if file.suffix == '.parquet' else '.csv'}"
    )
    listing = changes_to or target.with_name(f"{target.stem}.changes.csv")
    _refuse_overwriting(file, (target, listing), force=force)
    mended: dict[str, Checked] = {}
    source, calendar = _files(file, rules.timezone), _calendar(rules)
    with output.counting("mending") as told:
        watch(source, told)
        wanted = _wanted(file, source, symbols)
        for symbol in wanted:
            table = source.read(BarRequest(symbol))
            mended[symbol] = mend(table.frame, symbol, timeframe=table.timeframe, calendar=calendar)
            told("symbols", len(mended), len(wanted))
    changes = [change for checked in mended.values() for change in checked.changes]
    _write_table(mended, target)
    _write_changes(changes, listing)
    output.emit(
        {
            "file": file,
            "out": target,
            "changes_file": listing,
            "changes": [_as_dict(item, message=item.message) for item in changes],
        }
    )
    if output.tables:
        for change in changes[:SHOWN]:
            output.line(change.message)
        if len(changes) > SHOWN:
            output.line(f"… and {len(changes) - SHOWN:,} more")
        output.line(f"{_count(len(changes), 'change')}, each in {listing}")
        output.line(f"wrote {target}")


def _wanted(file: Path, source: Any, symbols: str | None) -> Sequence[str]:
    """The symbols asked for, else all of a file."""
    from gpt_trader.adapters.universe import normalise_symbol

    wanted: Sequence[str] = (
        [normalise_symbol(name) for name in symbols.split(",") if name.strip()]
        if symbols
        else source.symbols()
    )
    if not wanted:
        raise UserError(f"{file} holds no data; expected files named after their symbol, such as AAPL.csv")
    return wanted


def _files(file: Path, timezone: str | None) -> Any:
    """The reader for a file or folder, by its suffix."""
    from gpt_trader.adapters.csv_files import CsvFiles
    from gpt_trader.adapters.parquet_files import ParquetFiles

    if not file.exists():
        raise UserError(f"{file} does not exist; give a csv or parquet file, or a folder of them")
    for reader in (CsvFiles, ParquetFiles):
        names = [file.name] if file.is_file() else [item.name for item in file.iterdir()]
        if any(name.lower().endswith(reader.suffixes) for name in names):
            return reader(file, timezone=timezone)
    known = ", ".join((*CsvFiles.suffixes, *ParquetFiles.suffixes))
    raise UserError(f"{file} is neither csv nor parquet; known endings: {known}")


def _calendar(rules: RuleOptions) -> Any:
    if rules.calendar is None:
        return None
    from gpt_trader.adapters.exchange_calendar import load_calendar

    return load_calendar(rules.calendar)


def _refuse_overwriting(file: Path, targets: tuple[Path, ...], *, force: bool) -> None:
    for target in targets:
        if target.suffix not in (".csv", ".parquet"):
            raise BadParameter(f"{target} must end in .csv or .parquet")
        if target.resolve() == file.resolve():
            raise UserError(f"{target} is the input; name another file, the input is never changed")
        if target.exists() and not force:
            raise UserError(f"{target} exists; name another file, or --force to replace it")


def _write_table(mended: dict[str, Checked], target: Path) -> None:
    import pandas as pd

    parts = [checked.frame.assign(symbol=symbol) for symbol, checked in mended.items()]
    whole = pd.concat(parts, ignore_index=True)
    _write(whole[["symbol", *[name for name in whole.columns if name != "symbol"]]], target)


def _write_changes(changes: list[Change], listing: Path) -> None:
    import pandas as pd

    columns = ["symbol", "row", "time", "rule", "action", "field", "before", "after", "reason"]
    _write(pd.DataFrame([_as_dict(item) for item in changes], columns=columns), listing)


def _write(frame: pd.DataFrame, target: Path) -> None:
    """Write a table whole or not at all."""
    from gpt_trader.adapters.atomic_files import atomic_file

    try:
        with atomic_file(target) as part:
            if target.suffix == ".parquet":
                frame.to_parquet(part, index=False)
            else:
                frame.to_csv(part, index=False)
    except OSError as problem:
        raise UserError(f"{target} cannot be written: {problem.strerror}") from problem


def _as_dict(item: Defect | Change, **more: str) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(item) | more


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
