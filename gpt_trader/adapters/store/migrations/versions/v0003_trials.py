"""The trial ledger: what was tried on which data, and triggers that let it only grow."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gpt_trader.adapters.store.errors import StoreError

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_NUMBERED = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME, _TEXT, _WHOLE, _BYTES = sa.DateTime(), sa.Text(), sa.BigInteger(), sa.LargeBinary()
_NUMBER: sa.Double[float] = sa.Double()
_TABLES = ("trial_sets", "trial_batches", "trials")
_KEYS = {
    "trial_sets": "(trial_set = NEW.trial_set) OR (family = NEW.family AND data = NEW.data)",
    "trial_batches": "batch = NEW.batch",
    "trials": "trial_set = NEW.trial_set AND key = NEW.key",
}
_REFUSAL = "the trial ledger only grows: its rows are never changed or removed"


def upgrade() -> None:
    """Make the three tables, empty, and their triggers."""
    op.create_table(
        "trial_sets",
        sa.Column("trial_set", _NUMBERED, nullable=False),
        sa.Column("family", _TEXT, nullable=False),
        sa.Column("data", _TEXT, nullable=False),
        sa.Column("symbols", sa.JSON(), nullable=False),
        sa.Column("start", _TIME, nullable=False),
        sa.Column("end", _TIME, nullable=False),
        sa.Column("timeframe", _TEXT, nullable=False),
        sa.Column("bars", _WHOLE, nullable=False),
        sa.Column("periods_per_year", _NUMBER, nullable=True),
        sa.PrimaryKeyConstraint("trial_set", name="pk_trial_sets"),
        sa.UniqueConstraint("family", "data", name="uq_trial_sets_family"),
    )
    op.create_table(
        "trial_batches",
        sa.Column("batch", _NUMBERED, nullable=False),
        sa.Column("trial_set", _NUMBERED, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("observations", _WHOLE, nullable=False),
        sa.Column("made_at", _TIME, nullable=False),
        sa.Column("trials", _WHOLE, nullable=False),
        sa.Column("defined", _WHOLE, nullable=False),
        sa.Column("mean", _NUMBER, nullable=False),
        sa.Column("squares", _NUMBER, nullable=False),
        sa.Column("best", _NUMBER, nullable=True),
        sa.PrimaryKeyConstraint("batch", name="pk_trial_batches"),
        sa.ForeignKeyConstraint(["trial_set"], ["trial_sets.trial_set"], name="fk_trial_batches_trial_sets"),
    )
    op.create_index("ix_trial_batches_trial_set", "trial_batches", ["trial_set"])
    op.create_table(
        "trials",
        sa.Column("trial_set", _NUMBERED, nullable=False),
        sa.Column("key", _BYTES, nullable=False),
        sa.Column("batch", _NUMBERED, nullable=False),
        sa.Column("sharpe", _NUMBER, nullable=True),
        sa.Column("profile", _BYTES, nullable=False),
        sa.PrimaryKeyConstraint("trial_set", "key", name="pk_trials"),
        sa.ForeignKeyConstraint(["trial_set"], ["trial_sets.trial_set"], name="fk_trials_trial_sets"),
        sa.ForeignKeyConstraint(["batch"], ["trial_batches.batch"], name="fk_trials_trial_batches"),
    )
    for statement in _guards(op.get_context().dialect.name):
        op.execute(statement)


def _guards(dialect: str) -> list[str]:
    """The statements that make the tables refuse every change but a new row.

    SQLite removes the rows that an INSERT OR REPLACE replaces without asking the triggers on DELETE, so there the
    insert of a row that is there already is refused too.
    """
    if dialect == "postgresql":
        refuse = (
            "CREATE FUNCTION trial_ledger_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"
        )
        return [refuse] + [
            f"CREATE TRIGGER {table}_only_grow BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION trial_ledger_only_grows()"
            for table in _TABLES
        ]
    refuse = f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
    events = {
        "update": "BEFORE UPDATE ON {table}",
        "delete": "BEFORE DELETE ON {table}",
        "replace": "BEFORE INSERT ON {table} WHEN EXISTS (SELECT 1 FROM {table} WHERE {key})",
    }
    return [
        f"CREATE TRIGGER {table}_no_{name} {event.format(table=table, key=_KEYS[table])} {refuse}"
        for table in _TABLES
        for name, event in events.items()
    ]


def downgrade() -> None:
    """Remove the ledger while it is empty. Raises StoreError when it holds trials: no command throws them away."""
    count = op.get_bind().execute(sa.text("SELECT count(*) FROM trial_batches")).scalar_one()
    if count:
        raise StoreError(
            "the schema before 0003 has no trial ledger, and this one holds trials, which nothing removes; "
            "keep this version of GPT-Trader, or name another store for the older one"
        )
    for table in reversed(_TABLES):
        op.drop_table(table)
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION trial_ledger_only_grows()")
