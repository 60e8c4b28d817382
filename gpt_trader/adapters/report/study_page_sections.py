"""What the reports of studies share: their header, the search as chips, the settings of their runs, tiles."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gpt_trader.adapters.report import labels, manifest_settings, texts
from gpt_trader.research.experiment import Experiment
from gpt_trader.research.trial_identity import data_hash
from gpt_trader.strategy import strategy_name
from gpt_trader.version import __version__

if TYPE_CHECKING:
    from gpt_trader.research.parameter_points import Points

FAILED_ROWS = 50


class Tile(NamedTuple):
    """One headline figure; `beside` is what it is compared with and that one's value."""

    label: str
    value: str
    hint: str
    beside: tuple[str, str] | None = None
    tone: str = ""


def header(experiment: Experiment, points: Points, run_id: str) -> dict[str, Any]:
    """What stands at the top and at the end of the page of a study of many points, and what its runs assume."""
    return {
        **experiment_header(experiment, run_id),
        "axes": axes_of(points),
        "fixed": [(name, texts.setting(value)) for name, value in points.fixed],
        "points_count": texts.number(len(points), 0),
    }


def experiment_header(experiment: Experiment, run_id: str) -> dict[str, Any]:
    """The part of it that does not depend on points."""
    bars = experiment.bars
    names = [str(name) for name in bars.symbols]
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    prints = bars.fingerprint()
    intraday = is_intraday(experiment)
    run = {
        "capital": experiment.settings.capital,
        "timeframe": bars.timeframe,
        "adjustment": bars.adjustment,
        "costs": experiment.identity["settings"]["costs"],
        "fills": experiment.identity["settings"]["fills"],
        "allocation": experiment.identity["settings"]["allocation"],
        "exits": experiment.identity["settings"]["exits"],
        "risk": experiment.identity["settings"]["risk"],
        "version": __version__,
    }
    return {
        "strategy": strategy_name(experiment.strategy),
        "symbols": names,
        "symbols_short": ", ".join(names[:8]) + more,
        "first": texts.moment(bars.time[0], intraday),
        "last": texts.moment(bars.time[-1], intraday),
        "bars_count": texts.number(bars.T, 0),
        "timeframe": bars.timeframe,
        "capital": texts.cash(experiment.settings.capital),
        "run_id": run_id,
        "fingerprint_short": data_hash(prints)[:12],
        "version": __version__,
        "rules": labels.RULES_OF_FILLING,
        "settings": manifest_settings.settings_table(run),
        "series": [(name, prints[name]) for name in names[: manifest_settings.DATA_ROWS]],
    }


def is_intraday(experiment: Experiment) -> bool:
    """Whether bars begin within a day."""
    time = experiment.bars.time
    return bool((time != time.astype("datetime64[D]")).any())


def axes_of(points: Points) -> list[tuple[str, str]]:
    """Each axis with its values in short: the first and the last, or all of a few."""
    shown = []
    for column, name in enumerate(points.names):
        _, first = np.unique(points.places[:, column], return_index=True)
        values = [texts.setting(points.values[row][column]) for row in first.tolist()]
        few = ", ".join(values) if len(values) <= 4 else f"{values[0]} … {values[-1]}, {len(values)} values"
        shown.append((name, few))
    return shown


def point_text(points: Points, number: int) -> str:
    """The values of a point's axes in one line."""
    return " · ".join(f"{name} {texts.setting(value)}" for name, value in points.parameters(number).items())


def failed_rows(points: Points, errors: Any) -> list[tuple[str, str]]:
    """The first runs that failed and why; runs are numbered point by point."""
    return [
        (point_text(points, number % len(points)) or "the one point", text)
        for number, text in list(errors.items())[:FAILED_ROWS]
    ]


def tone(value: float) -> str:
    """The class of a gain or a loss."""
    return ("gain" if value > 0 else "loss") if math.isfinite(value) and value != 0 else ""
