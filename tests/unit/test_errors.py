"""What an error says can go into any file: no colours, no control characters, no half of a character."""

from __future__ import annotations

import pickle

import pytest

from gpt_trader.errors import RateLimited, StrategyError, StudyStopped, UnknownName, first_line, plain

RED = "\x1b[1;31mred\x1b[0m"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (RED, "red"),
        ("\x1b[38;5;196mdeep\x1b[K\x1b[2J", "deep"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x1b\\ end", "link end"),
        ("\x1b(Bset\x1b=", "set"),
        ("bell\x07 back\x08 del\x7f next\x85", "bell back del next"),
        ("two\nlines\tand ü 中", "two\nlines\tand ü 中"),
        ("over\r\nwritten\rline", "over\nwritten\nline"),
        ("half \ud800", "half \\ud800"),
        ("a [31m bracket", "a [31m bracket"),
    ],
)
def test_what_a_terminal_would_obey_is_not_said(given: str, kept: str) -> None:
    assert plain(given) == kept
    assert str(StrategyError(given)) == kept


def test_every_error_is_plain_and_can_be_sent() -> None:
    made = (
        UnknownName("symbol", RED, ["AAPL"]),
        RateLimited(RED, retry_after=2.0),
        StudyStopped(RED, interrupted=True),
    )
    assert all("red" in str(error) and "\x1b" not in str(error) for error in made)
    for error in (*made, StrategyError(RED)):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
    assert str(StrategyError()) == ""


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("one\ntwo", "one"),
        ("\n  one  \ntwo", "one  "),
        ("", ""),
        (ValueError("one\ntwo"), "one"),
        (ValueError(), "ValueError"),
    ],
)
def test_the_first_line_of_an_error_without_words_is_its_type(said: object, shown: str) -> None:
    assert first_line(said) == shown
