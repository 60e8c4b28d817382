"""Universe files: one result whatever the spelling; bad lines are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpt_trader.adapters.universe import normalise_symbol, read_universe
from gpt_trader.errors import BadData, UserError

WANTED = ("AAPL", "BRK.B", "MSFT")


def read(folder: Path, text: str) -> tuple[str, ...]:
    path = folder / "universe.csv"
    path.write_text(text, encoding="utf-8")
    return read_universe(path).symbols


@pytest.mark.parametrize(
    "text",
    [
        "symbol\nAAPL\nBRK.B\nMSFT\n",
        "ticker\naapl\nbrk-b\nmsft\n",
        "Ticker,Name\nAAPL,Apple\nBRK/B,Berkshire\nMSFT,Microsoft\n",
        "name;SYMBOL\nApple;aapl\nBerkshire;brk.b\nMicrosoft;MSFT\n",
        "\ufeffsymbol\r\nAAPL\r\n\r\nBRK.B\r\nMSFT\r\n\r\n",
        "AAPL\nBRK.B\nMSFT\n",
        "# mine\nsymbol\nAAPL\naapl\n BRK-B \nMSFT\nMSFT\n",
        '"symbol","weight"\n"AAPL",1\n"BRK B",2\n"MSFT",3\n',
        "symbol\nAAPL\nBRK.B\nMSFT\n?bad?\n,\n",
    ],
)
def test_every_spelling_gives_the_same_universe(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == WANTED


def test_bad_lines_are_skipped_and_named(tmp_path: Path) -> None:
    path = tmp_path / "universe.csv"
    path.write_text("symbol,name\nAAPL,Apple\n,Nameless\nNOT A SYMBOL,x\nMSFT\n", encoding="utf-8")
    universe = read_universe(path)
    assert universe.symbols == ("AAPL", "MSFT")
    assert [(skip.line, skip.text) for skip in universe.skipped] == [(3, ""), (4, "NOT A SYMBOL")]
    assert all(skip.reason for skip in universe.skipped)


@pytest.mark.parametrize("text", ["", "\n\n", "symbol\n", "symbol\n???\n", "# nothing\n"])
def test_an_empty_universe_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadData, match=r"universe\.csv"):
        read(tmp_path, text)


def test_a_file_without_the_column_or_without_existence(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"column 'symbol' or 'ticker'.*name, weight"):
        read(tmp_path, "name,weight\nApple,1\n")
    with pytest.raises(UserError, match="does not exist"):
        read_universe(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(BadData, match="cannot be read"):
        read_universe(tmp_path / "binary.csv")


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("brk-b", "BRK.B"),
        ("BF/B", "BF.B"),
        (" spy ", "SPY"),
        ("BTC-USD", "BTC-USD"),
        ("eurusd=x", "EURUSD=X"),
        ("^gspc", "^GSPC"),
        ("BAC-PL", "BAC-PL"),
    ],
)
def test_a_single_letter_after_a_dash_is_a_share_class(text: str, symbol: str) -> None:
    assert normalise_symbol(text) == symbol
