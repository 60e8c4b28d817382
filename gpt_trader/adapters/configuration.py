"""The configuration: defaults, gpt-trader.toml, environment and flags in one checked object that knows its origins.

Later wins: default < file < environment < flag. Variables are GPT_TRADER_SECTION__KEY. pydantic-settings reads and
checks file and environment; where neither sets anything it is not even imported (0.35 s of a command's start).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from gpt_trader.adapters.configuration_sections import (
    PREFIX,
    SECTIONS,
    SWITCHED_OFF,
    BacktestSettings,
    DataSettings,
    RiskSettings,
    Secrets,
    StoreSettings,
    refuse_unknown,
)
from gpt_trader.adapters.source_registry import SOURCES
from gpt_trader.adapters.store.location import locate
from gpt_trader.allocation import Allocation
from gpt_trader.costs import Costs, FillModel
from gpt_trader.errors import UserError
from gpt_trader.risk import CUSTOM, RiskLimits

FILE_NAME = "gpt-trader.toml"
FILE_VARIABLE = "GPT_TRADER_CONFIG"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as `config show` prints it: dotted key, value as text (never a secret's), and where it was set."""

    key: str
    value: str
    origin: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """Every setting, checked. `origins` tells for each key that was set where: a file, a variable or a flag."""

    data: DataSettings = field(default_factory=DataSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    backtest: BacktestSettings = field(default_factory=BacktestSettings)
    costs: Costs = field(default_factory=Costs)
    fills: FillModel = field(default_factory=FillModel)
    allocation: Allocation = field(default_factory=Allocation)
    risk: RiskSettings = field(default_factory=RiskSettings)
    secrets: Secrets = field(default_factory=Secrets)
    runs_dir: Path = Path("runs")
    file: Path | None = None
    origins: Mapping[str, str] = field(default_factory=dict)

    def show(self) -> tuple[Setting, ...]:
        """Every setting with its value and origin; secrets are only "set" or "not set", URLs have no password."""
        return tuple(
            Setting(key, _shown(key, value), self.origins.get(key, "default"))
            for key, value in self._values().items()
        )

    def check(self) -> tuple[str, ...]:
        """What would go wrong with these settings on this machine, one line each; nothing when all is well."""
        problems = []
        for key, folder in (("data.cache_dir", self.data.cache_dir), ("runs_dir", self.runs_dir)):
            problems += _folder_problem(key, folder)
        location = locate(self.store.url)
        if location.path is not None and not location.read_only:
            problems += _folder_problem("store.url", location.path.parent)
        keys = self.secrets.keys()
        for name, source in SOURCES.items():
            if name in (self.data.source, *self.data.failover) and None in map(keys.get, source.secrets):
                needed = " and ".join(f"{PREFIX}SECRETS__{key.upper()}" for key in source.secrets)
                problems.append(f"data.source {name} needs {needed}")
        return tuple(problems)

    def _values(self) -> dict[str, Any]:
        values: dict[str, Any] = {"runs_dir": self.runs_dir}
        for name in SECTIONS:
            section = getattr(self, name)
            if isinstance(section, RiskSettings):
                values["risk.profile"] = section.profile
                section = section.limits
            if section is not None:
                values |= {f"{name}.{item.name}": getattr(section, item.name) for item in fields(section)}
        return values


def load(
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
    *,
    given_by: str = "flag",
) -> Configuration:
    """The configuration from `file`, `environment` (the process's when None) and `flags` (dotted key to value), which messages call
    `given_by`.

    Without `file` it is the one GPT_TRADER_CONFIG names, else gpt-trader.toml in the working folder where there is
    one. A flag of None is not given, SWITCHED_OFF is the setting None, another has its setting's type already.
    Relative folders are relative to the working folder. Raises UserError for an absent or unreadable file, an unknown
    key (naming the nearest), a value of the wrong type or outside its range, and secrets in a file that others may read.
    """
    environment = os.environ if environment is None else environment
    given = {name: value for name, value in environment.items() if name.upper().startswith(PREFIX)}
    named = given.pop(FILE_VARIABLE, None)
    path = file or (Path(named) if named else None)
    if path is not None and not path.is_file():
        raise UserError(f"configuration file {path} does not exist; write one with: gpt-trader init")
    path = path or (Path(FILE_NAME) if Path(FILE_NAME).is_file() else None)
    set_flags = {
        key: None if value is SWITCHED_OFF else value
        for key, value in (flags or {}).items()
        if value is not None
    }
    values, origins = set_flags, dict.fromkeys(set_flags, given_by)
    if path is not None or given:
        from gpt_trader.adapters.configuration_sources import read_layers

        values, origins = read_layers(path, given, set_flags, given_by)
    for key in values:
        refuse_unknown(key, origins[key])
    return replace(Configuration(file=path, origins=origins), **_sections(values, origins))


def _sections(values: Mapping[str, Any], origins: Mapping[str, str]) -> dict[str, Any]:
    """The sections that were set, as dataclasses; their own rules are checked here."""
    grouped: dict[str, dict[str, Any]] = {}
    made: dict[str, Any] = {}
    for key, value in values.items():
        section, dot, name = key.partition(".")
        if dot:
            grouped.setdefault(section, {})[name] = value
        else:
            made[key] = Path(value)
    for section, given in grouped.items():
        try:
            made[section] = _risk(given) if section == "risk" else SECTIONS[section](**given)
        except UserError as problem:
            where = sorted({origins[f"{section}.{name}"] for name in given})
            raise UserError(f"{problem} (section {section}, set in {', '.join(where)})") from None
    return made


def _risk(given: Mapping[str, Any]) -> RiskSettings:
    """The profile with the single limits that were set; single limits alone are the profile custom, which has no others."""
    limits = {name: value for name, value in given.items() if name != "profile"}
    settings = RiskSettings(given.get("profile", CUSTOM if limits else "none"))
    if settings.profile == "none":
        if limits:
            raise UserError(
                f"risk.profile is none, so {', '.join(sorted(limits))} would limit nothing; use custom"
            )
        return settings
    if settings.profile == CUSTOM and not limits:
        return settings
    return replace(settings, limits=replace(RiskLimits.profile(settings.profile), **limits))


def default_toml() -> str:
    """A gpt-trader.toml with every setting at its default, commented out, and a line on each section."""
    lines = ["# GPT-Trader: remove the # before a setting to change it. See `gpt-trader config show`.", ""]
    lines += ["# Folder of the runs' files.", f"# runs_dir = {_toml(Configuration().runs_dir)}"]
    for name, section in SECTIONS.items():
        about = (section.__doc__ or "").strip().split("\n")[0].rstrip(":")
        lines += ["", f"# {about}", f"[{name}]"]
        if section is Secrets:
            lines.append("# Better in the environment; a file with secrets must be private (chmod 600).")
        if section is RiskSettings:
            lines.append("# Below are the limits of moderate; without a profile only those set here count.")
            lines.append('# profile = "none"')
        kind = RiskLimits if section is RiskSettings else section
        lines += [f"# {item.name} = {_toml(getattr(kind(), item.name))}" for item in fields(kind)]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """A value as TOML; there is no null, so none is the word."""
    if value is None:
        return '"none"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return repr(value) if isinstance(value, int | float) else f'"{value}"'


def _shown(key: str, value: Any) -> str:
    """A value as text, without anything secret in it."""
    if key.startswith("secrets."):
        return "not set" if value is None else "set"
    if key == "store.url":
        return locate(value).shown
    if isinstance(value, tuple):
        return ", ".join(str(item) for item in value) or "none"
    return "none" if value is None else str(value)


def _folder_problem(key: str, folder: Path) -> list[str]:
    """Whether a folder, or the nearest one above it that exists, can be written."""
    existing = next((each for each in (folder, *folder.absolute().parents) if each.exists()), Path("/"))
    if not existing.is_dir():
        return [f"{key}: {existing} is a file, not a folder; remove it or name another folder"]
    if not os.access(existing, os.W_OK | os.X_OK):
        return [f"{key}: {existing} cannot be written; change its permissions or name another folder"]
    return []
