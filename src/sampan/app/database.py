"""The platform's database: opened, and its tables brought up to date, before anything else uses it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa

from sampan.app.settings import Settings
from sampan.lib.log import get_logger
from sampan.store import schema
from sampan.store.database import Database

log = get_logger(__name__)

FILE = "sampan.db"


def open_database(settings: Settings, tables: Sequence[sa.MetaData]) -> Database:
    """Where `settings` say. Raises StorageError, StorageFullError."""
    database = Database.at(settings.database.url, settings.home / FILE)
    state, version = schema.inspect(database)
    if state is schema.State.EMPTY:
        schema.create(database, tables)
    elif state is schema.State.OLDER:
        # Alembic alone takes longer to load than everything else together.
        from sampan.store.migrations import upgrade

        if database.dialect == "sqlite":
            copy = settings.home / f"{FILE}.before-{schema.HEAD}"
            database.copy_to(copy)
            log.info("the database was copied before its tables change", copy=str(copy), version=version)
        upgrade(database)
    return database


def file_of(settings: Settings) -> Path | None:
    """The SQLite file in use, or None with a database server."""
    return None if settings.database.url else settings.home / FILE
