"""Searches that learn from what came before, by Optuna: TPE for one objective, NSGA-II for several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gpt_trader.research.search_methods import Answer, Draws
from gpt_trader.research.search_space import Places, Space

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

METHODS = ("tpe", "nsga2")
GENERATIONS = {"tpe": 16, "nsga2": 32}
"""Points that are asked for together. It is part of what a study is: as many workers as this can share the work."""
ASKS = 20
"""Suggestions that may be known already or forbidden before a point is drawn at random instead."""


class OptunaSearch:
    """`trials` points named by Optuna, each once, generation by generation; the first generation is drawn at random.

    An axis goes to Optuna as the place on it, so that a step is a step whether the values are 5, 10, 15 or 5, 50, 500.
    What the constraints forbid or what is known already is taken back, which Optuna learns nothing from. A point that
    failed is told as the worst. Everything follows from `seed` and from what is told, in the order it was asked for.
    """

    def __init__(self, space: Space, method: str, objectives: int, trials: int, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        sampler = (
            optuna.samplers.TPESampler(seed=seed)
            if method == "tpe"
            else optuna.samplers.NSGAIISampler(seed=seed, population_size=GENERATIONS[method])
        )
        self.study = optuna.create_study(directions=["maximize"] * objectives, sampler=sampler)
        self.space, self.generation, self.left = space, GENERATIONS[method], trials
        self.about = {"method": method, "seed": seed, "trials": trials}
        within = space.count
        self.total = trials if within is None else min(trials, within)
        self._axes = _distributions(space)
        self._draws = Draws(space, seed)
        self._known: set[Places] = set()
        self._asked: list[Trial] = []
        self._named = 0

    def ask(self) -> list[tuple[int, Places]]:
        """As the protocol says."""
        self._asked = []
        found: list[Places] = []
        while len(found) < min(self.generation, self.left):
            trial, places = self._suggested() if self._named else self._drawn()
            if trial is None:
                break
            self._asked.append(trial)
            self._known.add(places)
            found.append(places)
        self.left -= len(found)
        self._named += len(found)
        return list(enumerate(found, self._named - len(found)))

    def tell(self, answers: Sequence[Answer]) -> None:
        """As the protocol says."""
        from optuna.trial import TrialState

        for trial, answer in zip(self._asked, answers, strict=True):
            if answer.gains is not None:
                self.study.tell(trial, answer.gains)
                continue
            if answer.early is not None:
                rung, gain = answer.early
                trial.report(gain, rung)
            self.study.tell(trial, state=TrialState.PRUNED)

    def _suggested(self) -> tuple[Trial | None, Places]:
        """A point by Optuna that is new and allowed; at random when it names none."""
        from optuna.trial import TrialState

        for _ in range(ASKS):
            trial = self.study.ask(self._axes)
            places = tuple(int(trial.params[name]) for name in self.space.names)
            if places not in self._known and self.space.allows(self.space.at(places)):
                return trial, places
            self.study.tell(trial, state=TrialState.FAIL)
        return self._drawn()

    def _drawn(self) -> tuple[Trial | None, Places]:
        """The next point of the random order that is not known; none when the space is used up."""
        drawn = self._draws.take(1, self._known)
        if not drawn:
            return None, ()
        self.study.enqueue_trial(dict(zip(self.space.names, drawn[0], strict=True)))
        return self.study.ask(self._axes), drawn[0]


def _distributions(space: Space) -> dict[str, BaseDistribution]:
    from optuna.distributions import CategoricalDistribution, IntDistribution

    found: dict[str, Any] = {}
    for axis in space.axes:
        length = len(axis.values)
        found[axis.name] = (
            IntDistribution(0, length - 1) if axis.ordered else CategoricalDistribution(range(length))
        )
    return found
