"""Rows that may be there already. Called by the stores of components."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import sqlalchemy as sa


def insert_new(table: sa.Table, dialect: str) -> Any:
    """An INSERT that leaves out what is there. Both databases have the clause, and SQLAlchemy writes it by dialect.

    Only the one in use is loaded: that of PostgreSQL is 5 MiB of a server on SQLite.
    """
    return import_module(f"sqlalchemy.dialects.{dialect}").insert(table).on_conflict_do_nothing()
