"""Rolls the tables of an earlier release forward, one small step after the other, with Alembic.

`app` imports it only when `sampan.store.schema` has found an older version: Alembic costs more than a second. Each
file of `versions` is one step, frozen once released: it names tables and columns itself and imports nothing of ours.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from sampan.lib.log import get_logger
from sampan.store import schema
from sampan.store.database import Database

log = get_logger(__name__)

_FOLDER = Path(__file__).parent


def upgrade(database: Database, *, to: str = "head", versions: tuple[Path, ...] = ()) -> None:
    """All steps in one transaction: afterwards the tables are today's, or what they were.

    `versions` are folders of further steps. Raises StorageError, StorageFullError.
    """

    def run(connection: sa.Connection) -> None:
        if not sa.inspect(connection).has_table(schema.version_table.name):
            schema.stamp(connection, schema.BASELINE)
        config = Config()
        config.set_main_option("script_location", str(_FOLDER))
        config.set_main_option("path_separator", "newline")
        folders = [_FOLDER / "versions", *versions]
        config.set_main_option("version_locations", "\n".join(str(folder) for folder in folders))
        config.attributes["connection"] = connection
        command.upgrade(config, to)

    database.change(run)
    log.info("the database's tables were brought up to date", version=to)
