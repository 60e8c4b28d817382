"""What users import: the names of the front page, loaded when named."""

from __future__ import annotations

import pytest

import gpt_trader
from gpt_trader import strategies
from gpt_trader.strategies import SHIPPED, load_strategy


@pytest.mark.parametrize("name", gpt_trader.__all__)
def test_every_promised_name_can_be_imported(name: str) -> None:
    assert getattr(gpt_trader, name) is not None


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_strategy_is_importable_by_its_class_name(name: str) -> None:
    shipped = load_strategy(name)
    assert getattr(strategies, shipped.__name__) is shipped


def test_another_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="NoSuchThing"):
        strategies.NoSuchThing  # noqa: B018
    with pytest.raises(AttributeError, match="no_such_thing"):
        gpt_trader.no_such_thing  # noqa: B018
