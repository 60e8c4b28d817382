"""The report as text: its figures are the run's figures, nothing in it can execute, and nothing is lost by thinning."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gpt_trader import metrics
from gpt_trader.adapters.report import (
    figures,
    manifest_settings,
    render,
    run_report_tables,
    texts,
    write_report,
)
from gpt_trader.backtesting import backtest
from gpt_trader.bars import Bars
from gpt_trader.errors import BadParameter
from gpt_trader.result import Result
from gpt_trader.strategies.buy_and_hold import BuyAndHold
from tests.report_cases import Page, random_bars, run, stored

pytestmark = pytest.mark.slow  # pages: `make test` looks at them, `make check` need not


@pytest.fixture(scope="module")
def result() -> Result:
    return run(("AAA", "BBB", "CCC"), 2520)


@pytest.fixture(scope="module")
def page(result: Result) -> Page:
    return Page(render(result))


# -- figures -------------------------------------------------------------------------------------------------


def test_headline_tiles_show_the_metrics_of_the_run(result: Result, page: Page) -> None:
    shown = page.find("dd", class_="value")
    keys = [given["data-key"] for tag, given, _ in page.elements if tag == "div" and "data-key" in given]
    assert len(keys) == len(shown) == 12
    found = dict(zip(keys, shown, strict=True))
    m = result.metrics
    assert found["total_return"] == texts.percent(m["total_return"], signed=True)
    assert found["sharpe"] == f"{m['sharpe']:.2f}"
    assert found["round_trips"] == f"{len(result.closed_trades)}"
    paid = result.fills["commission"].sum() + result.fills["slippage"].sum()
    assert float(found["costs"].replace(",", "")) == pytest.approx(paid, abs=0.51)
    versus = page.find("dd", class_="versus")
    assert versus[0] == f"buy and hold {texts.percent(m['benchmark_total_return'], signed=True)}"


def test_header_and_footer_name_the_run_its_data_and_the_version(result: Result, page: Page) -> None:
    assert page.find("h1") == ["demo_ma"]
    assert page.find("li")[:3] == ["fast 10", "slow 50", "atr 14"]
    codes = page.find("code")
    assert result.run_id in codes
    assert result.fingerprint in codes
    assert set(result.manifest["data"].values()) <= set(codes)
    assert result.manifest["version"] in page.find("footer")[0]


def test_summary_says_what_happened_in_words(result: Result, page: Page) -> None:
    (lead,) = page.find("p", class_="lead")
    final = texts.cash(result.metrics["final_equity"])
    assert f"went from 100,000 to {final}" in lead
    assert f"closed {len(result.closed_trades)} round trips" in lead
    assert "Buying and holding the same symbols" in lead


def test_months_compound_to_the_total_return_and_are_shaded_by_sign(result: Result) -> None:
    equity = result.equity["equity"].to_numpy()
    table = run_report_tables.monthly_table(result.bars.time, equity, None, 100_000.0)
    assert [year.year for year in table.years] == list(range(2019, 2009, -1))
    total = np.prod([1 + float(year.total.text.replace("−", "-")) / 100 for year in table.years]) - 1
    assert total == pytest.approx(result.metrics["total_return"], abs=0.006)  # years are rounded to 0.1 %
    cells = [cell for year in table.years for cell in year.months if cell.text]
    assert len(cells) == 116
    for cell in cells:
        assert (cell.level > 0) == (
            not cell.text.startswith("−") and cell.text != "0.0"
        ) or cell.text == "0.0"
    assert max(abs(cell.level) for cell in cells) == run_report_tables.LEVELS
    assert {year.benchmark for year in table.years} == {""}


def test_heat_map_of_a_known_curve() -> None:
    time = np.array(["2020-01-31", "2020-02-28", "2020-03-31", "2021-01-29"], "datetime64[ns]")
    equity = np.array([110.0, 99.0, 99.0, 148.5])
    table = run_report_tables.monthly_table(time, equity, equity * 2, 100.0)
    assert [cell.text for cell in table.years[1].months[:4]] == ["10.0", "−10.0", "0.0", ""]
    assert [cell.level for cell in table.years[1].months[:4]] == [2, -2, 0, 0]
    assert (table.years[0].months[0].text, table.years[0].months[0].level) == ("50.0", 5)
    assert [year.total.text for year in table.years] == ["50.0", "−1.0"]
    assert table.years[1].benchmark == "98.0"
    assert table.note.startswith("2 of 4 months with a gain, 1 without a change; best +50.0")


def test_worst_drawdowns_are_those_of_the_metrics(result: Result, page: Page) -> None:
    equity = result.equity["equity"].to_numpy()
    clock = figures.Clock(result.bars.time, False)
    rows = run_report_tables.drawdown_table(equity, 100_000.0, clock)
    found = metrics.drawdowns(equity, 100_000.0, 10)
    assert [row.depth for row in rows] == [texts.percent(item.depth, signed=True) for item in found]
    assert rows[0].trough == str(result.bars.time[found[0].trough])[:10]
    recovered = next(i for i, item in enumerate(found) if item.recovery >= 0)
    first, last = found[recovered].peak, found[recovered].recovery
    days = (result.bars.time[last] - result.bars.time[first]) / np.timedelta64(1, "D")
    assert rows[recovered].length == f"{days:,.0f}"
    assert rows[recovered].end_x - rows[recovered].peak_x == days
    assert "not yet" in {row.recovery for row in rows}
    assert rows[0].depth in page.find("td")


def test_costs_are_split_and_stand_in_basis_points_of_what_was_traded(result: Result) -> None:
    traded = float((result.fills["quantity"] * result.fills["price"]).sum())
    commission, slippage, together = run_report_tables.cost_table(result.metrics, 100_000.0, 9.65, traded)
    assert commission.share == "5.00 bp"
    assert slippage.share == "1.00 bp"
    assert float(together.total.replace(",", "")) == pytest.approx(result.metrics["costs"], abs=0.51)
    rows = run_report_tables.cost_table({**result.metrics, "borrow": 12.5}, 100_000.0, 9.65, traded)
    assert [row.name for row in rows] == ["Commission", "Spread and slippage", "Borrow fees", "Together"]
    assert rows[2].total == "12.50"


def test_profit_by_symbol_adds_up_to_the_change_of_the_equity(result: Result) -> None:
    final = result.positions[result.positions["time"] == result.positions["time"].max()]
    assert len(final) == 2
    rows = run_report_tables.symbol_table(result.symbols, result.closed_trades, result.fills, final)
    assert {row.symbol for row in rows} == {"AAA", "BBB", "CCC"}
    assert [row.total for row in rows] == sorted((row.total for row in rows), reverse=True)
    assert sum(row.total for row in rows) == pytest.approx(
        result.metrics["final_equity"] - 100_000.0, abs=1e-6
    )
    assert sum(row.open for row in rows) == pytest.approx(result.metrics["open_pnl"], abs=1e-6)
    assert sum(row.trips for row in rows) == len(result.closed_trades)
    assert "are in the equity but not in this table" not in render(result)


def test_dividends_of_an_open_position_are_named_beside_the_symbols() -> None:
    plain = random_bars(("AAA",), 120)
    panel = plain.panel.copy()
    panel[6, 100] = 0.5
    result = backtest(BuyAndHold(), Bars(plain.symbols, plain.time, panel))
    paid = 0.5 * result.positions["quantity"].iloc[-1]
    (note,) = [text for text in Page(render(result)).find("p", class_="note") if "not in this table" in text]
    assert f", {texts.cash(paid)}, are in the equity" in note


def test_many_symbols_are_cut_to_the_best_and_the_worst() -> None:
    rows = [run_report_tables.SymbolRow(f"S{i}", 1, "", 50.0 - i, 0.0, "", "") for i in range(60)]
    kept = run_report_tables.best_and_worst(rows)
    assert [row.closed for row in kept] == [50.0 - i for i in (*range(10), *range(50, 60))]
    assert run_report_tables.best_and_worst(rows[:20]) == rows[:20]


def test_decisions_and_orders_are_counted_by_verdict_rule_status_and_reason(result: Result) -> None:
    counts = run_report_tables.decision_table(result.decisions)
    assert sum(row.times for row in counts) == len(result.decisions)
    scaled = [row for row in counts if row.name == "scaled"]
    assert [(row.detail, row.times) for row in scaled] == [
        ("gross", (result.decisions["verdict"] == "scaled").sum())
    ]
    orders = result.orders.copy()
    orders.loc[:4, "status"] = "cancelled"
    orders.loc[:1, "end_reason"] = "no buying power"
    found = {(row.name, row.detail): row.times for row in run_report_tables.order_table(orders)}
    assert found["cancelled", "no buying power"] == 2
    assert found["cancelled", ""] == 3
    assert sum(found.values()) == len(orders)


def test_assumptions_show_every_setting_of_the_manifest(page: Page) -> None:
    names = page.find("dt")
    assert "Commission, basis points of the notional" in names
    assert "A fill takes at most this share of a bar's volume" in names
    groups = manifest_settings.settings_table(run(count=60).manifest)
    shown = {name: value for group in groups for name, value in group.rows}
    assert shown["Targets scaled to at most this gross exposure"] == texts.percent(0.6, 0)
    assert shown["Regime index"] == "none"
    assert shown["Short positions allowed"] == "yes"


def test_declared_exits_and_many_instruments_are_listed_within_bounds() -> None:
    manifest = {
        "exits": [{"kind": "StopLoss", "fraction": 0.05}],
        "instruments": [{"symbol": f"S{i}", "lot": 1.0, "sector": None} for i in range(60)],
        "data": {"S0": "ab"},
    }
    groups = {group.title: group.rows for group in manifest_settings.settings_table(manifest)}
    assert groups["exits"] == [("StopLoss", "fraction = 0.05")]
    assert len(groups["instruments"]) == manifest_settings.SETTING_ROWS + 1
    assert groups["instruments"][-1][1].startswith("20")
    assert "data" not in groups


# -- hostile and empty input ---------------------------------------------------------------------------------

HOSTILE = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>&amp;\u2028'\""


def test_names_from_outside_are_text_everywhere() -> None:
    result = run((HOSTILE, "A&B", "<b>"), 500)
    closed = result.closed_trades.copy()
    closed["exit_reason"] = HOSTILE
    decisions = result.decisions.copy()
    decisions["rule"] = HOSTILE
    manifest = {**result.manifest, HOSTILE: HOSTILE, "costs": {HOSTILE: HOSTILE}, "version": HOSTILE}
    hostile = stored(
        result,
        strategy=HOSTILE,
        run_id=HOSTILE,
        fingerprint=HOSTILE,
        parameters={HOSTILE: HOSTILE},
        warnings=(HOSTILE,),
        manifest=manifest,
        closed_trades=closed,
        decisions=decisions,
    )
    page = Page(render(hostile))
    tags = [tag for tag, _, _ in page.elements]
    assert tags.count("script") == 3
    assert not {"<", ">", "&", "\u2028"} & set(page.find("script", id="data")[0])
    assert not {"img", "b", "iframe", "object"} & set(tags)
    assert page.find("h1") == [HOSTILE.strip()]
    assert not [name for _, given, _ in page.elements for name in given if name.startswith("on")]
    assert page.data["prices"][0]["symbol"] in result.symbols
    assert {chart["symbol"] for chart in page.data["prices"]} == set(result.symbols)
    assert HOSTILE in page.data["trades"]["exit_reason"]
    assert set(page.find("option")) == {name.strip() for name in result.symbols}


def test_policy_allows_the_pages_own_scripts_and_nothing_else(page: Page) -> None:
    policy = next(given["content"] for tag, given, _ in page.elements if given.get("http-equiv"))
    scripts = [
        ("".join(text), given)
        for tag, given, text in page.elements
        if tag == "script" and "type" not in given
    ]
    assert len(scripts) == 2
    for text, given in scripts:
        assert given == {}
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe-inline' 'sha" not in policy
    assert "unsafe-eval" not in policy


def test_page_refers_to_nothing_outside_itself(result: Result, page: Page) -> None:
    for tag, given, _ in page.elements:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            assert given.get(name, "#").startswith(("#", "data:,")), (tag, given)
    text = render(result)
    assert "@import" not in text
    assert "url(" not in text
    assert "MIT License" in text  # of the chart library that is inside


def test_every_link_and_label_points_to_something_on_the_page(page: Page) -> None:
    ids = [given["id"] for _, given, _ in page.elements if "id" in given]
    assert len(ids) == len(set(ids))
    for _, given, _ in page.elements:
        for name in ("aria-labelledby", "for"):
            assert given.get(name) is None or given[name] in ids
        if given.get("href", "").startswith("#"):
            assert given["href"][1:] in ids


def test_same_run_gives_the_same_text() -> None:
    assert render(run(count=300)) == render(run(count=300))


@pytest.mark.parametrize("count", [1, 2, 3, 30])
def test_run_without_a_trade_is_a_report_too(count: int) -> None:
    result = run(("AAA",), count)
    page = Page(render(result))
    assert "It closed no round trip" in page.find("p", class_="lead")[0]
    assert page.data["trades"] is None
    assert "Not enough round trips to draw." in page.find("p", class_="empty")
    assert page.find("table", id="trade-table") == []
    assert "–" in page.find("dd", class_="value")  # win rate and its like are undefined
    assert "nan" not in " ".join(page.find("main")).lower()


def test_run_without_benchmark_or_stored_without_bars(result: Result) -> None:
    page = Page(render(run(("AAA",), 400, benchmark=False)))
    assert "benchmark" not in page.data["account"]
    assert page.find("dd", class_="versus") == []
    assert page.find("h2", id="h-equity") == ["Equity"]
    page = Page(render(stored(result, bars=None)))
    assert page.data["prices"] == []
    assert "Prices were not kept with this run, so its trades cannot be drawn." in page.find(
        "p", class_="note"
    )


def test_ruined_account_is_drawn_as_far_as_it_is_a_number(result: Result) -> None:
    equity = result.equity.copy()
    equity.iloc[1000:, equity.columns.get_loc("equity")] = -5.0
    equity.iloc[1000:, equity.columns.get_loc("gross")] = np.inf
    page = Page(render(stored(result, equity=equity)))
    assert page.data["account"]["equity"][1500] == -5.0
    assert page.data["account"]["gross"][1500] is None


def test_short_positions_bring_a_line_of_net_exposure(result: Result) -> None:
    equity = result.equity.copy()
    equity["net"] = -equity["gross"]
    page = Page(render(stored(result, equity=equity)))
    assert page.data["account"]["net"] == pytest.approx((-result.equity["gross"]).tolist(), abs=1e-5)
    assert "Net: long − short" in page.find("span", class_="net")


# -- words ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (texts.percent(0.1234), "12.3\u202f%"),
        (texts.percent(0.1234, signed=True), "+12.3\u202f%"),
        (texts.percent(-0.00001, signed=True), "0.0\u202f%"),
        (texts.percent(0.00001, signed=True), "0.0\u202f%"),
        (texts.percent(54.321), "5,432\u202f%"),
        (texts.percent(float("nan")), "–"),
        (texts.number(float("-inf")), "−∞"),
        (texts.cash(-1234.56), "−1,235"),
        (texts.cash(999.5), "999.50"),
        (texts.price(1.23456), "1.2346"),
        (texts.quantity(1200.0), "1,200"),
        (texts.quantity(0.1234567), "0.123457"),
        (texts.write(12.0, "days"), "12\u202fdays"),
        (texts.write(float("nan"), "days"), "–"),
        (texts.write(3.44, "times"), "3.4×"),
        (texts.moment("2020-02-03T14:30", True), "2020-02-03 14:30"),
        (texts.moment("2020-02-03T14:30", False), "2020-02-03"),
        (texts.moment("NaT", True), "–"),
        (texts.setting(None), "none"),
        (texts.setting((1, 2.5)), "1, 2.5"),
        (texts.reason("target"), "the strategy"),
    ],
)
def test_how_things_are_written(text: str, expected: str) -> None:
    assert text == expected


def test_cautions_are_given_when_due_and_not_otherwise() -> None:
    good = {"final_equity": 150_000.0, "round_trips": 100.0, "costs": 1_000.0, "open_pnl": 0.0}
    good |= {"cagr": 0.1, "benchmark_cagr": 0.05}
    assert len(texts.cautions(good, 100_000.0, 10.0, 60_000.0, 5_000.0)) == 1
    for change, arguments, word in (
        ({}, (100_000.0, 1.0, 60_000.0, 5_000.0), "short span"),
        ({"costs": 40_000.0}, (100_000.0, 10.0, 60_000.0, 5_000.0), "Costs took"),
        ({}, (100_000.0, 10.0, 60_000.0, 26_000.0), "One trade made"),
        ({"open_pnl": 26_000.0}, (100_000.0, 10.0, 60_000.0, 5_000.0), "still open"),
        ({"benchmark_cagr": 0.2}, (100_000.0, 10.0, 60_000.0, 5_000.0), "Buying and holding grew faster"),
    ):
        notes = texts.cautions({**good, **change}, *arguments)
        assert len(notes) == 2
        assert word in notes[0]


def test_warnings_of_the_run_come_first_and_are_bounded(result: Result) -> None:
    page = Page(render(stored(result, warnings=tuple(f"warning {i}" for i in range(80)))))
    lines = page.find("li")
    assert "Warning 0" in lines
    assert "Warning 49" in lines
    assert "Warning 50" not in lines
    assert "and 30 more, see the run's warnings" in lines


# -- writing -------------------------------------------------------------------------------------------------


def test_report_is_written_whole_into_a_new_folder(result: Result, tmp_path: Path) -> None:
    target = tmp_path / "made" / "for it" / "out.html"
    assert result.report(target) == target
    assert target.read_text(encoding="utf-8") == render(result)
    assert [path.name for path in target.parent.iterdir()] == ["out.html"]
    target.write_text("old", encoding="utf-8")
    write_report(result, str(target))
    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_path_that_cannot_be_written_is_a_users_mistake(result: Result, tmp_path: Path) -> None:
    with pytest.raises(BadParameter, match="is a folder; give the name of a file"):
        write_report(result, tmp_path)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(BadParameter, match=r"cannot write .*choose another place"):
        write_report(result, tmp_path / "file" / "out.html")


def test_failed_write_leaves_the_old_report_and_no_rest(result: Result, tmp_path: Path) -> None:
    old = tmp_path / "out.html"
    old.write_text("old", encoding="utf-8")
    broken = stored(result, equity=result.equity.drop(columns="gross"))
    with pytest.raises(KeyError):
        write_report(broken, old)
    assert old.read_text(encoding="utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.html"]


def test_importing_the_report_imports_no_template_engine_and_no_tables() -> None:
    heavy = "{'jinja2', 'pandas', 'numba', 'plotly'}"
    code = f"import sys, gpt_trader.adapters.report; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
