"""What the kernel knows of processes: their descendants, their environment, where they listen."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

LISTENING = "0A"


def parent(pid: int) -> int:
    """The parent of a process, 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def descends(pid: int, ancestor: int) -> bool:
    """Whether a process is `ancestor` or descends from it."""
    while pid > 1 and pid != ancestor:
        pid = parent(pid)
    return pid == ancestor


def descendants(ancestor: int) -> list[int]:
    """A process and all that descend from it."""
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if descends(int(entry.name), ancestor)]


def is_gone(pid: int) -> bool:
    """Whether a process has ended, collected by its parent or not."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def environ(pid: int) -> dict[str, str]:
    """The environment a process was started with."""
    items = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(item.split("=", 1) for item in items if "=" in item)


def listening(pids: list[int]) -> set[str]:
    """The addresses (HOST:PORT) on which any of these processes waits for connections."""
    mine = set()
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            for link in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(FileNotFoundError):
                    mine.add(str(link.readlink()))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            local, state, inode = (line.split()[place] for place in (1, 3, 9))
            if state == LISTENING and f"socket:[{inode}]" in mine:
                host, port = local.split(":")
                words = [bytes.fromhex(host[place : place + 8])[::-1] for place in range(0, len(host), 8)]
                address = ip_address(b"".join(words))
                found.add(f"{getattr(address, 'ipv4_mapped', None) or address}:{int(port, 16)}")
    return found
