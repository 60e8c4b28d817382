"""The trial ledger: every configuration that was ever tried, counted once, never changed and never removed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.adapters.store.rows import Rows, json_text, moment, time_of
from gpt_trader.errors import BadParameter
from gpt_trader.research.return_profiles import PROFILE_BLOCKS
from gpt_trader.research.trial_identity import KEY_BYTES

SAMPLE_LIMIT = 4000
KEYS_PER_QUERY = 500  # SQLite takes 999 values at least
_QUEUE = 7_203_145_552  # any fixed number: PostgreSQL's advisory lock that lets one process record at a time


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrialBatch:
    """n trials of one family on one data set, all of one kind and length.

    `family` is the strategy's name; `data` the data's hash (`research.trial_identity.data_hash`), `symbols`, `start`, `end`
    (times of the first and the last bar), `timeframe`, `bars` and `periods_per_year` describe the whole data set;
    `kind` says what made the trials (backtest, sweep, …). `keys` (n, 16) are those of `research.trial_identity`; `sharpe` (n,)
    is per BAR, not annualised, NaN where it is not defined; `observations` is the number of returns it is computed
    from; `profiles` (n, 32) are those of `research.return_profiles`. Raises BadParameter for arrays of other shapes.
    """

    family: str
    data: str
    symbols: Sequence[str]
    start: Any
    end: Any
    timeframe: str
    bars: int
    periods_per_year: float
    kind: str
    keys: NDArray[np.uint8]
    sharpe: NDArray[np.float64]
    observations: int
    profiles: NDArray[np.float32]

    def __post_init__(self) -> None:
        count = len(self.keys)
        expected = {"keys": (count, KEY_BYTES), "sharpe": (count,), "profiles": (count, PROFILE_BLOCKS)}
        for name, shape in expected.items():
            found = np.shape(getattr(self, name))
            if found != shape:
                raise BadParameter(f"{name} of a batch of trials has shape {found}, expected {shape}")


@dataclass(frozen=True, slots=True, eq=False)
class TrialSample:
    """Trials of one family on one data set: `profiles` (k, 32) float32, `sharpe` (k,) per bar, NaN where undefined, and
    `observations` (k,), the number of returns of each.

    All of them, of more than `SAMPLE_LIMIT` a random choice that is always the same.
    """

    profiles: NDArray[np.float32]
    sharpe: NDArray[np.float64]
    observations: NDArray[np.int64]

    def effective(self, trials: int, observations: int | None = None) -> tuple[float, float]:
        """How many independent trials so many `trials` amount to, these among them, and the variance of the Sharpe ratio
        (per bar) of one of those over so many `observations` (default: of the longest); NaN for what the sample does not tell.

        The share that is independent is seen in the sample and taken for all, which is rather too many than too few.
        """
        from gpt_trader.validation.effective_trials import effective_trials

        length = observations or max(self.observations.tolist(), default=1)
        found = effective_trials(self.profiles, self.sharpe * np.sqrt(self.observations / length))
        share = found.number / found.trials if found.trials else float("nan")
        return share * trials, found.variance


@dataclass(frozen=True, slots=True, eq=False)
class TrialCount:
    """How often a family was tried.

    `raw`: on exactly these data. `overlapping`: on data that share a symbol and a span of time with these, these
    included; so another start date resets nothing. `family_total`: on any data. `variance`: sample variance of the
    Sharpe ratios per bar of the overlapping trials of the same timeframe, NaN below two, as it were if each had
    `observations` returns, as many as the longest has: what luck gives a ratio over n returns varies with 1 / n, so one
    of a short stretch, such as a window of a walk-forward, counts times the root of n / `observations`. `sample`: the
    trials on exactly these data themselves.
    """

    raw: int
    overlapping: int
    family_total: int
    variance: float
    observations: int
    sample: TrialSample

    def effective(self) -> tuple[float, float]:
        """`TrialSample.effective` of all overlapping trials, over `observations` returns."""
        return self.sample.effective(self.overlapping, self.observations)


@dataclass(frozen=True, slots=True)
class TrialSet:
    """A family on one data set: its trials by kind, the best Sharpe ratio (per bar) and the variance of all of them
    (NaN where not defined), and when the first and the last were recorded (naive UTC)."""

    family: str
    data: str
    symbols: tuple[str, ...]
    start: datetime
    end: datetime
    timeframe: str
    bars: int
    periods_per_year: float
    trials: int
    kinds: dict[str, int]
    best: float
    variance: float
    first_made: datetime
    last_made: datetime


@dataclass(frozen=True, slots=True)
class TrialLedger:
    """The ledger of a store; `RunStore.ledger` gives it. Every method raises StoreError as those of the store do.

    `sample_limit` is how many trials of a set a sample has at most, `keys_per_query` how many keys are looked up at a time.
    On SQLite it imports neither SQLAlchemy nor pandas.
    """

    _writing: Callable[[], AbstractContextManager[Rows]] = field(repr=False)
    _reading: Callable[[], AbstractContextManager[Rows]] = field(repr=False)
    sample_limit: int = SAMPLE_LIMIT
    keys_per_query: int = KEYS_PER_QUERY

    def record(self, batch: TrialBatch, *, made_at: datetime) -> int:
        """Count the trials of `batch` and return how many were new, all in one transaction.

        A trial that is there already changes nothing, however often and by whom it is recorded. The order in which batches come can
        change the last digit of a variance.
        `made_at` is the clock's time (a naive one is UTC).
        """
        with self._writing() as rows:
            rows.queue(_QUEUE)
            trial_set = _number_of_set(rows, batch)
            new = _new_rows(rows, trial_set, batch, self.keys_per_query)
            if new.size:
                _insert(rows, trial_set, batch, new, moment(made_at))
            return int(new.size)

    def count(
        self, family: str, data: str, symbols: Sequence[str], start: Any, end: Any, timeframe: str
    ) -> TrialCount:
        """How often `family` was tried on the data that the other arguments describe (see `TrialBatch`)."""
        with self._reading() as rows:
            sets = rows.select(_SETS_OF_FAMILY, (time_of(end), time_of(start), family))
            sample = _sample(rows, family, data, self.sample_limit)
        wanted = set(symbols)
        near = [row for row in sets if row[4] and not wanted.isdisjoint(json.loads(row[2]))]
        comparable = [row for row in near if row[3] == timeframe]
        longest = max((int(row[9]) for row in comparable), default=1)
        return TrialCount(
            raw=sum(int(row[5]) for row in sets if row[1] == data),
            overlapping=sum(int(row[5]) for row in near),
            family_total=sum(int(row[5]) for row in sets),
            variance=_variance([_as_long(row[6:10], longest) for row in comparable]),
            observations=longest,
            sample=sample,
        )

    def sets(self, family: str | None = None) -> tuple[TrialSet, ...]:
        """What was tried on what, of one family or of all, by family and the time of the first trial."""
        chosen, values = ("", ()) if family is None else (" WHERE s.family = ?", (family,))
        with self._reading() as rows:
            found = rows.select(_SETS + chosen + _BY_SET_AND_KIND, values)
        grouped: dict[int, list[tuple[Any, ...]]] = {}
        for row in found:
            grouped.setdefault(row[0], []).append(row)
        made = [_trial_set(kinds) for kinds in grouped.values()]
        return tuple(sorted(made, key=lambda each: (each.family, each.first_made, each.data)))

    def sample(self, family: str, data: str) -> TrialSample:
        """The trials of a family on exactly these data."""
        with self._reading() as rows:
            return _sample(rows, family, data, self.sample_limit)

    def days(self, family: str) -> dict[str, dict[str, int]]:
        """New trials of `family` by kind for each day (UTC, ISO) on which there were any, oldest first."""
        with self._reading() as rows:
            found = rows.select(_DAYS, (family,))
        days: dict[str, dict[str, int]] = {}
        for made_at, kind, trials in found:
            day = days.setdefault(str(made_at)[:10], {})
            day[kind] = day.get(kind, 0) + int(trials)
        return dict(sorted(days.items()))


_SETS_OF_FAMILY = """
SELECT s.trial_set, s.data, CAST(s.symbols AS text), s.timeframe, s.start <= ? AND s."end" >= ?,
       sum(b.trials), sum(b.defined), sum(b.defined * b.mean), sum(b.squares + b.defined * b.mean * b.mean),
       b.observations
FROM trial_sets s JOIN trial_batches b ON b.trial_set = s.trial_set
WHERE s.family = ? GROUP BY s.trial_set, b.observations"""
_SAMPLE = """
SELECT t.profile, t.sharpe, b.observations FROM trials t JOIN trial_batches b ON b.batch = t.batch
WHERE t.trial_set = (SELECT trial_set FROM trial_sets WHERE family = ? AND data = ?)
ORDER BY t.key LIMIT ?"""  # keys are hashes: their order is random and always the same
_SETS = """
SELECT s.trial_set, s.family, s.data, CAST(s.symbols AS text), CAST(s.start AS text), CAST(s."end" AS text),
       s.timeframe, s.bars, s.periods_per_year, b.kind, sum(b.trials), max(b.best),
       CAST(min(b.made_at) AS text), CAST(max(b.made_at) AS text),
       sum(b.defined), sum(b.defined * b.mean), sum(b.squares + b.defined * b.mean * b.mean)
FROM trial_sets s JOIN trial_batches b ON b.trial_set = s.trial_set"""
_BY_SET_AND_KIND = " GROUP BY s.trial_set, b.kind ORDER BY s.trial_set, b.kind"
_DAYS = """
SELECT CAST(b.made_at AS text), b.kind, b.trials
FROM trial_batches b JOIN trial_sets s ON s.trial_set = b.trial_set WHERE s.family = ?"""


def _sample(rows: Rows, family: str, data: str, limit: int) -> TrialSample:
    stored = rows.select(_SAMPLE, (family, data, limit))
    profiles = np.frombuffer(b"".join(bytes(profile) for profile, *_ in stored), "<f4")
    sharpe = [np.nan if ratio is None else ratio for _, ratio, _ in stored]
    return TrialSample(
        profiles.reshape(-1, PROFILE_BLOCKS).astype(np.float32),
        np.array(sharpe, np.float64),
        np.array([length for *_, length in stored], np.int64),
    )


def _number_of_set(rows: Rows, batch: TrialBatch) -> int:
    """The number of the row in `trial_sets`, which is made when it is not there."""
    known = rows.execute(
        "SELECT trial_set FROM trial_sets WHERE family = ? AND data = ?", (batch.family, batch.data)
    )
    if known is None:
        per_year = float(batch.periods_per_year)
        known = rows.execute(
            'INSERT INTO trial_sets (family, data, symbols, start, "end", timeframe, bars, periods_per_year) '
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING trial_set",
            (
                batch.family, batch.data, json_text(list(batch.symbols)), time_of(batch.start), time_of(batch.end),
                batch.timeframe, int(batch.bars), per_year if np.isfinite(per_year) else None,
            ),
        )  # fmt: skip
    return int(known)


def _new_rows(rows: Rows, trial_set: int, batch: TrialBatch, at_a_time: int) -> NDArray[np.int64]:
    """The rows of the batch whose trials are not in the ledger; of equal keys the first."""
    keys = _pieces(batch.keys)
    first = {key: row for row, key in reversed(list(enumerate(keys)))}
    asked = list(first)
    for start in range(0, len(asked), at_a_time):
        part = asked[start : start + at_a_time]
        marks = ", ".join("?" * len(part))
        question = f"SELECT key FROM trials WHERE trial_set = ? AND key IN ({marks})"
        for (key,) in rows.select(question, (trial_set, *part)):
            del first[bytes(key)]
    return np.array(sorted(first.values()), np.int64)


def _insert(rows: Rows, trial_set: int, batch: TrialBatch, new: NDArray[np.int64], made_at: str) -> None:
    """The trials in rows `new` of the batch, and before them the row that sums them up."""
    sharpe = np.asarray(batch.sharpe, np.float64)[new]
    known = sharpe[np.isfinite(sharpe)]
    mean = float(known.mean()) if known.size else 0.0
    number = rows.execute(
        "INSERT INTO trial_batches (trial_set, kind, observations, made_at, trials, defined, mean, squares, best) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING batch",
        (
            trial_set, batch.kind, int(batch.observations), made_at, int(new.size), int(known.size), mean,
            float(((known - mean) ** 2).sum()), float(known.max()) if known.size else None,
        ),
    )  # fmt: skip
    ratios = [value if np.isfinite(value) else None for value in sharpe.tolist()]
    keys, profiles = _pieces(batch.keys[new]), _pieces(np.asarray(batch.profiles, "<f4")[new])
    rows.insert(
        "trials",
        ("trial_set", "key", "batch", "sharpe", "profile"),
        (
            (trial_set, key, number, ratio, profile)
            for key, ratio, profile in zip(keys, ratios, profiles, strict=True)
        ),
    )


def _pieces(array: NDArray[Any]) -> list[bytes]:
    """The bytes of each row of a two-dimensional array."""
    width = array.shape[1] * array.itemsize
    joined = np.ascontiguousarray(array).tobytes()
    return [joined[start : start + width] for start in range(0, len(joined), width)]


def _as_long(sums: Sequence[Any], longest: int) -> tuple[int, float, float]:
    """(number, sum, sum of squares) of Sharpe ratios from these and their observations, as if they had the `longest`'s."""
    number, total, squares, length = sums
    share = int(length) / longest
    return int(number or 0), float(total or 0.0) * share**0.5, float(squares or 0.0) * share


def _variance(sums: Sequence[Sequence[Any]]) -> float:
    """Sample variance from (number, sum, sum of squares) of parts; NaN below two values."""
    count = sum(int(part[0]) for part in sums)
    if count < 2:
        return float("nan")
    total, squares = (sum(float(part[column]) for part in sums) for column in (1, 2))
    return max(0.0, (squares - total * total / count) / (count - 1))


def _trial_set(kinds: list[tuple[Any, ...]]) -> TrialSet:
    """A set from the rows of its kinds."""
    _, family, data, symbols, start, end, timeframe, bars, per_year, *_ = kinds[0]
    best = [float(row[11]) for row in kinds if row[11] is not None]
    return TrialSet(
        family=family,
        data=data,
        symbols=tuple(json.loads(symbols)),
        start=datetime.fromisoformat(start),
        end=datetime.fromisoformat(end),
        timeframe=timeframe,
        bars=int(bars),
        periods_per_year=float("nan") if per_year is None else float(per_year),
        trials=sum(int(row[10]) for row in kinds),
        kinds={row[9]: int(row[10]) for row in kinds},
        best=max(best, default=float("nan")),
        variance=_variance([row[14:17] for row in kinds]),
        first_made=datetime.fromisoformat(min(row[12] for row in kinds)),
        last_made=datetime.fromisoformat(max(row[13] for row in kinds)),
    )
