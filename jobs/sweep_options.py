"""What a sweep searches and how: values of parameters, conditions, objectives, method, and when it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from gpt_trader.errors import BadParameter, UnknownName, UserError
from jobs.options import option_in, seconds

if TYPE_CHECKING:
    from gpt_trader.research.objectives import Objective
    from gpt_trader.research.searching import Search
    from gpt_trader.research.space import Space
    from gpt_trader.research.stopping import MedianRule
    from gpt_trader.strategy import Strategy

PANEL = "Search"
METHODS = ("grid", "random", "tpe", "nsga2")
TRIALS = {"random": 100, "tpe": 100, "nsga2": 320}
MANY = 1_000_000
MOST = 10_000_000
"""A grid of more points is not run at all: its table would not fit into memory."""
WATCHED_GENERATION = 64
"""Points of a random search that are asked for together when some are given up early by what others showed."""
PARAM_HELP = (
    "Values of a parameter: 5:60:5, 5,10,20, one value, or 0.5:4 to search all between; may be repeated."
)
LIMIT_HELP = "End after so long, as 90s, 10m or 2h, with what there is."
OBJECTIVE_HELP = "Metric to look for, as cagr or exposure:min; several make a front. (default sharpe)"
TOP_HELP = "Show the best so many. (default 10; --json: all)"
METHOD_HELP = (
    "grid: every point. random: drawn. tpe: learns, one objective. nsga2: learns, several. (default grid)"
)
PRUNING_HELP = (
    "Give up points that are worse than most on the first bars; they count as trials. (default: random, tpe)"
)

_search = option_in(PANEL)


# fmt: off
@dataclass(frozen=True, slots=True)
class SearchOptions:
    """The search as it was asked for."""

    param: Annotated[list[str] | None, _search("--param", "-p", text=PARAM_HELP, metavar="NAME=VALUES")] = None
    constraint: Annotated[
        list[str] | None, _search("--constraint", text="What must hold, as 'fast < slow'; may be repeated.", metavar="CONDITION")
    ] = None
    method: Annotated[str | None, _search("--method", text=METHOD_HELP, metavar="METHOD")] = None
    objective: Annotated[
        list[str] | None, _search("--objective", text=OBJECTIVE_HELP, metavar="METRIC")
    ] = None
    max_trials: Annotated[
        int | None, _search("--max-trials", text="Points of a search. (default 100, nsga2 320)", min=1, metavar="COUNT")
    ] = None
    time_limit: Annotated[
        float | None, _search("--time-limit", text=LIMIT_HELP, parser=seconds, metavar="TIME")
    ] = None
    pruning: Annotated[bool | None, _search("--pruning/--no-pruning", text=PRUNING_HELP)] = None
    top: Annotated[int | None, _search("--top", text=TOP_HELP, min=1, metavar="COUNT")] = None
    # fmt: on

    @property
    def chosen_method(self) -> str:
        """The method. Raises UnknownName for one that is not there, UserError for an option that does not go with it."""
        method = self.method or METHODS[0]
        if method not in METHODS:
            raise UnknownName("--method", method, METHODS)
        if method == "grid" and self.max_trials is not None:
            raise UserError("--max-trials goes with --method random, tpe or nsga2; a grid runs all of its points")
        if method == "grid" and self.pruning:
            raise UserError("--pruning goes with --method random or tpe; a grid runs all of its points to the end")
        return method

    def objectives(self) -> tuple[Objective, ...]:
        """What is looked for. Raises as `parse_objectives`, and UserError when the method takes another number of them."""
        from gpt_trader.research.objectives import parse_objectives

        found = parse_objectives(self.objective or ["sharpe"])
        method = self.chosen_method
        if method == "tpe" and len(found) > 1:
            raise UserError(f"--method tpe has one objective, not {len(found)}; use --method nsga2 for several")
        if self.pruning and (method == "nsga2" or len(found) > 1):
            raise UserError("--pruning needs one objective and --method random or tpe: which of several decides?")
        return found

    def space(self, strategy: type[Strategy]) -> Space:
        """The parameter space. Raises as `make_space`, and BadParameter for a grid over an axis without a step."""
        from gpt_trader.research.searching import refuse_fine
        from gpt_trader.research.space import make_space
        from jobs.strategy_choice import pairs

        space = make_space(strategy, pairs(self.param or []), self.constraint or ())
        if self.chosen_method == "grid":
            refuse_fine(space)
        return space

    def described(self) -> dict[str, Any]:
        """What is searched, as it was typed."""
        from jobs.strategy_choice import pairs

        return {**pairs(self.param or []), **({"constraints": self.constraint} if self.constraint else {})}

    def rule(self, bars: int) -> MedianRule | None:
        """The rule by which points are given up early in a study over so many bars."""
        from gpt_trader.research.stopping import MedianRule, rungs_of

        default = self.chosen_method in ("random", "tpe") and len(self.objectives()) == 1
        wanted = default if self.pruning is None else self.pruning
        rungs = rungs_of(bars) if wanted else ()
        return MedianRule(rungs) if rungs else None

    @property
    def trials(self) -> int:
        """How many points a search names at most."""
        return self.max_trials or TRIALS[self.chosen_method]

    def search(self, space: Space, seed: int, *, watched: bool) -> Search:
        """The search; `watched` when points are given up early by what others showed."""
        from gpt_trader.research.searching import GENERATION, GridSearch, RandomSearch

        method = self.chosen_method
        if method == "grid":
            return GridSearch(space)
        if method == "random":
            return RandomSearch(space, self.trials, seed, WATCHED_GENERATION if watched else GENERATION)
        from gpt_trader.adapters.optuna_search import OptunaSearch

        return OptunaSearch(space, method, len(self.objectives()), self.trials, seed)

    def check_size(self, space: Space, *, yes: bool) -> None:
        """Raises UserError for more than a million points without `yes`, BadParameter for a grid that no memory holds."""
        method = self.chosen_method
        known = space.count if method == "grid" else min(self.trials, space.size)
        points = space.size if known is None else known
        text = f"{points:,} points" if known is not None else f"{points:,} combinations before its constraints"
        if points > MOST and method == "grid":
            raise BadParameter(
                f"the grid has {text}; at most {MOST:,} can be run. Give longer steps, or search it with "
                "--method tpe or --method random --max-trials 1000"
            )
        if points > MANY and not yes:
            raise UserError(f"the {'grid' if method == 'grid' else 'search'} has {text}; give longer steps, or --yes to run it")
