"""Every shipped strategy still makes the trades it made: closed trades and metrics on the shipped demo data.

What was decided (symbol, side, dates, bars, reason, counts) must be equal. Floats are compared at 1e-9 relative, not bit for bit:
sums and `pow`, `log`, `exp` come from NumPy's vector loops, LLVM and the C library, whose last bits differ between processors and
Python versions; a rule that changed moves a number by far more than 1e-9. After an intended change run
`python -m tests.golden.update` (see there).
"""

from __future__ import annotations

import math

import pytest

from gpt_trader.strategies import SHIPPED
from tests.golden.runs import (
    CLOSE,
    DATA,
    EXACT,
    golden_run,
    stored_summary,
    stored_trades,
    summary_of,
    trades_of,
)

TOLERANCE = 1e-9


def test_every_shipped_strategy_has_golden_files() -> None:
    missing = [
        name for name in SHIPPED if not all((DATA / f"{name}.{kind}").exists() for kind in ("csv", "json"))
    ]
    assert not missing, f"no golden files of {missing}; run: python -m tests.golden.update --write"


@pytest.mark.parametrize("name", SHIPPED)
def test_the_closed_trades_are_the_golden_ones(name: str) -> None:
    found, golden = trades_of(golden_run(name)), stored_trades(name)
    for number, (mine, theirs) in enumerate(zip(found, golden, strict=False)):
        assert {key: mine[key] for key in EXACT} == {key: theirs[key] for key in EXACT}, f"trade {number}"
        for key in CLOSE:
            assert float(mine[key]) == pytest.approx(float(theirs[key]), rel=TOLERANCE, abs=1e-9), (
                number,
                key,
            )
    assert len(found) == len(golden)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_metrics_are_the_golden_ones(name: str) -> None:
    found, golden = summary_of(golden_run(name)), stored_summary(name)
    assert found["data"] == golden["data"], "the demo data changed, not the engine"
    assert found["parameters"] == golden["parameters"]
    assert found["counts"] == golden["counts"]
    assert set(found["metrics"]) >= set(golden["metrics"])
    for key, value in golden["metrics"].items():
        other = found["metrics"][key]
        assert (value is None) == (other is None), key
        if value is not None:
            assert other == pytest.approx(value, rel=TOLERANCE, abs=1e-12), key


def test_every_strategy_trades_in_its_golden_run() -> None:
    """All but buy and hold close trades; all end with a finite equity and a finite Sharpe ratio."""
    for name in SHIPPED:
        summary = stored_summary(name)
        assert summary["counts"]["fills"] > 0, name
        assert name == "buy_and_hold" or len(stored_trades(name)) >= 3, name
        assert math.isfinite(summary["metrics"]["sharpe"]), name
