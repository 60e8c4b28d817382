"""What a command says while numba compiles: nothing for two seconds, then a line that lives or a plain one now and then."""

from __future__ import annotations

import io
from collections.abc import Sequence

from jobs.numba_start import CompileNotice


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def compile_at(stream: io.StringIO, moments: Sequence[float]) -> str:
    """What is said when functions are compiled between these moments, all inside the first one."""
    times = iter([*[moments[0]] * 2, *moments[1:]])
    notice = CompileNotice(stream, lambda: next(times))
    notice.begin()
    for _ in range(len(moments[1:-1]) // 2):
        notice.begin()
        notice.end()
    notice.end()
    return stream.getvalue()


def test_short_work_says_nothing() -> None:
    assert compile_at(io.StringIO(), [0.0, 0.5, 1.0, 1.9]) == ""


def test_long_work_says_a_line_now_and_then() -> None:
    said = compile_at(io.StringIO(), [0.0, 1.0, 2.5, 3.0, 9.0, 12.0, 12.9, 13.0])
    assert said.splitlines() == [
        "compiling, once (kept for the next run): 2 functions, 2 s",
        "compiling, once (kept for the next run): 4 functions, 13 s",
    ]


def test_on_a_terminal_the_line_lives_and_goes() -> None:
    said = compile_at(Terminal(), [0.0, 1.0, 2.5, 3.0])
    assert said.startswith("\r\033[Kcompiling, once")
    assert said.endswith("\r\033[K")
    assert "\n" not in said


def test_a_second_kernel_counts_on() -> None:
    stream = io.StringIO()
    times = iter([0.0, 0.0, 3.0, 20.0, 21.0])
    notice = CompileNotice(stream, lambda: next(times))
    notice.begin()
    notice.end()
    notice.begin()
    notice.end()
    assert stream.getvalue().count("\n") == 2
