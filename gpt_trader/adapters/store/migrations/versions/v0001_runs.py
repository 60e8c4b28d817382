"""The runs, their statistics and their tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_RUN_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME, _TEXT, _WHOLE = sa.DateTime(), sa.Text(), sa.BigInteger()
_NUMBER: sa.Double[float] = sa.Double()

_RESULT_TABLES: dict[str, list[tuple[str, Any]]] = {
    "orders": [
        ("order_id", _WHOLE), ("parent_id", _WHOLE), ("decision_id", _WHOLE), ("symbol", _TEXT), ("time", _TIME),
        ("side", _TEXT), ("quantity", _NUMBER), ("kind", _TEXT), ("limit", _NUMBER), ("stop", _NUMBER),
        ("status", _TEXT), ("filled", _NUMBER), ("reason", _TEXT), ("end_reason", _TEXT),
    ],
    "fills": [
        ("fill_id", _WHOLE), ("order_id", _WHOLE), ("symbol", _TEXT), ("time", _TIME), ("side", _TEXT),
        ("quantity", _NUMBER), ("price", _NUMBER), ("commission", _NUMBER), ("slippage", _NUMBER), ("reason", _TEXT),
    ],
    "positions": [
        ("time", _TIME), ("symbol", _TEXT), ("quantity", _NUMBER), ("price", _NUMBER), ("value", _NUMBER),
        ("weight", _NUMBER), ("open_pnl", _NUMBER),
    ],
    "closed_trades": [
        ("trade_id", _WHOLE), ("symbol", _TEXT), ("side", _TEXT), ("quantity", _NUMBER), ("entry_time", _TIME),
        ("entry_price", _NUMBER), ("exit_time", _TIME), ("exit_price", _NUMBER), ("bars", _WHOLE),
        ("gross_pnl", _NUMBER), ("income", _NUMBER), ("costs", _NUMBER), ("pnl", _NUMBER),
        ("return_", _NUMBER), ("mae", _NUMBER), ("mfe", _NUMBER), ("exit_reason", _TEXT),
    ],
    "equity": [
        ("time", _TIME), ("equity", _NUMBER), ("cash", _NUMBER), ("gross", _NUMBER), ("net", _NUMBER),
        ("drawdown", _NUMBER), ("benchmark", _NUMBER),
    ],
    "decisions": [
        ("decision_id", _WHOLE), ("time", _TIME), ("symbol", _TEXT), ("target", _NUMBER), ("accepted", _NUMBER),
        ("verdict", _TEXT), ("rule", _TEXT), ("value", _NUMBER), ("limit", _NUMBER),
    ],
}  # fmt: skip


def _of_run(table: str) -> list[sa.schema.SchemaItem]:
    """The column that ties a row to its run, which it goes with."""
    name = f"fk_{table}_runs"
    return [
        sa.Column(
            "run", _RUN_NUMBER, sa.ForeignKey("runs.run", ondelete="CASCADE", name=name), nullable=False
        ),
    ]


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "runs",
        sa.Column("run", _RUN_NUMBER, nullable=False),
        sa.Column("run_id", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("strategy", _TEXT, nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("symbols", sa.JSON(), nullable=False),
        sa.Column("start", _TIME, nullable=False),
        sa.Column("end", _TIME, nullable=False),
        sa.Column("fingerprint", sa.JSON(), nullable=False),
        sa.Column("code_version", _TEXT, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("status", _TEXT, nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.Column("folder", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("run", name="pk_runs"),
        sa.UniqueConstraint("run_id", name="uq_runs_run_id"),
    )
    op.create_index("ix_runs_strategy", "runs", ["strategy"])
    op.create_table(
        "metrics",
        *_of_run("metrics"),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("value", _NUMBER, nullable=True),
        sa.PrimaryKeyConstraint("run", "name", name="pk_metrics"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "run_tables",
        *_of_run("run_tables"),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("rows", _WHOLE, nullable=False),
        sa.Column("place", _TEXT, nullable=False),
        sa.Column("sha256", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("run", "name", name="pk_run_tables"),
        sqlite_with_rowid=False,
    )
    for table, columns in _RESULT_TABLES.items():
        op.create_table(
            table,
            *_of_run(table),
            sa.Column("number", _WHOLE, nullable=False),
            *(sa.Column(name, kind, nullable=True) for name, kind in columns),
            sa.PrimaryKeyConstraint("run", "number", name=f"pk_{table}"),
            sqlite_with_rowid=False,
        )


def downgrade() -> None:
    """Remove every table, and with them every stored run; the runs' folders are not touched."""
    for table in (*reversed(_RESULT_TABLES), "run_tables", "metrics", "runs"):
        op.drop_table(table)
