"""The memo of a worker: an indicator asked for twice on the same array is computed once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from threading import get_ident
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np

from gpt_trader.errors import BadParameter

P = ParamSpec("P")
R = TypeVar("R")

DEFAULT_LIMIT = 256 * 2**20
_active: Memo | None = None


@dataclass(frozen=True, slots=True)
class _Entry:
    """One remembered result; `arguments` keeps the input arrays alive, so that their ids cannot be reused."""

    result: object
    arguments: tuple[object, ...]
    size: int


class Memo:
    """Results of decorated functions, keyed by (function, identity of each array, the other arguments).

    Active inside `with`; leaving restores what was active before and keeps the results, so that the same
    object can be entered again for the next chunk of work on the same bars. It serves the thread that entered it; a call on
    another thread is computed and counted in `bypassed`.

    Only READ-ONLY arrays are looked up: nobody can change them in place, so identity is content. A call with
    a writable array is computed and counted in `bypassed`. (A read-only view of memory that is written
    through another array breaks this; `Bars` and all indicators hand out arrays for which it holds.) Results
    are set read-only.

    `limit` bounds the bytes of the results held; the least recently used go first, and a result larger than
    the whole limit is handed out without being kept. Input arrays stay alive as long as a result computed
    from them.
    Counters: `hits`, `misses`, `bypassed`, `evicted`, and `size` in bytes.
    """

    __slots__ = ("_entries", "_outer", "_thread", "bypassed", "evicted", "hits", "limit", "misses", "size")

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        if limit < 0:
            raise BadParameter(f"memo: the limit is a number of bytes, 0 or more; got {limit}.")
        self.limit = limit
        self._thread = get_ident()
        self._outer: list[Memo | None] = []
        self._entries: OrderedDict[tuple[object, ...], _Entry] = OrderedDict()
        self.size = self.hits = self.misses = self.bypassed = self.evicted = 0

    def __enter__(self) -> Memo:
        global _active
        self._outer.append(_active)
        self._thread = get_ident()
        _active = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        global _active
        _active = self._outer.pop()

    def __len__(self) -> int:
        return len(self._entries)

    def clear(self) -> None:
        """Drop every result and the arrays it keeps alive; the counters stay."""
        self._entries.clear()
        self.size = 0

    def recall(self, function: Callable[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
        """`function(*args, **kwargs)`, from memory where it is known. Errors are not remembered."""
        if get_ident() != self._thread:
            self.bypassed += 1
            return function(*args, **kwargs)
        parts: list[object] = [function]
        arguments = args
        if kwargs:
            parts.append(tuple(kwargs))
            arguments = (*args, *kwargs.values())
        for value in arguments:
            if type(value) is np.ndarray:
                if value.flags.writeable:
                    self.bypassed += 1
                    return function(*args, **kwargs)
                parts.append(id(value))
            else:  # the type keeps 20, 20.0 and True apart, which are equal and hash alike
                parts.append(type(value))
                parts.append(value)
        key = tuple(parts)
        try:
            entry = self._entries.get(key)
        except TypeError:  # an argument that cannot be hashed: a list, an array subclass
            self.bypassed += 1
            return function(*args, **kwargs)
        if entry is not None:
            self.hits += 1
            self._entries.move_to_end(key)
            return cast(R, entry.result)
        self.misses += 1
        result = function(*args, **kwargs)
        self._keep(key, _Entry(result, arguments, _freeze(result)))
        return result

    def _keep(self, key: tuple[object, ...], entry: _Entry) -> None:
        if entry.size > self.limit:
            return
        self._entries[key] = entry
        self.size += entry.size
        while self.size > self.limit:
            _, oldest = self._entries.popitem(last=False)
            self.size -= oldest.size
            self.evicted += 1


def memo(limit: int = DEFAULT_LIMIT) -> Memo:
    """A memo for `with memo():`, of at most `limit` bytes of results. Raises BadParameter for limit < 0."""
    return Memo(limit)


def shared_memo() -> Memo:
    """The memo that is active, so that what it knows serves the next block too; a new one where none is."""
    return memo() if _active is None else _active


def memoised(function: Callable[P, R]) -> Callable[P, R]:
    """Let the active memo, if any, remember a pure function of arrays and plain values.

    The function returns an array or a tuple of arrays, which become read-only when they are remembered.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if _active is None:
            return function(*args, **kwargs)
        return _active.recall(function, args, kwargs)

    return call


def _freeze(result: object) -> int:
    """Set the arrays of a result (an array, or a tuple of them) read-only; their size in bytes."""
    if isinstance(result, np.ndarray):
        result.setflags(write=False)
        return result.nbytes
    return sum(_freeze(part) for part in result) if isinstance(result, tuple) else 0
