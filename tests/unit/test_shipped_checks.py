"""The shipped strategies are on record as checked, and they pass the check as it is now."""

from __future__ import annotations

import json

import pytest

from gpt_trader.check import check_strategy
from gpt_trader.data.build_shipped_checks import bars_to_check, table, variants
from gpt_trader.shipped_checks import TABLE, shipped_check
from gpt_trader.strategies import SHIPPED, load_strategy
from gpt_trader.strategy import parameters_of
from gpt_trader.strategy_code import code_hash


def test_the_table_is_that_of_the_present_code_and_check() -> None:
    """`python -m gpt_trader.data.build_shipped_checks` writes it anew."""
    assert json.loads(TABLE.read_text()) == table(), "run: python -m gpt_trader.data.build_shipped_checks"


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_strategy_passes_the_check_now(name: str) -> None:
    strategy = load_strategy(name)
    found = shipped_check(code_hash(strategy))
    assert found is not None
    assert (found.strategy, found.passed, found.parameters) == (name, True, None)
    assert len(list(variants(strategy))) > len(parameters_of(strategy))
    assert check_strategy(strategy(), bars_to_check(), samples=12).ok


def test_other_code_is_not_on_record() -> None:
    assert shipped_check("0" * 64) is None
