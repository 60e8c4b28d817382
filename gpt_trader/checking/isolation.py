"""Runs functions in child processes, each of which has the memory of this one as it was and leaves nothing behind."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pickle
import random
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from gpt_trader.errors import GptTraderError, StrategyError
from gpt_trader.strategy_code import is_installed

Made = TypeVar("Made")
PACKAGE = __name__.partition(".")[0]
OPENMP = " (if it calls a numba function with parallel=True while it is imported, set NUMBA_THREADING_LAYER=workqueue)"
LENGTH = 8  # bytes that say how long an answer is
CAN_FORK = hasattr(os, "fork") and sys.platform.startswith("linux")


@dataclass(frozen=True, slots=True)
class Processes:
    """Where functions run so that none sees what another has left: each in a child process that is forked from this one,
    `at_a_time` of them at once, whose global random generators start from `seed`.

    Without `forks` (where processes cannot be forked: on anything but Linux) they run in this process, one after the other.
    """

    at_a_time: int = 1
    seed: int = 0
    forks: bool = CAN_FORK

    def run(self, work: Callable[[], Made]) -> Made:
        """What `work` returns. Raises what it raises, and StrategyError when its process dies."""
        return next(iter(self.run_all([work])))

    def run_all(self, works: Sequence[Callable[[], Made]]) -> Iterator[Made]:
        """What each of `works` returns, in their order; otherwise as `run`."""
        if not self.forks:
            for work in works:
                _seed_generators(self.seed)
                yield work()
            return
        running: list[_Child] = []
        waiting = list(works)
        try:
            while running or waiting:
                while waiting and len(running) < self.at_a_time:
                    running.append(_Child(waiting.pop(0), self.seed))
                yield running[0].result()
                running.pop(0)
        finally:
            for child in running:
                child.end()


class _Child:
    """A forked process and the end of the pipe from which its result is read."""

    def __init__(self, work: Callable[[], Any], seed: int) -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        self._pipe, pipe = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads of libraries that do nothing now
            self._process = os.fork()
        if self._process == 0:
            os.close(self._pipe)
            _work_and_exit(work, seed, pipe)
        os.close(pipe)

    def result(self) -> Any:
        """What the work returned. Raises what it raised."""
        with os.fdopen(self._pipe, "rb") as pipe:
            self._pipe = -1
            size = pipe.read(
                LENGTH
            )  # no more than was announced: a process that the strategy left behind keeps the pipe open
            announced = int.from_bytes(size, "little") if len(size) == LENGTH else 0
            content = pipe.read(announced)
        group = self._process
        status = self._wait()
        with contextlib.suppress(OSError):
            os.killpg(group, signal.SIGKILL)
        if len(content) < max(announced, 1):
            how = f"by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "without an answer"
            if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGTERM and "numba" in sys.modules:
                how += OPENMP
            raise StrategyError(f"the process in which the strategy was tried ended {how}")
        good, value = pickle.loads(content)  # noqa: S301 - written by our own child
        if not good:
            raise value
        return value

    def end(self) -> None:
        """Kill the process if it still runs."""
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
        if self._process > 0:
            with contextlib.suppress(OSError):
                os.kill(self._process, signal.SIGKILL)
            with contextlib.suppress(OSError):
                os.killpg(self._process, signal.SIGKILL)
            self._wait()

    def _wait(self) -> int:
        _, status = os.waitpid(self._process, 0)
        self._process = -1
        return status


def _work_and_exit(work: Callable[[], Any], seed: int, pipe: int) -> None:
    """The life of a child: it never returns to the caller of `fork`."""
    try:
        os.setpgid(0, 0)  # what it starts ends with it
        gc.freeze()  # a collection would touch, and so copy, the memory that is shared with the parent
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        with open(os.devnull, "w") as nothing:  # noqa: PTH123
            os.dup2(nothing.fileno(), 1)
            os.dup2(nothing.fileno(), 2)
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
        _seed_generators(seed)
        answer: tuple[bool, Any]
        try:
            answer = (True, work())
        except GptTraderError as error:
            answer = (False, error)
        except BaseException as error:  # the parent raises it
            text = f"the strategy ended its own process ({type(error).__name__}: {error})"
            answer = (False, StrategyError(text))
        content = _pickled(answer)
        with os.fdopen(pipe, "wb") as file:
            file.write(len(content).to_bytes(LENGTH, "little") + content)
    finally:
        os._exit(0)


def _pickled(answer: tuple[bool, Any]) -> bytes:
    try:
        return pickle.dumps(answer, protocol=5)
    except Exception as error:  # whatever a user's object raises
        return pickle.dumps((False, StrategyError(f"its answer cannot be handed over: {error}")))


def _seed_generators(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the generator that a strategy may use


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a child has loaded of installed packages: modules by name, and functions of machine code with their types."""

    modules: tuple[str, ...]
    kernels: tuple[tuple[str, str, tuple[Any, ...]], ...]

    @classmethod
    def since(cls, before: frozenset[str]) -> Loaded:
        """The modules that are not in `before`, the names in `sys.modules` then, and all kernels."""
        modules, kernels = [], []
        for name, module in list(sys.modules.items()):
            place = getattr(module, "__file__", None)
            if place is None or not is_installed(Path(place)):
                continue
            if name not in before:
                modules.append(name)
            if name.startswith(f"{PACKAGE}."):
                kernels += [
                    (name, key, tuple(value.signatures))
                    for key, value in list(vars(module).items())
                    if type(value).__module__.startswith("numba.") and getattr(value, "signatures", None)
                ]
        return cls(tuple(modules), tuple(kernels))

    def load(self) -> None:
        """Load the same here, so that children have it; what cannot be loaded is left to them."""
        for name in self.modules:
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        for name, key, signatures in self.kernels:
            for signature in signatures:
                with contextlib.suppress(Exception):
                    getattr(sys.modules[name], key).compile(signature)
