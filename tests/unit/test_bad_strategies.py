"""Strategies and data that are wrong or extreme: a clear error of the right class, or a defined result; never a raw traceback."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from gpt_trader import (
    Allocation,
    AtrStop,
    Bars,
    BreakEven,
    Costs,
    FillModel,
    Instrument,
    OrderStrategy,
    RiskLimits,
    ScaleOut,
    StopLoss,
    Strategy,
    TakeProfit,
    TimeStop,
    TrailingStop,
    backtest,
    param,
    per_symbol,
)
from gpt_trader.batch import backtest_many
from gpt_trader.errors import BadParameter, StrategyError, UnknownName, UserError
from gpt_trader.orders import market as market_order
from gpt_trader.strategies import SHIPPED, load_strategy
from tests.markets import random_market
from tests.properties.truth_cases import NAN, days, fills_of, flat, market, run, scripted

BARS = random_market(40, 2, 1)
MODES = ("array", "python")


def strategy_of(decide: Any = None, features: Any = None) -> Strategy:
    """A strategy called Faulty: `decide` of the row and `features` of the bars; by default always flat."""
    rule = decide or (lambda now: 0.0 * now.close)

    class Faulty(Strategy):
        def features(self, bars: Bars) -> Any:
            return {} if features is None else features(bars)

        def decide(self, now: Any) -> Any:
            return rule(now)

    return Faulty()


def fails(strategy: Strategy, *words: str, bars: Bars = BARS, mode: str | None = None) -> None:
    """The run raises a StrategyError that names the strategy and says `words`."""
    with pytest.raises(StrategyError) as error:
        run(strategy, bars, mode=mode)
    for word in ("Faulty", *words):
        assert word.casefold() in str(error.value).casefold().replace("_", ""), (word, str(error.value))


# -- features ---------------------------------------------------------------------------------------------------------


def test_features_that_raise() -> None:
    def features(bars: Bars) -> Any:
        raise KeyError(f"no such thing in {bars.T} bars")

    fails(strategy_of(features=features), "features", "KeyError", "no such thing")


@pytest.mark.parametrize("answer", [None, [1, 2], "text", np.zeros(40), 3.0])
def test_features_that_are_no_mapping(answer: Any) -> None:
    fails(strategy_of(features=lambda _: answer), "features", "dict")


@pytest.mark.parametrize("shape", [(39,), (41,), (40, 3), (2, 40), (40, 2, 1), (), (1, 2)])
def test_features_of_a_wrong_shape(shape: tuple[int, ...]) -> None:
    fails(strategy_of(features=lambda _: {"x": np.zeros(shape)}), "'x'", "shape", "(40, 2)")


@pytest.mark.parametrize("name", ["close", "open", "volume"])
def test_a_feature_may_not_shadow_the_market(name: str) -> None:
    fails(strategy_of(features=lambda bars: {name: bars.close}), name, "another name")


@pytest.mark.parametrize("values", [["a"] * 40, [None] * 40, [{}] * 40])
def test_features_that_are_no_numbers(values: Any) -> None:
    def decide(now: Any) -> Any:
        return now.x * 1.0

    fails(strategy_of(decide, lambda _: {"x": values}))


def test_one_row_per_bar_is_spread_over_the_symbols() -> None:
    """(T,) and (T, 1) features are welcome."""
    for shape in ((40,), (40, 1)):
        strategy = strategy_of(
            lambda now: np.where(now.x > 0, 0.2, 0.0) + 0 * now.close,
            lambda _, shape=shape: {"x": np.ones(shape)},
        )
        assert len(run(strategy, BARS).fills) == 2


def test_an_unknown_feature_names_its_neighbour() -> None:
    strategy = strategy_of(lambda now: now.fats * 1.0, lambda bars: {"fast": bars.close})
    for mode in MODES:
        with pytest.raises(UnknownName, match="Did you mean 'fast'"):
            run(strategy, BARS, mode=mode)


# -- decide -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("error", [ValueError("boom"), ZeroDivisionError("boom"), IndexError("boom")])
def test_decide_that_raises(error: Exception, mode: str) -> None:
    def decide(now: Any) -> Any:
        raise error

    fails(strategy_of(decide), "decide", type(error).__name__, "boom", mode=mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("answer", ["buy", {"a": 1}, object(), [[1, 2], [3]], ["x", "y"]])
def test_decide_that_returns_no_numbers(answer: Any, mode: str) -> None:
    fails(strategy_of(lambda _: answer), "decide", mode=mode)


@pytest.mark.parametrize("mode", MODES)
def test_decide_that_returns_nothing(mode: str) -> None:
    """A forgotten `return` is an error, not a strategy that never trades."""
    fails(strategy_of(lambda _: None), "decide", "none", mode=mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(3,), (40,), (40, 3), (2, 40), (41, 2), (1, 40, 2)])
def test_decide_that_returns_a_wrong_shape(shape: tuple[int, ...], mode: str) -> None:
    fails(strategy_of(lambda _: np.zeros(shape)), "decide", "shape", mode=mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_decide_that_returns_infinity(value: float, mode: str) -> None:
    fails(strategy_of(lambda now: np.where(now.close > 0, value, 0.0)), "infinite", mode=mode)


@pytest.mark.parametrize("mode", MODES)
def test_a_scalar_counts_for_every_symbol(mode: str) -> None:
    result = run(strategy_of(lambda _: 0.3), BARS, mode=mode)
    assert [(t, symbol) for t, symbol, *_ in fills_of(result)] == [(1, "S0"), (1, "S1")]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("answer", [np.nan, np.float32(np.nan)])
def test_nan_leaves_everything_as_it_is(answer: Any, mode: str) -> None:
    assert len(run(strategy_of(lambda _: answer), BARS, mode=mode).orders) == 0


@pytest.mark.parametrize("mode", MODES)
def test_booleans_and_integers_are_numbers(mode: str) -> None:
    for decide in (lambda now: now.close > 0, lambda now: np.ones(now.close.shape, int)):
        assert len(run(strategy_of(decide), BARS, mode=mode).fills) >= 1


def test_a_strategy_without_decide_says_so() -> None:
    with pytest.raises(BadParameter, match="decide"):
        run(type("Silent", (Strategy,), {})(), BARS)


def test_a_class_or_a_function_is_no_strategy() -> None:
    with pytest.raises(BadParameter, match=r"call the class|instance"):
        backtest(load_strategy("demo_ma"), BARS)  # type: ignore[arg-type]
    with pytest.raises(BadParameter, match="function"):
        backtest(lambda _: 1.0, BARS)  # type: ignore[arg-type, return-value]


def test_a_batch_fails_as_a_backtest_does() -> None:
    good = load_strategy("demo_ma")(fast=2, slow=4, atr=2)
    with pytest.raises(StrategyError, match="boom"):
        backtest_many([good, strategy_of(features=_explode)], BARS)


def _explode(bars: Bars) -> Any:
    raise RuntimeError("boom")


# -- per symbol and with held -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fragile(Strategy):
    """Raises, or answers with `answer`, at bar 10 of the symbol's close."""

    answer: Any = None

    def features(self, bars: Bars) -> Any:
        return {"row": np.arange(bars.T, dtype=float)}

    @per_symbol
    def decide(self, now: Any, held: Any) -> Any:
        if now.row == 10:
            if self.answer is None:
                raise ArithmeticError("at ten")
            return self.answer
        return 0.1


@pytest.mark.parametrize("answer", [None, float("inf"), "text", [1.0, 2.0, 3.0]])
def test_a_per_symbol_rule_fails_clearly(answer: Any) -> None:
    with pytest.raises(StrategyError, match=r"[Ff]ragile"):
        run(Fragile(answer), BARS, mode="python")


def orders_of(decide: Any) -> Strategy:
    """An order strategy called Faulty."""

    class Faulty(OrderStrategy):
        def decide(self, now: Any, held: Any) -> Any:
            return decide(now)

    return Faulty()


@pytest.mark.parametrize("answer", ["buy", 5.0, object(), [("market", 5)]])
def test_an_order_strategy_that_returns_no_orders(answer: Any) -> None:
    fails(orders_of(lambda _: answer), "decide", mode="python")


def test_an_order_strategy_that_raises() -> None:
    fails(orders_of(lambda now: now.close / {}), "decide", "TypeError", mode="python")


@dataclass(frozen=True)
class Compilable(Strategy):
    """At bar 10: infinity (`fault` 1), an error (2) or a division by zero (3), from a rule that compiles."""

    fault: int = param(0, low=0, high=3)

    def features(self, bars: Bars) -> Any:
        return {"row": np.arange(bars.T, dtype=float)}

    @per_symbol
    def decide(self, now: Any, held: Any) -> Any:
        if now.row == 10.0 and self.fault == 1:
            return np.inf
        if now.row == 10.0 and self.fault == 2:
            raise ValueError("boom")
        if self.fault == 3 and 1.0 / (now.row - 10.0) > 0.5:
            return 0.0
        return 0.1 if held.quantity == 0.0 else np.nan


@pytest.mark.slow
def test_a_compiled_rule_fails_as_the_same_rule_in_python() -> None:
    for mode in ("python", "compiled"):
        assert len(run(Compilable(), BARS, mode=mode).fills) == 2
        with pytest.raises(StrategyError, match=r"(?i)compilable.*infinite"):
            run(Compilable(1), BARS, mode=mode)
        with pytest.raises(StrategyError, match=r"(?i)compilable.*ValueError.*boom"):
            run(Compilable(2), BARS, mode=mode)


def outcome(strategy: Strategy, mode: str) -> Any:
    """The bytes of the account curves, or the class of the error."""
    try:
        return run(strategy, BARS, mode=mode).account_curves.tobytes()
    except StrategyError as error:
        return type(error)


@pytest.mark.slow
def test_a_division_by_zero_is_the_same_in_python_and_machine_code() -> None:
    """The mode is chosen by the amount of data; the result may not depend on it: an error in both, or infinity in both."""
    assert outcome(Compilable(3), "python") == outcome(Compilable(3), "compiled")


def test_a_rule_that_does_not_compile_runs_in_python_and_says_so_when_forced() -> None:
    """A call of the json module inside `decide` is nothing for numba."""

    @dataclass(frozen=True)
    class Chatty(Strategy):
        def decide(self, now: Any, held: Any) -> Any:
            return np.full(now.close.shape, 0.1 * len(json.dumps([held.equity > 0])))

    assert run(Chatty(), random_market(1001, 2, 1)).outcome.mode == "python"
    with pytest.raises(StrategyError, match="compile"):
        run(Chatty(), BARS, mode="compiled")


# -- extreme data -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED)
def test_one_bar_of_history(name: str) -> None:
    result = run(load_strategy(name)(), market(flat(1)), benchmark=True)
    assert result.equity["equity"].tolist() == [100_000.0]
    assert len(result.fills) == 0
    assert result.metrics["total_return"] == 0.0
    assert np.isnan(result.metrics["sharpe"])


@pytest.mark.parametrize("name", SHIPPED)
def test_a_symbol_without_any_bar(name: str) -> None:
    """A column of NaN beside a real one: never traded, and the other one trades as if it were alone."""
    real = random_market(200, 1, 7)
    panel = np.concatenate([real.panel, np.full((7, 200, 1), NAN)], axis=2)
    panel[4, :, 1], panel[5, :, 1], panel[6, :, 1] = 0.0, 1.0, 0.0
    both = Bars(("S0", "EMPTY"), real.time, panel)
    strategy = load_strategy(name)()
    options: dict[str, Any] = {"allocation": Allocation(gross=0.4)}
    with_empty, alone = run(strategy, both, **options), run(strategy, real, **options)
    assert set(with_empty.fills["symbol"]) <= {"S0"}
    if name not in ("buy_and_hold", "momentum"):  # these two share the capital among all columns
        assert with_empty.account_curves.tobytes() == alone.account_curves.tobytes()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_market_of_nothing_but_missing_bars(name: str) -> None:
    panel = np.full((7, 30, 2), NAN)
    panel[4], panel[5], panel[6] = 0.0, 1.0, 0.0
    result = run(load_strategy(name)(), Bars(("A", "B"), days(30), panel), benchmark=True)
    assert result.equity["equity"].tolist() == [100_000.0] * 30
    assert len(result.orders) == 0
    assert result.metrics["max_drawdown"] == 0.0


def test_zero_volume_in_every_bar_means_no_volume_data_and_no_cap() -> None:
    result = run(
        scripted([1.0] * 5), market(flat(5), volume=0.0), fills=FillModel(0.1), costs=Costs(impact=0.5)
    )
    assert [(t, size > 900) for t, _, size, *_ in fills_of(result)] == [(1, True)]
    assert np.isfinite(result.fills["slippage"]).all()


def test_zero_volume_in_one_bar_fills_nothing_in_it() -> None:
    bars = market(flat(5), volume=[1e6, 0.0, 1e6, 1e6, 1e6])
    result = run(scripted([1.0] * 5), bars, fills=FillModel(0.1))
    assert [t for t, *_ in fills_of(result)] == [2]


def test_prices_from_a_millionth_to_a_billion() -> None:
    for price in (1e-6, 1e9):
        result = run(
            scripted([0.5] * 5), market(flat(5, price), volume=1e18), instruments=(Instrument("A", lot=0.0),)
        )
        assert result.account_curves[2, -1] == pytest.approx(50_000.0)
        assert np.isfinite(result.account_curves).all()


def test_a_price_above_the_capital_buys_nothing() -> None:
    result = run(scripted([1.0] * 5), market(flat(5, 250_000.0)))
    assert len(result.fills) == 0
    assert result.equity["equity"].tolist() == [100_000.0] * 5


# -- settings out of range --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("capital", [0, -5, NAN, float("inf"), 1e16])
def test_a_capital_that_is_none_is_refused(capital: float) -> None:
    with pytest.raises(BadParameter, match="capital"):
        backtest(load_strategy("demo_ma")(), BARS, capital=capital)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (Allocation, {"gross": -0.1}), (Allocation, {"gross": NAN}), (Allocation, {"max_positions": 0}),
        (Allocation, {"leverage": -1}), (Allocation, {"risk": 1.5}), (Allocation, {"atr": 0}), (Allocation, {"confirm": 0}),
        (Allocation, {"cooldown": -1}), (Allocation, {"min_rebalance": 2}), (Allocation, {"position": NAN}),
        (Costs, {"bps": -1}), (Costs, {"minimum": NAN}), (Costs, {"borrow": -0.1}), (Costs, {"impact": float("inf")}),
        (FillModel, {"volume_cap": 0}), (FillModel, {"volume_cap": 1.5}), (FillModel, {"volume_cap": NAN}),
        (RiskLimits, {"gross": 0}), (RiskLimits, {"daily_loss": -0.1}), (RiskLimits, {"drawdown": NAN}),
        (RiskLimits, {"drawdown": 15}), (RiskLimits, {"monthly_loss": 1.5}), (RiskLimits, {"correlation": 70}),
        (StopLoss, {"fraction": 5}), (StopLoss, {"fraction": 1.0}), (TrailingStop, {"fraction": 3}), (TimeStop, {"bars": 2.5}),
        (StopLoss, {"fraction": 0}), (StopLoss, {"fraction": -0.1}), (StopLoss, {"fraction": NAN}), (TakeProfit, {"fraction": 0}),
        (TrailingStop, {"fraction": 0}), (TrailingStop, {"fraction": 0.1, "after": -1}), (BreakEven, {"after": 0}),
        (AtrStop, {"k": 0}), (AtrStop, {"k": 2, "n": 0}), (TimeStop, {"bars": 0}), (ScaleOut, {"steps": ()}),
        (ScaleOut, {"steps": ((0.1, 0.5), (0.05, 0.5))}), (ScaleOut, {"steps": ((0.1, 1.5),)}),
        (Instrument, {"symbol": "A", "lot": -1}), (Instrument, {"symbol": "A", "lot": NAN}),
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(kind: Any, options: dict[str, Any]) -> None:
    with pytest.raises(BadParameter):
        kind(**options)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (Allocation, {"sizing": "kelly"}), (Allocation, {"cadence": "day"}), (Allocation, {"rebalance": "never"}),
        (Allocation, {"reentry": "later"}), (RiskLimits, {"on_drawdown": "panic"}),
    ],
)  # fmt: skip
def test_unknown_choices_name_the_known_ones(kind: Any, options: dict[str, Any]) -> None:
    with pytest.raises(UnknownName, match="Known:"):
        kind(**options)


def test_an_unknown_regime_symbol_and_a_twice_declared_exit_are_user_errors() -> None:
    with pytest.raises(UnknownName, match="SPY"):
        run(load_strategy("demo_ma")(), BARS, allocation=Allocation(regime="SPY"))
    with pytest.raises(UserError, match="twice"):
        run(load_strategy("demo_ma")(), BARS, exits=(StopLoss(0.1), StopLoss(0.2)))


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(UserError):
        run(load_strategy("demo_ma")(), BARS, mode="arry")


def test_the_array_mode_of_a_rule_that_needs_held_is_refused() -> None:
    @dataclass(frozen=True)
    class Holder(Strategy):
        level: float = param(0.5, low=0, high=1)

        def decide(self, now: Any, held: Any) -> Any:
            return np.where(held.quantity > 0, np.nan, self.level)

    with pytest.raises((UserError, StrategyError)):
        run(Holder(), BARS, mode="array")


# -- arguments of another kind ------------------------------------------------------------------------------------------


class NoExit(Strategy):
    """Declares a text where an exit is due: without a word it would be unprotected."""

    exits = ("stop",)  # type: ignore[assignment]

    def decide(self, now: Any) -> Any:
        return 0.0 * now.close


class RaisingExits(NoExit):
    """Computes its exits, and fails."""

    def declared_exits(self) -> Any:
        return 1 / 0


@pytest.mark.parametrize("exits", [("stop",), (StopLoss,), (0.05,), StopLoss(0.05), "stop", 0.05, None])
def test_what_is_no_exit_is_refused_and_never_ignored(exits: Any) -> None:
    with pytest.raises(BadParameter, match="StopLoss"):
        backtest(load_strategy("demo_ma")(), BARS, exits=exits)


def test_declared_exits_that_are_none_or_fail_are_named() -> None:
    with pytest.raises(BadParameter, match=r"no_exit: 'stop' is no exit"):
        backtest(NoExit(), BARS)
    with pytest.raises(StrategyError, match=r"raising_exits.declared_exits raised ZeroDivisionError"):
        backtest(RaisingExits(), BARS)


@pytest.mark.parametrize(
    ("argument", "value", "words"),
    [
        ("bars", BARS.to_frame(), "Bars.from_frame"), ("bars", None, "load_bars"), ("capital", "lots", "capital is 'lots'"),
        ("capital", None, "capital is None"), ("costs", 5, "costs is 5"), ("allocation", {"gross": 1}, "allocation is"),
        ("risk", "moderate", "risk is 'moderate'"), ("fills", 0.1, "fills is 0.1"), ("instruments", ["A"], "instruments holds 'A'"),
        ("index", "SPY", "index is 'SPY'"),
    ],
)  # fmt: skip
def test_an_argument_of_another_kind_is_named(argument: str, value: Any, words: str) -> None:
    with pytest.raises(BadParameter) as error:
        backtest(load_strategy("demo_ma")(), **{"bars": BARS, argument: value})
    assert words in str(error.value)


def test_rejected_orders_are_a_warning() -> None:
    """An order of NaN shares is nothing, on every bar: the result says so."""

    class Nothing(OrderStrategy):
        def decide(self, now: Any, held: Any) -> Any:
            return market_order(NAN)

    result = run(Nothing(), BARS)
    rejected = int((result.orders["status"] == "rejected").sum())
    assert rejected > 30
    assert any(line.startswith(f"{rejected} orders were rejected") for line in result.warnings)
