"""A process that fills a cache and stops at one exact step, to be killed there by `test_cache_processes.py`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from gpt_trader.adapters.cache import CachedSource
from gpt_trader.adapters.synthetic import SyntheticSource
from gpt_trader.sources import BarRequest, Series

NOW = 1688166000.0  # 2023-06-30 23:00 UTC
DEATHS = (
    "before fsync 1",  # the version file's temporary is written, not yet safe
    "before replace 1",  # it is safe, not yet named
    "after replace 1",  # the version file is there, the manifest does not know it
    "before fsync 3",  # the manifest's temporary is written, not yet safe
    "before replace 2",  # it is safe, not yet named
    "after replace 2",  # committed, nothing cleared away
)


class Vendor:
    """The source of the test, the same bars in this process."""

    name = "vendor"

    def __init__(self, slow: bool = False) -> None:
        self.inner, self.slow = SyntheticSource(seed=5, last="2023-06-30"), slow

    def fetch(self, request: BarRequest) -> Series:
        if self.slow:
            print("fetching", flush=True)
            sys.stdin.readline()
        series = self.inner.fetch(request)
        return Series(request, series.frame, self.name, series.adjustment)


def fill(cache: CachedSource, end: str) -> None:
    cache.fetch(BarRequest("ABC", "1d", np.datetime64("2022-01-03"), np.datetime64(end)))


def stop_at(death: str) -> None:
    """From now on the n-th call of os.fsync or os.replace waits for the kill, before or after it is done."""
    when, call, count = death.split()
    done, real = [0], getattr(os, call)

    def step(*arguments: Any) -> Any:
        done[0] += 1
        here = done[0] == int(count)
        if here and when == "before":
            wait_for_the_kill()
        result = real(*arguments)
        if here and when == "after":
            wait_for_the_kill()
        return result

    setattr(os, call, step)


def wait_for_the_kill() -> None:
    print("ready to die", flush=True)
    while True:
        sys.stdin.readline() or os.abort()


def main(folder: Path, task: str) -> None:
    cache = CachedSource(Vendor(slow=task == "slow"), folder, clock=lambda: NOW)
    if task == "slow":
        fill(cache, "2022-03-31")
        print("done")
        return
    fill(cache, "2022-03-31")
    stop_at(task)
    fill(cache, "2022-06-30")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
