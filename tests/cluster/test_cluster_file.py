"""cluster.yaml as the installed Ray reads it, and what goes along with a job from this folder."""

from __future__ import annotations

import re
import shlex
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.ray


def config() -> dict[str, Any]:
    import yaml

    found: dict[str, Any] = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    return found


def test_the_installed_ray_accepts_every_field() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared = prepare_config(config())
    validate_config(prepared)
    assert prepared["head_node_type"] in prepared["available_node_types"]
    assert prepared["max_workers"] == len(config()["provider"]["worker_ips"]) == 2


def test_the_check_sees_a_field_that_is_none() -> None:
    import jsonschema
    from ray.autoscaler._private.util import prepare_config, validate_config

    with pytest.raises(jsonschema.ValidationError, match="'head_commands' was unexpected"):
        validate_config(prepare_config(config() | {"head_commands": []}))


def starts() -> list[list[str]]:
    """The words of each `ray start` of the file."""
    lines = [line for name in ("head", "worker") for line in config()[f"{name}_start_ray_commands"]]
    return [shlex.split(line) for line in lines if "ray start" in line]


def test_every_option_of_a_start_is_one_of_the_installed_ray() -> None:
    from ray.scripts.scripts import start

    known = {flag for item in start.params for flag in (*item.opts, *item.secondary_opts)}
    assert len(starts()) == 2
    for words in starts():
        used = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert used <= known


def test_nothing_starts_without_a_token_and_the_dashboard_stays_on_the_head() -> None:
    for words in starts():
        assert words[:5] == ["test", "-s", "~/.ray/auth_token", "&&", "RAY_AUTH_MODE=token"]
        assert "--object-store-memory=1000000000" in words
    assert "--dashboard-host=127.0.0.1" in starts()[0]
    assert "--env RAY_AUTH_MODE=token" in config()["docker"]["run_options"]
    assert config()["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"
    assert "chmod 600 ~/.ray/auth_token" in config()["setup_commands"]


def test_every_port_is_fixed_and_none_is_given_twice() -> None:
    for words in starts():
        ports = [int(word.partition("=")[2]) for word in words if re.match(r"--.*port=\d+$", word)]
        low, high = ports[-2:]
        assert len(set(ports)) == len(ports) >= 8
        assert not [port for port in ports[:-2] if low <= port <= high]
    head, worker = starts()
    given = {word for word in head if "port=" in word}
    assert {word for word in worker if "port=" in word} <= given


def test_the_image_has_the_ray_of_the_lock() -> None:
    (pinned,) = re.findall(
        r"^ray(?:\[[\w,]+\])?==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE
    )
    assert config()["docker"]["image"] == f"rayproject/ray:{pinned}-py311-cpu"


def test_a_job_takes_the_code_and_the_demo_data_and_little_else(tmp_path: Path) -> None:
    from ray._private.runtime_env.packaging import create_package

    target = tmp_path / "package.zip"
    create_package(str(ROOT), target, include_gitignore=True, logger=None)
    names = {name for name in zipfile.ZipFile(target).namelist() if not name.endswith("/")}
    assert {"jobs/sweep.py", "gpt_trader/data/demo.parquet", "pyproject.toml"} <= names
    folders = {name.partition("/")[0] for name in names if "/" in name}
    assert folders <= {"actors", "examples", "gpt_trader", "jobs", "serve"}
    assert target.stat().st_size < 20 * 2**20
