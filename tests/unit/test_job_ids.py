"""The submission ids of a study: one of its own for each time that it is handed over."""

from __future__ import annotations

import pytest

from jobs.executors.ray_jobs import _is_of, job_id


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ([], "gpt-trader-ab12"),
        (["gpt-trader-ab12"], "gpt-trader-ab12-2"),
        (["gpt-trader-ab12", "gpt-trader-ab12-2", "gpt-trader-ab12-4"], "gpt-trader-ab12-3"),
        (["gpt-trader-ab", "gpt-trader-ab123", "by-hand"], "gpt-trader-ab12"),
    ],
)
def test_an_id_is_not_used_twice(known: list[str], expected: str) -> None:
    assert job_id("ab12", known) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpt-trader-ab12", True),
        ("gpt-trader-ab12-2", True),
        ("gpt-trader-ab12-13", True),
        ("gpt-trader-ab123", False),
        ("gpt-trader-ab", False),
        ("gpt-trader-ab12-mine", False),
        ("ab12", False),
        ("by-hand", False),
    ],
)
def test_the_ids_of_a_study_are_known(name: str, expected: bool) -> None:
    assert _is_of(name, "ab12") is expected
