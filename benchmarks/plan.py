"""Who runs what: the participants, and for each workload which task of whom, on how many bars, how often."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.definitions import MANY_PAIRS, PAIRS, TEN_PAIRS, TRAILS, WORKLOADS
from benchmarks.environments import Environment


@dataclass(frozen=True, slots=True)
class Participant:
    """A worker process: `module` under `benchmarks.peers`, in `environment` or, without one, in ours."""

    name: str
    module: str
    environment: Environment | None = None


OURS, LIMIT = "GPT-Trader", "bare loop"

PARTICIPANTS = {
    item.name: item
    for item in (
        Participant(OURS, "ours"),
        Participant(LIMIT, "limit"),
        Participant("vectorbt", "vectorbt_peer", Environment("vectorbt")),
        Participant("raptorbt", "raptorbt_peer", Environment("raptorbt")),
        Participant("backtesting.py", "backtesting_peer", Environment("backtesting")),
        Participant("bt", "bt_peer", Environment("bt")),
        Participant("backtrader", "backtrader_peer", Environment("backtrader")),
        Participant("NautilusTrader", "nautilus_peer", Environment("nautilus", "3.12")),
    )
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the table.

    `task` is the key in the participant's MAKERS; `bars` fewer than the workload's for slow ones; `runs` backtests in
    one measurement; `tolerance` how far final equity may lie from the reference, as a share of the capital, and `why`;
    `rule` which reference: "" the workload's, "close" fills at the close of the decision, "ten" the ten pairs;
    `rounds` at most so many measurements; `warm` runs once before them, unmeasured (what is slow and
    compiles nothing does without).
    """

    workload: str
    participant: str
    task: str
    note: str = ""
    bars: int = 0
    runs: int = 1
    tolerance: float = 1e-9
    why: str = ""
    rule: str = ""
    rounds: int = 99
    warm: bool = True

    @property
    def size(self) -> int:
        """Bars of one measurement's data."""
        return self.bars or WORKLOADS[self.workload].bars


MONEY = "keeps money in cents"
ORDER_OF_EVENTS = "sees a bar's fills one bar later"
GAPS = "sizes by the open, not by the close before it"
ALL = len(PAIRS)

PLAN = (
    Entry("W1", OURS, "W1", "with buy and hold"),
    Entry("W1", OURS, "W1/alone", "without buy and hold"),
    Entry("W1", LIMIT, "W1"),
    Entry("W1", "raptorbt", "W1"),
    Entry("W1", "vectorbt", "W1", "stats()"),
    Entry("W1", "vectorbt", "W1/bare", "simulation only"),
    Entry("W1", "backtesting.py", "W1"),
    Entry("W1", "backtrader", "W1"),
    Entry("W1", "NautilusTrader", "W1/close", "fills at the close", rule="close", tolerance=1e-5, why=MONEY),
    Entry("W1L", OURS, "W1L", "with buy and hold"),
    Entry("W1L", OURS, "W1L/alone", "without buy and hold"),
    Entry("W1L", LIMIT, "W1L"),
    Entry("W1L", "raptorbt", "W1L"),
    Entry("W1L", "vectorbt", "W1L", "stats()"),
    Entry("W1L", "backtesting.py", "W1L", bars=100_000, rounds=3),
    Entry("W1L", "backtrader", "W1L", bars=20_000, rounds=2, warm=False),
    Entry("W1L", "NautilusTrader", "W1L/close", "fills at the close", 20_000, 1, 1e-5, MONEY, "close", rounds=2, warm=False),
    Entry("W2", OURS, "W2", runs=ALL),
    Entry("W2", LIMIT, "W2", runs=ALL),
    Entry("W2", "raptorbt", "W2", "its batch, on all cores", runs=ALL),
    Entry("W2", "vectorbt", "W2", "11 statistics", runs=ALL, rounds=3),
    Entry("W2", "vectorbt", "W2/bare", "simulation only", runs=ALL, rounds=3),
    Entry("W2", "backtesting.py", "W2/ten", "10 pairs", runs=len(TEN_PAIRS), rule="ten", rounds=3),
    Entry("W3", OURS, "W3", "with buy and hold"),
    Entry("W3", OURS, "W3/alone", "without buy and hold"),
    Entry("W3", LIMIT, "W3"),
    Entry("W3", "vectorbt", "W3"),
    Entry("W3", "bt", "W3", tolerance=1e-2, why=GAPS),
    Entry("W3", "backtrader", "W3", bars=504, rounds=2, warm=False),
    Entry("W4", OURS, "W4", "rule in plain Python"),
    Entry("W4", OURS, "W4/compiled", "rule compiled"),
    Entry("W4", LIMIT, "W4"),
    Entry("W4", "backtesting.py", "W4", bars=50_000, rounds=3),
    Entry("W4", "backtrader", "W4", bars=20_000, rounds=2, warm=False),
    Entry("W4", "raptorbt", "W4", "class of hooks", bars=20_000, tolerance=1e-2, why=ORDER_OF_EVENTS, rounds=2),
    Entry("W5", OURS, "W5", "all cores", runs=len(MANY_PAIRS)),
    Entry("W5", OURS, "W5/one", "one thread", runs=len(MANY_PAIRS)),
    Entry("W5", LIMIT, "W5", "without block sums", runs=len(MANY_PAIRS)),
    Entry("W6", OURS, "W6", "all cores", runs=ALL),
    Entry("W6", OURS, "W6/one", "one thread", runs=ALL),
    Entry("W6", LIMIT, "W6", runs=ALL),
    Entry("W7", OURS, "W7", "all cores", runs=len(TRAILS)),
    Entry("W7", OURS, "W7/one", "one thread", runs=len(TRAILS)),
    Entry("W7", LIMIT, "W7", runs=len(TRAILS)),
)  # fmt: skip
