"""Several strategies in one account: a backtest that nets their orders and says what each of them earned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.allocation import Allocation
from gpt_trader.backtesting import buy_and_hold
from gpt_trader.bars import Bars
from gpt_trader.costs import Costs, FillModel
from gpt_trader.engine.account_memory import empty_book, initial_log_size
from gpt_trader.engine.portfolio_loop import PortfolioAccount
from gpt_trader.engine.portfolio_sleeve import SleeveRun, decider
from gpt_trader.engine.records import MarketData
from gpt_trader.engine.run_setup import Settings, build_market, checked_first, rules_record, settings_of
from gpt_trader.engine.simulation import FinishedRun, build_plan, open_account
from gpt_trader.errors import BadParameter
from gpt_trader.exits import Exit, checked_exits
from gpt_trader.instruments import Instrument
from gpt_trader.result import Result
from gpt_trader.risk import NO_LIMIT, RiskLimits
from gpt_trader.strategy import Strategy, checked_instance, strategy_name

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Sleeve:
    """A strategy's part of an account: `budget` is its share of the capital, above 0 and at most 1.

    `name` tells it from others (the strategy's name where it is empty); `symbols` are those it trades, None for all; `allocation`
    and `exits` are its own rules, as in `backtest`. Raises BadParameter for another budget.
    """

    strategy: Strategy
    budget: float
    name: str = ""
    symbols: tuple[str, ...] | None = None
    allocation: Allocation | None = None
    exits: tuple[Exit, ...] = ()

    def __post_init__(self) -> None:
        checked_instance(self.strategy, "a sleeve")
        budget: Any = self.budget
        number = isinstance(budget, int | float) and not isinstance(budget, bool)
        if not number or not 0 < budget <= 1:
            raise BadParameter(
                f"the budget of {self.label} is {self.budget!r}; give a share of the capital, above 0 and at most 1"
            )

    @property
    def label(self) -> str:
        """Its name, or that of its strategy."""
        return self.name or strategy_name(type(self.strategy))


class PortfolioResult(Result):
    """What several strategies did with one account: the account's own numbers and tables as of any result, and beside them
    `sleeves`, the result of each strategy by name, `attribution` and `crossed`."""

    def __init__(
        self,
        sleeves: Sequence[Sleeve],
        bars: Bars,
        settings: Settings,
        seed: int,
        outcome: FinishedRun,
        benchmark: FinishedRun | None,
        results: Mapping[str, Result],
        crossed: NDArray[np.float64],
    ) -> None:
        first = int(outcome.book.account[0]["first"])
        segments = [(sleeve.strategy, first) for sleeve in sleeves]
        super().__init__(sleeves[0].strategy, bars, settings, seed, outcome, benchmark, segments)
        self._sleeves = tuple(sleeves)
        self.sleeves = dict(results)
        self.crossed = dict(zip(bars.symbols, crossed.tolist(), strict=True))

    @property
    def strategy(self) -> str:
        """The names of its sleeves, joined."""
        return " + ".join(self.sleeves)

    @property
    def parameters(self) -> dict[str, Any]:
        """The budget of each sleeve."""
        return {
            f"budget_{name}": sleeve.budget for name, sleeve in zip(self.sleeves, self._sleeves, strict=True)
        }

    @property
    def manifest(self) -> dict[str, Any]:
        """All that determines the run: that of the account, and of each sleeve what is its own."""
        own = super().manifest
        own.pop("legs", None)
        mine = ("strategy", "strategy_code", "parameters", "exits", "symbols", "capital", "allocation")
        return {
            **own, "strategy": self.strategy, "strategy_code": "", "parameters": self.parameters, "exits": [],
            "sleeves": [
                {"name": name, **{key: result.manifest[key] for key in mine}} for name, result in self.sleeves.items()
            ],
        }  # fmt: skip

    @property
    def trial_key(self) -> bytes:
        """The run's identity as a trial, 16 bytes: the first of the hash of its manifest."""
        return bytes.fromhex(self.run_id) * 2

    @property
    def attribution(self) -> pd.DataFrame:
        """What each sleeve made of its budget, a row each, and one for the capital that none has: capital, pnl and costs in
        cash (commission, slippage and borrow added up), fills and round trips. The column pnl adds up to the account's profit."""
        import pandas as pd

        rows = [(name, *_earned(result)) for name, result in self.sleeves.items()]
        idle = self.settings.capital - sum(result.settings.capital for result in self.sleeves.values())
        if idle > 1e-9 * self.settings.capital:
            rows.append((UNASSIGNED, idle, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0))
        return pd.DataFrame(rows, columns=list(ATTRIBUTION))


UNASSIGNED = "cash"
ATTRIBUTION = (
    "sleeve",
    "capital",
    "pnl",
    "costs",
    "commission",
    "slippage",
    "borrow",
    "fills",
    "round_trips",
)


def _earned(result: Result) -> tuple[float, ...]:
    """A row of the attribution without its name."""
    account, capital = result.outcome.book.account[0], result.settings.capital
    parts = tuple(float(account[name]) for name in ("commission", "slippage", "borrow"))
    return (
        capital, float(account["equity"]) - capital, sum(parts), *parts, int(account["fills"]), int(account["trades"])
    )  # fmt: skip


def backtest_portfolio(
    sleeves: Iterable[Sleeve],
    bars: Bars,
    *,
    capital: float = 100_000.0,
    costs: Costs | None = None,
    risk: RiskLimits | None = None,
    fills: FillModel | None = None,
    instruments: Mapping[str, Instrument] | Iterable[Instrument] = (),
    benchmark: bool = True,
    seed: int = 0,
    index: Bars | None = None,
    first: int = 0,
) -> PortfolioResult:
    """Run several strategies over `bars` in one account, under the rules of docs/assumptions.md, section Portfolios.

    Each sleeve has its budget of the capital as cash of its own, its allocation rules and its exits. Market orders of two sleeves
    in one symbol on opposite sides meet at the open without costs; what is left goes to the venue, where all sleeves share the
    volume. `risk` holds for the account: its limits cut what the sleeves want together, its monitors halt or flatten all of them.
    The sleeves' cash, positions and equity add up to the account's in every bar.

    Other arguments as in `backtest`. Raises BadParameter for budgets that are more than the capital, for two sleeves of one name
    and for settings out of range; StrategyError when a strategy fails.
    """
    listed = _checked(sleeves)
    settings = settings_of(bars, capital, costs, None, risk, fills, (), instruments, index)
    start = checked_first(first, bars)
    parts = [_part(sleeve, bars, settings, start) for sleeve in listed]
    leverage = max(sleeve.allocation.leverage if sleeve.allocation else 1.0 for sleeve in listed)
    account = _account(bars, settings, parts, leverage, start)
    account.run(start)
    results = {
        sleeve.label: Result(
            sleeve.strategy, part_bars, own, seed, FinishedRun(part.book, part.market, "python"), None
        )
        for sleeve, (part, part_bars, own) in zip(listed, parts, strict=True)
    }
    benchmark_run = None
    if benchmark:
        gross = sum(sleeve.budget * (sleeve.allocation or settings.allocation).gross for sleeve in listed)
        benchmark_run = buy_and_hold(
            bars, replace(settings, allocation=Allocation(gross=gross, leverage=max(1.0, gross))), start
        )
    outcome = FinishedRun(account.book, account.market, "python")
    return PortfolioResult(listed, bars, settings, seed, outcome, benchmark_run, results, account.crossed)


def _checked(sleeves: Iterable[Sleeve]) -> list[Sleeve]:
    listed = list(sleeves)
    if not listed:
        raise BadParameter("a portfolio needs at least one sleeve: Sleeve(strategy, budget)")
    for sleeve in listed:
        if not isinstance(sleeve, Sleeve):
            raise BadParameter(f"{sleeve!r} is no sleeve; give Sleeve(strategy, budget)")
    total = sum(sleeve.budget for sleeve in listed)
    if total > 1 + 1e-9:
        raise BadParameter(
            f"the budgets add up to {total:.4g}; together they are at most 1, the whole capital"
        )
    names = [sleeve.label for sleeve in listed]
    twice = sorted({name for name in names if names.count(name) > 1})
    if UNASSIGNED in names:
        raise BadParameter(
            f"{UNASSIGNED!r} is the row of the capital that no sleeve has; give the sleeve another name"
        )
    if twice:
        raise BadParameter(
            f"two sleeves are called {twice[0]!r}; give each a name of its own: Sleeve(…, name=…)"
        )
    return listed


def _part(sleeve: Sleeve, bars: Bars, settings: Settings, first: int) -> tuple[SleeveRun, Bars, Settings]:
    """A sleeve ready to run, the bars that it sees and its settings."""
    own_bars = bars if sleeve.symbols is None else bars.select(sleeve.symbols)
    own = replace(
        settings, capital=settings.capital * sleeve.budget, allocation=sleeve.allocation or settings.allocation, risk=None,
        exits=checked_exits(sleeve.exits, sleeve.label),
        instruments=tuple(item for item in settings.instruments if item.symbol in own_bars.symbols),
        index=settings.index if settings.index is not None else bars,
    )  # fmt: skip
    run = open_account(own_bars, own, first)
    plan = build_plan(run.waiting, sleeve.strategy, own_bars, own, first)
    rules = plan.rules.copy()
    rules["borrow"] = 0.0  # charged on what the account is short
    rules["order_volume"] = (settings.risk.order_volume or 0.0) if settings.risk is not None else 0.0
    run.book.rules.view(np.float64)[:] = rules.view(np.float64)
    columns = np.array([bars.symbols.index(name) for name in own_bars.symbols])
    nothing = np.zeros(own_bars.N)
    part = SleeveRun(plan, run, columns, lambda _t: None, nothing, nothing)
    part.decide = decider(part, first)
    return part, own_bars, own


def _account(
    bars: Bars,
    settings: Settings,
    parts: Sequence[tuple[SleeveRun, Bars, Settings]],
    leverage: float,
    first: int,
) -> PortfolioAccount:
    """The account over the parts: no rule but the limits, and no lot, since each part has its own."""
    rules = rules_record(settings, (), units=False, score=False).copy()
    for name in ("gross", "position", "max_positions"):
        rules[name] = NO_LIMIT
    if settings.risk is not None and settings.risk.positions is not None:
        rules["max_positions"], rules["risk_slots"] = settings.risk.positions, 1.0
    rules["leverage"], rules["borrow"], rules["flatten"], rules["order_volume"] = leverage, 0.0, 0.0, 0.0
    market = build_market(bars, replace(settings, index=None), (), None)
    info = market.info.copy()
    info["lot"] = 0.0
    book = empty_book(bars.T, bars.N, rules, settings.capital, initial_log_size(bars), first)
    return PortfolioAccount(
        book, MarketData(market.panel, market.signals, market.time, market.flags, info), [part for part, *_ in parts],
        settings.costs.borrow, settings.risk is not None and settings.risk.on_drawdown == "flatten",
        settings.risk is not None, np.zeros(bars.N),
    )  # fmt: skip
