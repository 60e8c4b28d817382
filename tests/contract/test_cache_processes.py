"""The cache among processes: killed in mid write, and two at once; real processes, real kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gpt_trader.adapters.cache import CachedSource, stored_manifests
from gpt_trader.sources import BarRequest, Series
from tests.contract.cache_child import DEATHS, NOW, Vendor


class Counting(Vendor):
    """The child's source in this process; remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[BarRequest] = []

    def fetch(self, request: BarRequest) -> Series:
        self.asked.append(request)
        return super().fetch(request)


def request(end: str) -> BarRequest:
    return BarRequest("ABC", "1d", np.datetime64("2022-01-03"), np.datetime64(end))


def ask(cache: CachedSource, end: str) -> Series:
    return cache.fetch(request(end))


def truth(end: str) -> pd.DataFrame:
    return Vendor().fetch(request(end)).frame


@pytest.mark.parametrize("death", range(len(DEATHS)))
def test_kill_nine_in_mid_write_loses_nothing(death: int, tmp_path: Path) -> None:
    """The child fills the cache once, then is killed at one exact step of the second commit."""
    command = [sys.executable, "-m", "tests.contract.cache_child", str(tmp_path), DEATHS[death]]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "ready to die"
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait(timeout=60) == -signal.SIGKILL
    child.stdin.close()
    child.stdout.close()
    vendor = Counting()
    cache = CachedSource(vendor, tmp_path, clock=lambda: NOW)
    first = ask(cache, "2022-03-31")
    assert vendor.asked == [], "what was committed before the kill is still there"
    pd.testing.assert_frame_equal(first.frame, truth("2022-03-31"))
    whole = ask(cache, "2022-06-30")
    pd.testing.assert_frame_equal(whole.frame, truth("2022-06-30"))
    assert list(tmp_path.rglob("*.tmp")) == [], "what the killed writer left is cleared away"
    manifest = next(stored_manifests(tmp_path))
    stored = {path.name for path in tmp_path.rglob("v*.parquet")}
    assert stored == {version.file for version in manifest.versions}


def test_two_processes_ask_for_one_span_once(tmp_path: Path) -> None:
    """The first child holds the lock inside its fetch until this process says go; the second waits, then hits."""
    command = [sys.executable, "-m", "tests.contract.cache_child", str(tmp_path), "slow"]
    first = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    assert first.stdin is not None
    assert first.stdout.readline().strip() == "fetching"
    vendor = Counting()
    waits: list[float] = []

    def release(seconds: float) -> None:
        if not waits:
            first.stdin.write("go\n")
            first.stdin.flush()
        waits.append(seconds)
        threading.Event().wait(seconds)

    cache = CachedSource(vendor, tmp_path, clock=lambda: NOW, sleep=release)
    try:
        series = ask(cache, "2022-03-31")
        assert waits, "the lock was held"
        assert first.stdout.readline().strip() == "done"
        assert first.wait(timeout=60) == 0
    finally:
        first.kill()
        first.wait(timeout=60)
        first.stdin.close()
        first.stdout.close()
    assert vendor.asked == []
    assert cache.outcomes[0].hit
    pd.testing.assert_frame_equal(series.frame, truth("2022-03-31"))
