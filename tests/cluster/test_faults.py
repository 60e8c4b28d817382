"""Workers and nodes that die, chunks that hang or raise: nothing is lost, nothing doubled, and what failed is named."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gpt_trader import Allocation, load_bars
from gpt_trader.adapters.chunk_store import ChunkStore
from gpt_trader.engine.run_setup import Settings
from gpt_trader.errors import ClusterError
from gpt_trader.research.chunk import Chunk
from gpt_trader.research.executor import ChunkCompleted, InProcess
from gpt_trader.research.experiment import Experiment
from gpt_trader.research.plan import Plan, run_chunks
from gpt_trader.strategies import load_strategy
from jobs.executors.ray_tasks import ATTEMPTS, RayTasks
from tests.cluster.nodes import Cluster, wait_until
from tests.cluster.processes import is_gone

pytestmark = pytest.mark.ray

MOODY = Path(__file__).with_name("moody.py")
BARS = load_bars(["AAPL", "IBM"], start="2010-01-01", end="2010-12-31")
SETTINGS = Settings(allocation=Allocation(gross=1.0))
CHUNKS = 6
BAD = 3


def plan_of(folder: Path, mood: str, at: int = BAD, strategy: Path = MOODY) -> Plan:
    """Six chunks of one point each, of which one (or all, with -1) is moody."""
    experiment = Experiment(load_strategy(str(strategy)), BARS, SETTINGS)
    fixed = (("at", at), ("folder", str(folder)), ("mood", mood))
    return Plan("sweep", experiment, tuple(Chunk(("x",), ((x,),), fixed) for x in range(CHUNKS)))


class Run:
    """A plan worked off by the cluster: the chunks in the order they were reported, and what is kept of them."""

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        tasks: RayTasks | None = None,
        watch: Callable[[], None] = lambda: None,
    ) -> None:
        self.plan, self.reported = plan, list[ChunkCompleted]()
        self.store = ChunkStore(folder / "chunks")

        def look() -> bool:
            watch()
            return False

        (tasks or RayTasks(None)).run(plan.experiment, list(enumerate(plan.chunks)), self._take, look)

    def _take(self, done: ChunkCompleted) -> None:
        self.reported.append(done)
        if done.result is not None:
            self.store.put(self.plan.keys[done.number], done.result)

    @property
    def by_number(self) -> dict[int, ChunkCompleted]:
        """Every chunk; each must have been reported once."""
        numbers = [done.number for done in self.reported]
        assert sorted(numbers) == list(range(CHUNKS))
        return {done.number: done for done in self.reported}


def files_in(folder: Path) -> dict[str, bytes]:
    """Every kept chunk by its name."""
    return {path.name: path.read_bytes() for path in folder.rglob("*.parquet")}


def in_process(plan: Plan, folder: Path) -> dict[str, bytes]:
    """The files that the same plan makes without Ray."""
    run_chunks(plan, InProcess(), ChunkStore(folder / "reference"))
    return files_in(folder / "reference")


def met(folder: Path) -> list[tuple[int, int]]:
    """Point and process of each meeting."""
    return [tuple(map(int, path.stem.split("-"))) for path in folder.glob("*.met")]  # type: ignore[misc]


def test_a_killed_worker_costs_one_more_attempt(driver: Cluster, tmp_path: Path) -> None:
    plan, killed = plan_of(tmp_path, "meet"), list[int]()

    def kill_it() -> None:
        for _, pid in met(tmp_path):
            if not killed:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
                (tmp_path / "go").touch()

    run = Run(plan, tmp_path, watch=kill_it)
    done = run.by_number
    assert (done[BAD].attempts, done[BAD].error) == (2, None)
    assert str(killed[0]) not in done[BAD].worker
    assert [done[n].attempts for n in range(CHUNKS) if n != BAD] == [1] * (CHUNKS - 1)
    assert files_in(tmp_path / "chunks") == in_process(plan, tmp_path)


def test_a_killed_node_costs_its_chunks_one_more_attempt(driver: Cluster, tmp_path: Path) -> None:
    node, plan = driver.add_node(cpus=1), plan_of(tmp_path, "meet", at=-1)

    def kill_it() -> None:
        if any(node.owns(pid) for _, pid in met(tmp_path)):
            node.kill()
            (tmp_path / "go").touch()

    run = Run(plan, tmp_path, watch=kill_it)
    assert sorted(done.attempts for done in run.by_number.values())[-1] == 2
    assert not [done.error for done in run.reported if done.error]
    assert files_in(tmp_path / "chunks") == in_process(plan, tmp_path)


def test_a_chunk_that_kills_every_worker_is_given_up_and_named(driver: Cluster, tmp_path: Path) -> None:
    done = Run(plan_of(tmp_path, "die"), tmp_path).by_number
    assert (done[BAD].result, done[BAD].attempts) == (None, ATTEMPTS)
    assert done[BAD].error == "given up after 3 attempts: its worker died (killed, out of memory, or crashed)"
    assert len(files_in(tmp_path / "chunks")) == CHUNKS - 1


def test_a_hung_chunk_is_given_up_its_worker_killed_and_the_others_go_on(
    driver: Cluster, tmp_path: Path
) -> None:
    plan, watched = plan_of(tmp_path, "meet"), list[int]()
    others = CHUNKS - 1

    def clock() -> float:
        """Jumps an hour ahead once only the hung chunk is left."""
        return time.monotonic() + 3600 * (len(run_of) == others and bool(met(tmp_path)))

    run_of: dict[str, bytes] = {}

    def look() -> None:
        run_of.update(files_in(tmp_path / "chunks"))
        watched[:] = [pid for _, pid in met(tmp_path)]

    run = Run(plan, tmp_path, RayTasks(None, 3000.0, clock=clock), look)
    bad = run.by_number[BAD]
    assert (bad.result, bad.attempts) == (None, 1)
    assert bad.error == "hung: no result after 3,000 seconds (--chunk-timeout)"
    assert str(watched[0]) in bad.worker
    assert len(files_in(tmp_path / "chunks")) == others
    _wait_for_death(watched[0])


def _wait_for_death(pid: int) -> None:
    wait_until(lambda: is_gone(pid), f"worker {pid} is dead")


@pytest.mark.parametrize(
    ("mood", "message"), [("raise", "ZeroDivisionError: planted"), ("leave", "sys.exit(3)")]
)
def test_a_point_that_fails_is_not_tried_again_and_says_what_it_says_in_process(
    mood: str, message: str, driver: Cluster, tmp_path: Path
) -> None:
    plan = plan_of(tmp_path, mood)
    done = Run(plan, tmp_path).by_number
    assert {item.attempts for item in done.values()} == {1}
    failed = done[BAD].result
    assert failed is not None
    assert message in failed.errors[0]
    assert files_in(tmp_path / "chunks") == in_process(plan, tmp_path)


def test_a_cancelled_run_stops_with_what_is_finished(driver: Cluster, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "meet", at=-1)
    finished: list[ChunkCompleted] = []
    RayTasks(None).run(
        plan.experiment, list(enumerate(plan.chunks)), finished.append, lambda: bool(met(tmp_path))
    )
    assert not finished
    for _, pid in met(tmp_path):
        _wait_for_death(pid)


def test_an_error_while_keeping_a_chunk_ends_the_run(driver: Cluster, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "calm")

    def refuse(_done: ChunkCompleted) -> None:
        raise OSError("no space")

    tasks = RayTasks(None)
    with pytest.raises(OSError, match="no space"):
        tasks.run(plan.experiment, list(enumerate(plan.chunks)), refuse, lambda: False)
    assert len(Run(plan, tmp_path, tasks).by_number) == CHUNKS  # nothing of the first run is left in it


def test_a_worker_runs_a_strategy_whose_file_is_gone(driver: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(MOODY.read_text())
    plan = plan_of(tmp_path, "calm", strategy=file)
    assert plan.keys  # from here on the study is that of the file as it was
    file.write_text("raise RuntimeError('edited while the study starts')")
    file.unlink()
    Run(plan, tmp_path)
    assert files_in(tmp_path / "chunks") == in_process(plan, tmp_path)


WHERE = '''from dataclasses import dataclass
from pathlib import Path
from gpt_trader import Strategy, param

@dataclass(frozen=True)
class Where(Strategy):
    """Fails with the name of the mapping in which its bars lie."""
    x: int = param(0)

    def features(self, bars):
        address = bars.panel.ctypes.data
        for line in Path("/proc/self/maps").read_text().splitlines():
            first, last = (int(part, 16) for part in line.split()[0].split("-"))
            if first <= address < last:
                raise ValueError(f"writeable {bars.panel.flags.writeable} in {line.split()[-2:]}")

    def decide(self, now):
        return 0.0
'''


def test_workers_read_the_bars_where_they_lie_in_shared_memory(driver: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "where.py"
    file.write_text(WHERE)
    experiment = Experiment(load_strategy(str(file)), BARS, SETTINGS)
    chunks = [(n, Chunk(("x",), ((n,),))) for n in range(4)]
    done: list[ChunkCompleted] = []
    RayTasks(None).run(experiment, chunks, done.append, lambda: False)
    for item in done:
        assert item.result is not None
        assert "writeable False" in item.result.errors[0]
        assert "plasma" in item.result.errors[0]


def test_a_worker_with_another_engine_ends_the_study(driver: Cluster, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "calm")
    with pytest.raises(
        ClusterError, match=r"has another GPT-Trader .*; install the same version on every node"
    ):
        Run(plan, tmp_path, RayTasks(None, engine="of another version"))


def test_a_head_that_is_silent_three_times_ends_the_run(driver: Cluster, tmp_path: Path) -> None:
    plan, asked = plan_of(tmp_path, "meet", at=-1), list[bool]()

    def answers() -> bool:
        asked.append(len(asked) in (0, 3))  # once more in between: it has to be three in a row
        return asked[-1]

    tasks = RayTasks(None, 1e12, clock=lambda: 1000 * time.monotonic(), head_answers=answers)
    with pytest.raises(ClusterError, match="the head of the cluster no longer answers"):
        Run(plan, tmp_path, tasks)
    assert asked == [True, False, False, True, False, False, False]
    (tmp_path / "go").touch()
