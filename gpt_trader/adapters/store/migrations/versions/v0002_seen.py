"""How often, and when last, the same run was saved."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the count and the time; runs that are there were seen once, when they were made."""
    op.add_column("runs", sa.Column("seen", sa.BigInteger(), nullable=False, server_default="1"))
    op.add_column("runs", sa.Column("last_seen", sa.DateTime(), nullable=True))
    op.execute("UPDATE runs SET last_seen = created_at")


def downgrade() -> None:
    """Forget the count and the time; everything else stays."""
    op.drop_column("runs", "last_seen")
    op.drop_column("runs", "seen")
