"""The profile custom is one thing wherever it is named: no limits but those given."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from gpt_trader.adapters.configuration import load
from gpt_trader.adapters.configuration_sections import RiskSettings
from gpt_trader.risk import RiskLimits
from jobs.rule_options import RiskOptions

UNLIMITED = {"correlation_bars": 60, "on_drawdown": "halt"}


def from_file(folder: Path, text: str) -> RiskLimits | None:
    path = folder / "gpt-trader.toml"
    path.write_text(f"[risk]\n{text}")
    return load(path, environment={}).risk.limits


def test_custom_has_every_limit_off() -> None:
    limits = asdict(RiskLimits.profile("custom"))
    assert limits == dict.fromkeys(limits) | UNLIMITED


@pytest.mark.parametrize("profile", [None, "custom"])
def test_custom_is_the_same_in_file_environment_and_options(profile: str | None, tmp_path: Path) -> None:
    expected = replace(RiskLimits.profile("custom"), gross=0.5, on_drawdown="flatten")
    named = "" if profile is None else f'profile = "{profile}"\n'
    assert from_file(tmp_path, f'{named}gross = 0.5\non_drawdown = "flatten"\n') == expected
    environment = {"GPT_TRADER_RISK__GROSS": "0.5", "GPT_TRADER_RISK__ON_DRAWDOWN": "flatten"}
    if profile is not None:
        environment["GPT_TRADER_RISK__PROFILE"] = profile
    settings = load(environment=environment).risk
    assert (settings.profile, settings.limits) == ("custom", expected)
    options = RiskOptions(profile=profile, limit_gross=0.5, on_drawdown="flatten")
    assert options.limits(RiskSettings()) == expected


def test_custom_without_a_limit_limits_nothing(tmp_path: Path) -> None:
    assert from_file(tmp_path, 'profile = "custom"\n') is None
    assert RiskOptions(profile="custom").limits(RiskSettings()) is None
    assert RiskOptions(limit_cash=0.1).limits(RiskSettings("custom")) == replace(
        RiskLimits.profile("custom"), cash=0.1
    )
