"""The configuration: what wins over what, where a value is from, and what a wrong one is told."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from gpt_trader.adapters.configuration import Configuration, default_toml, load
from gpt_trader.adapters.configuration_sections import PREFIX, DataSettings, known_keys
from gpt_trader.allocation import Allocation
from gpt_trader.costs import Costs, FillModel
from gpt_trader.errors import UnknownName, UserError
from gpt_trader.risk import LIMITS, RiskLimits

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of a test is empty, so that no file of the developer's is found."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(text: str, name: str = "gpt-trader.toml", mode: int = 0o644) -> Path:
    path = Path(name)
    path.write_text(text)
    path.chmod(mode)
    return path


def shown(configuration: Configuration) -> dict[str, tuple[str, str]]:
    return {setting.key: (setting.value, setting.origin) for setting in configuration.show()}


# -- layers ------------------------------------------------------------------------------------------------------


def test_without_anything_every_value_is_the_engines_own_default() -> None:
    configuration = load(environment={"PATH": "/bin", "HOME": "/root"})
    assert configuration == Configuration()
    assert configuration.costs == Costs()
    assert configuration.allocation == Allocation()
    assert configuration.fills == FillModel()
    assert configuration.risk.limits is None
    assert configuration.backtest.capital == 100_000.0
    assert configuration.data == DataSettings("demo", (), Path(".gpt-trader/cache"), "strict")
    assert configuration.store.url == "sqlite:///.gpt-trader/store.sqlite"
    assert configuration.runs_dir == Path("runs")
    assert {origin for _, origin in shown(configuration).values()} == {"default"}


def test_flag_wins_over_environment_over_file_over_default() -> None:
    path = write(
        "runs_dir = 'f'\n[backtest]\ncapital = 1000\nseed = 1\n[costs]\nbps = 1.0\n[data]\nsource = 'csv'\n"
    )
    environment = {
        "GPT_TRADER_BACKTEST__CAPITAL": "2000",
        "GPT_TRADER_COSTS__BPS": "2",
        "gpt_trader_costs__borrow": "0",
    }
    flags = {"costs.bps": 3.0, "data.quality": "repair", "backtest.seed": None}
    configuration = load(environment=environment, flags=flags)
    assert configuration.file == path
    values = shown(configuration)
    assert values["runs_dir"] == ("f", "gpt-trader.toml")
    assert values["data.source"] == ("csv", "gpt-trader.toml")
    assert values["backtest.seed"] == ("1", "gpt-trader.toml")
    assert values["backtest.capital"] == ("2000.0", "GPT_TRADER_BACKTEST__CAPITAL")
    assert values["costs.borrow"] == ("0.0", "gpt_trader_costs__borrow")
    assert values["costs.bps"] == ("3.0", "flag")
    assert values["data.quality"] == ("repair", "flag")
    assert values["costs.minimum"] == ("0.0", "default")
    assert configuration.costs == Costs(bps=3.0, borrow=0.0)


def _at_most_one(key: str) -> bool:
    """Whether a limit is refused above 1."""
    row = LIMITS.get(key.removeprefix("risk."))
    return row is not None and row.high == 1


@pytest.mark.parametrize("key", [key for key in known_keys() if not key.startswith("secrets.")])
def test_every_setting_can_be_set_in_the_file_and_in_the_environment(key: str) -> None:
    """Each key with a value of its own that is not the default; it arrives typed, and says where it is from."""
    values: dict[str, Any] = {
        "runs_dir": "elsewhere", "data.source": "yahoo", "data.failover": "csv,demo", "data.cache_dir": "there",
        "data.quality": "repair", "store.url": "sqlite:///other.db", "allocation.sizing": "risk",
        "allocation.cadence": "week", "allocation.rebalance": "bar", "allocation.reentry": "immediate",
        "allocation.regime": "SPY", "risk.on_drawdown": "flatten", "risk.profile": "aggressive",
    }  # fmt: skip
    default = shown(Configuration(risk=load(environment={}, flags={"risk.gross": 0.95}).risk))[key][0]
    value = values.get(key)
    if value is None:
        share = "." in default or _at_most_one(key)
        value = {"True": False, "False": True}.get(default, 0.01 if share else 7)
    name = f"{PREFIX}{key.replace('.', '__').upper()}"
    by_environment = load(environment={name: str(value)})
    assert shown(by_environment)[key][1] == name
    assert shown(by_environment)[key][0] != default
    section, dot, item = key.partition(".")
    toml = f'"{value}"' if isinstance(value, str) else str(value).lower()
    path = write(f"[{section}]\n{item} = {toml}\n" if dot else f"{key} = {toml}\n")
    by_file = load(path, environment={})
    assert shown(by_file)[key] == (shown(by_environment)[key][0], str(path))
    assert replace(by_file, origins={}, file=None) == replace(by_environment, origins={})
    assert load(environment={}, flags={key: value if key != "data.failover" else ("csv", "demo")}) is not None


def test_the_file_is_the_one_named_else_the_one_in_the_folder() -> None:
    write("[backtest]\nseed = 1")
    write("[backtest]\nseed = 2", "two.toml")
    write("[backtest]\nseed = 3", "three.toml")
    assert load(environment={}).backtest.seed == 1
    assert load(environment={"GPT_TRADER_CONFIG": "two.toml"}).backtest.seed == 2
    assert load(Path("three.toml"), environment={"GPT_TRADER_CONFIG": "two.toml"}).backtest.seed == 3
    with pytest.raises(
        UserError, match=r"configuration file nope.toml does not exist; write one with: gpt-trader init"
    ):
        load(environment={"GPT_TRADER_CONFIG": "nope.toml"})


def test_an_empty_variable_counts_as_absent() -> None:
    assert load(environment={"GPT_TRADER_BACKTEST__CAPITAL": ""}) == Configuration()


def test_words_for_none_and_several() -> None:
    configuration = load(
        environment={"GPT_TRADER_FILLS__VOLUME_CAP": "None", "GPT_TRADER_DATA__FAILOVER": " yahoo, csv ,"}
    )
    assert configuration.fills.volume_cap is None
    assert configuration.data.failover == ("yahoo", "csv")
    write("[data]\nfailover = ['alpaca']\n[fills]\nvolume_cap = 'none'")
    assert load(environment={}).data.failover == ("alpaca",)
    assert load(environment={}).fills.volume_cap is None


def test_single_limits_change_a_profile() -> None:
    limits = load(
        environment={"GPT_TRADER_RISK__PROFILE": "aggressive", "GPT_TRADER_RISK__GROSS": "1.2"}
    ).risk.limits
    assert limits == replace(RiskLimits.profile("aggressive"), gross=1.2)
    assert load(environment={"GPT_TRADER_RISK__PROFILE": "moderate"}).risk.limits == RiskLimits()
    custom = load(environment={"GPT_TRADER_RISK__DRAWDOWN": "none"}).risk
    assert custom.profile == "custom"
    assert custom.limits == RiskLimits.profile("custom")
    with pytest.raises(UserError, match=r"risk.profile is none, so gross would limit nothing; use custom"):
        load(environment={"GPT_TRADER_RISK__PROFILE": "none", "GPT_TRADER_RISK__GROSS": "1"})


def test_the_written_file_says_the_defaults() -> None:
    path = write(default_toml())
    assert replace(load(path, environment={}), file=None) == Configuration()
    lines = default_toml().splitlines()
    keys = {line.removeprefix("# ").partition(" = ")[0] for line in lines if " = " in line}
    assert keys == {key.rpartition(".")[2] for key in known_keys()}
    live = [line.removeprefix("# ") if " = " in line and "profile" not in line else line for line in lines]
    configuration = load(write("\n".join(live), mode=0o600), environment={})
    assert configuration.costs == Costs()
    assert configuration.allocation == Allocation()
    assert configuration.fills == FillModel()
    assert configuration.risk.limits == RiskLimits()
    assert set(configuration.origins) == set(known_keys()) - {"risk.profile"}


# -- wrong ones --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"GPT_TRADER_BACKTEST__CAPTIAL": "5"}, "CAPTIAL: 'backtest.captial'. Did you mean 'backtest.capital'?"),
        ({"GPT_TRADER_RUNS_DIRR": "x"}, "Did you mean 'runs_dir'?"),
        ({"GPT_TRADER_ALOCATION__GROSS": "1"}, "Did you mean 'allocation.gross'?"),
        ({"GPT_TRADER_ZZZ": "1"}, "unknown setting in GPT_TRADER_ZZZ: 'zzz'"),
        ({"GPT_TRADER_BACKTEST": '{"capital": 5}'}, "unknown setting in GPT_TRADER_BACKTEST: 'backtest'"),
        ({"GPT_TRADER_BACKTEST__CAPITAL__X": "5"}, "Did you mean 'backtest.capital'?"),
    ],
)  # fmt: skip
def test_an_unknown_key_is_refused_with_the_nearest(environment: dict[str, str], message: str) -> None:
    with pytest.raises(UnknownName) as caught:
        load(environment=environment)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[backtset]\ncapital = 1", "'backtset.capital'. Did you mean 'backtest.capital'?"),
        ("[costs]\nbsp = 1", "Did you mean 'costs.bps'?"),
        ("data = 5", "unknown setting in gpt-trader.toml: 'data'"),
        ("[backtest.capital]\nx = 1", "Did you mean 'backtest.capital'?"),
        ("[backtest]\ncapital = [1]", "backtest.capital is [1] (set in gpt-trader.toml): input should be a valid number"),
        ("[backtest]\ncapital = ", "gpt-trader.toml cannot be read: Invalid value"),
        ("[backtest]\nseed = 1.5", "backtest.seed is 1.5"),
        ("[backtest]\nbenchmark = 'maybe'", "backtest.benchmark is 'maybe'"),
    ],
)  # fmt: skip
def test_a_wrong_file_says_what_and_where(text: str, message: str) -> None:
    write(text)
    with pytest.raises(UserError) as caught:
        load(environment={})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("BACKTEST__CAPITAL", "-3", "capital is -3.0; it must be a positive amount of cash"),
        ("BACKTEST__CAPITAL", "inf", "finite number"),
        ("BACKTEST__CAPITAL", "much", "unable to parse string as a number"),
        ("BACKTEST__SEED", "-1", "seed is -1"),
        ("COSTS__BPS", "-1", "costs: bps is -1.0"),
        ("COSTS__BPS", "nan", "finite number"),
        ("FILLS__VOLUME_CAP", "2", "volume_cap is 2.0"),
        ("ALLOCATION__CADENCE", "weak", "Did you mean 'week'?"),
        ("ALLOCATION__MAX_POSITIONS", "0", "max_positions is 0"),
        ("RISK__PROFILE", "modest", "Did you mean 'moderate'?"),
        ("RISK__GROSS", "-1", "risk: gross is -1.0"),
        ("DATA__SOURCE", "yaho", "Did you mean 'yahoo'?"),
        ("DATA__FAILOVER", "csv,alpaka", "Did you mean 'alpaca'?"),
        ("DATA__QUALITY", "lax", "Known: repair, strict"),
        ("STORE__URL", "mysql://me:canary@host/db", "expected sqlite:///"),
    ],
)
def test_a_value_out_of_range_is_refused_with_its_origin(key: str, value: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        load(environment={f"{PREFIX}{key}": value})
    assert message in str(caught.value)
    assert f"set in {PREFIX}{key}" in str(caught.value)
    assert "canary" not in str(caught.value)


def test_every_wrong_type_is_told_at_once() -> None:
    write("[backtest]\ncapital = 'much'\nseed = 'x'\n[costs]\nbps = true")
    with pytest.raises(UserError) as caught:
        load(environment={"GPT_TRADER_COSTS__BORROW": "dear"})
    assert len(str(caught.value).splitlines()) == 3
    assert "costs.borrow is 'dear' (set in GPT_TRADER_COSTS__BORROW)" in str(caught.value)


def test_wrong_flags_are_refused_too() -> None:
    with pytest.raises(UnknownName, match=r"'costs.bsp'. Did you mean 'costs.bps'"):
        load(environment={}, flags={"costs.bsp": 1.0})
    with pytest.raises(UserError, match=r"bps is -1.0.*set in flag"):
        load(environment={}, flags={"costs.bps": -1.0})


def test_files_that_cannot_be_read() -> None:
    Path("gpt-trader.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"gpt-trader.toml cannot be read"):
        load(environment={})
    Path("folder").mkdir()
    with pytest.raises(UserError, match="does not exist"):
        load(Path("folder"), environment={})


# -- secrets -----------------------------------------------------------------------------------------------------


def test_a_secret_is_never_shown() -> None:
    environment = {
        "GPT_TRADER_SECRETS__ALPACA_KEY_ID": "canary-id",
        "GPT_TRADER_SECRETS__ALPACA_SECRET_KEY": "canary-secret",
        "GPT_TRADER_STORE__URL": "postgresql://me:canary-password@host/db",
    }
    configuration = load(environment=environment)
    assert configuration.secrets.alpaca_secret_key is not None
    assert configuration.secrets.alpaca_secret_key.get_secret_value() == "canary-secret"
    assert configuration.store.url.endswith("me:canary-password@host/db")
    values = shown(configuration)
    assert values["secrets.alpaca_key_id"] == ("set", "GPT_TRADER_SECRETS__ALPACA_KEY_ID")
    assert values["store.url"][0] == "postgresql://me:***@host/db"
    everything = (
        repr(configuration) + str(configuration) + repr(configuration.show()) + repr(configuration.check())
    )
    assert "canary" not in everything
    assert shown(Configuration())["secrets.alpaca_key_id"] == ("not set", "default")


def test_a_wrong_secret_is_not_in_the_message() -> None:
    write("[secrets]\nalpaca_key_id = ['canary']", mode=0o600)
    with pytest.raises(UserError, match=r"secrets.alpaca_key_id") as caught:
        load(environment={})
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_secrets_in_a_file_that_others_may_read_are_refused() -> None:
    text = "[secrets]\nalpaca_key_id = 'canary'"
    for mode in (0o644, 0o640, 0o604):
        write(text, mode=mode)
        with pytest.raises(
            UserError, match=r"holds secrets.alpaca_key_id and others may read it; run: chmod 600"
        ) as caught:
            load(environment={})
        assert "canary" not in str(caught.value)
    write(text, mode=0o600)
    assert load(environment={}).secrets.alpaca_key_id is not None


# -- check -------------------------------------------------------------------------------------------------------


def test_check_finds_nothing_on_a_usable_folder() -> None:
    assert Configuration().check() == ()
    assert not Path(".gpt-trader").exists(), "looking makes nothing"


def test_check_names_what_will_not_work() -> None:
    Path("file").write_text("")
    configuration = load(
        environment={
            "GPT_TRADER_RUNS_DIR": "file/runs",
            "GPT_TRADER_DATA__CACHE_DIR": "file",
            "GPT_TRADER_STORE__URL": "sqlite:///file/store.sqlite",
            "GPT_TRADER_DATA__SOURCE": "alpaca",
            "GPT_TRADER_SECRETS__ALPACA_KEY_ID": "only one of two",
        }
    )
    problems = configuration.check()
    assert [problem.partition(":")[0].partition(" ")[0] for problem in problems] == [
        "data.cache_dir", "runs_dir", "store.url", "data.source",
    ]  # fmt: skip
    assert "GPT_TRADER_SECRETS__ALPACA_SECRET_KEY" in problems[-1]
    both = {"GPT_TRADER_SECRETS__ALPACA_KEY_ID": "a", "GPT_TRADER_SECRETS__ALPACA_SECRET_KEY": "b"}
    assert load(environment=both | {"GPT_TRADER_DATA__FAILOVER": "alpaca"}).check() == ()
    assert len(load(environment={"GPT_TRADER_DATA__FAILOVER": "alpaca"}).check()) == 1


def test_a_read_only_store_needs_no_writable_folder() -> None:
    Path("file").write_text("")
    assert load(environment={"GPT_TRADER_STORE__URL": "sqlite:///file/store.sqlite?mode=ro"}).check() == ()


# -- cost --------------------------------------------------------------------------------------------------------


def test_defaults_and_flags_need_no_pydantic() -> None:
    script = (
        "import sys; from gpt_trader.adapters.configuration import load;"
        "load(environment={}, flags={'backtest.capital': 5.0});"
        "print(sorted({'pydantic', 'pydantic_settings', 'pandas', 'sqlalchemy'} & set(sys.modules)))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    child = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert child.stdout.strip() == "[]"


def test_a_new_field_of_the_engine_is_a_setting_at_once() -> None:
    for section, kind in (
        ("costs", Costs),
        ("allocation", Allocation),
        ("fills", FillModel),
        ("risk", RiskLimits),
    ):
        assert {f"{section}.{item.name}" for item in fields(kind)} <= set(known_keys())
