"""The options of the trading rules: costs, allocation, exits and risk limits, as the core's own dataclasses."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from gpt_trader.allocation import Allocation
from gpt_trader.costs import Costs, FillModel
from gpt_trader.declared_rules import Rule, rules_of
from gpt_trader.errors import BadParameter, UnknownName
from gpt_trader.exits import AtrStop, BreakEven, Exit, ScaleOut, StopLoss, TakeProfit, TimeStop, TrailingStop
from gpt_trader.risk import CUSTOM, LIMITS, NO_LIMITS, PROFILES, RiskLimits
from jobs.options import number, number_or_none

if TYPE_CHECKING:
    from gpt_trader.adapters.configuration import Configuration
    from gpt_trader.adapters.configuration_sections import RiskSettings

Section = TypeVar("Section", Costs, Allocation, FillModel)
Group = TypeVar("Group")
Number = float | None
Whole = int | None
Text = str | None

NO_PROFILE = "none"
PROFILE_HELP = (
    f"{', '.join(PROFILES)}; {CUSTOM}: only the limits given below; {NO_PROFILE}. (default {NO_PROFILE}) "
    "backtest: or a FILE.toml of several strategies in one account."
)


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "off" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _exit(flag: str, text: str, **more: Any) -> Any:
    return typer.Option(flag, help=text, rich_help_panel="Exits (added to the strategy's own)", **more)


def _part(flag: str, text: str) -> Any:
    return _exit(flag, text, parser=number, metavar="FRACTION")


def options_of(*owners: type[Any], panel: str, word: str = "default") -> Callable[[type[Group]], type[Group]]:
    """A decorator that gives a class, before it becomes a dataclass, one option for each field of `owners`, None by default.

    The options are named as the fields; those of limits, whose flag begins with `--limit-`, have `limit_` before it. `word`
    stands before the default on the help screen.
    """

    def add(group: type[Group]) -> type[Group]:
        group.__annotations__ = dict(group.__annotations__)
        for owner in owners:
            for item in fields(owner):
                row = rules_of(owner)[item.name]
                name = f"limit_{item.name}" if row.flag.startswith("--limit-") else item.name
                group.__annotations__[name] = _option(row, item.name, item.default, panel, word)
                setattr(group, name, None)
        return group

    return add


def _option(row: Rule, name: str, default: Any, panel: str, word: str) -> Any:
    """The annotated type of one option; the default on the help screen is the dataclass's own."""
    kind: Any = type(default)
    reader: dict[str, Any] = {"metavar": row.metavar} if row.metavar else {}
    if row.choices:
        reader = {"metavar": "|".join(row.choices)}
    elif row.unit == "symbol":
        kind = str
    elif row.optional:
        kind, reader = float, {"parser": number_or_none, "metavar": f"{row.metavar or 'NUMBER'}|none"}
    elif kind is float:
        reader = {"parser": number, "metavar": "NUMBER"}
    if row.strict:
        reader["min"] = row.low
    text = f"{row.text} ({word} {_shown(default)})"
    flag = row.flag or f"--{_dashed(name)}"
    return Annotated[kind | None, typer.Option(flag, help=text, rich_help_panel=panel, **reader)]


@dataclass(frozen=True, slots=True)
@options_of(Costs, FillModel, panel="Costs")
class CostOptions:
    """What trading costs; the names of the fields are those of `Costs`; `volume_cap` and `delay` are `FillModel`'s."""

    def costs(self, base: Costs) -> Costs:
        """The rates of `base` (the configuration's) with those that were given."""
        return _changed(base, self)

    def fills(self, base: FillModel) -> FillModel:
        """The fill model, likewise."""
        return _changed(base, self)


@dataclass(frozen=True, slots=True)
@options_of(Allocation, panel="Allocation")
class AllocationOptions:
    """How targets become a portfolio; the names of the fields are those of `Allocation`."""

    def allocation(self, base: Allocation) -> Allocation:
        """The allocator's rules of `base` (the configuration's) with those that were given."""
        return _changed(base, self)


# fmt: off
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


@dataclass(frozen=True, slots=True)
@options_of(RiskLimits, panel="Risk limits", word="moderate")
class RiskOptions:
    """The account-wide limits; but for `profile` the names of the fields are those of `RiskLimits` behind `limit_`."""

    profile: Annotated[Text, typer.Option("--profile", help=PROFILE_HELP, rich_help_panel="Risk limits")] = None

    def profile_file(self) -> Path | None:
        """The file that `--profile` names, if it is none of the risk profiles: several strategies in one account."""
        named = self.profile or ""
        return Path(named) if named.endswith(".toml") or "/" in named or "\\" in named else None

    def limits(self, base: RiskSettings) -> RiskLimits | None:
        """The limits, None without any: those given over the profile's, else over `base` (the configuration's)."""
        given = {item.name.removeprefix("limit_"): getattr(self, item.name) for item in fields(self)}
        profile = given.pop("profile")
        chosen = {name: _off(value) for name, value in given.items() if value is not None}
        counted = [name for name, value in chosen.items() if value is not None and LIMITS[name].unit == "count"]
        chosen |= {name: int(chosen[name]) for name in counted}
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
