"""Trading sessions: their names, who may write them, their journals, which only grow, and snapshots of their states."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from gpt_trader.adapters.store.errors import StoreError

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TEXT, _WHOLE, _BYTES = sa.Text(), sa.BigInteger(), sa.LargeBinary()
_REFUSAL = "the journal of a session only grows: its rows are never changed or removed"
_TABLES = ("session_snapshots", "journal", "session_writers", "sessions")


def _columns(kind: Any, *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=False) for name in names]


def upgrade() -> None:
    """Make the four tables, empty, and the triggers of the journal."""
    op.create_table(
        "sessions",
        *_columns(_TEXT, "session", "uid"),
        *_columns(_WHOLE, "created_at"),
        sa.PrimaryKeyConstraint("session", name="pk_sessions"),
        sa.UniqueConstraint("uid", name="uq_sessions_uid"),
    )
    op.create_table(
        "session_writers",
        *_columns(_TEXT, "session"),
        *_columns(_WHOLE, "epoch"),
        *_columns(_TEXT, "host"),
        *_columns(_WHOLE, "pid", "started"),
        sa.PrimaryKeyConstraint("session", name="pk_session_writers"),
        sa.ForeignKeyConstraint(["session"], ["sessions.session"], name="fk_session_writers_sessions"),
    )
    op.create_table(
        "journal",
        *_columns(_TEXT, "session"),
        *_columns(_WHOLE, "seq", "epoch", "at"),
        *_columns(_TEXT, "kind", "key", "body"),
        *_columns(_BYTES, "data", "hash"),
        sa.PrimaryKeyConstraint("session", "seq", name="pk_journal"),
        sa.ForeignKeyConstraint(["session"], ["sessions.session"], name="fk_journal_sessions"),
        sa.UniqueConstraint("session", "key", name="uq_journal_session"),
    )
    op.create_table(
        "session_snapshots",
        *_columns(_TEXT, "session"),
        *_columns(_WHOLE, "seq"),
        *_columns(_BYTES, "state", "hash"),
        sa.PrimaryKeyConstraint("session", "seq", name="pk_session_snapshots"),
        sa.ForeignKeyConstraint(["session"], ["sessions.session"], name="fk_session_snapshots_sessions"),
    )
    for statement in _guards(op.get_context().dialect.name):
        op.execute(statement)


def _guards(dialect: str) -> list[str]:
    """The statements that make the journal refuse every change but a new row, as those of the trial ledger do."""
    if dialect == "postgresql":
        refuse = (
            "CREATE FUNCTION journal_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"
        )
        trigger = (
            "CREATE TRIGGER journal_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON journal "
            "FOR EACH STATEMENT EXECUTE FUNCTION journal_only_grows()"
        )
        return [refuse, trigger]
    there = "SELECT 1 FROM journal WHERE session = NEW.session AND (seq = NEW.seq OR key = NEW.key)"
    events = {
        "update": "BEFORE UPDATE ON journal",
        "delete": "BEFORE DELETE ON journal",
        "replace": f"BEFORE INSERT ON journal WHEN EXISTS ({there})",
    }
    return [
        f"CREATE TRIGGER journal_no_{name} {event} BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        for name, event in events.items()
    ]


def downgrade() -> None:
    """Remove the tables while there is no session. Raises StoreError when there is one: no command throws a journal away."""
    if op.get_bind().execute(sa.text("SELECT count(*) FROM sessions")).scalar_one():
        raise StoreError(
            "the schema before 0005 has no sessions, and this store holds some, which nothing removes; "
            "keep this version of GPT-Trader, or name another store for the older one"
        )
    for name in _TABLES:
        op.drop_table(name)
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION journal_only_grows()")
