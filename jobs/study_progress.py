"""How far a study is: counted, shown on a terminal or in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from gpt_trader.research.chunk import Chunk, ChunkResult
    from jobs.console import Output

LINE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Watched:
    """The metric whose best value the progress shows, and whether less of it is better."""

    metric: str
    smallest: bool = False


@dataclass(frozen=True, slots=True)
class Best:
    """The best point so far, by `metric`, with all its `metrics`."""

    metric: str
    value: float
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]

    def __str__(self) -> str:
        point = " ".join(f"{name} {value}" for name, value in self.parameters.items())
        return f"best {self.metric} {self.value:.4g}{f' at {point}' if point else ''}"


class Tracker:
    """Counts points done, from earlier runs and now, and keeps the best. `points` is all there are, None when unknown;
    `headline` the metrics of what the study found, where that is not its best point."""

    def __init__(
        self, points: int | None, watched: Watched | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.points, self.done, self.cached, self.failed = points, 0, 0, 0
        self.best: Best | None = None
        self.headline: Mapping[str, float] | None = None
        self._watched, self._clock = watched, clock
        self._began = clock()

    def took(self, chunk: Chunk, result: ChunkResult | None, *, cached: bool) -> None:
        """One more chunk is done; without a result it failed."""
        points = len(chunk.points)
        self.done += points
        if cached:
            self.cached += points
            self._began = self._clock()  # looking up is not work: it does not count in the rate
        if result is None:
            self.failed += points
        elif self._watched is not None:
            self._compare(chunk, result, self._watched)

    def _compare(self, chunk: Chunk, result: ChunkResult, watched: Watched) -> None:
        import numpy as np

        from gpt_trader.engine.metric_definitions import METRIC_NAMES

        column = result.values[:, METRIC_NAMES.index(watched.metric)]
        if np.isnan(column).all():
            return
        place = int(np.nanargmin(column) if watched.smallest else np.nanargmax(column))
        value = float(column[place])
        if self.best is None or (value < self.best.value if watched.smallest else value > self.best.value):
            parameters = dict(zip(chunk.names, chunk.points[place], strict=True))
            metrics = dict(zip(METRIC_NAMES, result.values[place].tolist(), strict=True))
            self.best = Best(watched.metric, value, parameters, metrics)

    @property
    def seconds(self) -> float:
        """Since work began."""
        return self._clock() - self._began

    @property
    def rate(self) -> float:
        """Points computed in a second; 0 before the first."""
        computed = self.done - self.cached
        return computed / self.seconds if computed and self.seconds > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds until the end at this rate, None when that cannot be said."""
        return (self.points - self.done) / self.rate if self.points is not None and self.rate else None

    def as_json(self) -> dict[str, Any]:
        """For study.json."""
        return {
            "points": self.points,
            "points_done": self.done,
            "points_from_earlier_runs": self.cached,
            "points_failed": self.failed,
            "points_per_second": round(self.rate, 3),
            "seconds_left": None if self.left is None else round(self.left, 1),
            "best": None if self.best is None else asdict(self.best),
        }

    def as_metrics(self) -> dict[str, float]:
        """For the study's row in the store: how far it is, and the metrics of its answer, else those of the best run."""
        best: Mapping[str, float] = self.headline or ({} if self.best is None else self.best.metrics)
        points = {} if self.points is None else {"points": float(self.points)}
        return {**best, **points, "points_done": float(self.done)}

    def __str__(self) -> str:
        of = "" if self.points is None else f" of {self.points:,}"
        parts = [f"{self.done:,}{of} points", *([str(self.best)] if self.best else [])]
        parts += [f"{self.failed:,} failed"] if self.failed else []
        parts += [f"{self.rate:,.1f} points/s"] if self.rate else []
        parts += [f"{duration(self.left)} left"] if self.left is not None and self.done != self.points else []
        return ", ".join(parts)


def duration(seconds: float) -> str:
    """`45 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


class View(Protocol):
    """Where progress is shown."""

    def show(self, tracker: Tracker) -> None:
        """Show the state as it is now."""
        ...

    def notify(self, text: str) -> None:
        """One line that stays."""
        ...


class _Silence:
    def show(self, tracker: Tracker) -> None: ...
    def notify(self, text: str) -> None: ...


class _Lines:
    """A line now and then, for a log."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._shown = clock, float("-inf")

    def show(self, tracker: Tracker) -> None:
        """At most one line in five seconds, and the last one."""
        if tracker.done == tracker.points or self._clock() - self._shown >= LINE_SECONDS:
            self._shown = self._clock()
            self.notify(str(tracker))

    def notify(self, text: str) -> None:
        """Print it."""
        print(text, file=sys.stderr, flush=True)


class _Remarks(_Lines):
    """Only what is said, no progress: standard error is no terminal."""

    def show(self, tracker: Tracker) -> None: ...


class _Bar:
    """A bar on a terminal."""

    def __init__(self, bar: Any, points: int | None) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=points, told="")

    def show(self, tracker: Tracker) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=tracker.done, total=tracker.points, told=str(tracker))

    def notify(self, text: str) -> None:
        """Print it above the bar."""
        self._bar.console.print(text, highlight=False, markup=False)


@contextmanager
def shown(output: Output, points: int | None, *, log: bool) -> Iterator[View]:
    """The view for this command: a bar on a terminal, lines in the log of a detached study, else nothing."""
    if not output.tables:
        yield _Silence()
    elif log:
        yield _Lines()
    elif not sys.stderr.isatty():
        yield _Remarks()
    else:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        from jobs.console import terminal

        columns = (
            SpinnerColumn(),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("{task.fields[told]}"),
        )
        with Progress(*columns, console=terminal(stderr=True), transient=True) as bar:
            yield _Bar(bar, points)
