"""How much memory a process had resident at most."""

from __future__ import annotations

from pathlib import Path


def peak_memory() -> int:
    """Of this process, MiB; 0 where the system does not say. (What `getrusage` says includes the process that started this one.)"""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")), 0)
