"""Which strategy a command runs and at which points of its parameters: one (`-p fast=5`), those it compares, a search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gpt_trader.errors import BadParameter, UnknownName, UserError
from jobs.options import option_in, seconds

if TYPE_CHECKING:
    from gpt_trader.research.early_stopping import MedianRule
    from gpt_trader.research.objectives import Objective
    from gpt_trader.research.parameter_points import Points
    from gpt_trader.research.search_methods import Search
    from gpt_trader.research.search_space import Space
    from gpt_trader.strategy import Strategy

DEFAULT_STRATEGY = "demo_ma"
STRATEGY_HELP = "A shipped name (see strategies list), or path/to/file.py[:Class]."
PANEL = "Search"
METHODS = ("grid", "random", "tpe", "nsga2")
TRIALS = {"random": 100, "tpe": 100, "nsga2": 320}
MANY = 1_000_000
MOST = 10_000_000
"""A grid of more points is not run at all: its table would not fit into memory."""
WATCHED_GENERATION = 64
"""Points of a random search that are asked for together when some are given up early by what others showed."""
PARAM_HELP = "Values of a parameter: 5:60:5, 5,10,20, one value; may be repeated."
SEARCHED_HELP = (
    "Values of a parameter: 5:60:5, 5,10,20, one value, or 0.5:4 to search all between; may be repeated."
)
CONSTRAINT_HELP = "What must hold, as 'fast < slow'; may be repeated."
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


@dataclass(frozen=True, slots=True)
class StrategyOptions:
    """The parameters of a strategy as they were typed."""

    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            "-p",
            metavar="NAME=VALUE",
            help="A parameter of the strategy; may be given many times.",
        ),
    ] = None

    def make(self, name: str) -> Strategy:
        """The strategy of that name with the parameters given.

        Raises UnknownName for a strategy or parameter that is not there, BadParameter for a value out of its range.
        """
        from gpt_trader.strategies import load_strategy
        from gpt_trader.strategy import make_strategy

        return make_strategy(load_strategy(name), pairs(self.param or []))


def pairs(given: list[str]) -> dict[str, str]:
    """`["fast=5", "slow=20"]` as a mapping. Raises BadParameter for one without a name, a value or named twice."""
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        name, value = name.strip(), value.strip()
        if not (equals and name and value):
            raise BadParameter(f"--param {text!r} cannot be read; write name=value, such as fast=5")
        if name in found:
            raise BadParameter(f"--param {name} is given twice ({found[name]} and {value}); give it once")
        found[name] = value
    return found


class _Searched:
    """A space of parameters as it was typed: what the options of points and those of a search have in common."""

    __slots__ = ()
    param: list[str] | None
    constraint: list[str] | None

    def described(self) -> dict[str, Any]:
        """What is searched, as it was typed."""
        return {**pairs(self.param or []), **({"constraints": self.constraint} if self.constraint else {})}

    def _space(self, strategy: type[Strategy], *, complete: bool) -> Space:
        """The parameter space. Raises as `make_space`, and BadParameter for an axis without a step when all points are run."""
        from gpt_trader.research.search_methods import refuse_fine
        from gpt_trader.research.search_space import make_space

        space = make_space(strategy, pairs(self.param or []), self.constraint or ())
        if complete:
            refuse_fine(space)
        return space


# fmt: off
@dataclass(frozen=True, slots=True)
class PointOptions(_Searched):
    """The points as they were asked for."""

    param: Annotated[list[str] | None, _search("--param", "-p", text=PARAM_HELP, metavar="NAME=VALUES")] = None
    constraint: Annotated[
        list[str] | None, _search("--constraint", text=CONSTRAINT_HELP, metavar="CONDITION")
    ] = None
    max_trials: Annotated[
        int | None, _search("--max-trials", text="Draw so many of the points. (default all)", min=1, metavar="COUNT")
    ] = None
    # fmt: on

    def space(self, strategy: type[Strategy]) -> Space:
        """The parameter space. Raises as `make_space`, and BadParameter for an axis without a step when all are run."""
        return self._space(strategy, complete=self.max_trials is None)

    def points(
        self, strategy: type[Strategy], space: Space, seed: int, *, times: int = 1, yes: bool = False
    ) -> Points:
        """The points, each of which is run `times` times. Raises UserError for more than a million runs without `yes`."""
        from gpt_trader.research.parameter_points import points_of

        size = space.size if space.count is None else space.count
        each = min(size, self.max_trials or size)
        if each * times > MANY and not yes:
            windows = f" in {times:,} windows are {each * times:,} runs" if times > 1 else ""
            raise UserError(
                f"{each:,} points{windows}; give longer steps, --max-trials to draw some of the points, or --yes to run them"
            )
        return points_of(strategy, space, self.max_trials, seed)


# fmt: off
@dataclass(frozen=True, slots=True)
class SearchOptions(_Searched):
    """The search as it was asked for."""

    param: Annotated[list[str] | None, _search("--param", "-p", text=SEARCHED_HELP, metavar="NAME=VALUES")] = None
    constraint: Annotated[
        list[str] | None, _search("--constraint", text=CONSTRAINT_HELP, metavar="CONDITION")
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
        return self._space(strategy, complete=self.chosen_method == "grid")

    def rule(self, bars: int) -> MedianRule | None:
        """The rule by which points are given up early in a study over so many bars."""
        from gpt_trader.research.early_stopping import MedianRule, rungs_of

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
        from gpt_trader.research.search_methods import GENERATION, GridSearch, RandomSearch

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
