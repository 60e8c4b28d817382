"""Which variables of a module reach a class, told from the text."""

from __future__ import annotations

import pytest

from gpt_trader.checking.module_names import computed_names

HEAD = "from gpt_trader import Strategy, load_bars, backtest\n"
SCRIPT = "\nbars = load_bars('A')\nr = backtest(S(), bars)\nprint(r, S)"
CASES = {
    "a script with a backtest": ("FAST = 5\nclass S(Strategy):\n    fast: int = FAST" + SCRIPT, []),
    "a parameter of the same name": (
        "class S(Strategy):\n    def features(self, bars): return {'a': bars.close}" + SCRIPT,
        [],
    ),
    "the bars of the script": (
        "class S(Strategy):\n    def features(self, b): return {'a': bars.close}" + SCRIPT,
        ["bars"],
    ),
    "through a function": (
        "B = load_bars('A')\ndef f(): return B\nclass S(Strategy):\n    def decide(self, now): return f()",
        ["B"],
    ),
    "put into a dictionary": (
        "B = {}\nB['a'] = load_bars('A')\nclass S(Strategy):\n    def decide(self, now): return B",
        ["B"],
    ),
    "filled by a function": (
        "B = None\ndef f():\n    global B\n    B = load_bars('A')\nf()\nclass S:\n    x = B",
        ["B"],
    ),
    "handed to a call": ("B = []\nload_bars(B)\nclass S:\n    x = B", ["B"]),
    "set on the class": ("class S(Strategy):\n    pass\nS.data = load_bars('A')", ["S"]),
    "by way of globals": (
        "B = load_bars('A')\nclass S(Strategy):\n    def decide(self, now): return globals()['B']",
        ["globals"],
    ),
    "in a block": ("try:\n    B = load_bars('A')\nexcept OSError:\n    B = 1\nclass S:\n    x = B", ["B"]),
    "in a default of a function": (
        "B = load_bars('A')\ndef f(b=B): return b\nclass S:\n    def decide(self, now): return f()",
        ["B"],
    ),
    "in a function within a block": (
        "B = load_bars('A')\nif B:\n    def f(): return B\nclass S:\n    def decide(self, now): return f()",
        ["B"],
    ),
    "by a walrus": ("if (B := load_bars('A')):\n    pass\nclass S:\n    x = B", ["B"]),
    "by a decorator": (
        "B = load_bars('A')\ndef w(f): return lambda: B\n@w\ndef f(): return 1\nclass S:\n    def decide(self, now): return f()",
        ["B"],
    ),
    "by a base that is made": (
        "B = load_bars('A')\ndef base(): return type('M', (), {'b': B})\nclass S(base()):\n    pass",
        ["B"],
    ),
    "by setattr": (
        "B = load_bars('A')\nclass M: pass\nsetattr(M, 'data', B)\nclass S(M):\n    pass",
        ["M"],
    ),
    "in a default": ("B = load_bars('A')\nclass S:\n    def decide(self, now, b=B): return b", ["B"]),
}


@pytest.mark.parametrize("case", CASES)
def test_computed_names(case: str) -> None:
    text, found = CASES[case]
    assert computed_names(HEAD + text, "S") == found


def test_what_cannot_be_read_is_not_known() -> None:
    assert computed_names("class S(:", "S") is None
    assert computed_names("", "S") is None
