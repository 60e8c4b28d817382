"""Hands a study over to a Ray cluster as a job, asks how the job is, and stops it."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gpt_trader.errors import ClusterError, UserError, first_line
from jobs.executors.cluster import TOKEN_PLACES, check_reachable, has_token
from jobs.executors.local_ray import QUIET, diverted, environment

# Left out of the folder that travels with a job, besides what .gitignore and .rayignore name.
NOT_SENT = [".git", ".venv", "venv", "runs", "reports", ".gpt-trader", "**/__pycache__"]


def job_id(study_id: str, known: Collection[str]) -> str:
    """A submission id for a study that is not `known`: `gpt-trader-STUDY`, then `gpt-trader-STUDY-2` and so on.

    An id is not used twice: Ray names an actor after it, which may outlive its job for seconds and keep the next from starting.
    """
    name = f"gpt-trader-{study_id}"
    numbered = (f"{name}-{number}" for number in count(2))
    return next(each for each in chain((name,), numbered) if each not in known)


def submit(address: str, study_id: str, arguments: Sequence[str], directory: Path) -> str:
    """Submit `gpt-trader ARGUMENTS` with the files of `directory` as a job to the dashboard at `address`; its submission id.

    Raises UserError when the study runs there already, ClusterError when the cluster does not take it.
    """
    with environment(_settings()), diverted():
        client = _client(address)
        try:
            known = {job.submission_id: job.status for job in client.list_jobs() if job.submission_id}
            for name, status in known.items():
                if _is_of(name, study_id) and not status.is_terminal():
                    raise UserError(f"study {study_id} runs at {address} already, as job {name}")
            name = client.submit_job(
                entrypoint=f"python -m jobs.cli {shlex.join(arguments)}",
                submission_id=job_id(study_id, known),
                runtime_env={"working_dir": str(directory), "excludes": NOT_SENT},
            )
            job = client.get_job_info(name)
        except (RuntimeError, OSError, ValueError) as error:
            raise ClusterError(
                f"the cluster at {address} did not take the study: {first_line(error)}"
            ) from error
    if job.status.value == "FAILED":  # Ray gives an id also to a job that it could not start
        raise ClusterError(
            f"the cluster at {address} could not start job {name}: {first_line(job.message or '')}"
        )
    return str(name)


def _is_of(name: str, study_id: str) -> bool:
    """Whether a submission id is one of a study's."""
    whole, _, number = name.removeprefix("gpt-trader-").partition("-")
    return name.startswith("gpt-trader-") and whole == study_id and (not number or number.isdigit())


def stop_job(address: str, name: str) -> bool:
    """Stop a job; False when it had ended. Raises ClusterError when the cluster does not answer."""
    with environment(_settings()):
        client = _client(address)
        try:
            return bool(client.stop_job(name))
        except (RuntimeError, OSError) as error:
            raise ClusterError(
                f"the cluster at {address} did not stop {name}: {first_line(error)}"
            ) from error


def _settings() -> dict[str, str]:
    return {**QUIET, **({"RAY_AUTH_MODE": "token"} if has_token() else {})}


def _client(address: str) -> Any:
    """A client of the dashboard that has answered and taken our token."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(f"--submit {address!r} is no address of a dashboard; write http://HOST:8265")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    check_reachable(parts.hostname, port, address, "dashboard (8265")
    from ray.exceptions import AuthenticationError
    from ray.job_submission import JobSubmissionClient

    try:
        with diverted():
            return JobSubmissionClient(address)
    except AuthenticationError:
        told = "refuses the token in" if has_token() else "wants a token, and there is none in"
        raise ClusterError(f"the cluster at {address} {told} {TOKEN_PLACES}") from None
    except (RuntimeError, OSError, ValueError) as error:
        raise ClusterError(f"no Ray dashboard answers at {address}: {first_line(error)}") from None
