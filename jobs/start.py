"""Where `gpt-trader` begins: it imports nothing before Ctrl-C is heard, so that an early one ends in silence."""

from __future__ import annotations

import sys

from jobs import INTERRUPTED


def main() -> None:
    """Run the command line; leaves with its exit code."""
    try:
        from jobs.cli import main as command_line
    except KeyboardInterrupt:  # while the modules load: nothing has begun
        sys.exit(INTERRUPTED)
    command_line()
