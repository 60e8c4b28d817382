"""Identity of trials and studies: what is the same has the same 16-byte key, or the same id, whoever runs it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.errors import BadParameter, UnknownName
from gpt_trader.instruments import Instrument
from gpt_trader.strategy import Strategy, strategy_name
from gpt_trader.strategy_code import code_hash

if TYPE_CHECKING:
    from gpt_trader.engine.run_setup import Settings

KEY_BYTES = 16
SCHEME = "trial 1"  # a new number makes every trial a new one


def _spelled(value: Any) -> bytes:
    """`value` as JSON with sorted keys; what JSON does not know is the text of it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode()


def id_of_study(parts: Any, spelled: Callable[[Any], bytes] = _spelled) -> str:
    """16 hex digits that stand for a study: equal `parts`, which are all that decides what it says, have an equal id."""
    return hashlib.sha256(spelled(parts)).hexdigest()[:16]


def data_hash(fingerprint: Mapping[str, str]) -> str:
    """SHA-256 (hex) over the hashes of all symbols, in their order: `Bars.fingerprint()` as one text."""
    digest = hashlib.sha256()
    for name, value in fingerprint.items():
        digest.update(f"{name}:{value}\n".encode())
    return digest.hexdigest()


class TrialKeys:
    """The keys of many points of one strategy class under the same settings on the same rows of the same data.

    `data` is the `data_hash`; `first` and `last` are the rows of the data, both inclusive, that the account lived
    through. What decides about the numbers counts: the strategy's code (any change of its file), parameters with
    their defaults, capital, costs, fills, allocation, risk, exits, instruments, the regime index. What does not is
    left out: seed, benchmark, the version of GPT-Trader, notes. Numbers that are equal are the same (5 and 5.0).
    """

    def __init__(
        self, strategy: type[Strategy], settings: Settings, data: str, first: int, last: int
    ) -> None:
        self._strategy = strategy
        fields = dataclasses.fields(strategy)
        self._defaults = {item.name: _default(item) for item in fields if item.init}
        self._derived = {item.name for item in fields if not item.init}
        self._needed = {name for name, value in self._defaults.items() if value is dataclasses.MISSING}
        base = {
            "scheme": SCHEME,
            "strategy": [strategy_name(strategy), code_hash(strategy), strategy.target_kind],
            "own exits": strategy.exits,
            "names": list(self._defaults),
            "settings": _settings_text(settings),
            "data": data,
            "rows": [first, last],
        }
        self._state = hashlib.sha256(_text(base).encode())

    def of(self, parameters: Mapping[str, Any]) -> bytes:
        """The key of one point; parameters that are left out have their defaults.

        Raises UnknownName for a parameter that the strategy does not have, BadParameter for one without a default.
        """
        if self._derived:
            parameters = {name: value for name, value in parameters.items() if name not in self._derived}
        values = {**self._defaults, **parameters}
        if len(values) != len(self._defaults):
            unknown = next(name for name in parameters if name not in self._defaults)
            raise UnknownName(f"parameter of {strategy_name(self._strategy)}", unknown, self._defaults)
        if not self._needed <= parameters.keys():
            missing = sorted(self._needed - parameters.keys())[0]
            raise BadParameter(f"{missing} has no default and is not given; give it a value")
        digest = self._state.copy()
        digest.update("\x1f".join(map(_text, values.values())).encode())
        return digest.digest()[:KEY_BYTES]

    def of_all(self, points: Iterable[Mapping[str, Any]]) -> NDArray[np.uint8]:
        """The keys (n, 16) of many points, in their order."""
        joined = b"".join(map(self.of, points))
        return np.frombuffer(joined, np.uint8).reshape(-1, KEY_BYTES)


def trial_key(
    strategy: type[Strategy],
    parameters: Mapping[str, Any],
    settings: Settings,
    data: str,
    first: int,
    last: int,
) -> bytes:
    """The key of one trial; see `TrialKeys`."""
    return TrialKeys(strategy, settings, data, first, last).of(parameters)


def _settings_text(settings: Settings) -> dict[str, Any]:
    """The settings with their index as a hash, and without instruments that are what every symbol is anyway."""
    values: dict[str, Any] = {
        item.name: getattr(settings, item.name) for item in dataclasses.fields(settings)
    }
    index = settings.index
    values["index"] = None if index is None else data_hash(index.fingerprint())
    told = [item for item in settings.instruments if item != Instrument(item.symbol)]
    values["instruments"] = sorted(told, key=lambda item: item.symbol)
    return values


def _default(item: dataclasses.Field[Any]) -> Any:
    return item.default if item.default_factory is dataclasses.MISSING else item.default_factory()


def _text(value: Any) -> str:
    """`value` with one possible spelling, so that equal values are equal texts.

    Raises BadParameter for what has no such spelling.
    """
    kind = type(value)
    if kind is int:
        return str(value)
    if kind is float:
        return str(int(value)) if value.is_integer() else repr(value)
    if kind is str:
        return json.dumps(value)
    if value is None or kind is bool:
        return str(value)
    if isinstance(value, date):
        return f"time {value.isoformat()}"
    if isinstance(value, np.datetime64):
        return f"time {value.astype('datetime64[ns]')}"
    if isinstance(value, np.generic):
        return _text(value.item())
    if isinstance(value, list | tuple | np.ndarray):
        return f"[{','.join(map(_text, value))}]"
    if isinstance(value, set | frozenset):
        return f"set [{','.join(sorted(map(_text, value)))}]"
    if isinstance(value, Enum):
        return f"{kind.__name__}.{value.name}"
    if isinstance(value, Mapping):
        return f"{{{','.join(sorted(f'{_text(key)}:{_text(item)}' for key, item in value.items()))}}}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return f"{kind.__name__}{_text({f.name: getattr(value, f.name) for f in dataclasses.fields(value)})}"
    raise BadParameter(
        f"{value!r} cannot be part of a trial's identity; use numbers, text, times, or tuples of these"
    )
