"""`gpt-trader trials`: what was tried how often, and what luck alone makes of the best of so many. It only reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gpt_trader.errors import UnknownName
from jobs.console import Output
from jobs.options import grouped
from jobs.settings_options import SettingsOptions, StoreOptions

if TYPE_CHECKING:
    from gpt_trader.adapters.store import RunStore
    from gpt_trader.adapters.store.trials import TrialSet

app = typer.Typer(
    add_completion=False, help="The trial ledger: what was tried how often.", no_args_is_help=True
)

COLUMNS = (
    "Family",
    "Data",
    "Symbols",
    "Span",
    "Bars",
    "Trials",
    "Effective",
    "Best Sharpe",
    "Luck",
    "First",
    "Last",
)
NUMBERS = ("Bars", "Trials", "Effective", "Best Sharpe", "Luck")
EXPLANATION = (
    "Best Sharpe is the highest of the trials, Luck the highest that so many independent trials without any skill "
    "would be expected to show; both per year. Effective is how many independent trials they amount to."
)


@app.command("list", help="Every family of strategies and every data set it was tried on.")
@grouped
def list_command(
    *,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, metavar="COUNT", help="How many, the latest.")
    ] = 20,
    store: StoreOptions,
    settings: SettingsOptions,
    output: Output,
) -> None:
    """Print one line for each family and data set, those with the latest trials first."""
    sets: list[TrialSet] = []
    shown: list[dict[str, Any]] = []
    with store.reading(settings.load()) as opened:
        if opened is not None:
            sets = sorted(opened.ledger.sets(), key=lambda each: each.last_made, reverse=True)
            shown = _described(opened, sets[:limit], output)
    total = sum(each.trials for each in sets)
    output.emit({"trials": total, "sets": shown})
    if not output.tables:
        return
    if not sets:
        output.line("no trials yet; gpt-trader backtest makes one")
        return
    from jobs.console_tables import listing

    output.show(listing(COLUMNS, map(_line, shown), right=NUMBERS))
    families = len({each.family for each in sets})
    more = f"; the latest {len(shown)} of {len(sets)} data sets are shown" if len(shown) < len(sets) else ""
    output.line(f"\n{total:,} trials of {families} {'family' if families == 1 else 'families'}{more}")
    output.line(EXPLANATION)


@app.command("show", help="One family: its data sets, kinds of trials, and how many were made when.")
@grouped
def show(
    family: Annotated[
        str, typer.Argument(metavar="FAMILY", help="A strategy's name, as trials list shows it.")
    ],
    store: StoreOptions,
    settings: SettingsOptions,
    output: Output,
) -> None:
    """Print what the ledger holds of one family."""
    with store.reading(settings.load()) as opened:
        if opened is None:
            raise UnknownName("family", family, ())
        sets = opened.ledger.sets(family)
        if not sets:
            raise UnknownName("family", family, sorted({each.family for each in opened.ledger.sets()}))
        shown = _described(opened, sets, output)
        days = opened.ledger.days(family)
    total = sum(each.trials for each in sets)
    output.emit({"family": family, "trials": total, "sets": shown, "days": days})
    if output.tables:
        from jobs.console_tables import listing

        kinds = sorted({kind for each in sets for kind in each.kinds})
        output.line(f"{family} · {total:,} trials on {len(sets)} data set{'s' if len(sets) > 1 else ''}\n")
        output.show(listing(COLUMNS[1:], (_line(each)[1:] for each in shown), right=NUMBERS))
        output.line("")
        rows = (
            (day, *(f"{of.get(kind, 0):,}" for kind in kinds), f"{sum(of.values()):,}")
            for day, of in days.items()
        )
        output.show(listing(["Day (UTC)", *kinds, "all"], rows, right=[*kinds, "all"]))
        output.line(f"\n{EXPLANATION}")


def _described(store: RunStore, sets: Sequence[TrialSet], output: Output) -> list[dict[str, Any]]:
    shown = []
    with output.progress("reading trials", len(sets)) as advance:
        for each in sets:
            shown.append(described(store, each))
            advance()
    return shown


def described(store: RunStore, tried: TrialSet) -> dict[str, Any]:
    """A family on a data set as the JSON object of it; Sharpe ratios are per year, what is not defined is NaN."""
    from gpt_trader.validation.sharpe_statistics import expected_maximum

    sample = store.ledger.sample(tried.family, tried.data)
    yearly = math.sqrt(tried.periods_per_year)
    return {
        "family": tried.family,
        "data": tried.data,
        "symbols": tried.symbols,
        "start": tried.start,
        "end": tried.end,
        "timeframe": tried.timeframe,
        "bars": tried.bars,
        "trials": tried.trials,
        "kinds": tried.kinds,
        "effective": sample.effective(tried.trials)[0],
        "best_sharpe": tried.best * yearly,
        "expected_maximum_sharpe": expected_maximum(tried.trials, tried.variance) * yearly,
        "first_made": tried.first_made,
        "last_made": tried.last_made,
    }


def _line(each: dict[str, Any]) -> tuple[str, ...]:
    """A family on a data set as the list shows it."""
    from jobs.console_tables import named, text_of

    return (
        each["family"],
        each["data"][:12],
        named(each["symbols"]),
        f"{str(each['start'])[:10]} … {str(each['end'])[:10]}",
        f"{each['bars']:,} {each['timeframe']}",
        f"{each['trials']:,}",
        text_of(each["effective"], "number"),
        text_of(each["best_sharpe"], "ratio"),
        text_of(each["expected_maximum_sharpe"], "ratio"),
        str(each["first_made"])[:10],
        str(each["last_made"])[:10],
    )


if __name__ == "__main__":
    from jobs.cli import run_module

    run_module("jobs.trials", app)
