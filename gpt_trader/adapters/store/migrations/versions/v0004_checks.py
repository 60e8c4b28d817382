"""The register of look-ahead checks: what code passed or failed, and triggers that let it only grow."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gpt_trader.adapters.store.errors import StoreError

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NUMBERED = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME, _TEXT, _WHOLE = sa.DateTime(), sa.Text(), sa.BigInteger()
_REFUSAL = "the register of checks only grows: its rows are never changed or removed"


def upgrade() -> None:
    """Make the table, empty, and its triggers."""
    op.create_table(
        "checks",
        sa.Column("number", _NUMBERED, nullable=False),
        *(sa.Column(name, _TEXT, nullable=False) for name in ("code", "strategy")),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("version", _WHOLE, nullable=False),
        *(sa.Column(name, _TEXT, nullable=False) for name in ("outcome", "finding", "data")),
        sa.Column("symbols", sa.JSON(), nullable=False),
        *(sa.Column(name, _TEXT, nullable=False) for name in ("start", "end", "timeframe")),
        *(sa.Column(name, _WHOLE, nullable=False) for name in ("bars", "samples")),
        sa.Column("checked_at", _TIME, nullable=False),
        sa.Column("code_version", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_checks"),
    )
    op.create_index("ix_checks_code", "checks", ["code"])
    for statement in _guards(op.get_context().dialect.name):
        op.execute(statement)


def _guards(dialect: str) -> list[str]:
    """The statements that make the table refuse every change but a new row, as those of the trial ledger do."""
    if dialect == "postgresql":
        refuse = (
            "CREATE FUNCTION checks_only_grow() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"
        )
        trigger = (
            "CREATE TRIGGER checks_only_grow BEFORE UPDATE OR DELETE OR TRUNCATE ON checks "
            "FOR EACH STATEMENT EXECUTE FUNCTION checks_only_grow()"
        )
        return [refuse, trigger]
    events = {
        "update": "BEFORE UPDATE ON checks",
        "delete": "BEFORE DELETE ON checks",
        "replace": "BEFORE INSERT ON checks WHEN EXISTS (SELECT 1 FROM checks WHERE number = NEW.number)",
    }
    return [
        f"CREATE TRIGGER checks_no_{name} {event} BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        for name, event in events.items()
    ]


def downgrade() -> None:
    """Remove the register while it is empty. Raises StoreError when it holds checks: no command throws them away."""
    if op.get_bind().execute(sa.text("SELECT count(*) FROM checks")).scalar_one():
        raise StoreError(
            "the schema before 0004 has no register of checks, and this one holds some, which nothing removes; "
            "keep this version of GPT-Trader, or name another store for the older one"
        )
    op.drop_table("checks")
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION checks_only_grow()")
