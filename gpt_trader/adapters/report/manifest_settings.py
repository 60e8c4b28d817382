"""The manifest as the report shows it: every setting in named groups, and where the data came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gpt_trader.adapters.report import labels, texts

SETTING_ROWS = 40
DATA_ROWS = 500
ELSEWHERE = frozenset(
    {"symbols", "sources", "data", "notes", "start", "end"}
)  # of the manifest; they have their own place


class Group(NamedTuple):
    """One block of settings in the assumptions section."""

    title: str
    rows: list[tuple[str, str]]


def settings_table(manifest: Mapping[str, Any]) -> list[Group]:
    """The settings of the manifest: blocks become groups, single values the group "run"; data have their own table."""
    single: list[tuple[str, str]] = []
    groups = []
    for key, value in manifest.items():
        if key in ELSEWHERE:
            continue
        title = key.replace("_", " ")
        if isinstance(value, Mapping) and value:
            rows = [(_label(key, name), _setting(f"{key}.{name}", item)) for name, item in value.items()]
        elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
            rows = [_item(item) for item in value]
        else:
            single.append((labels.ASSUMPTION_LABELS.get(key, title), texts.setting(value)))
            continue
        more = (
            [("and more", f"{len(rows) - SETTING_ROWS:,}, see the manifest")]
            if len(rows) > SETTING_ROWS
            else []
        )
        groups.append(Group(title, rows[:SETTING_ROWS] + more))
    order = {
        name: i for i, name in enumerate(("costs", "fills", "allocation", "exits", "risk", "parameters"))
    }
    groups.sort(key=lambda group: (order.get(group.title, 9), group.title))
    return [*groups, Group("run", single)] if single else groups


def _item(item: Any) -> tuple[str, str]:
    """One block of a list of blocks: its kind or symbol, and the rest."""
    if not isinstance(item, Mapping):
        return "", texts.setting(item)
    name = next((key for key in ("kind", "symbol") if key in item), None)
    rest = {key: value for key, value in item.items() if key != name}
    return str(item[name]) if name else "", texts.setting(rest) if rest else ""


class Series(NamedTuple):
    """Where the data of one symbol came from."""

    symbol: str
    source: str
    fingerprint: str


def data_table(symbols: Sequence[str], manifest: Mapping[str, Any]) -> list[Series]:
    """Source and fingerprint of the first `DATA_ROWS` symbols."""
    sources, prints = manifest.get("sources"), manifest.get("data")
    known = (
        list(sources)
        if isinstance(sources, list | tuple) and len(sources) == len(symbols)
        else [""] * len(symbols)
    )
    hashes = prints if isinstance(prints, Mapping) else {}
    return [
        Series(name, str(known[i]), str(hashes.get(name, ""))) for i, name in enumerate(symbols[:DATA_ROWS])
    ]


def _setting(name: str, value: Any) -> str:
    if name in labels.SHARES and isinstance(value, float | int) and not isinstance(value, bool):
        return texts.percent(float(value), 2).replace(".00", "")
    return texts.setting(value)


def _label(group: str, name: str) -> str:
    return labels.ASSUMPTION_LABELS.get(f"{group}.{name}", name.replace("_", " "))
