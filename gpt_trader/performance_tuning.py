"""How runs are carried out: sizes and thresholds that change speed and memory and no number."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tuning:
    """Sizes and thresholds of batches and studies, measured on the machine that the benchmarks name.

    Attributes:
        compile_from: Calls of a rule from which compiling it (some ten seconds) costs less than calling it in Python.
        orders_compile_from: The same for order strategies, whose calls are ten times as fast.
        chunk: Targets (runs x bars x symbols) that one call of the kernel takes; 2**18 are 2 MB.
        markets: Markets that are kept for exits that come again. A grid over the exits themselves has thousands, each with
            average true ranges.
        orders: How many orders the logs of a run hold at first; None for more than most runs need.
        runs_per_chunk: Runs in a chunk of a study; None for as many as take about a second.
    """

    compile_from: int = 500_000
    orders_compile_from: int = 5_000_000
    chunk: int = 2**18
    markets: int = 16
    orders: int | None = None
    runs_per_chunk: int | None = None

    def calls_to_compile(self, *, ordering: bool) -> int:
        """From how many calls on a rule is compiled, of an order strategy with `ordering`."""
        return self.orders_compile_from if ordering else self.compile_from


STANDARD = Tuning()
