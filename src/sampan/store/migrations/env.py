"""Alembic's own entry: runs the steps on the connection that `sampan.store.migrations` hands over."""

from __future__ import annotations

from alembic import context

connection = context.config.attributes["connection"]
# SQLite alters a table by copying it; the caller's transaction holds all steps.
context.configure(connection=connection, render_as_batch=True, transactional_ddl=False)
context.run_migrations()
