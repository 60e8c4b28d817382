"""The options of the trading rules: costs, allocation, exits and risk limits, as the core's own dataclasses."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from gpt_trader.allocation import CADENCES, REBALANCES, REENTRIES, SIZINGS, Allocation
from gpt_trader.costs import Costs, FillModel
from gpt_trader.errors import BadParameter, UnknownName
from gpt_trader.exits import AtrStop, BreakEven, Exit, ScaleOut, StopLoss, TakeProfit, TimeStop, TrailingStop
from gpt_trader.risk import BREACHES, CUSTOM, NO_LIMITS, PROFILES, RiskLimits
from jobs.options import number, number_or_none

if TYPE_CHECKING:
    from gpt_trader.adapters.configuration import Configuration
    from gpt_trader.adapters.settings import RiskSettings

Section = TypeVar("Section", Costs, Allocation, FillModel)
Number = float | None
Whole = int | None
Text = str | None

NO_PROFILE = "none"
PROFILE_HELP = (
    f"{', '.join(PROFILES)}; {CUSTOM}: only the limits given below; {NO_PROFILE}. (default {NO_PROFILE}) "
    "backtest: or a FILE.toml of several strategies in one account."
)


def _rule(
    owner: type[Any], field: str, flag: str, text: str, panel: str, word: str = "default", **more: Any
) -> Any:
    """One option of a rule; the default on the help screen is the dataclass's own."""
    default = {item.name: item.default for item in fields(owner)}[field]
    reader: dict[str, Any] = {"parser": number, "metavar": "NUMBER"} if isinstance(default, float) else {}
    return typer.Option(
        flag, help=f"{text} ({word} {_shown(default)})", rich_help_panel=panel, **(reader | more)
    )


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "off" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _cost(field: str, flag: str, text: str) -> Any:
    return _rule(Costs, field, flag, text, "Costs")


def _cap(text: str) -> Any:
    reader: dict[str, Any] = {"parser": number_or_none, "metavar": "SHARE|none"}
    return _rule(FillModel, "volume_cap", "--volume-cap", text, "Costs", **reader)


def _wait(text: str) -> Any:
    return _rule(FillModel, "delay", "--delay", text, "Costs", min=0, metavar="BARS")


def _seat(field: str, text: str, *choices: str, flag: str = "") -> Any:
    more: dict[str, Any] = {"metavar": "|".join(choices)} if choices else {}
    return _rule(Allocation, field, flag or f"--{_dashed(field)}", text, "Allocation", **more)


def _exit(flag: str, text: str, **more: Any) -> Any:
    return typer.Option(flag, help=text, rich_help_panel="Exits (added to the strategy's own)", **more)


def _part(flag: str, text: str) -> Any:
    return _exit(flag, text, parser=number, metavar="FRACTION")


def _limit(field: str, text: str) -> Any:
    reader: dict[str, Any] = {"parser": number_or_none, "metavar": "NUMBER|none"}
    return _rule(RiskLimits, field, f"--limit-{_dashed(field)}", text, "Risk limits", "moderate", **reader)


def _risk(field: str, flag: str, text: str, *choices: str) -> Any:
    more: dict[str, Any] = {"metavar": "|".join(choices)} if choices else {}
    return _rule(RiskLimits, field, flag, text, "Risk limits", "moderate", **more)


# fmt: off
@dataclass(frozen=True, slots=True)
class CostOptions:
    """What trading costs; the names of the fields are those of `Costs`; `volume_cap` and `delay` are `FillModel`'s."""

    bps: Annotated[Number, _cost("bps", "--cost-bps", "Commission, basis points of the value traded.")] = None
    per_share: Annotated[Number, _cost("per_share", "--cost-per-share", "Commission per share, cash.")] = None
    minimum: Annotated[Number, _cost("minimum", "--cost-minimum", "Least commission of an order, cash.")] = None
    spread_bps: Annotated[Number, _cost("spread_bps", "--spread-bps", "Spread; market and stop fills pay half.")] = None
    slippage_bps: Annotated[Number, _cost("slippage_bps", "--slippage-bps", "Slippage, market and stop fills.")] = None
    impact: Annotated[Number, _cost("impact", "--impact", "Impact: this x (share of the bar's volume) squared.")] = None
    borrow: Annotated[Number, _cost("borrow", "--borrow", "Yearly fee on the value of shorts.")] = None
    volume_cap: Annotated[Number, _cap("Share of a bar's volume that a fill may take.")] = None
    delay: Annotated[Whole, _wait("Bars that a decision waits before it becomes an order.")] = None

    def costs(self, base: Costs) -> Costs:
        """The rates of `base` (the configuration's) with those that were given."""
        return _changed(base, self)

    def fills(self, base: FillModel) -> FillModel:
        """The fill model, likewise."""
        return _changed(base, self)


@dataclass(frozen=True, slots=True)
class AllocationOptions:
    """How targets become a portfolio; the names of the fields are those of `Allocation`."""

    gross: Annotated[Number, _seat("gross", "Cap on gross exposure, share of equity.")] = None
    max_positions: Annotated[Whole, _seat("max_positions", "Most positions at a time.")] = None
    position: Annotated[Number, _seat("position", "Cap on one position's weight.")] = None
    leverage: Annotated[Number, _seat("leverage", "Gross exposure the account can pay for, times equity.")] = None
    sizing: Annotated[Text, _seat("sizing", "The strategy's weights, or equity lost at an ATR stop.", *SIZINGS)] = None
    risk: Annotated[Number, _seat("risk", "Share of equity lost at that stop.")] = None
    atr_k: Annotated[Number, _seat("atr_k", "Distance of that stop in ATRs.")] = None
    atr: Annotated[Whole, _seat("atr", "Bars of that ATR (Wilder).")] = None
    min_rebalance: Annotated[Number, _seat("min_rebalance", "Smallest change of a position, share of equity.")] = None
    cadence: Annotated[Text, _seat("cadence", "How often targets are acted on.", *CADENCES)] = None
    rebalance: Annotated[Text, _seat("rebalance", "Trade on a new target, or back to it each bar.", *REBALANCES)] = None
    reentry: Annotated[Text, _seat("reentry", "After a declared exit: a new signal, or at once.", *REENTRIES)] = None
    confirm: Annotated[Whole, _seat("confirm", "Equal signals in a row that an entry needs.")] = None
    cooldown: Annotated[Whole, _seat("cooldown", "Bars without entry after an exit.")] = None
    regime: Annotated[Text, _seat("regime", "Symbol: no new long while it is below its mean.", "SYMBOL")] = None
    regime_window: Annotated[Whole, _seat("regime_window", "Bars of that mean.")] = None
    allow_short: Annotated[
        bool | None, _seat("allow_short", "Whether negative targets open shorts.", flag="--allow-short/--long-only")
    ] = None

    def allocation(self, base: Allocation) -> Allocation:
        """The allocator's rules of `base` (the configuration's) with those that were given."""
        return _changed(base, self)


@dataclass(frozen=True, slots=True)
class ExitOptions:
    """Exits checked against high and low inside the bar."""

    stop_loss: Annotated[Number, _part("--stop-loss", "Close at this loss from the entry, such as 0.05.")] = None
    trailing_stop: Annotated[Number, _part("--trailing-stop", "Close at this fall from the best close.")] = None
    trailing_after: Annotated[Number, _part("--trailing-after", "Gain that arms the trailing stop. (default 0)")] = None
    break_even: Annotated[Number, _part("--break-even", "Gain that moves the stop to the entry.")] = None
    atr_stop: Annotated[Number, _exit("--atr-stop", "Stop at so many ATRs.", parser=number, metavar="NUMBER")] = None
    atr_stop_bars: Annotated[Whole, _exit("--atr-stop-bars", "Bars of that ATR. (default 14)")] = None
    take_profit: Annotated[Number, _part("--take-profit", "Close at this gain from the entry.")] = None
    scale_out: Annotated[Text, _exit("--scale-out", "Sell shares at gains: 0.05:0.3,0.10:0.5.", metavar="STEPS")] = None
    time_stop: Annotated[Whole, _exit("--time-stop", "Close after this many bars.")] = None
    # fmt: on

    def exits(self) -> tuple[Exit, ...]:
        """The declared exits. Raises BadParameter for a half-given one."""
        for part, whole in (("trailing_after", "trailing_stop"), ("atr_stop_bars", "atr_stop")):
            if getattr(self, part) is not None and getattr(self, whole) is None:
                raise BadParameter(f"--{_dashed(part)} needs --{_dashed(whole)}")
        after = self.trailing_after or 0.0
        atr_bars = 14 if self.atr_stop_bars is None else self.atr_stop_bars
        made = (
            None if self.stop_loss is None else StopLoss(self.stop_loss),
            None if self.trailing_stop is None else TrailingStop(self.trailing_stop, after),
            None if self.break_even is None else BreakEven(self.break_even),
            None if self.atr_stop is None else AtrStop(self.atr_stop, atr_bars),
            None if self.take_profit is None else TakeProfit(self.take_profit),
            None if self.scale_out is None else ScaleOut(_steps(self.scale_out)),
            None if self.time_stop is None else TimeStop(self.time_stop),
        )
        return tuple(item for item in made if item is not None)


def _steps(text: str) -> tuple[tuple[float, float], ...]:
    """`0.05:0.3,0.10:0.5` as (gain, share) steps. Raises BadParameter."""
    try:
        return tuple((float(gain), float(share)) for gain, share in (part.split(":") for part in text.split(",")))
    except ValueError:
        raise BadParameter(f"--scale-out {text!r} cannot be read; write GAIN:SHARE steps: 0.05:0.3,0.10:0.5") from None


# fmt: off
@dataclass(frozen=True, slots=True)
class RiskOptions:
    """The account-wide limits; but for `profile` the names of the fields are those of `RiskLimits` behind `limit_`."""

    profile: Annotated[Text, typer.Option("--profile", help=PROFILE_HELP, rich_help_panel="Risk limits")] = None
    limit_position: Annotated[Number, _limit("position", "Weight of one position.")] = None
    limit_gross: Annotated[Number, _limit("gross", "Gross exposure, share of equity.")] = None
    limit_net: Annotated[Number, _limit("net", "Net exposure, share of equity.")] = None
    limit_cash: Annotated[Number, _limit("cash", "Cash that must remain, share of equity.")] = None
    limit_daily_loss: Annotated[Number, _limit("daily_loss", "Loss of a day that stops entries.")] = None
    limit_weekly_loss: Annotated[Number, _limit("weekly_loss", "Loss of a week that stops entries.")] = None
    limit_monthly_loss: Annotated[Number, _limit("monthly_loss", "Loss of a month that stops entries.")] = None
    limit_drawdown: Annotated[Number, _limit("drawdown", "Fall from the highest equity that ends entries.")] = None
    limit_positions: Annotated[Number, _limit("positions", "Positions at a time.")] = None
    limit_order_volume: Annotated[Number, _limit("order_volume", "An order's share of the bar's volume.")] = None
    limit_sector: Annotated[Number, _limit("sector", "Exposure to one sector, where sectors are known.")] = None
    limit_correlation: Annotated[Number, _limit("correlation", "Correlation of an entrant with a holding.")] = None
    correlation_bars: Annotated[Whole, _risk("correlation_bars", "--correlation-bars", "Bars of it.")] = None
    on_drawdown: Annotated[Text, _risk("on_drawdown", "--on-drawdown", "At the drawdown limit.", *BREACHES)] = None
    # fmt: on

    def profile_file(self) -> Path | None:
        """The file that `--profile` names, if it is none of the risk profiles: several strategies in one account."""
        named = self.profile or ""
        return Path(named) if named.endswith(".toml") or "/" in named or "\\" in named else None

    def limits(self, base: RiskSettings) -> RiskLimits | None:
        """The limits, None without any: those given over the profile's, else over `base` (the configuration's)."""
        given = {item.name.removeprefix("limit_"): getattr(self, item.name) for item in fields(self)}
        profile = given.pop("profile")
        chosen = {name: _off(value) for name, value in given.items() if value is not None}
        if chosen.get("positions") is not None:
            chosen["positions"] = int(chosen["positions"])
        if self.profile_file() is not None:
            raise BadParameter(f"--profile {profile}: only gpt-trader backtest runs the strategies of a file")
        if profile not in (None, NO_PROFILE, CUSTOM, *PROFILES):
            raise UnknownName("risk profile", profile, [*PROFILES, CUSTOM, NO_PROFILE])
        if profile == NO_PROFILE and chosen:
            raise BadParameter(f"--profile {NO_PROFILE} means no limits, but limits are given; choose one")
        start = base.limits if profile is None else PROFILES.get(profile)
        if start is None and not chosen:
            return None
        return replace(start or NO_LIMITS, **chosen)


@dataclass(frozen=True, slots=True)
class RuleOptions:
    """All options of the trading rules, in the order of the help screen."""

    costs: CostOptions
    allocation: AllocationOptions
    exits: ExitOptions
    risk: RiskOptions

    def rules(self, base: Configuration) -> Rules:
        """The rules of a run: those of the configuration with what was given. Raises BadParameter and UnknownName."""
        return Rules(
            self.costs.costs(base.costs),
            self.costs.fills(base.fills),
            self.allocation.allocation(base.allocation),
            self.exits.exits(),
            self.risk.limits(base.risk),
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a run, as the core takes them."""

    costs: Costs
    fills: FillModel
    allocation: Allocation
    exits: tuple[Exit, ...]
    risk: RiskLimits | None


def _off(value: Any) -> Any:
    """None for the NaN that stands for a limit switched off."""
    return None if isinstance(value, float) and math.isnan(value) else value


def _changed(base: Section, given: Any) -> Section:
    """`base` with the options that were given."""
    flags = {item.name: value for item in fields(base) if (value := getattr(given, item.name)) is not None}
    return replace(base, **{name: _off(value) for name, value in flags.items()})


def _dashed(name: str) -> str:
    return name.replace("_", "-")
