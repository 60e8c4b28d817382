"""One cluster of two nodes for all tests of this folder, and this process as its driver."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jobs.executors.local_ray import QUIET, environment, start, stop
from tests.cluster.nodes import Cluster, running_cluster


@pytest.fixture(scope="session")
def two_nodes() -> Iterator[Cluster]:
    """A head and a node, one CPU each."""
    with running_cluster(cpus=1) as cluster:
        cluster.add_node(cpus=1)
        yield cluster


@pytest.fixture(scope="session")
def driver(two_nodes: Cluster) -> Iterator[Cluster]:
    """The cluster, with the test process connected to it."""
    token = {name: two_nodes.environ[name] for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH")}
    with environment({**QUIET, **token}):
        start("the tests cannot join their cluster", address=two_nodes.address)
        try:
            yield two_nodes
        finally:
            stop()
