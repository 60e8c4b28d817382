"""Spaces for tests of searches, and the points that a search names when it is told how each scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gpt_trader import Strategy, param
from gpt_trader.research.search_methods import Answer, Search
from gpt_trader.research.search_space import Space, Values, make_space


@dataclass(frozen=True)
class Hill(Strategy):
    """Parameters of a planted optimum."""

    x: float = param(0.0)
    y: float = param(0.0)
    n: int = param(1)
    mode: str = param("up", choices=("up", "down"))


def space(limits: tuple[str, ...] = (), **axes: Any) -> Space:
    return make_space(Hill, axes, limits)


WIDE = space(x="-4:4", y="-4:4", n="1:60", mode="up,down")


def nothing(_: Values) -> tuple[float, ...]:
    """All points are the same."""
    return (0.0,)


def points(
    search: Search, where: Space, scored: Callable[[Values], tuple[float, ...]] = nothing
) -> list[Values]:
    """All points that a search names when it is told how each scores."""
    found: list[Values] = []
    while asked := search.ask():
        assert [number for number, _ in asked] == sorted({number for number, _ in asked})
        named = [where.at(places) for _, places in asked]
        found += named
        search.tell([Answer(scored(point)) for point in named])
    return found
