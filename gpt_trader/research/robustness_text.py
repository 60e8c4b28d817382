"""What a robustness study says in words, the same on the screen and in its report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from gpt_trader.research.experiment import BASELINE
from gpt_trader.research.robustness_study import RobustnessResult
from gpt_trader.research.scenario_runs import ScenarioRun

SHOWN_COSTS = (0.0, 2.0, 4.0)
SHOWN_CAPITAL = 1_000.0
METRIC_WORDS = {"sharpe": "Sharpe ratio", "cagr": "growth"}
PEAK = 0.9
"""From this share of worse neighbours on a point is called a peak."""


def changes(found: RobustnessResult) -> Iterator[tuple[str, Sequence[ScenarioRun]]]:
    """What is shown of the study in a table: a name for what was changed, and the runs whose median is shown."""
    yield "nothing", (found.base,)
    for run in found.costs:
        multiple = run.scenario.cost_multiple
        if multiple in SHOWN_COSTS:
            yield "no costs" if multiple == 0 else f"costs x {multiple:g}", (run,)
    for run in found.delays:
        if run.scenario.delay:
            yield f"{run.scenario.delay} {'bar' if run.scenario.delay == 1 else 'bars'} more of delay", (run,)
    last = max(SHOWN_CAPITAL, 10.0 * found.capacity.high if found.capacity.found else 0.0)
    for run in found.capitals:
        multiple = run.scenario.capital_multiple
        if run.scenario != BASELINE and multiple <= last and float(np.log10(multiple)).is_integer():
            yield f"capital {found.capital_of(run):,.0f}", (run,)
    if found.neighbours:
        share = f"parameters ±{found.study.changes.jitter * 100:g} %"
        yield f"{share}, median of {len(found.neighbours)}", found.neighbours


def middle(runs: Sequence[ScenarioRun], metric: str) -> float:
    """The median of a metric over runs, those without it left out; NaN where none has it."""
    known = [run.metrics[metric] for run in runs if np.isfinite(run.metrics[metric])]
    return float(np.median(known)) if known else float("nan")


def costs_line(found: RobustnessResult) -> str:
    """Where costs have eaten the edge."""
    at, metric = found.break_even, METRIC_WORDS[found.study.changes.metric]
    if len(found.costs) < 2:
        return "no cost is set, so there is none to multiply"
    if at.found:
        return f"the {metric} falls to 0 at {at.at:.1f} times the costs, {at.at * found.proportional_bps:.0f} bp a side"
    if np.isinf(at.at):
        return f"the {metric} is above 0 even at {at.low:g} times the costs"
    return f"the {metric} is not above 0 even without costs"


def capacity_line(found: RobustnessResult) -> str:
    """Where the account is too big for its market."""
    study, at = found.study, found.capacity
    settings, left = study.experiment.settings, f"{study.changes.kept * 100:g} % of the growth"
    if not bool((study.experiment.bars.volume > 0).any()):
        return "unknown: the bars have no volume"
    if settings.fills.volume_cap is None and settings.costs.impact == 0:
        return "unlimited by assumption: no volume cap and no impact are set"
    if at.found:
        return f"{left} is left at a capital of {at.at * settings.capital:,.0f}"
    if np.isinf(at.at):
        return f"more than {left} is left even at {at.low * settings.capital:,.0f}"
    return "none: there is no growth to lose"


def jitter_line(found: RobustnessResult) -> str:
    """What the neighbours say about the point."""
    jitter, changed = found.jitter, found.study.changes
    if not jitter.count:
        return "no number to move, or no neighbour that could be run"
    text = (
        f"{jitter.positive * 100:.0f} % of {jitter.count} neighbours have a {METRIC_WORDS[changed.metric]} above 0; 90 % of them "
        f"lie between {_written(jitter.low, changed.metric)} and {_written(jitter.high, changed.metric)}; the point beats "
        f"{jitter.below * 100:.0f} % of them"
    )
    return f"{text}: a peak, beware" if jitter.below > PEAK else text


def _written(value: float, metric: str) -> str:
    return (f"{value:.2f}" if metric == "sharpe" else f"{value * 100:+.2f} %").replace("-", "−")
