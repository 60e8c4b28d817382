"""Alembic's entry: runs the revisions inside the one transaction that `migrate.py` has opened."""

from __future__ import annotations

from alembic import context

from gpt_trader.adapters.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
