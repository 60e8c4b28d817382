"""`cluster.yaml` is what the installed Ray takes, and starts nothing without a token."""

from __future__ import annotations

import json
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
CLUSTER: dict[str, Any] = yaml.safe_load((ROOT / "cluster.yaml").read_text())
SCHEMA = json.loads(Path(str(distribution("ray").locate_file("ray/autoscaler/ray-schema.json"))).read_text())
STARTS = [
    line
    for part in ("head_start_ray_commands", "worker_start_ray_commands")
    for line in CLUSTER[part]
    if "ray start" in line
]


def test_ray_takes_the_file() -> None:
    jsonschema.validate(CLUSTER, SCHEMA)


def test_a_field_that_ray_does_not_know_would_be_seen() -> None:
    with pytest.raises(jsonschema.ValidationError, match="head_node_typ"):
        jsonschema.validate({**CLUSTER, "head_node_typ": "x"}, SCHEMA)


def test_a_local_provider_names_its_machines() -> None:
    provider = CLUSTER["provider"]
    assert provider["type"] == "local"
    assert len({provider["head_ip"], *provider["worker_ips"]}) == 1 + len(provider["worker_ips"])


@pytest.mark.parametrize("line", STARTS, ids=["head", "worker"])
def test_every_node_asks_for_the_token_and_has_a_bounded_store(line: str) -> None:
    assert "RAY_AUTH_MODE=token" in line
    assert "RAY_AUTH_TOKEN_PATH=~/.ray/auth_token" in line
    assert "--object-store-memory=" in line
    assert "~/.ray/auth_token" in CLUSTER["file_mounts"]


def test_the_dashboard_listens_to_the_head_alone() -> None:
    assert "--dashboard-host=127.0.0.1" in STARTS[0]
    assert all("0.0.0.0" not in line for line in STARTS)  # noqa: S104
