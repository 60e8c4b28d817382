"""The files of one cached series: append-only version files, a manifest that commits them, and a lock.

A folder holds `manifest.json`, `v000001.parquet` and so on, and `.lock`. A version file is never changed; the
manifest is replaced whole by rename, after the version file it names is safely on disk. So a process killed at any
moment leaves the last committed state, and readers need no lock.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import numpy as np

from gpt_trader.adapters.bar_tables import empty_table
from gpt_trader.errors import SourceUnavailable
from gpt_trader.sources import SERIES_COLUMNS, BarRequest

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

FORMAT = 1
_MANIFEST = "manifest.json"
_SNAPSHOT_AFTER = 12
_POLL_SECONDS = 0.05
Span = tuple[np.datetime64, np.datetime64]


@dataclass(frozen=True, slots=True)
class Version:
    """One version file: what was new or different at one fetch. `basis` counts refetches of the whole series."""

    number: int
    file: str
    reason: str
    """fetched, revised, rebased or snapshot"""
    basis: int
    rows: int
    revised: int
    first: str
    last: str
    fetched_at: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the folder holds. `covered` are spans of days (both inclusive) whose bars are all here.

    `delivered` is the adjustment that the source really gave. `tail` is the last day asked for in vain and when.
    """

    source: str
    symbol: str
    timeframe: str
    adjustment: str
    delivered: str = ""
    label: str = ""
    basis: int = 0
    covered: tuple[Span, ...] = ()
    tail: tuple[np.datetime64, float] | None = None
    versions: tuple[Version, ...] = ()
    notes: tuple[str, ...] = ()

    def current(self) -> tuple[Version, ...]:
        """The versions that make up what is served: those of the latest basis, from its last snapshot on."""
        live = [version for version in self.versions if version.basis == self.basis]
        starts = [index for index, version in enumerate(live) if version.reason == "snapshot"]
        return tuple(live[starts[-1] :] if starts else live)


class DamagedCache(Exception):
    """A file of the folder cannot be read or is not what the manifest says; the series is fetched anew."""


class SeriesStore:
    """The folder of one (source, symbol, timeframe, adjustment) under `root`."""

    def __init__(self, root: Path, source: str, request: BarRequest) -> None:
        self.empty = Manifest(source, request.symbol, request.timeframe, request.adjustment)
        folder = f"{request.timeframe}-{request.adjustment}"
        self.folder = root / _file_name(source) / _file_name(request.symbol) / folder

    # -- reading -------------------------------------------------------------------------------------------------

    def manifest(self) -> Manifest:
        """The committed manifest; the empty one when nothing was stored. Raises DamagedCache."""
        path = self.folder / _MANIFEST
        try:
            return _parse(json.loads(path.read_bytes()))
        except FileNotFoundError:
            return self.empty
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise DamagedCache(f"{path}: {error}") from None

    def rows(self, manifest: Manifest) -> pd.DataFrame:
        """The bars that the manifest describes, the latest version of each. Raises DamagedCache when a file is gone or changed."""
        import pyarrow as pa

        versions = manifest.current()
        if not versions:
            return empty_table()
        table = pa.concat_tables([self._read(version) for version in versions])
        rows: pd.DataFrame = table.to_pandas(use_threads=False, ignore_metadata=True)
        latest = ~rows["time"].duplicated(keep="last")
        return rows[latest].sort_values("time", kind="stable").reset_index(drop=True)

    def _read(self, version: Version) -> pa.Table:
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.folder / version.file
        try:
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != version.sha256:
                raise DamagedCache(f"{path}: its content is not what was written")
            return pq.ParquetFile(BytesIO(content)).read(use_threads=False)
        except (OSError, pa.ArrowException) as error:
            raise DamagedCache(f"{path}: {error}") from None

    # -- writing -------------------------------------------------------------------------------------------------

    def commit(
        self, manifest: Manifest, rows: pd.DataFrame, reason: str, revised: int, now: float
    ) -> Manifest:
        """Adds `rows` as a version (none when empty) and replaces the manifest; hold the lock. Returns the new one."""
        manifest = self._with_version(manifest, rows, reason, revised, now)
        if len(manifest.current()) > _SNAPSHOT_AFTER:
            manifest = self._with_version(manifest, self.rows(manifest), "snapshot", 0, now)
        text = json.dumps(_plain(manifest), indent=1, sort_keys=True)
        write_atomically(self.folder / _MANIFEST, text.encode())
        self._sweep(manifest)
        return manifest

    def _with_version(
        self, manifest: Manifest, rows: pd.DataFrame, reason: str, revised: int, now: float
    ) -> Manifest:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if len(rows) == 0:
            return manifest
        number = manifest.versions[-1].number + 1 if manifest.versions else 1
        buffer = BytesIO()
        table = pa.Table.from_pandas(rows[list(SERIES_COLUMNS)], preserve_index=False)
        pq.write_table(table, buffer, compression="zstd")
        content = buffer.getvalue()
        name = f"v{number:06d}.parquet"
        write_atomically(self.folder / name, content)
        times = rows["time"].to_numpy().astype("datetime64[s]")
        stamp = str(np.datetime64(int(now), "s")) + "Z"
        digest = hashlib.sha256(content).hexdigest()
        version = Version(
            number,
            name,
            reason,
            manifest.basis,
            len(rows),
            revised,
            str(times[0]),
            str(times[-1]),
            stamp,
            digest,
        )
        return replace(manifest, versions=(*manifest.versions, version))

    def _sweep(self, manifest: Manifest) -> None:
        """Removes what a killed writer left behind: temporary files and versions that were never committed."""
        known = {version.file for version in manifest.versions} | {_MANIFEST, ".lock"}
        for path in self.folder.iterdir():
            if path.name not in known and (path.suffix == ".tmp" or path.name.startswith("v")):
                path.unlink(missing_ok=True)

    @contextmanager
    def lock(self, timeout: float, sleep: Callable[[float], None] = time.sleep) -> Iterator[None]:
        """Holds the folder against other processes and threads; the system frees it when the holder dies.

        Raises SourceUnavailable when it is not free within `timeout` seconds.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("a") as file:
            waited = 0.0
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if waited >= timeout:
                        raise SourceUnavailable(
                            f"{self.empty.symbol}: another process has been filling this cache for {timeout:g} s "
                            f"({self.folder}); wait for it or end it"
                        ) from None
                sleep(_POLL_SECONDS)
                waited += _POLL_SECONDS
            yield


def write_atomically(path: Path, content: bytes) -> None:
    """The file appears whole or not at all, and survives a power cut once this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)  # noqa: PTH105 - the call whose atomicity this relies on
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def stored_manifests(root: Path) -> Iterator[Manifest]:
    """The manifest of every series under `root`, by source, symbol and timeframe; damaged ones are left out."""
    for path in sorted(root.glob(f"*/*/*/{_MANIFEST}")):
        timeframe, _, adjustment = path.parent.name.partition("-")
        source, symbol = (unquote(part) for part in path.parts[-4:-2])
        try:
            yield SeriesStore(root, source, BarRequest(symbol, timeframe, adjustment=adjustment)).manifest()
        except DamagedCache:
            continue


def _file_name(text: str) -> str:
    """A name for any file system: small letters are escaped too, as some file systems ignore case."""
    name = "".join(f"%{ord(c):02X}" if c.islower() and c.isascii() else quote(c, safe="") for c in text)
    return name if name.strip(".") else name.replace(".", "%2E")


def _plain(manifest: Manifest) -> dict[str, Any]:
    return asdict(manifest) | {
        "format": FORMAT,
        "covered": [[str(first), str(last)] for first, last in manifest.covered],
        "tail": None if manifest.tail is None else [str(manifest.tail[0]), manifest.tail[1]],
    }


def _parse(plain: dict[str, Any]) -> Manifest:
    fields = dict(plain)
    if fields.pop("format") != FORMAT:
        raise ValueError(f"written in format {plain['format']}, this version reads {FORMAT}")
    tail = fields.pop("tail")
    fields["covered"] = tuple(
        (np.datetime64(low, "D"), np.datetime64(high, "D")) for low, high in fields["covered"]
    )
    fields["versions"] = tuple(Version(**version) for version in fields["versions"])
    fields["notes"] = tuple(fields["notes"])
    return Manifest(tail=None if tail is None else (np.datetime64(tail[0], "D"), float(tail[1])), **fields)
