"""Ranks symbols where not all of them may enter: by score or by wanted weight, and lists sorted by that rank."""

from __future__ import annotations

import numpy as np

from gpt_trader.engine.jit import inlined, kernel
from gpt_trader.engine.order_book import NO_ORDER
from gpt_trader.engine.records import SCORE, AccountState, MarketData


@inlined
def score_of(m: MarketData, b: AccountState, t: int, n: int) -> float:
    """Rank of a wanted symbol among the entrants: its score, NaN last, or the weight it wants."""
    if b.rules[0].score_on > 0.0:
        score = m.signals[SCORE, t, n]
        return score if not np.isnan(score) else -np.inf
    return abs(b.symbols[n].wanted)


@inlined
def has_slot(b: AccountState, n: int) -> bool:
    """A symbol that holds a position or whose target order works is no entrant."""
    s = b.symbols[n]
    return (abs(s.qty) > 0.0) | (s.target_order != NO_ORDER)


@inlined
def ranks_behind(m: MarketData, b: AccountState, t: int, n: int, other: int) -> bool:
    """Whether symbol n comes after another one: a lower score, or the same and a later place among the symbols."""
    score, best = score_of(m, b, t, n), score_of(m, b, t, other)
    return score < best or (score == best and n > other)


@kernel
def _sift_down(m: MarketData, b: AccountState, t: int, heap: np.ndarray, k: int) -> None:
    """Let entry k of a heap, whose first entry is the one that ranks last, down to where it belongs."""
    n = heap[k]
    while 2 * k + 1 < heap.shape[0]:
        child = 2 * k + 1
        if child + 1 < heap.shape[0] and ranks_behind(m, b, t, heap[child + 1], heap[child]):
            child += 1
        if not ranks_behind(m, b, t, heap[child], n):
            break
        heap[k] = heap[child]
        k = child
    heap[k] = n


@kernel
def best_to_front(m: MarketData, b: AccountState, t: int, symbols: np.ndarray, count: int) -> None:
    """Bring the `count` symbols that rank first to the front of a list, in no order: few places are given in one pass."""
    if count == 0:
        return
    heap = symbols[:count]
    for k in range(count // 2 - 1, -1, -1):
        _sift_down(m, b, t, heap, k)
    for k in range(count, symbols.shape[0]):
        if ranks_behind(m, b, t, heap[0], symbols[k]):
            heap[0], symbols[k] = symbols[k], heap[0]
            _sift_down(m, b, t, heap, 0)


@kernel
def sort_by_rank(m: MarketData, b: AccountState, t: int, symbols: np.ndarray) -> None:
    """Sort a list of symbols, the one that ranks first to the front (heapsort: Williams 1964, CACM 7(6), algorithm 232)."""
    for k in range(symbols.shape[0] // 2 - 1, -1, -1):
        _sift_down(m, b, t, symbols, k)
    for last in range(symbols.shape[0] - 1, 0, -1):
        symbols[0], symbols[last] = symbols[last], symbols[0]
        _sift_down(m, b, t, symbols[:last], 0)


@inlined
def count_ranked_before(m: MarketData, b: AccountState, t: int, ranked: np.ndarray, n: int) -> int:
    """How many of a sorted list rank before symbol n."""
    low, high = 0, ranked.shape[0]
    while low < high:
        middle = (low + high) // 2
        if ranks_behind(m, b, t, n, ranked[middle]):
            low = middle + 1
        else:
            high = middle
    return low
