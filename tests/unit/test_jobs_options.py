"""The options of the command line as the core's dataclasses: every field reachable, flags over the configuration."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
import typer

from gpt_trader.adapters.configuration_sections import RiskSettings
from gpt_trader.allocation import Allocation
from gpt_trader.costs import Costs, FillModel
from gpt_trader.errors import BadParameter, UnknownName
from gpt_trader.exits import AtrStop, BreakEven, ScaleOut, StopLoss, TakeProfit, TimeStop, TrailingStop
from gpt_trader.risk import PROFILES, RiskLimits
from jobs.options import number, number_or_none
from jobs.rule_options import AllocationOptions, CostOptions, ExitOptions, RiskOptions
from jobs.strategy_options import pairs


@pytest.mark.parametrize(
    ("owner", "group"), [(Costs, CostOptions), (FillModel, CostOptions), (Allocation, AllocationOptions)]
)
def test_every_rule_has_an_option(owner: type[Any], group: type[Any]) -> None:
    assert {item.name for item in fields(owner)} <= {item.name for item in fields(group)}


def test_every_limit_has_an_option() -> None:
    options = {item.name.removeprefix("limit_") for item in fields(RiskOptions)}
    assert {item.name for item in fields(RiskLimits)} | {"profile"} == options


@pytest.mark.parametrize("name", [item.name for item in fields(Costs)])
def test_a_cost_flag_replaces_the_configured_rate_and_nothing_else(name: str) -> None:
    configured = Costs(
        bps=7.0, per_share=0.01, minimum=1.0, spread_bps=3.0, slippage_bps=4.0, impact=0.2, borrow=0.03
    )
    assert CostOptions(**{name: 0.5}).costs(configured) == replace(configured, **{name: 0.5})
    assert CostOptions().costs(configured) == configured


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gross", 0.5), ("max_positions", 3), ("position", 0.2), ("leverage", 2.0), ("sizing", "risk"), ("risk", 0.01),
        ("atr_k", 3.0), ("atr", 20), ("min_rebalance", 0.02), ("cadence", "week"), ("rebalance", "bar"),
        ("reentry", "immediate"), ("confirm", 2), ("cooldown", 5), ("regime", "SPY"), ("regime_window", 100),
        ("allow_short", False),
    ],
)  # fmt: skip
def test_an_allocation_flag_replaces_the_configured_rule(name: str, value: Any) -> None:
    configured = Allocation(gross=0.9)
    assert AllocationOptions(**{name: value}).allocation(configured) == replace(configured, **{name: value})


def test_the_volume_cap_can_be_switched_off() -> None:
    assert CostOptions(volume_cap=number_or_none("none")).fills(FillModel()) == FillModel(None)
    assert CostOptions(volume_cap=number_or_none("0.2")).fills(FillModel()) == FillModel(0.2)
    assert CostOptions().fills(FillModel(0.3)) == FillModel(0.3)


def test_a_rule_outside_its_range_is_refused_with_its_name() -> None:
    with pytest.raises(BadParameter, match="gross is -1"):
        AllocationOptions(gross=-1.0).allocation(Allocation())
    with pytest.raises(UnknownName, match="Did you mean 'week'"):
        AllocationOptions(cadence="weak").allocation(Allocation())


def test_each_exit_flag_makes_its_exit() -> None:
    made = ExitOptions(
        stop_loss=0.05, trailing_stop=0.03, trailing_after=0.02, break_even=0.02, atr_stop=2.0, atr_stop_bars=20,
        take_profit=0.1, scale_out="0.05:0.3,0.10:0.5", time_stop=30,
    ).exits()  # fmt: skip
    assert made == (
        StopLoss(0.05),
        TrailingStop(0.03, 0.02),
        BreakEven(0.02),
        AtrStop(2.0, 20),
        TakeProfit(0.1),
        ScaleOut(((0.05, 0.3), (0.10, 0.5))),
        TimeStop(30),
    )
    assert ExitOptions().exits() == ()
    assert ExitOptions(atr_stop=2.0, trailing_stop=0.03).exits() == (TrailingStop(0.03), AtrStop(2.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ExitOptions(trailing_after=0.02), "--trailing-after needs --trailing-stop"),
        (ExitOptions(atr_stop_bars=20), "--atr-stop-bars needs --atr-stop"),
        (ExitOptions(scale_out="0.05"), "GAIN:SHARE"),
        (ExitOptions(scale_out="a:b"), "GAIN:SHARE"),
        (ExitOptions(scale_out="0.1:0.5,0.05:0.5"), "rising gains"),
        (ExitOptions(stop_loss=-0.05), "StopLoss: fraction is -0.05"),
        (ExitOptions(time_stop=0), "TimeStop: bars is 0"),
    ],
)
def test_a_wrong_exit_is_refused(options: ExitOptions, message: str) -> None:
    with pytest.raises(BadParameter, match=message):
        options.exits()


def test_no_limits_unless_asked_for() -> None:
    assert RiskOptions().limits(RiskSettings()) is None
    assert RiskOptions(profile="none").limits(RiskSettings("moderate", RiskLimits())) is None


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_gives_its_limits(name: str) -> None:
    assert RiskOptions(profile=name).limits(RiskSettings()) == PROFILES[name]


def test_single_limits_change_the_profile() -> None:
    options = RiskOptions(
        profile="moderate", limit_drawdown=0.2, limit_sector=number_or_none("none"), limit_positions=3.0
    )
    assert options.limits(RiskSettings()) == replace(RiskLimits(), drawdown=0.2, sector=None, positions=3)


def test_single_limits_alone_are_the_only_ones() -> None:
    limits = RiskOptions(limit_gross=0.5).limits(RiskSettings())
    assert limits is not None
    assert limits.gross == 0.5
    others = {item.name for item in fields(RiskLimits)} - {"gross", "correlation_bars", "on_drawdown"}
    assert {name: getattr(limits, name) for name in others} == dict.fromkeys(others)
    assert (
        RiskOptions(profile="custom", limit_gross=0.5).limits(RiskSettings("moderate", RiskLimits()))
        == limits
    )


def test_the_configured_limits_stand_behind_the_flags() -> None:
    configured = RiskSettings("moderate", RiskLimits(drawdown=0.11))
    assert RiskOptions().limits(configured) == RiskLimits(drawdown=0.11)
    assert RiskOptions(limit_cash=0.2).limits(configured) == RiskLimits(drawdown=0.11, cash=0.2)


def test_a_misspelt_profile_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'moderate'"):
        RiskOptions(profile="modrate").limits(RiskSettings())
    with pytest.raises(BadParameter, match="choose one"):
        RiskOptions(profile="none", limit_gross=0.5).limits(RiskSettings())


def test_parameters_are_read_as_pairs() -> None:
    assert pairs(["fast=5", " slow = 20 ", "mode=a=b"]) == {"fast": "5", "slow": "20", "mode": "a=b"}


@pytest.mark.parametrize("given", [["fast"], ["fast="], ["=5"], ["fast=5", "fast=6"]])
def test_a_parameter_that_is_no_pair_is_refused(given: list[str]) -> None:
    with pytest.raises(BadParameter, match="--param"):
        pairs(given)


@pytest.mark.parametrize("text", ["abc", "", "nan", "inf", "-inf", "1,5"])
def test_what_is_no_finite_number_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="number"):
        number(text)


def test_numbers_are_read() -> None:
    assert number("-1.5") == -1.5
    assert number_or_none("1e-3") == 0.001
