"""Indexes over some of a table's rows, for both databases alike.

Written out as text: declared with `sqlite_where` and `postgresql_where` they would load both dialects at every start.
"""

from __future__ import annotations

import sqlalchemy as sa


def partial_index(name: str, table: sa.Table, columns: str, where: str) -> None:
    """Makes the index after its table. The arguments are our own constants, never anybody's input."""
    statement = f"CREATE INDEX {name} ON {table.name} ({columns}) WHERE {where}"
    sa.event.listen(table, "after_create", sa.DDL(statement))  # type: ignore[no-untyped-call]
