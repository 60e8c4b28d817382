"""Which points of a strategy a study compares: the options that walkforward and cv share, and the points they describe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from gpt_trader.errors import UserError
from jobs.options import option_in
from jobs.strategy_choice import pairs

if TYPE_CHECKING:
    from gpt_trader.research.points import Points
    from gpt_trader.research.space import Space
    from gpt_trader.strategy import Strategy

PANEL = "Search"
MANY = 1_000_000
PARAM_HELP = "Values of a parameter: 5:60:5, 5,10,20, one value; may be repeated."

_search = option_in(PANEL)


# fmt: off
@dataclass(frozen=True, slots=True)
class PointOptions:
    """The points as they were asked for."""

    param: Annotated[list[str] | None, _search("--param", "-p", text=PARAM_HELP, metavar="NAME=VALUES")] = None
    constraint: Annotated[
        list[str] | None, _search("--constraint", text="What must hold, as 'fast < slow'; may be repeated.", metavar="CONDITION")
    ] = None
    max_trials: Annotated[
        int | None, _search("--max-trials", text="Draw so many of the points. (default all)", min=1, metavar="COUNT")
    ] = None
    # fmt: on

    def space(self, strategy: type[Strategy]) -> Space:
        """The parameter space. Raises as `make_space`, and BadParameter for an axis without a step when all are run."""
        from gpt_trader.research.searching import refuse_fine
        from gpt_trader.research.space import make_space

        space = make_space(strategy, pairs(self.param or []), self.constraint or ())
        if self.max_trials is None:
            refuse_fine(space)
        return space

    def described(self) -> dict[str, Any]:
        """The search as it was typed."""
        return {**pairs(self.param or []), **({"constraints": self.constraint} if self.constraint else {})}

    def points(
        self, strategy: type[Strategy], space: Space, seed: int, *, times: int = 1, yes: bool = False
    ) -> Points:
        """The points, each of which is run `times` times. Raises UserError for more than a million runs without `yes`."""
        from gpt_trader.research.points import points_of

        size = space.size if space.count is None else space.count
        each = min(size, self.max_trials or size)
        if each * times > MANY and not yes:
            windows = f" in {times:,} windows are {each * times:,} runs" if times > 1 else ""
            raise UserError(
                f"{each:,} points{windows}; give longer steps, --max-trials to draw some of the points, or --yes to run them"
            )
        return points_of(strategy, space, self.max_trials, seed)
