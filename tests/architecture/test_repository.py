"""The repository as a stranger finds it: no address of one machine, a lock without registries, files of one room."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONGEST_FILE = 400
LONGEST_TEST_FILE = 800
# A home folder, a workplace mount or a developer's temporary folder, written out.
MACHINE_PATH = re.compile(
    r"(?<![\w.<])/(?:home/(?!user\b|you\b)\w+|Users/(?!you\b)\w+|root/|work/|workspace/|mnt/\w+/|opt/wheels)"
)
TEXT = {
    ".py",
    ".md",
    ".toml",
    ".txt",
    ".lock",
    ".in",
    ".cfg",
    ".yaml",
    ".yml",
    ".ini",
    ".mako",
    ".html",
    ".css",
    ".js",
    "",
}


def _tracked() -> list[Path]:
    """Files that git knows or would add; outside a checkout (an unpacked sdist) there is nothing to judge."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listing.returncode != 0:
        pytest.skip("not a git checkout")
    return [path for name in listing.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]


def _texts() -> list[tuple[Path, str]]:
    return [
        (path, path.read_text(encoding="utf-8"))
        for path in _tracked()
        if path.suffix in TEXT and path.stat().st_size < 2_000_000
    ]


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-bootstrap.txt"])
def test_a_lock_holds_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert "--index-url" not in text
    assert "--find-links" not in text
    pins = re.findall(r"^[A-Za-z0-9][\w.\-]*(?:\[[\w,]+\])?==", text, re.MULTILINE)
    assert pins
    assert text.count("--hash=sha256:") >= len(pins)


def test_no_lock_that_records_registries_is_kept() -> None:
    assert not [
        path.name
        for path in _tracked()
        if path.name in {"uv.lock", "pylock.toml", "poetry.lock", "Pipfile.lock"}
    ]


def test_every_runtime_dependency_is_locked() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.match(r"[A-Za-z0-9_.\-]+", line).group().lower() for line in wanted}  # type: ignore[union-attr]
    locked = {
        name.lower() for name in re.findall(r"^([A-Za-z0-9][\w.\-]*)(?:\[[\w,]+\])?==", _lock(), re.MULTILINE)
    }
    assert names <= locked


NOT_IMPORTED_BY_US = {"websockets": "a bound for alpaca-py"}


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    import tomllib
    from importlib.metadata import packages_distributions

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {
        re.match(r"[A-Za-z0-9_.\-]+", line).group().lower()  # type: ignore[union-attr]
        for line in project["dependencies"]
    }
    sources = packages_distributions()
    packages = {"gpt_trader", "jobs", "actors", "serve"}
    imported = {
        module.partition(".")[0]
        for path, text in _texts()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in packages
        for module in _imports(text)
    } - packages
    found = {name.lower().replace("_", "-") for module in imported for name in sources.get(module, ())}
    assert found - declared == set()
    assert declared - found == set(NOT_IMPORTED_BY_US)


def _imports(text: str) -> list[str]:
    """The modules that a source imports, wherever in it; `import_module` with a literal name as well."""
    import ast

    names = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += [item.name for item in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
        elif (
            isinstance(node, ast.Call)
            and getattr(node.func, "id", getattr(node.func, "attr", "")) == "import_module"
            and isinstance(node.args[0], ast.Constant)
        ):
            names.append(node.args[0].value)
    return names


def _lock() -> str:
    return (ROOT / "requirements.lock").read_text()


def test_no_file_names_a_folder_of_one_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path, text in _texts()
        for number, line in enumerate(text.splitlines(), 1)
        if MACHINE_PATH.search(line)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "line", ["open('~home/anna/x')", "cd ~root/x", "path = ~work/main", "C = '~Users/bob/d'"]
)
def test_the_rule_for_machine_paths_finds(line: str) -> None:
    assert not MACHINE_PATH.search(line)
    assert MACHINE_PATH.search(line.replace("~", "/"))


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    long = [
        f"{path.relative_to(ROOT)}: {lines}"
        for path, text in _texts()
        if path.suffix == ".py"
        and (lines := text.count("\n")) > (LONGEST_TEST_FILE if "tests" in path.parts else LONGEST_FILE)
    ]
    assert not long, "\n".join(long)


def test_every_module_opens_with_what_it_owns() -> None:
    opening = re.compile(r'(?:#[^\n]*\n|\s)*"""')
    silent = [
        str(path.relative_to(ROOT))
        for path, text in _texts()
        if path.suffix == ".py" and text.strip() and not opening.match(text)
    ]
    assert not silent, "\n".join(silent)


def test_no_module_hides_one_of_the_standard_library() -> None:
    hidden = {"types.py", "logging.py", "queue.py"}
    assert not [str(path) for path in _tracked() if path.name in hidden]
