"""`config` and `init`: answers become a file that is accepted, keys are never shown, wrong settings are named."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.e2e.command import cli, one_message

FILE = Path("gpt-trader.toml")


def test_config_show_lists_every_setting_and_its_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    FILE.write_text("[costs]\nbps = 7\n")
    monkeypatch.setenv("GPT_TRADER_BACKTEST__CAPITAL", "5000")
    done = cli("config", "show", "--json")
    assert done.code == 0
    settings = done.json["settings"]
    assert settings["costs.bps"]["value"] == "7.0"
    assert "gpt-trader.toml" in settings["costs.bps"]["origin"]
    assert settings["backtest.capital"]["value"] == "5000.0"
    assert "GPT_TRADER_BACKTEST__CAPITAL" in settings["backtest.capital"]["origin"]
    assert settings["costs.impact"]["origin"] == "default"
    table = cli("config", "show").out
    assert "costs.bps" in table
    assert "default" in table


def test_config_check_accepts_the_defaults() -> None:
    done = cli("config", "check")
    assert (done.code, done.err) == (0, "")
    assert "valid" in done.out
    assert cli("config", "check", "--json").json == {"file": None, "ok": True, "problems": []}


def test_config_check_fails_on_what_cannot_work_here() -> None:
    Path("blocked").write_text("a file where a folder is wanted")
    FILE.write_text('runs_dir = "blocked/runs"\n')
    done = cli("config", "check")
    assert done.code == 1
    assert "runs_dir" in done.out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[cost]\nbps = 7\n", ["cost", "costs"]),
        ("[costs]\nbpz = 7\n", ["bpz", "bps"]),
        ('[costs]\nbps = "many"\n', ["bps"]),
        ("[costs]\nbps = -1\n", ["bps"]),
        ("[costs\n", ["gpt-trader.toml"]),
    ],
)
def test_a_wrong_setting_is_named(text: str, words: list[str]) -> None:
    FILE.write_text(text)
    message = one_message(cli("config", "show"), 2)
    assert all(word in message for word in words), message


def test_a_missing_configuration_file_is_named() -> None:
    message = one_message(cli("config", "show", "--config", "nowhere.toml"), 2)
    assert "nowhere.toml" in message


def test_init_writes_what_was_answered_and_config_check_accepts_it() -> None:
    done = cli("init", "--skip-api", stdin="csv\n25000\n2.5\nmoderate\n")
    assert done.code == 0
    settings = cli("config", "show", "--json").json["settings"]
    assert settings["data.source"]["value"] == "csv"
    assert settings["backtest.capital"]["value"] == "25000.0"
    assert settings["costs.bps"]["value"] == "2.5"
    assert settings["risk.profile"]["value"] == "moderate"
    assert cli("config", "check").code == 0


def test_init_takes_the_default_for_an_empty_answer_and_at_the_end_of_input() -> None:
    assert cli("init", "--skip-api", stdin="\n").code == 0
    settings = cli("config", "show", "--json").json["settings"]
    assert settings["data.source"]["value"] == "demo"
    assert settings["backtest.capital"]["value"] == "100000.0"


def test_init_never_shows_a_key_and_keeps_the_file_private() -> None:
    key, secret = "PKTESTKEY0123456789", "s3cr3t-of-the-test"
    done = cli("init", stdin=f"alpaca\n\n\n\n{key}\n{secret}\n")
    assert done.code == 0
    assert FILE.read_text().count(key) == 1
    assert stat.S_IMODE(FILE.stat().st_mode) == 0o600
    shown = cli("config", "show")
    checked = cli("config", "check")
    assert checked.code == 0
    for text in (done.out, done.err, shown.out, shown.err, checked.out):
        assert key not in text
        assert secret not in text
    assert cli("config", "show", "--json").json["settings"]["secrets.alpaca_key_id"]["value"] == "set"


def test_init_refuses_a_wrong_answer_and_writes_nothing() -> None:
    message = one_message_after_questions(cli("init", "--skip-api", stdin="demoo\n"))
    assert "demoo" in message
    assert "Did you mean 'demo'" in message
    assert "not a positive number" in one_message_after_questions(
        cli("init", "--skip-api", stdin="demo\n0\n")
    )
    assert list(Path().iterdir()) == []


def one_message_after_questions(done: object) -> str:
    """The error behind the questions, which go to standard error as well."""
    assert done.code == 2  # type: ignore[attr-defined]
    errors = [line for line in done.err.splitlines() if line.startswith("error: ")]  # type: ignore[attr-defined]
    assert len(errors) == 1
    return errors[0]


def test_init_keeps_a_file_that_is_there_unless_forced() -> None:
    FILE.write_text("[costs]\nbps = 9\n")
    assert "--force" in one_message(cli("init", "--yes"), 2)
    assert FILE.read_text() == "[costs]\nbps = 9\n"
    assert cli("init", "--yes", "--force").code == 0
    assert cli("config", "show", "--json").json["settings"]["costs.bps"]["origin"] == "default"


def test_init_makes_the_folder() -> None:
    done = cli("init", "desk/one", "--yes", "--json")
    assert done.json == {"file": "desk/one/gpt-trader.toml", "settings": []}
    assert Path("desk/one/gpt-trader.toml").is_file()
