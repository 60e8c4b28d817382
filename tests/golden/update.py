"""`python -m tests.golden.update`: shows how today's runs differ from the golden ones; `--write` stores them as the new truth.
Names behind it are the strategies to look at, all without any.

A golden file changes for one of three reasons: a rule was changed on purpose (docs/assumptions.md says so in the same commit),
the demo data changed (the fingerprint in the JSON says so), or a bug. Read the list this prints, then the diff of `data/*.csv`
(one line per closed trade), and only then commit. There is no option that updates without showing.
"""

from __future__ import annotations

import sys

from gpt_trader.strategies import SHIPPED
from tests.golden.runs import (
    DATA,
    golden_run,
    store,
    stored_summary,
    stored_trades,
    summary_of,
    trades_of,
)


def differences(name: str) -> list[str]:
    """What is different in words; empty when nothing is."""
    if not (DATA / f"{name}.json").exists():
        return ["no golden files yet"]
    old, new = stored_summary(name), summary_of(golden_run(name))
    found = [
        f"{key}: {old[key]} -> {new[key]}" for key in ("parameters", "data", "counts") if old[key] != new[key]
    ]
    for metric in sorted(old["metrics"].keys() | new["metrics"].keys()):
        before, after = old["metrics"].get(metric), new["metrics"].get(metric)
        if before != after:
            found.append(f"{metric}: {before} -> {after}")
    before_trades, after_trades = stored_trades(name), trades_of(golden_run(name))
    changed = [
        k for k, pair in enumerate(zip(before_trades, after_trades, strict=False)) if pair[0] != pair[1]
    ]
    if changed or len(before_trades) != len(after_trades):
        first = f", the first that differs is number {changed[0]}" if changed else ""
        found.append(f"closed trades: {len(before_trades)} -> {len(after_trades)}{first}")
    return found


def main() -> int:
    """Print the differences of all strategies and, with `--write`, store them; 1 when there are some and nothing was written."""
    write = "--write" in sys.argv[1:]
    different = 0
    for name in [each for each in sys.argv[1:] if each != "--write"] or SHIPPED:
        found = differences(name)
        different += bool(found)
        print(f"{name}: {'no difference' if not found else ''}")
        for line in found:
            print(f"  {line}")
        if write and found:
            store(name, golden_run(name))
    if different:
        print(
            f"{different} strategies differ; "
            + ("written: review the diff of tests/golden/data" if write else "--write stores them")
        )
    return 1 if different and not write else 0


if __name__ == "__main__":
    raise SystemExit(main())
