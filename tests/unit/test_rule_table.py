"""The rows of costs, fills, allocation and risk limits are complete, and options, settings, record and log read them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from gpt_trader import engine
from gpt_trader.adapters.configuration import default_toml
from gpt_trader.adapters.configuration_sections import known_keys
from gpt_trader.allocation import Allocation
from gpt_trader.costs import Costs, FillModel
from gpt_trader.declared_rules import UNITS, below, record_fields, rules_of
from gpt_trader.engine import records
from gpt_trader.risk import LIMITS, PROFILE_NAMES, RiskLimits, verdict_code
from jobs.cli import app
from jobs.command_reference import commands

KINDS = {"costs": Costs, "fills": FillModel, "allocation": Allocation, "risk": RiskLimits}
ROWS = [(section, name) for section, kind in KINDS.items() for name in rules_of(kind)]
FOLDER = Path(engine.__file__).parent
KERNELS = "".join(
    path.read_text(encoding="utf-8")
    for path in sorted(FOLDER.glob("*.py"))
    if path.name not in ("records.py", "run_setup.py")
)


@pytest.mark.parametrize(("section", "name"), ROWS)
def test_a_row_says_all_that_readers_need(section: str, name: str) -> None:
    kind = KINDS[section]
    row, default = rules_of(kind)[name], {item.name: item.default for item in fields(kind)}[name]
    assert row.unit in UNITS, f"the unit of {name} is none of {', '.join(UNITS)}"
    assert row.text.endswith(".")
    assert (row.unit == "choice") == bool(row.choices)
    assert (
        default is None
        or not isinstance(default, int | float)
        or isinstance(default, bool)
        or not below(default, row)
    )
    assert f"{section}.{name}" in known_keys()
    if section != "risk":
        assert row.label, f"give {name} a label: the report has no other name for it"


@pytest.mark.parametrize("name", [name for name, row in LIMITS.items() if row.optional])
def test_a_limit_has_a_value_in_every_profile(name: str) -> None:
    assert set(LIMITS[name].profiles or ()) | {"moderate"} == set(PROFILE_NAMES)
    assert getattr(RiskLimits.profile("custom"), name) is None


def test_a_field_without_a_row_is_refused() -> None:
    @dataclass
    class Bare:
        number: int = 0

    with pytest.raises(TypeError, match=r"Bare.number has no row; declare it with rule\("):
        rules_of(Bare)


def test_every_rule_has_one_option_and_one_line_in_the_settings() -> None:
    import typer

    command = dict(commands(typer.main.get_command(app), "gpt-trader"))["gpt-trader backtest"]
    flags = Counter(flag for item in command.params for flag in (*item.opts, *item.secondary_opts))
    for section, name in ROWS:
        row = rules_of(KINDS[section])[name]
        flag = (row.flag or f"--{name.replace('_', '-')}").partition("/")[0]
        assert flags[flag] == 1, flag
        assert re.search(rf"^# {name} = ", default_toml(), re.MULTILINE)


def test_the_record_has_each_rule_once() -> None:
    found = [name for kind in KINDS.values() for name in record_fields(kind)]
    assert not [name for name, count in Counter(found).items() if count > 1]
    assert set(found) <= set(records.RULE_FIELDS)
    assert len(set(records.RULE_FIELDS)) == len(records.RULE_FIELDS)


@pytest.mark.parametrize("name", [name for kind in KINDS.values() for name in record_fields(kind)])
def test_every_rule_of_the_record_is_enforced(name: str) -> None:
    assert re.search(rf"\.{name}\b", KERNELS), (
        f"no kernel in gpt_trader/engine reads .{name}: enforce the rule"
    )


def test_the_log_of_decisions_names_every_limit_by_its_code() -> None:
    codes = {name: row.verdict for name, row in LIMITS.items() if row.verdict is not None}
    for name, (code, label) in codes.items():
        assert records.RULES[code] == label, f"{name}: the next free code is {len(records.RULES) - 1}"
    assert len(set(records.RULES)) == len(records.RULES)
    own = {name: code for name, code in vars(records).items() if name.startswith("V_")}
    for name in codes:
        constants = [constant for constant, code in own.items() if code == verdict_code(name)]
        used = [f'verdict_code("{name}")', *constants]
        assert any(re.search(rf"\b{re.escape(word)}", KERNELS) for word in used), (
            f"no kernel logs the verdict of {name}"
        )


def test_a_limit_without_a_verdict_has_no_code() -> None:
    with pytest.raises(KeyError, match="daily_loss is no limit with a verdict of its own"):
        verdict_code("daily_loss")
