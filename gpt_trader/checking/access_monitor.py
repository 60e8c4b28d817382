"""Records which files, networks and programs the code of a strategy uses: sources that no cut of the bars changes."""

from __future__ import annotations

import os
import re
import sqlite3
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, wraps
from os import stat as _stat
from pathlib import Path
from stat import S_ISDIR
from types import FrameType
from typing import Any

from gpt_trader.strategy_code import is_installed

FOLDER = "folder"
LOAD_BARS = "gpt_trader.load_bars"  # the audit event of this package's own loader
READS, WRITES, LOOKS = "reads", "writes", "looks at"
CODE = {".py", ".pyc", ".pyi", ".so", ".pyd", ".dylib", ".nbi", ".nbc", ".pth", ".egg-link"}
DATA = {
    ".csv", ".tsv", ".parquet", ".pq", ".feather", ".arrow", ".ipc", ".orc", ".npy", ".npz", ".pkl", ".pickle", ".joblib",
    ".h5", ".hdf5", ".hdf", ".nc", ".zarr", ".mat", ".db", ".sqlite", ".sqlite3", ".duckdb", ".xls", ".xlsx", ".gz", ".bz2",
    ".xz", ".zst", ".zip", ".jsonl", ".ndjson",
}  # fmt: skip
SMALL = 4096  # bytes of a file that can be nothing but settings
FEW_NUMBERS = 50  # numbers in such a file
READERS = {
    "pyarrow.parquet": ("read_table", "read_pandas", "ParquetFile", "ParquetDataset"),
    "pyarrow.csv": ("read_csv", "open_csv"),
    "pyarrow.feather": ("read_table", "read_feather"),
    "pyarrow.dataset": ("dataset",),
    "pyarrow": ("memory_map", "OSFile", "input_stream"),
    "polars": ("read_csv", "read_parquet", "read_ipc", "scan_csv", "scan_parquet", "scan_ipc", "read_json"),
    "duckdb": ("connect", "sql", "query", "execute", "read_csv", "read_parquet"),
    "h5py": ("File",),
    "lmdb": ("open",),
    "pyarrow.orc": ("read_table", "ORCFile"),
    "pyarrow.json": ("read_json", "open_json"),
    "dbm": ("open",),
    "dbm.gnu": ("open",),
    "dbm.ndbm": ("open",),
    "readline": ("read_history_file", "read_init_file"),
}  # readers written in other languages, which Python's audit events do not show


@dataclass(frozen=True, slots=True)
class Access:
    """Something outside the bars that a strategy used: `verb` ("reads", "writes" or "looks at"), what, in which method,
    and the file and line of the user's own code that did it."""

    verb: str
    what: str
    method: str
    file: str = ""
    line: int = 0


INSPECTORS = (
    "stat",
    "lstat",
    "readlink",
    "access",
)  # functions of `os` that say what is on disk and are no audit events
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/tty")
MANY = 10  # files that a strategy may look at without reading them
_method: str | None = None
_recording = False
_LIBRARY = sysconfig.get_paths()["stdlib"]
_accesses: dict[Access, None] = {}
_created: set[str] = set()  # files that the run itself has made anew


@contextmanager
def within_method(method: str) -> Iterator[None]:
    """Accesses inside this block are recorded as those of this method of the strategy."""
    global _method
    before, _method = _method, method
    try:
        yield
    finally:
        _method = before


def current_method() -> str | None:
    """The method of a strategy that runs now, None outside of all."""
    return _method


@contextmanager
def recorded_accesses() -> Iterator[list[Access]]:
    """The accesses inside the block by code marked with `within_method`, each once; the list is filled when the block ends.

    A file that the block makes anew holds nothing from elsewhere: it is written, not read, and is nothing when it is gone at
    the end.
    """
    _install()
    _accesses.clear()
    _created.clear()
    found: list[Access] = []
    try:
        with _wrapped_readers():
            yield found
    finally:
        found.extend(item for item in _accesses if item.verb != WRITES or _kind_of(item.what) is not None)


def may_hold_prices(access: Access) -> bool:
    """Whether what was read can hold the future: everything but a small file of settings."""
    if access.verb != READS:
        return False
    path = Path(access.what)
    if path.suffix.lower() in DATA:
        return True
    try:
        if not path.is_file():  # a pipe, a device, or gone by now
            return True
        with path.open("rb") as file:
            content = file.read(SMALL + 1)
    except (OSError, ValueError):
        return True
    return len(content) > SMALL or len(re.findall(rb"[-+]?\d+\.?\d*", content)) > FEW_NUMBERS


@cache
def _install() -> None:
    sys.addaudithook(_on_audit_event)


def _on_audit_event(event: str, arguments: tuple[Any, ...]) -> None:
    if _method is None or _recording or event not in _EVENTS:
        return
    with _own_accesses_left_out():
        found = _EVENTS[event](arguments)
        if found is not None:
            _record(*found)


@contextmanager
def _own_accesses_left_out() -> Iterator[None]:
    """What is looked up to record an access is no access."""
    global _recording
    before, _recording = _recording, True
    try:
        yield
    finally:
        _recording = before


def _record(verb: str, what: str) -> None:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith("<") and not is_installed(Path(name)):
            break
        frame = frame.f_back
    place = ("", 0) if frame is None else (frame.f_code.co_filename, frame.f_lineno)
    _accesses[Access(verb, what, _method or "", *place)] = None


def _opened(arguments: tuple[Any, ...]) -> tuple[str, str] | None:
    path, mode, flags = (*arguments, None, None)[:3]
    if not isinstance(path, str | bytes | os.PathLike):
        return None
    name = os.fsdecode(path)
    kind = _kind_of(name)
    if _is_ordinary(name) or kind == FOLDER:
        return None
    given = mode if isinstance(mode, str) else ""
    bits = flags if isinstance(flags, int) else 0
    if not set(given).isdisjoint("wx") or bits & (os.O_TRUNC | os.O_EXCL) or kind is None:
        _created.add(os.path.abspath(name))  # noqa: PTH100 - Path.absolute asks the watched system
    if _is_created(name):
        return WRITES, name
    only_writes = "a" in given and "+" not in given if given else bits & os.O_ACCMODE == os.O_WRONLY
    return WRITES if only_writes else READS, name


def _kind_of(name: str) -> str | None:
    """ "folder" or "file"; None for what is not there."""
    try:
        return FOLDER if S_ISDIR(_stat(name).st_mode) else "file"  # noqa: PTH116 - Path.stat asks the watched one
    except (OSError, ValueError):
        return None


def _is_ordinary(name: str) -> bool:
    """Whether a file belongs to Python, its packages or the system, and holds no data."""
    path = Path(name)
    if path.suffix in CODE or "__pycache__" in path.parts or name in sys.path:
        return True
    if name.startswith(("/proc/", "/sys/", "/etc/", *DEVICES)) or "zoneinfo" in name or "tzdata" in name:
        return True
    if path.suffix.lower() in DATA:
        return False
    return any(path.is_relative_to(folder) for folder in _folders_of_packages())


@cache
def _folders_of_packages() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple({paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")})


def _connected(arguments: tuple[Any, ...]) -> tuple[str, str] | None:
    database = arguments[0]
    if not isinstance(database, str | bytes | os.PathLike):
        return None
    name = os.fsdecode(database)
    return None if name in ("", ":memory:") else (READS, name)


def _recording_databases(connect: Callable[..., Any]) -> Callable[..., Any]:
    """`sqlite3.connect` whose connections record which files they attach."""

    def authorised(action: int, name: str | None, *_rest: Any) -> int:
        if action == sqlite3.SQLITE_ATTACH and name not in ("", ":memory:") and _method is not None:
            with _own_accesses_left_out():
                _record(READS, name or "a database that a query attaches")
        return sqlite3.SQLITE_OK

    @wraps(connect)
    def call(*args: Any, **kwargs: Any) -> Any:
        connection = connect(*args, **kwargs)
        connection.set_authorizer(authorised)
        return connection

    return call


def _created_folder(path: Any) -> None:
    """A folder that is made anew; the event comes before, also when it is there already."""
    if isinstance(path, str | bytes | os.PathLike) and _kind_of(os.fsdecode(path)) is None:
        _created.add(os.path.abspath(os.fsdecode(path)))  # noqa: PTH100


def _listed(path: Any) -> tuple[str, str] | None:
    """The names in a folder, which may say anything. What Python lists to find modules is nothing."""
    name = "." if path is None else os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""
    ours = not name or _is_ordinary(name) or _is_created(name) or _is_importing() or not _called_by_user()
    return None if ours else (READS, f"the names in {os.path.abspath(name)}")  # noqa: PTH100


def _is_importing() -> bool:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _names(what: str) -> Callable[[tuple[Any, ...]], tuple[str, str]]:
    return lambda arguments: (READS, f"{what} {arguments[0] if arguments else ''}".strip())


def _loaded(arguments: tuple[Any, ...]) -> tuple[str, str]:
    return READS, f"load_bars({', '.join(map(str, arguments[:3]))})"


_EVENTS: dict[str, Callable[[tuple[Any, ...]], tuple[str, str] | None]] = {
    "open": _opened,
    "sqlite3.connect": _connected,
    "socket.getaddrinfo": _names("the network:"),
    "socket.connect": lambda arguments: (READS, f"the network: {arguments[1]}"),
    "subprocess.Popen": _names("the program"),
    "os.system": _names("the program"),
    "os.posix_spawn": _names("the program"),
    "os.exec": _names("the program"),
    "os.listdir": lambda arguments: _listed(arguments[0]),
    "os.scandir": lambda arguments: _listed(arguments[0]),
    "os.mkdir": lambda arguments: _created_folder(arguments[0]),
    "os.fork": lambda _arguments: (READS, "what another process hands over"),
    "os.forkpty": lambda _arguments: (READS, "what another process hands over"),
    LOAD_BARS: _loaded,
}


@contextmanager
def _wrapped_readers() -> Iterator[None]:
    """Let the readers of libraries that are loaded record what they read."""
    to_restore: list[tuple[Any, str, Any]] = [(os, name, getattr(os, name)) for name in INSPECTORS]
    for _, name, real in to_restore:
        setattr(os, name, _recording_inspector(real))
    to_restore.append((sqlite3, "connect", sqlite3.connect))
    sqlite3.connect = _recording_databases(sqlite3.connect)
    for module_name, names in READERS.items():
        module = sys.modules.get(module_name)
        for name in names if module is not None else ():
            real = getattr(module, name, None)
            if callable(real):
                to_restore.append((module, name, real))
                setattr(module, name, _recording_reader(real))
    to_restore += _replaced_imports({id(real): getattr(module, name) for module, name, real in to_restore})
    try:
        yield
    finally:
        for module, name, real in to_restore:
            setattr(module, name, real)


def _replaced_imports(recording: dict[int, Any]) -> list[tuple[Any, str, Any]]:
    """Let modules of the user's own that have imported a reader by its name use the one that records; what was replaced."""
    replaced: list[tuple[Any, str, Any]] = []
    for module in list(sys.modules.values()):
        place = getattr(module, "__file__", None)
        if place is None or is_installed(Path(place)):
            continue
        for name, value in list(vars(module).items()):
            if id(value) in recording:
                replaced.append((module, name, value))
                setattr(module, name, recording[id(value)])
    return replaced


def _recording_inspector(real: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(real)
    def call(path: Any, *args: Any, **kwargs: Any) -> Any:
        if _method is not None and not _recording and isinstance(path, str | bytes | os.PathLike):
            name = os.fsdecode(path)
            with _own_accesses_left_out():
                if not _is_ordinary(name) and not _is_created(name) and _called_by_user():
                    _record(LOOKS, name)
        return real(path, *args, **kwargs)

    return call


def _is_created(name: str) -> bool:
    """Whether the run has made the file, or a folder that it lies in."""
    path = Path(os.path.abspath(name))  # noqa: PTH100
    return str(path) in _created or any(str(folder) in _created for folder in path.parents)


def _called_by_user() -> bool:
    """Whether the caller of a function of Python's library is the user's own code, and no library on its behalf."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        library = name == __file__ or name.startswith("<frozen") or Path(name).is_relative_to(_LIBRARY)
        if not library or "site-packages" in name:
            return not is_installed(Path(name))
        frame = frame.f_back
    return False


def _recording_reader(reader: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(reader, updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        if _method is not None and not _recording:
            source = args[0] if args else next(iter(kwargs.values()), "")
            if isinstance(source, str | bytes | os.PathLike):
                with _own_accesses_left_out():
                    _record(READS, os.fsdecode(source))
        return reader(*args, **kwargs)

    return call
