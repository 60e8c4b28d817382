"""The tables of the documentation say what the code says: indicators, metrics, columns, limits, rules, parameters, files."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpt_trader import RiskLimits, exits, load_bars, ta, too_good
from gpt_trader.look_ahead import LookAheadState
from gpt_trader.quality import RULES
from gpt_trader.strategy import Held
from jobs import doc_tables
from tests.e2e.command import ROOT
from tests.e2e.pages import FENCE

DOCS = ROOT / "docs"
CELL = re.compile(r"(?<!\\)\|")


def rows(page: Path, section: str = "") -> list[list[str]]:
    """The cells of every table row of a page, or of the section under one heading, heads left out."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    if section:
        _, _, rest = text.partition(f"\n{section}\n")
        assert rest, f"{page.name} has no heading {section!r}"
        level = len(section) - len(section.lstrip("#"))
        text = re.split(rf"\n#{{1,{level}}} ", rest)[0]
    found = [
        [cell.strip() for cell in CELL.split(line)[1:-1]]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    rules = [i for i, row in enumerate(found) if set("".join(row)) <= {"-", " ", ":"}]
    return [row for i, row in enumerate(found) if i not in rules and i + 1 not in rules]


def code(cell: str) -> list[str]:
    """The words of a cell in code type."""
    return re.findall(r"`([^`]+)`", cell)


# -- indicators ------------------------------------------------------------------------------------------------------

INDICATORS = {code(row[0])[0].partition("(")[0]: row for row in rows(DOCS / "indicators.md")}
CHOSEN: dict[str, Any] = {
    "n": 7, "fast": 5, "slow": 11, "signal": 4, "atr_n": 9, "smooth_n": 3, "d_n": 5, "q": 0.3, "other": 100.0,
}  # fmt: skip


def test_every_indicator_is_on_the_page() -> None:
    assert set(INDICATORS) == {name for name in ta.__all__ if name.islower()}


@pytest.mark.parametrize("name", INDICATORS)
def test_an_indicator_has_the_signature_and_the_warm_up_of_the_page(name: str) -> None:
    function = getattr(ta, name)
    shown = code(INDICATORS[name][0])[0]
    signature = ", ".join(
        p.name + ("" if p.default is p.empty else f"={p.default}")
        for p in inspect.signature(function).parameters.values()
    )
    assert shown == f"{name}({signature})"
    values = _called(function)
    said = code(INDICATORS[name][2])[0]
    warmups = dict(re.findall(r"(\w+): (.+?)(?=, \w+: |$)", said))
    outputs = values._asdict() if hasattr(values, "_fields") else {"": values}
    for output, array in outputs.items():
        expected = eval(warmups.get(output, said), {"max": max}, dict(CHOSEN))  # noqa: S307 - our own page
        if array.dtype == np.bool_:
            assert not array[:expected].any()
            continue
        first = int(np.argmax(~np.isnan(array)))
        assert first == expected, (name, output)


def _called(function: Any) -> Any:
    """The indicator on 200 bars that move, with the chosen numbers."""
    noise = np.random.default_rng(3)
    close = 100.0 * np.exp(np.cumsum(noise.normal(0, 0.02, 200)))
    spread = noise.uniform(0.1, 2.0, (2, 200))
    known = {
        "values": close, "close": close, "high": close + spread[0], "low": close - spread[1], "asset": close,
        "volume": noise.uniform(1e5, 1e6, 200), "market": close[::-1].copy(), "session": np.arange(200) // 10, **CHOSEN,
    }  # fmt: skip
    if function.__name__ == "rolling_corr":
        known["other"] = close[::-1].copy()
    wanted = inspect.signature(function).parameters
    return function(**{name: known[name] for name in wanted if name in known})


# -- results ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def result() -> Any:
    """A run of a shipped strategy on the demo data."""
    from gpt_trader import backtest
    from gpt_trader.strategies import load_strategy

    return backtest(load_strategy("demo_ma")(), load_bars(["AAPL"], start="2008-01-01", end="2009-12-31"))


def test_the_metrics_of_the_page_are_those_of_a_run(result: Any) -> None:
    listed = [code(row[0])[0] for row in rows(DOCS / "results.md", "## Metrics")]
    assert sorted(listed) == sorted(result.metrics)


@pytest.mark.parametrize("table", doc_tables.tables(), ids=lambda table: f"{table.page} {table.heading}")
def test_the_table_of_the_page_is_that_of_the_code(table: doc_tables.DocTable) -> None:
    text = (DOCS / table.page).read_text(encoding="utf-8")
    assert doc_tables.with_table(text, table) == text, "run: python -m jobs.doc_tables docs"


@pytest.mark.parametrize("table", ["equity", "orders", "fills", "closed_trades", "positions", "decisions"])
def test_the_columns_of_the_page_are_those_of_the_table(table: str, result: Any) -> None:
    listed = [code(row[0])[0] for row in rows(DOCS / "results.md", f"### {table}")]
    assert listed == list(getattr(result, table).columns)


def test_the_words_of_the_tables_are_those_of_the_engine() -> None:
    from gpt_trader.engine import records

    cells = {code(row[0])[0]: row[1] for row in rows(DOCS / "results.md", "## Tables")}
    reasons = set(re.split(r", ", cells["reason"].split(": ")[1])) if ": " in cells["reason"] else set()
    ended = set(re.split(r", ", cells["end_reason"].split(": ")[1].split(";")[0]))
    rules = set(re.split(r", ", cells["rule"].split(": ")[1]))
    assert (reasons | ended) <= set(records.REASONS)
    assert rules <= set(records.RULES)
    assert set(re.split(r", ", cells["verdict"])) == set(records.VERDICTS)
    assert set(re.split(r", ", cells["kind"])) == set(records.KINDS)
    for status in records.STATUSES:
        assert status in cells["status"]


# -- limits, rules, exits, strategies --------------------------------------------------------------------------------


def test_every_limit_is_explained() -> None:
    text = (DOCS / "risk.md").read_text(encoding="utf-8").partition("## What a backtest enforces")[2]
    missing = [field.name for field in fields(RiskLimits) if f"`{field.name}" not in text]
    assert set(missing) <= {"on_drawdown"}, f"say in docs/risk.md what a backtest enforces of {missing}"
    assert "on_drawdown" in text


def test_what_the_page_calls_unenforced_has_no_setting() -> None:
    names = {field.name for field in fields(RiskLimits)}
    assert not [name for name in names if re.search("var|rate|collar|breaker|cooldown", name)]


def test_the_quality_rules_of_the_page_are_those_of_the_code() -> None:
    listed = [row for row in rows(DOCS / "data.md", "## Quality") if len(row) == 4]
    assert [[code(row[0])[0], *row[1:]] for row in listed] == [
        [rule.name, rule.severity.value, rule.expected, rule.repair] for rule in RULES.values()
    ]


def test_every_exit_of_the_page_can_be_made_and_none_is_missing() -> None:
    calls = [code(row[0])[0] for row in rows(DOCS / "writing-a-strategy.md", "## Exits")]
    made = [eval(call, dict(vars(exits))) for call in calls]  # noqa: S307 - our own page
    assert {type(item) for item in made} == set(exits.Exit.__args__)


def test_every_field_of_held_is_explained() -> None:
    listed = [
        name for row in rows(DOCS / "writing-a-strategy.md", "## What is held") for name in code(row[0])
    ]
    assert listed == [f"held.{name}" for name in Held._fields]


def test_every_order_function_is_explained() -> None:
    from gpt_trader import orders

    listed = {
        code(row[0])[0].partition("(")[0]
        for row in rows(DOCS / "writing-a-strategy.md", "## Order strategies")
    }
    own = {name for name, item in vars(orders).items() if getattr(item, "__module__", "") == orders.__name__}
    assert listed == own - {"OrderRequest"}


# -- the map of the code ---------------------------------------------------------------------------------------------


def test_the_files_that_architecture_names_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    everywhere = {
        path.name for folder in ("gpt_trader", "jobs", "tests") for path in (ROOT / folder).rglob("*.py")
    }
    for name in re.findall(r"`([\w/]+\.py)`", text):
        assert (ROOT / name).is_file() or ("/" not in name and name in everywhere), name
    for name in re.findall(r"`((?:gpt_trader|tests|jobs)/[\w/]*)`", text):
        assert (ROOT / name).is_dir(), name


def test_every_module_of_the_engine_and_the_core_is_on_the_map() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    folder = ROOT / "gpt_trader" / "engine"
    missing = [path.name for path in folder.glob("*.py") if path.stem not in text and path.stem != "__init__"]
    assert not missing


# -- messages --------------------------------------------------------------------------------------------------------


def test_the_messages_of_the_page_are_messages_of_the_code() -> None:
    folders = ("gpt_trader", "jobs")
    source = "\n".join(p.read_text(encoding="utf-8") for f in folders for p in (ROOT / f).rglob("*.py"))
    source += "database is locked returned an infinite weight expected UniTuple"  # SQLite's, one split over lines, numba's
    for row in rows(DOCS / "troubleshooting.md", "## Messages"):
        for part in code(row[0])[0].split("…"):
            assert part.strip() in source, part


# -- the look-ahead check --------------------------------------------------------------------------------------------


def test_the_page_has_every_state_of_look_ahead_and_every_rule_of_what_is_too_good() -> None:
    page = DOCS / "writing-a-strategy.md"
    states = [code(row[0])[0] for row in rows(page, "### The very code that was checked")]
    assert set(states) == {state.value for state in LookAheadState}
    listed = {code(row[0])[0]: row[1] for row in rows(page, "### Too good to be true")}
    assert listed == {rule.name: rule.text for rule in too_good.RULES}
