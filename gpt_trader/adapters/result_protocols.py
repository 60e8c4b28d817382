"""What the adapters read of a result: of a study, of a stored run, of a reported one; each has what the one before has.

`gpt_trader.result.Result` is all of them. A study is the first, a stored run all but its bars.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

    from gpt_trader.bars import Bars
    from gpt_trader.look_ahead import LookAhead


class RunContent(Protocol):
    """What a row in `runs` tells of a run or a study."""

    @property
    def run_id(self) -> str: ...
    @property
    def strategy(self) -> str: ...
    @property
    def parameters(self) -> Mapping[str, Any]: ...
    @property
    def symbols(self) -> Sequence[str]: ...
    @property
    def start(self) -> Any: ...
    @property
    def end(self) -> Any: ...
    @property
    def manifest(self) -> Mapping[str, Any]: ...
    @property
    def fingerprint(self) -> Any: ...
    @property
    def warnings(self) -> Sequence[str]: ...


class StorableResult(RunContent, Protocol):
    """What is written to the files of a run and to the store."""

    @property
    def metrics(self) -> Mapping[str, float]: ...
    @property
    def orders(self) -> pd.DataFrame: ...
    @property
    def fills(self) -> pd.DataFrame: ...
    @property
    def positions(self) -> pd.DataFrame: ...
    @property
    def closed_trades(self) -> pd.DataFrame: ...
    @property
    def equity(self) -> pd.DataFrame: ...
    @property
    def decisions(self) -> pd.DataFrame: ...


class ReportableResult(StorableResult, Protocol):
    """What the report shows besides; `bars` are None where they are not at hand."""

    @property
    def look_ahead(self) -> LookAhead: ...
    @property
    def too_good(self) -> Sequence[str]: ...
    @property
    def bars(self) -> Bars | None: ...


@runtime_checkable
class HasColumns(Protocol):
    """A result that can give its tables as plain arrays, so that saving it needs no pandas (1.3 s of import)."""

    def columns(self, name: str) -> Mapping[str, NDArray[Any]]: ...
