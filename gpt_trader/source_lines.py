"""Where in a strategy's file a feature gets its name, so that a fault can be shown there."""

from __future__ import annotations

import ast
import inspect
import textwrap

from gpt_trader.strategy import Strategy


def source_line(strategy: type[Strategy], subject: str) -> int:
    """The line in the strategy's file where feature `subject` gets its name, or where the method of that name begins (or, of
    `decide`, returns); 0 unknown."""
    method = subject if subject in ("decide", "declared_exits") else "features"
    function = getattr(strategy, method)
    try:
        if inspect.getsourcefile(function) != inspect.getsourcefile(strategy):
            return 0  # inherited: not a line of this file
        lines, start = inspect.getsourcelines(function)
    except (OSError, TypeError):
        return 0
    if method == "declared_exits":
        return start
    try:
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except SyntaxError:  # a text that begins in the first column keeps the rest indented
        return start
    if subject not in ("decide", "features"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and node.value == subject:
                return start + node.lineno - 1
            if isinstance(node, ast.keyword) and node.arg == subject:
                return start + node.value.lineno - 1
    returned = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Return)]
    return start + (returned[-1] if subject == "decide" and returned else 1) - 1
