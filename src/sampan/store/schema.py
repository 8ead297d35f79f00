"""Which version of the tables a database holds, and whether this Sampan can work on it.

A new database gets today's tables at once; one that an earlier release has left is rolled forward by `migrations`,
which loads Alembic and therefore is imported only then. Called by `app` before anything else uses the database.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

import sqlalchemy as sa

from sampan.store.database import Database, StorageError

HEAD = "0002"
"""The newest migration: `migrations/versions` has one file for each, and a test holds both together."""
KNOWN = ("0001", "0002")
"""All of them, oldest first."""
BASELINE = "0001"
"""What a database is that has tables and no version: written before versions were kept."""

version_table = sa.Table(
    "alembic_version", sa.MetaData(), sa.Column("version_num", sa.String(32), primary_key=True)
)


class State(Enum):
    """What `inspect` finds."""

    EMPTY = "empty"
    CURRENT = "current"
    OLDER = "older"


def inspect(database: Database) -> tuple[State, str]:
    """The state, and the version found. Raises StorageError for one that only a newer Sampan knows."""

    def look(connection: sa.Connection) -> tuple[State, str]:
        names = set(sa.inspect(connection).get_table_names())
        if not names:
            return State.EMPTY, ""
        version = BASELINE
        if version_table.name in names:
            version = connection.execute(sa.select(version_table.c.version_num)).scalar() or BASELINE
            return (State.CURRENT if version == HEAD else State.OLDER), version
        return State.OLDER, version

    try:
        state, version = database.read_now(look)
    except StorageError as error:
        raise StorageError(f"{database.name}: {error}") from error
    if version and version not in KNOWN:
        raise StorageError(
            f"the database was written by a newer Sampan (its schema is {version}, this one knows up to {HEAD}); "
            "install that version again, or restore a backup from before"
        )
    return state, version


def create(database: Database, tables: Iterable[sa.MetaData]) -> None:
    """Today's tables in an empty database, all or none of them. Raises StorageError, StorageFullError."""

    def make(connection: sa.Connection) -> None:
        for metadata in tables:
            metadata.create_all(connection)
        stamp(connection, HEAD)

    database.change(make)


def stamp(connection: sa.Connection, version: str) -> None:
    """Notes that the tables are those of `version`."""
    version_table.create(connection, checkfirst=True)
    connection.execute(sa.delete(version_table))
    connection.execute(sa.insert(version_table), {"version_num": version})
