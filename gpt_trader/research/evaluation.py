"""One chunk of work: some points of a strategy on some bars, scored; a pure function that any process can run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache, cached_property
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import Bars
from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.engine.setup import Settings
from gpt_trader.errors import BadParameter, GptTraderError, plain
from gpt_trader.memo import memo
from gpt_trader.research.space import Values
from gpt_trader.strategy import Strategy, strategy_name
from gpt_trader.strategy_code import code_hash
from gpt_trader.tuning import STANDARD, Tuning

Floats = NDArray[np.float64]
BLOCKS = 128
"""Blocks of bars whose sums of returns are kept for every run: 16 groups of 8 for the combinatorial test."""


@cache
def engine_hash() -> str:
    """SHA-256 (hex) over the sources and the versions of the libraries that decide what a run's numbers are: a result of others
    is another result."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for package in ("numpy", "numba", "pandas"):
        digest.update(f"{package} {version(package)}\n".encode())
    for folder in (
        root,
        *(root / name for name in ("engine", "indicators", "research", "strategies", "validation")),
    ):
        for source in sorted(folder.glob("*.py")):
            digest.update(f"{folder.name}/{source.name}\n".encode() + source.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Subject:
    """What all points of a study share: the strategy class, the bars and the settings of a run. No number depends on `tuning`."""

    strategy: type[Strategy]
    bars: Bars
    settings: Settings
    tuning: Tuning = STANDARD

    @cached_property
    def identity(self) -> Mapping[str, Any]:
        """All that determines what a point of this subject scores, by name."""
        settings = self.settings
        return {
            "engine": engine_hash(),
            "strategy": strategy_name(self.strategy),
            "code": code_hash(self.strategy),
            "data": _identity(self.bars),
            "index": None if settings.index is None else _identity(settings.index),
            "settings": {
                name: _plain(getattr(settings, name))
                for name in ("capital", "costs", "allocation", "fills", "risk", "exits", "instruments")
            },
        }

    @cached_property
    def key(self) -> str:
        """SHA-256 (hex) of the identity."""
        return hashlib.sha256(_json(self.identity)).hexdigest()

    def with_strategy(self, strategy: type[Strategy]) -> Subject:
        """Another strategy class on the same bars under the same settings."""
        return replace(self, strategy=strategy)

    def __getstate__(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self)}


@dataclass(frozen=True, slots=True)
class Variant:
    """What is changed about the subject for a test of robustness; as it stands, nothing.

    `cost_multiple` scales every cost, `capital_multiple` the capital; `delay` bars more pass between a decision and its order.
    `replicate` numbers a market resampled from the bars with `seed` and mean block length `block` (None chooses it).
    """

    cost_multiple: float = 1.0
    capital_multiple: float = 1.0
    delay: int = 0
    replicate: int | None = None
    seed: int = 0
    block: float | None = None

    def of(self, subject: Subject) -> Subject:
        """The subject with the change made."""
        settings = subject.settings
        if self.cost_multiple != 1.0:
            settings = replace(settings, costs=settings.costs.times(self.cost_multiple))
        if self.capital_multiple != 1.0:
            settings = replace(settings, capital=settings.capital * self.capital_multiple)
        if self.delay:
            settings = replace(
                settings, fills=replace(settings.fills, delay=settings.fills.delay + self.delay)
            )
        bars = subject.bars
        if self.replicate is not None:
            from gpt_trader.validation.resampling import resample, resample_with_index

            if settings.index is None:
                bars = resample(bars, self.seed, self.replicate, block=self.block)
            else:
                bars, index = resample_with_index(
                    bars, settings.index, self.seed, self.replicate, block=self.block
                )
                settings = replace(settings, index=index)
        return replace(subject, bars=bars, settings=settings)


AS_IT_IS = Variant()


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The scores of the points of one chunk, in their order.

    `values` (n, metrics) by METRIC_NAMES, NaN for a point that failed; `sums` (n, 2, B) float32 the sum of the returns of each
    block of bars and of their squares; `errors` the message of each point that failed, by its place in the chunk.

    `passing` are the places of errors that the same point may not have another time, because they came out of the strategy's own
    code (a file that was missing, memory that ran out): all but refusals. `missing` are the places that were not run yet.
    """

    values: Floats
    sums: NDArray[np.float32]
    errors: Mapping[int, str] = field(default_factory=dict)
    passing: frozenset[int] = frozenset()
    missing: frozenset[int] = frozenset()

    def copy(self) -> Evaluated:
        """The same in memory of its own, so that memory shared with a worker is free again."""
        return replace(self, values=self.values.copy(), sums=self.sums.copy())

    def only(self, places: Sequence[int]) -> Evaluated:
        """The scores of the points at `places`, none of which is missing."""
        if len(places) == len(self.values):
            return self
        errors = {row: self.errors[place] for row, place in enumerate(places) if place in self.errors}
        passing = frozenset(row for row, place in enumerate(places) if place in self.passing)
        return Evaluated(self.values[places], self.sums[places], errors, passing)

    @property
    def reached(self) -> NDArray[np.bool_]:
        """(n,) which points were run."""
        rows = np.ones(len(self.values), np.bool_)
        rows[sorted(self.missing)] = False
        return rows


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One chunk: `points` as values of the parameters `names` (the others have their defaults or are in `fixed`).

    The account begins at row `first`; bars from row `stop` on are not there. `edges` are the rows that bound the blocks; None
    for BLOCKS equal ones. `variants` has one for each point, which is scored under it; empty: all as it is. `among` is the
    number of runs of the chunk that this is a part of, None for a whole one: so many decide whether a rule is compiled, and
    a point scores the same in any part.
    """

    names: tuple[str, ...]
    points: tuple[Values, ...]
    fixed: tuple[tuple[str, Any], ...] = ()
    first: int = 0
    stop: int | None = None
    edges: tuple[int, ...] | None = None
    variants: tuple[Variant, ...] = ()
    among: int | None = None

    def __post_init__(self) -> None:
        if self.variants and len(self.variants) != len(self.points):
            raise BadParameter(
                f"a chunk of {len(self.points)} points has {len(self.variants)} variants; give one for each"
            )

    def key(self, subject: Subject) -> str:
        """The content address of the chunk's result: SHA-256 (hex) over the subject and everything here."""
        return hashlib.sha256(subject.key.encode() + _json(asdict(self))).hexdigest()

    def only(self, places: Sequence[int]) -> Evaluation:
        """The part of the chunk that has the points at `places`; the chunk itself when these are all."""
        if len(places) == len(self.points):
            return self
        variants = tuple(self.variants[place] for place in places) if self.variants else ()
        points = tuple(self.points[place] for place in places)
        return replace(self, points=points, variants=variants, among=self.among or len(self.points))

    def run(self, subject: Subject) -> Evaluated:
        """Score every point. Points that cannot be made or that fail are NaN with their message; the others go on."""
        return Bench(subject).run(self)

    def cut(self, subject: Subject) -> Subject:
        """The subject without the bars from row `stop` on, and without what is known of delistings after them."""
        if self.stop is None or self.stop == subject.bars.T:
            return subject
        return replace(subject, bars=subject.bars.before(self.stop))

    def parts(self) -> Iterator[tuple[Variant, list[int]]]:
        """The points (by their place) that follow each other under the same variant, with that variant."""
        places = range(len(self.points))
        if not self.variants:
            yield AS_IT_IS, list(places)
            return
        for variant, same in groupby(places, lambda place: self.variants[place]):
            yield variant, list(same)

    def edges_of(self, bars: Bars) -> NDArray[np.int64]:
        """The rows that bound the blocks."""
        return block_edges(self.first, bars.T) if self.edges is None else np.array(self.edges, np.int64)

    def score(self, view: Subject, places: Sequence[int]) -> Evaluated:
        """The scores of the points at `places` on the subject as these points see it; errors by place.

        What a strategy raises where it must not, or its `sys.exit`, is the error of that point alone.
        """
        try:
            return self._score(view, places)
        except (GptTraderError, MemoryError):
            raise
        except (Exception, SystemExit) as error:
            if len(places) == 1:
                return replace(self.refused(view.bars, places, told_of(error)), passing=frozenset(places))
        return joined([self.score(view, [place]) for place in places])

    def refused(self, bars: Bars, places: Sequence[int], text: str) -> Evaluated:
        """What comes of points that cannot be run."""
        values = np.full((len(places), len(METRIC_NAMES)), np.nan)
        sums = np.full((len(places), 2, self.edges_of(bars).size - 1), np.nan, np.float32)
        return Evaluated(values, sums, dict.fromkeys(places, plain(text)))

    def lost(self, subject: Subject, text: str) -> Evaluated:
        """What comes of the chunk when the work on it failed, which another time it may not."""
        places = range(len(self.points))
        return replace(self.refused(self.cut(subject).bars, places, text), passing=frozenset(places))

    def _score(self, view: Subject, places: Sequence[int]) -> Evaluated:
        from gpt_trader.batch import score_runs
        from gpt_trader.engine.session import calls_of

        made, rows, errors = [], [], {}
        for row, place in enumerate(places):
            try:
                values = zip(self.names, self.points[place], strict=True)
                made.append(view.strategy(**dict(self.fixed), **dict(values)))
                rows.append(row)
            except GptTraderError as error:
                errors[place] = str(error)
        edges = self.edges_of(view.bars)
        runs = len(self.points) if self.among is None else self.among
        others = calls_of(made[0], view.bars, self.first) * (runs - len(places)) if made else 0
        scores = score_runs(
            made,
            view.bars,
            view.settings,
            first=self.first,
            edges=edges,
            keep_going=True,
            called=others,
            tuning=view.tuning,
        )
        table = np.full((len(places), len(scores.names)), np.nan)
        sums = np.full((len(places), *scores.sums.shape[1:]), np.nan, np.float32)
        table[rows], sums[rows] = scores.values, scores.sums
        raised = {places[rows[run]]: message for run, message in scores.errors.items()}
        errors = {place: plain(text) for place, text in sorted({**errors, **raised}.items())}
        return Evaluated(table, sums, errors, frozenset(raised))


class Bench:
    """Runs chunks of one subject one after the other, keeping what they share: the view of the bars, and the indicators."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.memo = memo()
        self._stop: int | None = None
        self._cut = subject
        self._variant: Variant | None = AS_IT_IS
        self._view = subject

    def run(self, chunk: Evaluation) -> Evaluated:
        """The scores of the points of a chunk."""
        if chunk.stop != self._stop:
            self._cut, self._stop, self._variant = chunk.cut(self.subject), chunk.stop, None
        scored = [self._score(chunk, variant, places) for variant, places in chunk.parts()]
        return scored[0] if len(scored) == 1 else joined(scored)

    def _score(self, chunk: Evaluation, variant: Variant, places: Sequence[int]) -> Evaluated:
        if variant != self._variant:
            self.memo.clear()
            try:
                self._view, self._variant = variant.of(self._cut), variant
            except GptTraderError as error:
                return chunk.refused(self._cut.bars, places, str(error))
        with self.memo:
            return chunk.score(self._view, places)


def joined(parts: Sequence[Evaluated]) -> Evaluated:
    """The scores of parts of a chunk as one."""
    errors = {place: text for part in parts for place, text in part.errors.items()}
    values, sums = (np.concatenate([getattr(part, name) for part in parts]) for name in ("values", "sums"))
    return Evaluated(values, sums, errors, frozenset().union(*(part.passing for part in parts)))


def told_of(error: BaseException) -> str:
    """What a strategy raised, as a message."""
    if isinstance(error, SystemExit):
        return f"the strategy's code called sys.exit({error.code!r}); raise an exception instead"
    return plain(f"{type(error).__name__}: {error}".rstrip(": "))


def block_edges(first: int, stop: int, blocks: int = BLOCKS) -> NDArray[np.int64]:
    """(B + 1,) rows that cut rows `first` to `stop` - 1 into `blocks` stretches as equal as can be; fewer when rows are few."""
    rows = stop - first
    return first + np.arange(min(blocks, rows) + 1, dtype=np.int64) * rows // min(blocks, rows)


def _identity(bars: Bars) -> list[Any]:
    """The data in the order of their columns, and the rows: the order of symbols breaks ties between seats."""
    return [*bars.fingerprint().items(), hashlib.sha256(bars.time.astype("<i8").tobytes()).hexdigest()]


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [{"kind": type(item).__name__, **asdict(item)} for item in value]
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode()
