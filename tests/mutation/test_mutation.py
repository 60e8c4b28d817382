"""A planted bug must fail a test: every patch of `patches.py` against the truth tests, on an interpreted copy of the package."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.mutation.interpreted import failed, interpreted_copy, run_tests
from tests.mutation.patches import PATCHES, Patch
from tests.mutation.planting import plant

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpatched copy."""
    return interpreted_copy(tmp_path_factory.mktemp("healthy") / "copy")


@pytest.fixture(scope="module")
def known_failures(healthy: Path) -> set[str]:
    """Tests that fail without a planted bug: they prove nothing, and are left out below."""
    done = run_tests(healthy, *sorted({test for patch in PATCHES for test in patch.tests}))
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert " passed" in done.stdout, "the truth tests do not run uncompiled"
    return failed(done.stdout)


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.name.replace(" ", "-"))
def test_a_planted_bug_fails_a_test(
    patch: Patch, healthy: Path, known_failures: set[str], tmp_path: Path
) -> None:
    folder = shutil.copytree(healthy, tmp_path / "copy")
    plant(folder / "gpt_trader" / "engine", patch.function, patch.old, patch.new)
    left_out = [f"--deselect={name}" for name in sorted(known_failures)]
    done = run_tests(folder, "-x", *left_out, *patch.tests)
    assert done.returncode == 1, f"no test noticed: {patch.name}\n{done.stdout[-2000:]}"
    assert failed(done.stdout) - known_failures, done.stdout[-2000:]


def test_every_patch_is_its_own() -> None:
    assert len({patch.name for patch in PATCHES}) == len(PATCHES) >= 8
    assert len({(patch.function, patch.old, patch.new) for patch in PATCHES}) == len(PATCHES)
