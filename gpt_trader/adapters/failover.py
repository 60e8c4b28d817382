"""Several sources in order: the next one answers while an earlier one is down, and the answer says which it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gpt_trader.errors import BadParameter, RateLimited, SourceUnavailable, SymbolNotFound
from gpt_trader.sources import BarRequest, BarSource, Series


@dataclass(slots=True)
class _Health:
    """Consecutive errors of one source, and until when (monotonic seconds) it is left alone."""

    errors: int = 0
    down_until: float = float("-inf")
    probing: bool = False


class FailoverSource:
    """Asks `sources` in order and gives the first fresh, non-empty answer; `Series.source` names who gave it.

    A source is asked again after an error until it has failed `errors` times in a row; then it is left alone for
    `cool_down` seconds by `clock` (monotonic) while the next ones answer, and after that one success restores it and
    one failure starts the pause again. A rate limit pauses it at once, for the time it named when that is longer.
    A symbol that one source does not know, an empty answer and a stale one are looked for further down the list too;
    when no source does better, the stale answer is given before the empty one, both before an error.
    """

    def __init__(
        self,
        sources: Sequence[BarSource],
        *,
        errors: int = 3,
        cool_down: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not sources or errors < 1 or cool_down < 0:
            raise BadParameter(
                "failover needs at least one source, errors of 1 or more and a cool_down of 0 or more"
            )
        self.sources, self.errors, self.cool_down, self.clock = tuple(sources), errors, cool_down, clock
        self.name = ">".join(source.name for source in self.sources)
        self._health = [_Health() for _ in self.sources]

    def symbols(self) -> tuple[str, ...]:
        """The symbols of every source that can list its own."""
        listed = [source.symbols() for source in self.sources if hasattr(source, "symbols")]
        return tuple(sorted({symbol for names in listed for symbol in names}))

    def fetch(self, request: BarRequest) -> Series:
        """See BarSource. Raises SymbolNotFound when every source answered and none knows the symbol, else
        SourceUnavailable with what each one said."""
        problems: list[str] = []
        second_best: list[Series] = []
        unknown = 0
        for source, health in zip(self.sources, self._health, strict=True):
            try:
                series = self._ask(source, health, request)
            except SymbolNotFound as error:
                unknown += 1
                problems.append(f"{source.name}: {error}")
                continue
            except SourceUnavailable as error:
                problems.append(f"{source.name}: {error}")
                continue
            noted = replace(series, notes=(*series.notes, *(f"failover from {text}" for text in problems)))
            if len(series.frame) and not series.stale:
                return noted
            second_best.append(noted)
            problems.append(f"{source.name}: {'stale' if series.stale else 'no bars'}")
        if second_best:
            return max(second_best, key=lambda series: len(series.frame) > 0)
        if unknown == len(self.sources):
            raise SymbolNotFound(f"{request.symbol}: no source knows it ({'; '.join(problems)})")
        raise SourceUnavailable(f"{request.symbol}: no source could deliver ({'; '.join(problems)})")

    def _ask(self, source: BarSource, health: _Health, request: BarRequest) -> Series:
        if self.clock() < health.down_until:
            wait = health.down_until - self.clock()
            raise SourceUnavailable(f"left alone for another {wait:.0f} s after errors")
        while True:
            try:
                series = source.fetch(request)
            except RateLimited as error:
                self._pause(health, max(self.cool_down, error.retry_after or 0.0))
                raise
            except SourceUnavailable:
                health.errors += 1
                if health.probing or health.errors >= self.errors:
                    self._pause(health, self.cool_down)
                    raise
            else:
                health.errors, health.probing = 0, False
                return series

    def _pause(self, health: _Health, seconds: float) -> None:
        health.down_until, health.probing, health.errors = self.clock() + seconds, True, 0
