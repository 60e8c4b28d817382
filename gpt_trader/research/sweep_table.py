"""The points of a sweep as one table of plain columns: for files, for pandas, for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.research.sweep_analysis import SweepAnalysis

OTHERS = ("point", "plateau", "stopped", "error")


def names_of(parameters: Sequence[str]) -> tuple[str, ...]:
    """The parameters as columns: one that has the name of another column is called `parameter_…`."""
    taken = {*METRIC_NAMES, *OTHERS}
    return tuple(f"parameter_{name}" if name in taken else name for name in parameters)


def columns_of(found: SweepAnalysis) -> dict[str, Any]:
    """The columns, one entry for each point in the order of their numbers.

    `point` its number, the swept parameters, every metric (NaN for a point that failed or was stopped early),
    `plateau` the score of its neighbourhood in units of the first objective (NaN where there is none), `stopped` after
    how many bars it was given up (None: it was not), `error` why it failed (None: it did not).
    """
    surface = found.surface
    count = len(surface)
    parameters = zip(*surface.points, strict=True) if count else ((),) * len(surface.names)
    named = zip(names_of(surface.names), parameters, strict=False)
    return {
        "point": surface.numbers,
        **{name: list(values) for name, values in named},
        **{name: surface.values[:, i] for i, name in enumerate(METRIC_NAMES)},
        "plateau": found.plateau_scores,
        "stopped": [
            surface.early_stops[row].stop if row in surface.early_stops else None for row in range(count)
        ],
        "error": [surface.errors.get(row) for row in range(count)],
    }
