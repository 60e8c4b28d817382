"""Profiles: one file that says which strategies share an account, with what budgets, on which market, under which rules.

[market]                          # what is traded: as the options of the same names
symbols = ["AAPL", "IBM"]
[risk]                            # any section of gpt-trader.toml, for this profile
profile = "moderate"
[[strategy]]                      # one for each strategy
use = "demo_ma"                   # a shipped name, or path/to/file.py[:Class]
budget = 0.5                      # of the capital; those without share what is left
parameters = { fast = 5 }
exits = { stop_loss = 0.05 }
allocation = { gross = 1.0 }
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

from gpt_trader.adapters.configuration_sections import SECTIONS, SWITCHED_OFF, refuse_unknown
from gpt_trader.allocation import Allocation
from gpt_trader.errors import BadParameter, UnknownName, UserError
from gpt_trader.exits import AtrStop, BreakEven, Exit, ScaleOut, StopLoss, TakeProfit, TimeStop, TrailingStop
from gpt_trader.portfolio import Sleeve
from gpt_trader.risk import RiskLimits
from gpt_trader.strategies import load_strategy
from gpt_trader.strategy import make_strategy

MARKET = {
    "symbols": list, "universe": str, "source": str, "path": str, "timeframe": str, "start": str, "end": str, "adjustment": str,
    "quality": str, "calendar": str, "timezone": str,
}  # fmt: skip
ENTRY = ("use", "name", "budget", "symbols", "parameters", "exits", "allocation")
EXITS: Mapping[str, type[Any]] = {
    "stop_loss": StopLoss, "trailing_stop": TrailingStop, "break_even": BreakEven, "atr_stop": AtrStop,
    "take_profit": TakeProfit, "scale_out": ScaleOut, "time_stop": TimeStop,
}  # fmt: skip
EXAMPLES: Mapping[type[Exit], str] = {
    ScaleOut: "[[0.05, 0.3], [0.1, 0.5]]: 30 % of the position at a gain of 5 %, 50 % at 10 %",
    TrailingStop: "0.1, or { fraction = 0.1, after = 0.05 }",
    AtrStop: "2.0, or { k = 2.0, n = 14 }",
    TimeStop: "20",
}


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile as it was read: `market` by option, `settings` by dotted key of the configuration, and its strategies."""

    path: Path
    market: Mapping[str, Any]
    settings: Mapping[str, Any]
    strategies: tuple[Mapping[str, Any], ...]

    def sleeves(self, allocation: Allocation) -> tuple[Sleeve, ...]:
        """The strategies with their budgets; `allocation` holds for those that say nothing else.

        Raises UserError for a strategy, parameter, exit or budget that is not right, naming the strategy.
        """
        given = [entry.get("budget") for entry in self.strategies]
        named = sum(float(budget) for budget in given if budget is not None)
        share = (1.0 - named) / max(1, given.count(None))
        if None in given and share <= 0:
            raise UserError(
                f"{self.path}: the budgets given are {named:g} together and leave nothing for the strategies without one"
            )
        return tuple(
            self._sleeve(number, entry, share, allocation) for number, entry in enumerate(self.strategies, 1)
        )

    def _sleeve(self, number: int, entry: Mapping[str, Any], share: float, allocation: Allocation) -> Sleeve:
        where = f"{self.path}, strategy {number} ({entry['use']})"
        try:
            values = {name: _text(value) for name, value in entry.get("parameters", {}).items()}
            symbols = entry.get("symbols")
            return Sleeve(
                make_strategy(load_strategy(self._located(entry["use"])), values),
                entry.get("budget", share), entry.get("name", ""), None if symbols is None else tuple(symbols),
                _changed(allocation, entry.get("allocation", {})), _exits(entry.get("exits", {})),
            )  # fmt: skip
        except UserError as problem:
            raise UserError(f"{where}: {problem}") from None

    def _located(self, use: str) -> str:
        """A strategy's file is looked for beside the profile."""
        name, colon, kind = use.partition(":")
        beside = self.path.parent / name
        return f"{beside}{colon}{kind}" if name.endswith(".py") and beside.is_file() else use


def read_profile(path: Path) -> Profile:
    """Read and check a profile. Raises UserError for a file that is absent, no TOML, or says what no profile can say."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise UserError(
            f"profile {path} does not exist; see docs/portfolios.md for how to write one"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"profile {path} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"profile {path} is no valid TOML: {error}") from None
    strategies = found.pop("strategy", [])
    if not isinstance(strategies, list) or not strategies:
        raise UserError(
            f'profile {path} has no strategy; it needs at least one [[strategy]] with use = "demo_ma"'
        )
    for number, entry in enumerate(strategies, 1):
        _check_entry(entry, f"{path}, strategy {number}")
    market = found.pop("market", {})
    _check_market(market, path)
    return Profile(path, market, _settings(found, path), tuple(strategies))


def _check_entry(entry: Any, where: str) -> None:
    if not isinstance(entry, dict):
        raise UserError(f"{where}: write it as a table, [[strategy]]")
    for key in entry:
        if key not in ENTRY:
            raise UnknownName(f"key in {where}:", key, ENTRY)
    if not isinstance(entry.get("use"), str) or not entry["use"]:
        raise UserError(f'{where}: say which it is, use = "demo_ma" or use = "path/to/file.py:Class"')
    if "budget" in entry and not (_is_number(entry["budget"]) and abs(entry["budget"]) < 1e18):
        shown = f"{entry['budget']!r}"[:40]
        raise UserError(f"{where}: budget is {shown}; give a share of the capital, such as 0.5")
    if "name" in entry and not (isinstance(entry["name"], str) and entry["name"].strip()):
        raise UserError(f'{where}: name is {entry["name"]!r}; give a text, such as name = "slow"')
    for key in ("parameters", "exits", "allocation"):
        if not isinstance(entry.get(key, {}), dict):
            raise UserError(f"{where}: {key} is a table, such as {key} = {{ … }}")
    if not _texts(entry.get("symbols", ["all"])):
        raise UserError(f'{where}: symbols is a list of names, such as symbols = ["AAPL", "IBM"]')


def _check_market(market: Any, path: Path) -> None:
    if not isinstance(market, dict):
        raise UserError(f"{path}: market is a table, [market]")
    for key, value in market.items():
        if key not in MARKET:
            raise UnknownName(f"key in {path}, market:", key, MARKET)
        if not (_texts(value) if MARKET[key] is list else isinstance(value, str)):
            example = '["AAPL", "IBM"]' if MARKET[key] is list else '"…"'
            raise UserError(f"{path}: market.{key} is {value!r}; write {key} = {example}")


def _texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(text, str) for text in value)


def _settings(found: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Sections of the configuration by dotted key; keys of providers belong into the environment."""
    values: dict[str, Any] = {}
    for section, given in found.items():
        if section == "secrets":
            raise UserError(f"{path}: a profile holds no secrets; they belong into the environment")
        if section not in SECTIONS or not isinstance(given, dict):
            raise UnknownName(f"section in {path}:", section, ["market", "strategy", *SECTIONS])
        for name, value in given.items():
            key = f"{section}.{name}"
            refuse_unknown(key, str(path))
            values[key] = _value(key, value, path)
    return values


def _value(key: str, value: Any, path: Path) -> Any:
    """A setting in the type of its default. Raises UserError for another."""
    section, _, name = key.partition(".")
    if value == "none" and _may_be_none(section, name):
        return SWITCHED_OFF
    if key == "risk.profile":
        default: Any = ""
    else:
        default = getattr(RiskLimits() if section == "risk" else SECTIONS[section](), name)
    if isinstance(default, bool):
        right, wanted = isinstance(value, bool), "true or false"
    elif isinstance(default, int | float):
        right, wanted = _is_number(value), "a number"
    elif isinstance(default, tuple):
        right, wanted = _texts(value), "a list of names"
    else:
        right, wanted = isinstance(value, str) or (default is None and _is_number(value)), "a text"
    if not right:
        raise UserError(f"{path}: {key} is {value!r}; give {wanted}")
    if isinstance(default, tuple):
        return tuple(value)
    if isinstance(default, Path):
        return Path(value)
    return value


def _may_be_none(section: str, name: str) -> bool:
    """Whether a setting takes the word none, as in gpt-trader.toml: a limit or a cap that is switched off."""
    kind = RiskLimits if section == "risk" else SECTIONS[section]
    return NoneType in get_args(get_type_hints(kind).get(name))


def _changed(allocation: Allocation, given: Mapping[str, Any]) -> Allocation:
    known = [item.name for item in fields(Allocation)]
    for name in given:
        if name not in known:
            raise UnknownName("allocation rule", name, known)
    try:
        return replace(allocation, **given)
    except TypeError as error:
        raise BadParameter(f"allocation: {error}") from None


def _exits(given: Mapping[str, Any]) -> tuple[Exit, ...]:
    made: list[Exit] = []
    for name, value in given.items():
        kind = EXITS.get(name)
        if kind is None:
            raise UnknownName("exit", name, EXITS)
        try:
            if kind is ScaleOut:
                made.append(ScaleOut(tuple((gain, part) for gain, part in value)))
            else:
                made.append(kind(**value) if isinstance(value, dict) else kind(value))
        except (TypeError, ValueError):
            raise BadParameter(
                f"exits: {name} = {value!r} cannot be read; write {name} = {EXAMPLES.get(kind, '0.05')}"
            ) from None
    return tuple(made)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str:
    """A value of a parameter as it would be typed."""
    return str(value).lower() if isinstance(value, bool) else str(value)
