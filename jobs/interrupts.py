"""Sees to it that Ctrl-C ends a study: also one whose strategy does not let go, and at once when it is pressed again."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jobs import INTERRUPTED
from jobs.console import report_error

if TYPE_CHECKING:
    from gpt_trader.research.chunk import Chunk
    from gpt_trader.research.executor import ChunkCompleted, Executor
    from gpt_trader.research.experiment import Experiment

GRACE_SECONDS = 1.5
"""What the code of a strategy has to react to an interrupt, and the command to end after it."""
SAME_SECONDS = 0.2
"""A signal so soon after the first is the same one: `timeout` and wrappers send it to the process and to its group."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_OVER = 0


class Interrupts:
    """What becomes of SIGINT and SIGTERM inside `watched`: KeyboardInterrupt in the main thread, as ever.

    But a strategy can swallow that, or stay in machine code where Python's handlers never run. So a thread hears of every signal
    too, through the pipe into which the interpreter's own handler writes. It leaves the process, with exit code 130, on a second
    signal, and when `work` or the command is not over in time after the first. All files appear whole or not at all, so nothing
    is lost but what was not kept yet. `told` is what the user reads then, after the reason.
    """

    def __init__(self, told: str) -> None:
        self._told = told
        self._heard = self._must_end = self._over = False

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Signals count inside; nothing happens outside the main thread, which alone hears of them."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        listening, writing = os.pipe()
        os.set_blocking(writing, False)
        threading.Thread(target=self._listen, args=(listening,), name="interrupts", daemon=True).start()
        pipe = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        terminate = signal.signal(signal.SIGTERM, _interrupt)
        try:
            yield
        finally:
            if self._heard:  # from here on the command ends by itself, or is ended
                self._must_end = self._over = True
                for number in _SIGNALS:
                    signal.signal(number, signal.SIG_IGN)
                os.write(writing, bytes([_OVER]))
            else:
                signal.signal(signal.SIGTERM, terminate)
                signal.set_wakeup_fd(pipe)
                os.close(writing)

    @contextmanager
    def work(self) -> Iterator[None]:
        """Inside runs code of a strategy, which must let go soon after an interrupt."""
        self._must_end = True
        try:
            yield
        finally:
            self._must_end = False

    def _listen(self, pipe: int) -> None:
        first = float("inf")
        patience: float | None = None
        while True:
            ready, _, _ = select.select([pipe], [], [], patience)
            if not ready:
                if self._must_end:
                    self._leave("interrupted, and the code of the strategy does not end")
                patience = None
                continue
            news = os.read(pipe, 1)
            if not news:
                os.close(pipe)
                return
            if news[0] in _SIGNALS:
                if time.monotonic() - first > SAME_SECONDS:
                    self._leave("interrupted twice")
                self._heard, first = True, min(first, time.monotonic())
            if news[0] in (*_SIGNALS, _OVER):
                patience = GRACE_SECONDS

    def _leave(self, why: str) -> None:
        if not self._over:
            report_error(f"{why}; {self._told}")
            sys.stderr.flush()
        os._exit(INTERRUPTED)


class InTime:
    """An executor in this process that lets go after an interrupt, or else the process ends."""

    def __init__(self, executor: Executor, interrupts: Interrupts) -> None:
        self._executor, self._interrupts = executor, interrupts

    @property
    def workers(self) -> int:
        """How many chunks are worked on at a time."""
        return self._executor.workers

    def run(
        self,
        experiment: Experiment,
        work: Sequence[tuple[int, Chunk]],
        on_done: Callable[[ChunkCompleted], None],
        cancelled: Callable[[], bool],
    ) -> None:
        """As the port says."""
        with self._interrupts.work():
            self._executor.run(experiment, work, on_done, cancelled)


def _interrupt(_number: int, _frame: Any) -> None:
    raise KeyboardInterrupt
