"""What runs in a worker process of Ray: one chunk after the other, on bars that all workers of a node share."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gpt_trader.bars import Bars
from gpt_trader.engine.run_setup import Settings
from gpt_trader.errors import ClusterError
from gpt_trader.research.chunk import Chunk, ChunkResult, ChunkRunner
from gpt_trader.research.executor import attempt
from gpt_trader.research.experiment import Experiment, engine_hash
from gpt_trader.research.strategy_reference import StrategyReference, reference_of
from gpt_trader.version import __version__


@dataclass(frozen=True, slots=True)
class ExperimentPackage:
    """An experiment as it travels: the class by reference, the bars for the object store, and whose engine it is."""

    key: str
    reference: StrategyReference
    bars: Bars
    settings: Settings
    engine: str
    version: str

    @classmethod
    def of(cls, experiment: Experiment, engine: str | None = None) -> ExperimentPackage:
        """`engine` is the hash of the engine that workers must have; None for that of this process.

        Raises StrategyError for a class that other processes cannot load.
        """
        reference = reference_of(experiment.strategy)
        engine = engine or engine_hash()
        return cls(experiment.key, reference, experiment.bars, experiment.settings, engine, __version__)

    def unpacked(self) -> Experiment:
        """The experiment in this process. Raises ClusterError when another version of the engine is installed here."""
        from gpt_trader.adapters.strategy_files import class_of

        if engine_hash() != self.engine:
            raise ClusterError(
                f"worker {where_am_i()} has another GPT-Trader ({__version__}, the study's is {self.version}, or its files "
                "differ); install the same version on every node"
            )
        return Experiment(class_of(self.reference), self.bars, self.settings)


_runners: dict[str, ChunkRunner] = {}


def run_chunk(key: str, package: Sequence[Any], chunk: Chunk) -> Iterator[Any]:
    """Yield where this is when the chunk begins, then its result and error (one of them None), and how many seconds it took.

    `package` is a list of one reference, so that Ray hands over the reference and not the bars: they are looked up once for
    all chunks of an experiment.
    """
    yield where_am_i()
    yield _run(key, package, chunk)


def _run(key: str, package: Sequence[Any], chunk: Chunk) -> tuple[ChunkResult | None, str | None, float]:
    if key not in _runners:
        import ray

        _use_one_thread()
        _runners.clear()
        _runners[key] = ChunkRunner(ray.get(package[0]).unpacked())
    began = time.monotonic()
    result, error = attempt(_runners[key], chunk)
    return result, error, time.monotonic() - began


def _use_one_thread() -> None:
    """Workers fill the cores already; a pool of threads in each would make them wait for each other."""
    import numba
    import pyarrow as pa

    from gpt_trader.batch_workers import THREADS

    os.environ[THREADS] = "1"
    numba.set_num_threads(1)
    pa.set_cpu_count(1)


def where_am_i() -> str:
    """This process in words: `12345 on node-3`."""
    return f"{os.getpid()} on {socket.gethostname()}"
