"""The chain of a journal and the ids of orders, without a database."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_trader.errors import BadParameter
from gpt_trader.session.journal import (
    Entry,
    JournalBroken,
    JournalRow,
    check_chain,
    first_hash,
    next_row,
)
from gpt_trader.session.order_ids import DecisionKey, client_order_id, is_ours

UID = "0123456789abcdef"
TEXT = st.text(max_size=12)
ENTRIES = st.lists(
    st.builds(
        Entry,
        st.text(min_size=1, max_size=8),
        st.text(min_size=1, max_size=8),
        st.dictionaries(TEXT, st.one_of(st.integers(), TEXT, st.none(), st.lists(st.integers(), max_size=3)), max_size=3),
        st.binary(max_size=20),
    ),
    min_size=1,
    max_size=12,
)  # fmt: skip


def chain(entries: list[Entry], uid: str = UID) -> list[JournalRow]:
    rows: list[JournalRow] = []
    before = first_hash(uid)
    for seq, entry in enumerate(entries, 1):
        rows.append(next_row(before, seq, 1 + seq // 5, 1_000 * seq, entry))
        before = rows[-1].hash
    return rows


@given(ENTRIES)
def test_a_chain_is_what_was_written(entries: list[Entry]) -> None:
    rows = chain(entries)
    assert check_chain(rows, first_hash(UID)) == (len(entries), rows[-1].hash)
    assert [row.body for row in rows] == [dict(entry.body) for entry in entries]
    middle = len(rows) // 2
    at = rows[middle - 1].hash if middle else first_hash(UID)
    assert check_chain(rows[middle:], at, middle) == (len(entries), rows[-1].hash)


@given(ENTRIES, st.data())
def test_no_change_of_a_row_passes(entries: list[Entry], data: st.DataObject) -> None:
    rows = chain(entries)
    place = data.draw(st.integers(0, len(rows) - 1))
    name = data.draw(st.sampled_from([item.name for item in fields(JournalRow)]))
    was: Any = getattr(rows[place], name)
    now = was + 1 if isinstance(was, int) else was + ("x" if isinstance(was, str) else b"x")
    rows[place] = replace(rows[place], **{name: now})
    with pytest.raises(
        JournalBroken, match=f"row {rows[place].seq if name == 'seq' else place + 1}|row {place + 2}"
    ):
        check_chain(rows, first_hash(UID))


@given(st.lists(st.text(max_size=3), min_size=3, max_size=8, unique=True), st.data())
def test_no_row_is_left_out_put_in_or_moved(keys: list[str], data: st.DataObject) -> None:
    rows = chain([Entry("bar", "k" + key) for key in keys])
    place = data.draw(st.integers(0, len(rows) - 2))
    without = rows[:place] + rows[place + 1 :]
    twice = rows[: place + 1] + rows[place:]
    swapped = [*rows[:place], rows[place + 1], rows[place], *rows[place + 2 :]]
    for broken in (without, twice, swapped):
        with pytest.raises(JournalBroken):
            check_chain(broken, first_hash(UID))
        renumbered = [replace(row, seq=number) for number, row in enumerate(broken, 1)]
        with pytest.raises(JournalBroken):
            check_chain(renumbered, first_hash(UID))


def test_rows_of_another_session_are_refused() -> None:
    with pytest.raises(JournalBroken, match="row 1"):
        check_chain(chain([Entry("bar", "1")]), first_hash("f" * 16))


def test_fields_do_not_run_into_each_other() -> None:
    one, other = (
        next_row(first_hash(UID), 1, 1, 1, Entry(kind, key)) for kind, key in (("a", "bc"), ("ab", "c"))
    )
    assert one.hash != other.hash


@pytest.mark.parametrize("body", [{"x": float("nan")}, {"x": float("inf")}, {"x": object()}, {"x": {1, 2}}])
def test_what_json_cannot_hold_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(BadParameter, match="cannot be written as JSON"):
        next_row(first_hash(UID), 1, 1, 1, Entry("bar", "1", body))


@pytest.mark.parametrize(("kind", "key"), [("", "1"), ("bar", "")])
def test_an_entry_has_a_kind_and_a_key(kind: str, key: str) -> None:
    with pytest.raises(BadParameter, match="a kind and a key"):
        next_row(first_hash(UID), 1, 1, 1, Entry(kind, key))


# -- ids

KEYS = st.builds(DecisionKey, TEXT, TEXT, st.integers(-(2**62), 2**62), TEXT, st.integers(0, 9))


@given(KEYS, KEYS)
def test_two_decisions_have_one_id_if_they_are_one(one: DecisionKey, other: DecisionKey) -> None:
    ids = client_order_id(UID, one), client_order_id(UID, other)
    assert (ids[0] == ids[1]) == (one == other)
    assert (one.text == other.text) == (one == other)


@given(KEYS)
def test_an_id_is_one_that_every_venue_takes(key: DecisionKey) -> None:
    made = client_order_id(UID, key)
    assert len(made) == 37
    assert set(made) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert is_ours(made, UID)
    other = "f" * 16
    assert client_order_id(other, key) != made
    assert not is_ours(made, other)


def test_an_id_never_changes_between_versions() -> None:
    """The venue knows the orders that an older version sent: another id would send them again."""
    key = DecisionKey("demo_ma", "BRK/B", 1_767_387_600_000_000_000, "target")
    assert key.text == "demo_ma/BRK%2FB/1767387600000000000/target/0"
    assert client_order_id(UID, key) == "gpt-01234567-saxjaelmncddbhnjn4bgk4lq"


@pytest.mark.parametrize("uid", ["", "0123", "0123456789ABCDEF", "0123456789abcdeg", "0" * 17])
def test_a_uid_that_is_none_is_refused(uid: str) -> None:
    with pytest.raises(BadParameter, match="16 hexadecimal digits"):
        client_order_id(uid, DecisionKey("a", "b", 1, "target"))
