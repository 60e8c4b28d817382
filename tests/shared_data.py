"""Where the project's shared market data lies, for the tests that read it; absent data skips with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def shared_data(name: str) -> Path:
    """Path of one shared file, such as "equity/lean_daily.parquet"; skips the calling test when it is not there."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(
            f"shared market data {name} is not on this machine (it lies beside the repository, unlicensed for it)"
        )
    return path
