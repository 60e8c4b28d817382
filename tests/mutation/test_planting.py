"""A bug is planted in what a function says, not in the text of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutation.planting import NotPlanted, plant

SOURCE = """
def other(x):
    return x + 1


def pay(x, fee):
    # what is left
    if (x
            > 0):
        x -= fee
        send(x)
    for _ in range(3): x = x * 2
    return x + 1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "moved_here.py").write_text(SOURCE)
    (tmp_path / "empty.py").write_text("")
    return tmp_path


def said(folder: Path, old: str, new: str) -> str:
    return plant(folder, "pay", old, new).read_text()


def test_a_condition_is_changed_however_it_is_broken_into_lines(folder: Path) -> None:
    assert "if x >= 0:" in said(folder, "x > 0", "x >= 0")


def test_only_the_function_is_changed(folder: Path) -> None:
    text = said(folder, "x + 1", "x - 1")
    assert "def other(x):\n    return x + 1" in text
    assert text.rstrip().endswith("return x - 1")


def test_statements_change_places_and_go(folder: Path) -> None:
    assert "send(x)\n        x -= fee" in said(folder, "x -= fee\nsend(x)", "send(x)\nx -= fee")
    assert "if x > 0:\n        pass" in said(folder, "    send(x)\n    x -= fee\n", "")


def test_a_call_that_is_a_statement_may_become_another(folder: Path) -> None:
    assert "send(0)" in said(folder, "send(x)", "send(0)")
    assert "if x > 1:\n            send(0)" in said(folder, "send(0)", "if x > 1:\n    send(0)")


def test_what_is_an_argument_is_found(folder: Path) -> None:
    assert "range(4)" in said(folder, "3", "4")


@pytest.mark.parametrize(
    ("function", "old", "message"),
    [
        ("pay", "x < 0", "pay says 0 times: x < 0"),
        ("pay", "x", "pay says [0-9]+ times: x"),
        ("nobody", "x", "there are 0 functions nobody"),
    ],
)
def test_what_cannot_be_planted_is_told(folder: Path, function: str, old: str, message: str) -> None:
    with pytest.raises(NotPlanted, match=message):
        plant(folder, function, old, "0")
    assert (folder / "moved_here.py").read_text() == SOURCE


def test_two_functions_of_one_name_are_told(folder: Path) -> None:
    (folder / "copy.py").write_text(SOURCE)
    with pytest.raises(NotPlanted, match="there are 2 functions pay"):
        plant(folder, "pay", "x > 0", "x < 0")
