"""The sections of the configuration: every setting with its default and its rules, and the keys that may be set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gpt_trader.adapters.source_registry import SOURCES, secret_names
from gpt_trader.adapters.store.location import locate
from gpt_trader.allocation import Allocation
from gpt_trader.costs import Costs, FillModel
from gpt_trader.errors import UnknownName, UserError
from gpt_trader.risk import CUSTOM, PROFILES, RiskLimits

if TYPE_CHECKING:
    from pydantic import SecretStr

PREFIX = "GPT_TRADER_"
SWITCHED_OFF: Any = object()
"""Stands for a setting that is None where None itself means that nothing was said."""
QUALITIES = ("strict", "repair")
Keys = TypeVar("Keys")


@dataclass(frozen=True, slots=True)
class DataSettings:
    """Where bars come from: the source, sources to fall back on, the cache's folder, and what to do with defects."""

    source: str = "demo"
    failover: tuple[str, ...] = ()
    cache_dir: Path = Path(".gpt-trader/cache")
    quality: str = "strict"

    def __post_init__(self) -> None:
        for name in (self.source, *self.failover):
            if name not in SOURCES:
                raise UnknownName("data source", name, SOURCES)
        if self.quality not in QUALITIES:
            raise UnknownName("data quality", self.quality, QUALITIES)


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where runs are kept: sqlite:///FILE or postgresql://USER@HOST:PORT/DATABASE."""

    url: str = field(default="sqlite:///.gpt-trader/store.sqlite", repr=False)  # it may hold a password

    def __post_init__(self) -> None:
        locate(self.url)


@dataclass(frozen=True, slots=True)
class BacktestSettings:
    """How a backtest starts: capital in cash, the seed, and whether buy and hold runs beside it."""

    capital: float = 100_000.0
    seed: int = 0
    benchmark: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.capital < 1e15:
            raise UserError(f"capital is {self.capital}; it must be a positive amount of cash")
        if self.seed < 0:
            raise UserError(f"seed is {self.seed}; it must be a whole number from 0 up")


@dataclass(frozen=True, slots=True)
class RiskSettings:
    """The account-wide limits: a named profile (none: no limits) and single limits that differ from it."""

    profile: str = "none"
    limits: RiskLimits | None = None

    def __post_init__(self) -> None:
        known = ("none", CUSTOM, *PROFILES)
        if self.profile not in known:
            raise UnknownName("risk profile", self.profile, known)


def _with_keys(section: type[Keys]) -> type[Keys]:
    """`section` with a field for each key that a source needs, None by default."""
    section.__annotations__ = dict.fromkeys(secret_names(), "SecretStr | None")
    for name in secret_names():
        setattr(section, name, None)
    return section


@dataclass(frozen=True, slots=True)
@_with_keys
class Secrets:
    """Keys of providers; a SecretStr never prints its content, `get_secret_value()` gives it to the one adapter."""

    def keys(self) -> Mapping[str, SecretStr | None]:
        """Every key by its name."""
        return {name: getattr(self, name) for name in secret_names()}


SECTIONS: Mapping[str, type[Any]] = {
    "data": DataSettings,
    "store": StoreSettings,
    "backtest": BacktestSettings,
    "costs": Costs,
    "fills": FillModel,
    "allocation": Allocation,
    "risk": RiskSettings,
    "secrets": Secrets,
}


def known_keys() -> tuple[str, ...]:
    """Every dotted key that file, environment and flags may set."""
    keys = ["runs_dir", "risk.profile"]
    for name, section in SECTIONS.items():
        kind = RiskLimits if section is RiskSettings else section
        keys += [f"{name}.{item.name}" for item in fields(kind)]
    return tuple(keys)


def refuse_unknown(key: str, origin: str) -> None:
    """Raise UserError for a key that does not exist, with the nearest one that does."""
    known = known_keys()
    if key in known:
        return
    siblings = [each for each in known if each.partition(".")[0] == key.partition(".")[0]]
    raise UnknownName(f"setting in {origin}:", key, siblings or _nearest(key, known))


def _nearest(key: str, known: tuple[str, ...]) -> list[str]:
    return get_close_matches(key.casefold(), known, n=5, cutoff=0.5) or [*SECTIONS, "runs_dir"]
