"""Proves a strategy honest on the user's data: causal, the same row by row, and warm after a bounded history.

The tests change what the strategy must not know and look whether its answers move: bars after t are cut off or replaced by
other ones (causal), `decide` gets one row instead of all (rows), bars long before t are cut off (warm-up). freqtrade's
look-ahead and recursive analysis ask the same questions; here no signal has to fire for a leak to be found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import CLOSE, HIGH, LOW, OPEN, VOLUME, Bars
from gpt_trader.engine import deciding
from gpt_trader.engine.session import Outcome, simulate
from gpt_trader.engine.setup import Settings
from gpt_trader.errors import BadRange, GptTraderError
from gpt_trader.source_lines import source_line
from gpt_trader.strategy import (
    OrderStrategy,
    Row,
    Strategy,
    checked_instance,
    is_per_symbol,
    strategy_name,
    uses_held,
)

CAUSAL_TOLERANCE = 1e-9
WARM_TOLERANCE = 1e-6
FEWEST_BARS = 60


@dataclass(frozen=True, slots=True)
class Finding:
    """One proof of a fault: which `test` ("causal", "rows", "warm-up"), on what, at which bar, seen and expected value.

    The values are text where the feature is. `line` is the line of the strategy's file (0 unknown); `subject` the
    feature, or "decide".
    """

    test: str
    subject: str
    line: int
    bar: int
    time: str
    expected: float | str
    got: float | str
    message: str


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The verdicts: `findings` per fault (the first bar that shows it), `warmup` bars of history the strategy needs."""

    strategy: str
    bars: int
    samples: int
    findings: tuple[Finding, ...]
    warmup: int | None

    @property
    def ok(self) -> bool:
        """True when nothing was found."""
        return not self.findings

    def verdict(self, test: str) -> bool:
        """True when `test` passed."""
        return all(finding.test != test for finding in self.findings)

    @property
    def causal(self) -> bool:
        """No answer at t moved when the bars after t changed."""
        return self.verdict("causal")

    @property
    def rows(self) -> bool:
        """All bars at once and one bar at a time gave the same decisions."""
        return self.verdict("rows")

    @property
    def warm_up(self) -> bool:
        """A bounded history gave the same last row."""
        return self.verdict("warm-up")


def check_strategy(strategy: Strategy, bars: Bars, samples: int = 32, seed: int = 0) -> CheckReport:
    """Run the three proofs on `bars`, each at `samples` bars spread over the whole span (seeded).

    Raises BadParameter for no instance, BadRange for fewer than FEWEST_BARS bars and StrategyError when the strategy fails on
    the full data.
    """
    checked_instance(strategy, "check_strategy")
    if bars.T < FEWEST_BARS:
        raise BadRange(f"check needs at least {FEWEST_BARS} bars, got {bars.T}")
    seen = bars.continuous()
    whole = deciding.compute_features(strategy, seen)
    rng = np.random.default_rng(seed)
    at = _sample_bars(bars.T, samples, rng)
    findings = _causal_features(strategy, seen, whole, at, rng)
    findings += _causal_decisions(strategy, bars, at, rng)
    if _is_stateless(strategy):
        findings += _rows(strategy, seen, whole, at)
    late, warmup = _warm_up(strategy, seen, whole, at)
    return CheckReport(
        strategy_name(type(strategy)), bars.T, len(at), tuple(_first_of_each(findings + late)), warmup
    )


def _is_stateless(strategy: Strategy) -> bool:
    return not (uses_held(strategy) or is_per_symbol(strategy) or isinstance(strategy, OrderStrategy))


def _sample_bars(count: int, samples: int, rng: np.random.Generator) -> list[int]:
    """Bars from a quarter of the data on, never the last one; half of them in runs of neighbours, to meet calendar edges."""
    low, high = count // 4, count - 2
    spread = np.linspace(low, high, max(2, samples // 2)).astype(int)
    starts = rng.integers(low, max(low + 1, high - 6), size=max(1, samples // 12))
    runs = (starts[:, None] + np.arange(6)).ravel()
    return sorted({int(t) for t in (*spread, *runs) if low <= t <= high})


def _cut(bars: Bars, t: int) -> Bars:
    return bars.select(end=bars.time[t])


def scrambled_future(bars: Bars, t: int, rng: np.random.Generator) -> Bars:
    """The same bars up to t, then other ones: new price paths, volumes off by up to a factor of 100, the same gaps."""
    panel = bars.panel.copy()
    rest = bars.T - t - 1
    steps = np.exp(np.cumsum(rng.normal(0, 0.05, (rest, bars.N)), axis=0) + rng.normal(0, 0.5, (1, bars.N)))
    last = np.array([_last_price(bars, t, n) for n in range(bars.N)])
    close = last * steps
    opened = close * np.exp(rng.normal(0, 0.02, close.shape))
    spread = np.exp(np.abs(rng.normal(0, 0.03, close.shape)))
    gap = np.isnan(bars.close[t + 1 :])
    panel[OPEN, t + 1 :] = np.where(gap, np.nan, opened)
    panel[CLOSE, t + 1 :] = np.where(gap, np.nan, close)
    panel[HIGH, t + 1 :] = np.where(gap, np.nan, np.maximum(opened, close) * spread)
    panel[LOW, t + 1 :] = np.where(gap, np.nan, np.minimum(opened, close) / spread)
    panel[VOLUME, t + 1 :] *= 10.0 ** rng.uniform(-2, 2, (1, bars.N)) * rng.uniform(0.5, 2.0, (rest, bars.N))
    return Bars(bars.symbols, bars.time, panel, bars.timeframe, bars.adjustment, bars.sources, bars.delisted)


def _last_price(bars: Bars, t: int, n: int) -> float:
    known = bars.close[: t + 1, n]
    known = known[~np.isnan(known)]
    return float(known[-1]) if known.size else 100.0


def _causal_features(
    strategy: Strategy, bars: Bars, whole: Mapping[str, NDArray[Any]], at: list[int], rng: np.random.Generator
) -> list[Finding]:
    findings = []
    for t in at:
        for how, other in (("cut off", _cut(bars, t)), ("replaced", scrambled_future(bars, t, rng))):
            try:
                again = deciding.compute_features(strategy, other)
            except GptTraderError as error:
                findings.append(
                    _finding(
                        strategy,
                        "causal",
                        "features",
                        bars,
                        t,
                        np.nan,
                        np.nan,
                        f"fails when later bars are {how}: {error}",
                    )
                )
                continue
            for name, values in whole.items():
                if name not in again:
                    findings.append(
                        _finding(
                            strategy,
                            "causal",
                            name,
                            bars,
                            t,
                            np.nan,
                            np.nan,
                            f"vanishes when later bars are {how}",
                        )
                    )
                    continue
                bar = _first_difference(values[: t + 1], again[name][: t + 1], CAUSAL_TOLERANCE)
                if bar is not None:
                    message = f"the value at this bar moves when the bars after {_text(bars, t)} are {how}"
                    findings.append(
                        _finding(
                            strategy, "causal", name, bars, bar[0], values[bar], again[name][bar], message
                        )
                    )
    return findings


def _causal_decisions(
    strategy: Strategy, bars: Bars, at: list[int], rng: np.random.Generator
) -> list[Finding]:
    """Decisions through the engine itself: equity and orders up to t must not move with later bars."""
    stateless = _is_stateless(strategy)
    whole = _decisions(strategy, bars, stateless)
    findings = []
    for t in at if stateless else at[:: max(1, len(at) // 8)]:
        for how, other in (("cut off", _cut(bars, t)), ("replaced", scrambled_future(bars, t, rng))):
            try:
                again = _decisions(strategy, other, stateless)
            except GptTraderError as error:
                findings.append(
                    _finding(
                        strategy,
                        "causal",
                        "decide",
                        bars,
                        t,
                        np.nan,
                        np.nan,
                        f"fails when later bars are {how}: {error}",
                    )
                )
                continue
            bar = _first_difference(whole[: t + 1], again[: t + 1], CAUSAL_TOLERANCE)
            if bar is not None:
                what = "the target" if stateless else "the account"
                message = f"{what} at this bar moves when the bars after {_text(bars, t)} are {how}"
                findings.append(
                    _finding(strategy, "causal", "decide", bars, bar[0], whole[bar], again[bar], message)
                )
    return findings


def _decisions(strategy: Strategy, bars: Bars, stateless: bool) -> NDArray[np.float64]:
    """(T, N) targets of a stateless strategy; (T, 4) equity, cash, gross and net of one that reads what it holds."""
    if stateless:
        seen = bars.continuous()
        return deciding.decide_all(strategy, seen, deciding.compute_features(strategy, seen))
    outcome: Outcome = simulate(strategy, bars, Settings())
    return outcome.book.track.T


def _rows(strategy: Strategy, bars: Bars, whole: Mapping[str, NDArray[Any]], at: list[int]) -> list[Finding]:
    """`decide` on one row must give what `decide` on all rows gives at that row."""
    findings = []
    targets = deciding.decide_all(strategy, bars, whole)
    columns = deciding.row_values(bars, whole)
    for t in at:
        try:
            with np.errstate(invalid="ignore", divide="ignore"):
                one = deciding.decide_bar(strategy, Row({k: a[t] for k, a in columns.items()}), None, bars.N)
        except GptTraderError as error:
            findings.append(
                _finding(
                    strategy,
                    "rows",
                    "decide",
                    bars,
                    t,
                    np.nan,
                    np.nan,
                    f"works on all bars at once but fails on one: {error}",
                )
            )
            continue
        bar = _first_difference(targets[t : t + 1], one[None, :], CAUSAL_TOLERANCE)
        if bar is not None:
            message = "one bar at a time gives another target than all bars at once: it looks at other rows"
            findings.append(
                _finding(strategy, "rows", "decide", bars, t, targets[t][bar[1]], one[bar[1]], message)
            )
    return findings


def _warm_up(
    strategy: Strategy, bars: Bars, whole: Mapping[str, NDArray[Any]], at: list[int]
) -> tuple[list[Finding], int | None]:
    """The shortest tried history (declared, or doubling) whose last row is the same; a finding when none is short enough."""
    if not whole:
        return [], 1
    late = [t for t in at if t >= bars.T // 2][-6:] or at[-1:]
    longest = min(late) + 1
    sizes = [strategy.warmup] if strategy.warmup else sorted({min(longest, 2**k) for k in range(4, 24)})
    problem: Finding | None = None
    for size in sizes:
        if size > longest:
            break
        problem = _cold_feature(strategy, bars, whole, late, size)
        if problem is None and (size < longest or strategy.warmup):
            return [], size
    return (
        [problem]
        if problem is not None and (strategy.warmup or _moves_to_the_end(strategy, bars, whole, late))
        else []
    ), None


def _moves_to_the_end(
    strategy: Strategy, bars: Bars, whole: Mapping[str, NDArray[Any]], late: list[int]
) -> bool:
    """True when even 90 % of the history gives another last row: the value depends on where the data begin."""
    return _cold_feature(strategy, bars, whole, late, int(0.9 * min(late))) is not None


def _cold_feature(
    strategy: Strategy, bars: Bars, whole: Mapping[str, NDArray[Any]], late: list[int], size: int
) -> Finding | None:
    for t in late:
        window = bars.select(start=bars.time[t - size + 1], end=bars.time[t])
        try:
            again = deciding.compute_features(strategy, window)
        except GptTraderError as error:
            return _finding(
                strategy,
                "warm-up",
                "features",
                bars,
                t,
                np.nan,
                np.nan,
                f"fails on the last {size} bars: {error}",
            )
        for name, values in whole.items():
            if name not in again:
                message = f"vanishes on the last {size} bars"
                return _finding(strategy, "warm-up", name, bars, t, np.nan, np.nan, message)
            bar = _first_difference(values[t : t + 1], again[name][-1:], WARM_TOLERANCE)
            if bar is not None:
                got = again[name][-1:][bar]
                message = f"a history of {size} bars gives another value than the whole history: it depends on where the data begin"
                return _finding(strategy, "warm-up", name, bars, t, values[t][bar[1]], got, message)
    return None


def _first_difference(a: NDArray[Any], b: NDArray[Any], tolerance: float) -> tuple[int, int] | None:
    """(row, column) of the first place where two arrays differ by more than the relative tolerance, NaN being equal to NaN."""
    if a.shape != b.shape:
        return (0, 0)
    differs = (
        _numbers_differ(a, b, tolerance) if a.dtype.kind in "biuf" and b.dtype.kind in "biuf" else a != b
    )
    if not differs.any():
        return None
    row, column = (int(i) for i in np.argwhere(differs)[0])
    return row, column


def _numbers_differ(a: NDArray[Any], b: NDArray[Any], tolerance: float) -> NDArray[np.bool_]:
    left, right = np.asarray(a, np.float64), np.asarray(b, np.float64)
    with np.errstate(invalid="ignore"):
        scale = np.maximum(np.abs(left), np.abs(right))
        apart = (
            np.abs(left - right) > tolerance * np.where(np.isfinite(scale), scale, 0.0) + 1e-12 * tolerance
        )
    differs: NDArray[np.bool_] = (np.isnan(left) != np.isnan(right)) | (apart & ~(left == right))
    return differs


def _finding(
    strategy: Strategy, test: str, subject: str, bars: Bars, bar: int, expected: Any, got: Any, message: str
) -> Finding:
    line = source_line(type(strategy), subject)
    return Finding(test, subject, line, bar, _text(bars, bar), _shown(expected), _shown(got), message)


def _shown(value: Any) -> float | str:
    return float(value) if isinstance(value, int | float | np.number | np.bool_) else str(value)


def _text(bars: Bars, t: int) -> str:
    return str(bars.time[t].astype("datetime64[m]")).removesuffix("T00:00")


def _first_of_each(findings: list[Finding]) -> list[Finding]:
    """One finding per test and subject: the one at the earliest bar; a leaky feature explains the decision it leads to."""
    first: dict[tuple[str, str], Finding] = {}
    for finding in sorted(findings, key=lambda item: item.bar):
        first.setdefault((finding.test, finding.subject), finding)
    return list(first.values())
