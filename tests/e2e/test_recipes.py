"""The recipes of CONTRIBUTING.md work, are as short as they say, and without any one step the test that is named there fails."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.command import ROOT
from tests.e2e.pages import anchors, links
from tests.e2e.recipes import PAGE, Step, Tree, Worker, edited, recipes, worker

RECIPES = recipes()
FILES = {"A metric": 2, "A source of bars": 2, "A shipped strategy": 2, "A risk limit": 3}
"""How many files of code and documents each recipe may touch by hand."""

DOCS = "tests/e2e/test_docs_facts.py::test_the_table_of_the_page_is_that_of_the_code"
SCREENS = "tests/e2e/test_cli_reference.py::test_the_page_is_what_the_commands_say"
CONTRACT = "tests/contract/test_bar_source.py"
PASS = {
    "A metric": (
        "tests/unit/test_metrics.py", "tests/unit/test_metric_table.py", "tests/unit/test_objectives.py", DOCS,
        "tests/e2e/test_docs_facts.py::test_the_metrics_of_the_page_are_those_of_a_run",
    ),
    "A source of bars": (
        f"{CONTRACT}::test_every_source_has_a_case", f"{CONTRACT}::test_every_case_is_of_a_source_that_has_a_name",
        f"{CONTRACT}::test_every_adapter_is_in_the_list", f"{CONTRACT}::test_a_row_of_the_list_says_all_that_readers_need",
        f"{CONTRACT}::test_it_is_a_source_with_a_name[flat]", f"{CONTRACT}::test_the_frame_has_the_promised_shape[flat]",
        f"{CONTRACT}::test_both_bounds_are_inclusive[flat]", f"{CONTRACT}::test_an_unknown_symbol_is_named[flat]",
        f"{CONTRACT}::test_the_bars_keep_the_rules_of_quality[flat]", DOCS, SCREENS,
    ),
    "A shipped strategy": (
        "tests/golden/test_golden.py::test_every_shipped_strategy_has_golden_files",
        "tests/golden/test_golden.py::test_every_strategy_trades_in_its_golden_run",
        "tests/golden/test_golden.py::test_the_closed_trades_are_the_golden_ones[above_mean]",
        "tests/parity/test_engine_against_reference.py::test_shipped_rule[above_mean-0]",
        "tests/unit/test_shipped_checks.py::test_the_table_is_that_of_the_present_code_and_check",
        "tests/unit/test_strategies_tables.py::test_every_strategy_of_the_folder_is_shipped_and_has_a_case",
        "tests/unit/test_strategies_tables.py::test_defaults_and_names_are_those_of_the_rules[above_mean]",
        "tests/unit/test_strategies_tables.py::test_a_missing_bar_is_skipped_as_if_it_were_not_there[above_mean]",
        "tests/properties/test_truth_entries.py::test_nothing_is_bought_before_the_warm_up[above_mean]",
    ),
    "A risk limit": (
        "tests/unit/test_rule_table.py", "tests/unit/test_custom_profile.py", "tests/unit/test_jobs_options.py",
        "tests/unit/test_configuration.py::test_every_setting_can_be_set_in_the_file_and_in_the_environment[risk.shorts]",
        "tests/e2e/test_docs_facts.py::test_every_limit_is_explained", DOCS, SCREENS,
        "tests/parity/test_risk_against_reference.py::test_the_reference_knows_every_limit",
        "tests/parity/test_risk_against_reference.py::test_random_targets_with_risk_limits[0]",
    ),
}  # fmt: skip
"""What passes when all steps are made."""

SEEN = {
    "A metric": """
from gpt_trader import backtest, load_bars
from gpt_trader.adapters.report import labels
from gpt_trader.research.objectives import parse_objective
from gpt_trader.strategies import load_strategy
from jobs.console_tables import metric_row
result = backtest(load_strategy("demo_ma")(), load_bars(["AAPL"], start="2008-01-01", end="2009-12-31"))
assert 0.0 < result.metrics["cost_rate"] < 0.1
assert parse_objective("cost_rate").smallest
assert metric_row("cost_rate") == ("Costs a year", "cost_rate", "share")
figures = dict(labels.DETAILS)["Costs"]
assert ("cost_rate", "Costs a year", "percent") in [figure[:3] for figure in figures]
""",
    "A source of bars": """
import contextlib, io
from gpt_trader import load_bars
from gpt_trader.adapters.configuration import load
from jobs.cli import app, run
assert set(load_bars(["X"], source="flat", start="2020-01-02", end="2020-03-31").close[:, 0]) == {100.0}
assert load(environment={"GPT_TRADER_DATA__SOURCE": "flat"}).data.source == "flat"
with contextlib.redirect_stdout(io.StringIO()) as said:
    assert run(app, ["backtest", "--help"]) == 0
assert "flat" in said.getvalue()
from jobs.init import _questions
assert any("flat" in question.words for question in _questions(skip_api=True))
""",
    "A shipped strategy": """
import contextlib, io
from gpt_trader.strategies import AboveMean, available
from gpt_trader.strategy import strategy_name
from jobs.cli import app, run
assert strategy_name(AboveMean) == "above_mean" in available()
with contextlib.redirect_stdout(io.StringIO()) as said:
    assert run(app, ["strategies", "list"]) == 0
assert "above_mean" in said.getvalue()
""",
    "A risk limit": """
import contextlib, io
from dataclasses import replace
from pathlib import Path
from gpt_trader import Allocation, RiskLimits, backtest, load_bars
from gpt_trader.adapters.configuration import default_toml, load
from gpt_trader.adapters.report.manifest_settings import settings_table
from gpt_trader.engine.records import RULES
from jobs.cli import app, run
from tests.properties.truth_cases import scripted
import numpy as np
assert RULES[20] == "risk shorts"
assert "# shorts = 0.4" in default_toml()
assert load(environment={"GPT_TRADER_RISK__SHORTS": "0.3"}).risk.limits.shorts == 0.3
with contextlib.redirect_stdout(io.StringIO()) as said:
    assert run(app, ["backtest", "--help"]) == 0
assert "--limit-shorts" in said.getvalue()
bars = load_bars(["AAPL", "IBM"], start="2008-01-01", end="2008-03-31")
limits = replace(RiskLimits.profile("custom"), shorts=0.1)
result = backtest(scripted(np.full((bars.T, 2), -0.25)), bars, risk=limits, allocation=Allocation(gross=1.0))
assert set(result.decisions["rule"]) >= {"risk shorts"}
assert result.manifest["risk"]["shorts"] == 0.1
assert ("shorts", "10\\u202f%") in next(group for group in settings_table(result.manifest) if group.title == "risk").rows
assert "| `shorts` | 0.2 | 0.4 | 0.8 |" in Path("docs/risk.md").read_text(encoding="utf-8")
""",
}
"""What sees the addition without having been told."""


@pytest.fixture(scope="module")
def runner() -> Iterator[Worker]:
    with worker() as started:
        yield started


@pytest.mark.slow
@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_works_and_each_of_its_steps_is_needed(title: str, runner: Worker, tmp_path: Path) -> None:
    steps = RECIPES[title]
    tree = Tree(tmp_path, steps, runner)
    tree.follow()
    code, output = runner.test(tmp_path, *PASS[title])
    assert code == 0, output
    code, output = runner.run(tmp_path, "-c", SEEN[title])
    assert code == 0, output
    for step in steps:
        with tree.without(step):
            code, output = runner.test(tmp_path, step.test)
        assert code != 0, f"without {step.kind} {step.file} {step.commands} {step.test} passes"
        assert re.search(
            rf"^(FAILED|ERROR) {re.escape(step.test.partition('::')[0])}", output, re.MULTILINE
        ), output


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_is_short(title: str) -> None:
    by_hand = {step.file for step in RECIPES[title] if step.kind in ("Code", "Document")}
    assert len(by_hand) <= FILES[title], by_hand


def test_the_table_of_recipes_counts_their_files() -> None:
    rows = re.findall(
        r"^\| \[.+?\]\(#(.+?)\) \| (\d+)[^|]* \| ([^|]+) \| (\d+)",
        PAGE.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    said = {
        anchor: (int(code), int(re.match(r"\d*", documents)[0] or 0), int(tests))
        for anchor, code, documents, tests in rows
    }

    def files(steps: tuple[Step, ...], kind: str) -> int:
        return len({step.file for step in steps if step.kind == kind})

    kinds = ("Code", "Document", "Test")
    assert said == {
        title.lower().replace(" ", "-"): tuple(files(steps, kind) for kind in kinds)
        for title, steps in RECIPES.items()
    }


def test_every_link_of_the_page_leads_somewhere() -> None:
    for target in links(PAGE):
        path, _, anchor = target.partition("#")
        file = PAGE.parent / path if path else PAGE
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_what_a_recipe_writes_is_in_the_style_of_the_code(tmp_path: Path) -> None:
    """New files as they stand, and the files that are changed."""
    for number, steps in enumerate(RECIPES.values()):
        folder = tmp_path / str(number)
        for step in steps:
            if step.file.endswith(".py"):
                target = folder / step.file
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(edited(step.file, steps) or "", encoding="utf-8")
    checks = ("--no-cache", "--config", str(ROOT / "pyproject.toml"), "--select", "E,F,I,N,UP,W")
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", *checks, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
