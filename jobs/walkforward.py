"""`gpt-trader walkforward`: parameters chosen on the past again and again, and one account that trades the choices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gpt_trader.errors import BadParameter, UnknownName, UserError
from jobs.command_inputs import StudyInputs, StudyPreamble
from jobs.options import grouped, option_in
from jobs.strategy_options import STRATEGY_HELP, PointOptions
from jobs.study_progress import Watched

if TYPE_CHECKING:
    from gpt_trader.research.objectives import Objective
    from gpt_trader.validation.durations import Times
    from gpt_trader.validation.splits import Split

app = typer.Typer(add_completion=False)
PANEL = "Windows"

_windows = option_in(PANEL)


# fmt: off
@dataclass(frozen=True, slots=True)
class WindowOptions:
    """The windows, and how each chooses."""

    train: Annotated[str, _windows("--train", text="How long to choose on: 24m, 2y, 90d, 500b (bars).", metavar="TIME")] = "24m"
    test: Annotated[str, _windows("--test", text="How long to trade the choice.", metavar="TIME")] = "6m"
    step: Annotated[str | None, _windows("--step", text="From one window to the next. (default --test)", metavar="TIME")] = None
    anchored: Annotated[bool, _windows("--anchored", text="Train from the first bar on, longer each time.")] = False
    gap: Annotated[str | None, _windows("--gap", text="Time left out before a test. (default none)", metavar="TIME")] = None
    objective: Annotated[
        str, _windows("--objective", text="Metric to choose by, as cagr, exposure:min.", metavar="METRIC")
    ] = "sharpe"
    select: Annotated[str, _windows("--select", text="peak, or plateau: the best neighbourhood.", metavar="HOW")] = "peak"
    min_trades: Annotated[int, _windows("--min-trades", text="Round trips a choice needs in training.", min=0, metavar="COUNT")] = 0
    # fmt: on

    def checked_objective(self) -> Objective:
        """What is chosen by. Raises as `parse_objective`, and UnknownName for another way to select."""
        from gpt_trader.research.objectives import parse_objective
        from gpt_trader.research.walk_forward_study import SELECTIONS

        if self.select not in SELECTIONS:
            raise UnknownName("--select", self.select, SELECTIONS)
        return parse_objective(self.objective)

    def lengths(self) -> dict[str, Any]:
        """The arguments of `walk_forward`. Raises BadParameter."""
        from gpt_trader.validation.durations import NOTHING, parse_duration

        return {
            "train": parse_duration(self.train, "--train"),
            "test": parse_duration(self.test, "--test"),
            "step": parse_duration(self.step or self.test, "--step"),
            "gap": NOTHING if self.gap is None else parse_duration(self.gap, "--gap"),
            "anchored": self.anchored,
        }

    def cut(self, time: Times) -> tuple[Split, ...]:
        """The windows of a market with bars at `time`. Raises as `walk_forward`, and BadParameter when the step is longer
        than the test, so that nobody would trade the bars between."""
        from gpt_trader.validation.durations import later
        from gpt_trader.validation.splits import walk_forward

        lengths = self.lengths()
        first = time[:1]
        if later(time, first, lengths["step"])[0] > later(time, first, lengths["test"])[0]:
            raise BadParameter(
                f"--step {self.step} is longer than --test {self.test}: nobody would trade the bars between two tests; "
                f"give a --step of {self.test} or less"
            )
        return walk_forward(time, **lengths)


@app.command(help="Choose parameters on the past again and again, and trade each choice until the next.")
@grouped
def walkforward(
    *,
    strategy: Annotated[str, typer.Argument(metavar="STRATEGY", help=STRATEGY_HELP)],
    search: PointOptions,
    windows: WindowOptions,
    options: StudyPreamble,
) -> None:
    """Score every point in every window, choose, trade the choices with one account."""
    from gpt_trader.strategies import load_strategy

    kind = load_strategy(strategy)
    space = search.space(kind)
    objective, lengths = windows.checked_objective(), windows.lengths()
    inputs = StudyInputs(options)
    experiment = inputs.experiment(kind)
    cut = windows.cut(experiment.bars.time)
    points = search.points(kind, space, inputs.seed, times=len(cut), yes=options.run.yes)
    from gpt_trader.research.walk_forward_study import PLATEAU, WalkForwardStudy
    from jobs.command_results import conclude_study
    from jobs.walkforward_output import WalkForwardView, about_of

    ordered = tuple(axis.ordered for axis in space.axes)
    if windows.select == PLATEAU and (not any(ordered) or space.fine):
        raise UserError(
            "--select plateau needs neighbours: give at least one --param several numbers or a range with a step"
        )
    asked = {name: value if name == "anchored" else str(value) for name, value in lengths.items()}
    study = WalkForwardStudy(
        experiment, points, ordered, cut, objective, windows.select, windows.min_trades, inputs.seed, asked
    )
    conclude_study(
        study,
        WalkForwardView(),
        inputs,
        [strategy],
        watched=Watched(objective.metric, objective.smallest),
        about={"parameters": search.described(), **about_of(study)},
    )


if __name__ == "__main__":
    from jobs.cli import run_module

    run_module("jobs.walkforward", app)
