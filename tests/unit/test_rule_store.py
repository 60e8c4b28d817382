"""Stored machine code of rules: found again by the next process, never for a rule that says anything else."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import numba
import numpy as np
import pytest

from gpt_trader import orders
from gpt_trader.engine.compiled_rule_store import rule_folder, rule_key, stored_text

ROOT = Path(__file__).resolve().parents[2]


def made(text: str, **scope: Any) -> Any:
    """The function `rule` of a text, with these globals."""
    scope |= {"np": np, "math": math, "orders": orders}
    exec(text, scope)  # noqa: S102 - the texts are below
    return scope["rule"]


def key(text: str, **scope: Any) -> str | None:
    return rule_key(made(text, **scope), ("driver",))


PLAIN = """
LEVEL = 3.0
def helper(x, scale=2.0, *, offset=1):
    return x * scale + offset
def other(x):
    return x + 1
def rule(self, now, held):
    pair = (1.0, 2)
    return helper(now.close) + LEVEL + abs(pair[1]) + np.where(now.close > 1, 1.0, math.sqrt(2.0))
"""


def test_the_same_words_have_the_same_name_wherever_they_stand() -> None:
    first = key(PLAIN)
    assert first is not None
    assert key(PLAIN) == first
    assert key("\n\n# moved down\n" + PLAIN) == first
    assert key(PLAIN + "\nUNUSED = 4\ndef unused():\n    return 5\n") == first


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LEVEL = 3.0", "LEVEL = 3.5"), ("LEVEL = 3.0", "LEVEL = 3"), ("LEVEL = 3.0", "LEVEL = True"), ("scale=2.0", "scale=2.5"),
        ("offset=1", "offset=2"), ("x * scale", "x / scale"), ("(1.0, 2)", "(1.0, 3)"), ("(1.0, 2)", "(1, 2)"),
        ("> 1,", ">= 1,"), ("> 1,", "> 1.0,"), ("now.close) +", "now.open) +"), ("helper(now", "other(now"), ("abs(", "int("),
        ("sqrt(2.0)", "exp(2.0)"), ("np.where", "np.fmin"), ("self, now, held", "self, held, now"), ("LEVEL + abs", "LEVEL - abs"),
    ],
)  # fmt: skip
def test_any_other_word_has_another_name(old: str, new: str) -> None:
    assert PLAIN.count(old) == 1
    other = key(PLAIN.replace(old, new))
    assert other is not None
    assert other != key(PLAIN)


def test_what_a_function_of_a_function_says_counts() -> None:
    text = "def deep(x):\n    return x + DEEP\ndef mid(x):\n    return deep(x)\ndef rule(self, now):\n    return mid(now.close)\n"
    assert key(text, DEEP=1) != key(text, DEEP=2)
    assert key("def rule(self, now):\n    return [2 * x for x in now.close]\n") is None, "a function inside"
    twice = "def a(x):\n    return x\ndef b(x):\n    return c(x)\ndef rule(self, now):\n    return a(now.close) + b(now.close)\n"
    assert key(twice + "c = a\n") != key(twice + "c = rule\n")


def test_what_a_rule_closes_over_counts() -> None:
    def over(level: Any) -> Callable[..., Any]:
        def rule(self: Any, now: Any) -> Any:
            return now.close * level

        return rule

    assert rule_key(over(1.0), ()) == rule_key(over(1.0), ())
    assert len({rule_key(over(level), ()) for level in (1.0, 2.0, 1, True, "1.0", (1.0,), None)}) == 7
    assert rule_key(over(np.ones(3)), ()) is None


def test_the_driver_the_columns_and_the_parameters_count() -> None:
    rule = made(PLAIN)
    assert (
        len({rule_key(rule, texts) for texts in [("ab", "c"), ("a", "bc"), ("abc",), ("ab", "c", "")]}) == 4
    )


@pytest.mark.parametrize(
    "value",
    [
        np.ones(2), [1], {"a": 1}, object(), np.float64(1.0), subprocess, Path, frozenset({1}), (1, [2]), 1j, b"x",
        numba.njit(lambda x: x), math.__class__,
    ],
)  # fmt: skip
def test_a_rule_that_reads_what_no_hash_covers_is_not_stored(value: Any) -> None:
    assert key("def rule(self, now):\n    return now.close * THING\n", THING=1.0) is not None
    assert key("def rule(self, now):\n    return now.close * THING\n", THING=value) is None


def test_no_function_and_a_patched_one_are_not_taken_for_known_ones() -> None:
    assert rule_key(3, ()) is None
    known = key("def rule(self, now):\n    return f(now.close)\n", f=orders.limit)
    fake = FunctionType(compile("def limit(x):\n    return x", "", "exec").co_consts[0], {}, "limit")
    fake.__module__ = "gpt_trader.orders"
    assert known != key("def rule(self, now):\n    return f(now.close)\n", f=fake)


def test_the_oldest_drivers_make_room(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    for number in range(5):
        path = stored_text(folder, f"# {number}", f"rule_{number}", kept=3)
        assert path is not None
        assert path.read_text() == f"# {number}"
        code = path.parent / "sub" / f"{path.stem}.drive-1.nbi"
        code.parent.mkdir(exist_ok=True)
        code.touch()
        os.utime(path, (number, number))
    assert sorted(path.stem for path in folder.glob("*.py")) == ["rule_2", "rule_3", "rule_4"]
    assert sorted(path.name[:6] for path in folder.glob("sub/*")) == ["rule_2", "rule_3", "rule_4"]
    assert stored_text(folder / "rule_2.py", "# nowhere", "nowhere") is None


RULE = """
from dataclasses import dataclass
import numpy as np
from gpt_trader import Strategy, param, per_symbol

HIGHEST = {highest}

def wanted(age):
    return 1.0 if age < HIGHEST else 0.0

@dataclass(frozen=True)
class Ages(Strategy):
    share: float = param(0.5)

    @per_symbol
    def decide(self, now, held):
        return self.share * wanted(held.age)
"""
RUN = """
import sys
from gpt_trader import Costs, backtest
from gpt_trader.engine import compiled_rules
from gpt_trader.strategies import load_strategy
from tests.markets import random_market
result = backtest(load_strategy(sys.argv[1])(), random_market(60, 1, 3), costs=Costs.commission_only(0), mode="compiled")
driver, = compiled_rules._DRIVERS.values()
hits = sum(driver.stats.cache_hits.values())
print(hits, result.closed_trades["bars"].max(), result.outcome.mode)
"""


@pytest.mark.slow
def test_the_next_process_reads_it_and_a_changed_rule_is_compiled(tmp_path: Path) -> None:
    """The same file, changed in one digit within the same second and length: nothing of the old rule is left."""
    rule = tmp_path / "ages.py"

    unique = f".{int.from_bytes(os.urandom(6)):015}"  # this rule was never stored before

    def run(highest: int) -> list[str]:
        rule.write_text(RULE.format(highest=f"{highest}{unique}"))
        done = subprocess.run(
            [sys.executable, "-c", RUN, str(rule)], cwd=ROOT, capture_output=True, text=True, check=True
        )
        return done.stdout.split()

    def files() -> set[Path]:
        return set(rule_folder().glob("*/*.nb?"))

    before = files()
    assert run(17) == ["0", "19", "compiled"]
    assert run(17) == ["1", "19", "compiled"]
    for path in files() - before:
        path.write_bytes(b"torn")
    assert run(17) == ["0", "19", "compiled"], "what cannot be read is compiled again"
    assert run(18) == ["0", "20", "compiled"]
    assert run(17) == ["1", "19", "compiled"]
