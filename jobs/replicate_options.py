"""The options of intervals from resampled markets, and how such intervals are written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gpt_trader.engine.measures import INTERVAL_METRICS, METRIC
from gpt_trader.errors import UserError
from jobs.tables import kind_of, listing, text_of
from jobs.values import number

if TYPE_CHECKING:
    from rich.table import Table

    from gpt_trader.research.replicates import Redraw

PANEL = "Resampled markets"
LABELS = {name: (METRIC[name].label, kind_of(name)) for name in INTERVAL_METRICS}
MANY = 1_000_000
MEMORY = 0.5
"""From so many deviations that the Sharpe ratio loses in resampled markets a note says so."""


def _drawn(*flags: str, text: str, **more: Any) -> Any:
    return typer.Option(*flags, help=text, rich_help_panel=PANEL, **more)


# fmt: off
@dataclass(frozen=True, slots=True)
class ReplicateOptions:
    """How many markets are resampled, how, and how wide the intervals are."""

    replicates: Annotated[int, _drawn("--replicates", text="Resampled markets to run on.", min=0, metavar="COUNT")] = 500
    block: Annotated[
        float | None,
        _drawn("--block", text="Mean length of a block. (default read from the market)", parser=number, metavar="SESSIONS"),
    ] = None
    level: Annotated[float, _drawn("--level", text="Share of cases that intervals hold.", parser=number, metavar="SHARE")] = 0.95
# fmt: on

    def check_size(self, strategies: int, *, yes: bool) -> None:
        """Raises UserError for more than a million runs without `yes`."""
        runs = self.replicates * strategies
        if runs > MANY and not yes:
            raise UserError(f"{runs:,} runs on resampled markets; give fewer --replicates, or --yes to run them")

    def redraw(self, seed: int) -> Redraw:
        """The markets to draw."""
        from gpt_trader.research.replicates import Redraw

        return Redraw(self.replicates, seed, self.block, self.level)


def interval_table(intervals: Mapping[str, Any]) -> Table:
    """Estimates with their intervals, from the JSON object of `research.replicates.as_object`."""
    level = f"{intervals['level'] * 100:g} %"
    lines = []
    for name, item in intervals["metrics"].items():
        label, kind = LABELS[name]
        lines.append([label, *(text_of(item[key], kind) for key in ("estimate", "low", "high", "median"))])
    heads = ["Interval", "as it is", f"{level} from", "to", "resampled median"]
    return listing(heads, lines, right=heads[1:])


def interval_lines(intervals: Mapping[str, Any]) -> Iterable[str]:
    """How the intervals came about, and what to beware of."""
    yield (
        f"markets  {intervals['replicates']:,} resampled in blocks of {intervals['block']:.1f} sessions "
        f"({intervals['blocks']:,.0f} blocks in the history), seed {intervals['seed']}"
    )
    sharpe = intervals["metrics"]["sharpe"]
    lost = sharpe["lost"]
    if lost is not None and lost > MEMORY:
        yield (
            f"note     in resampled markets the Sharpe ratio is {sharpe['estimate'] - sharpe['median']:.2f} lower: part of it "
            "is memory longer than a block, which they do not have"
        )
    failed = intervals["replicates"] - sharpe["count"]
    if failed:
        yield f"note     on {failed:,} of the resampled markets there is no Sharpe ratio; they are left out"
