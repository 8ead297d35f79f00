"""`sampan doctor`'s look at the database, and `sampan doctor --repair`."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from sampan.app.database import file_of
from sampan.app.home import Home
from sampan.app.settings import Settings
from sampan.cluster.apiserver import integrity as objects
from sampan.store import integrity


class RepairError(Exception):
    """The database could not be repaired, and is as it was. The message says why and what to do."""


def check(settings: Settings) -> list[str] | None:
    """What is wrong with the database, in words; None when there is none to look at. A server may run meanwhile."""
    file = file_of(settings)
    if file is None or not file.exists():
        return None
    try:
        return integrity.check(file) or _check_objects(file)
    except OSError as error:
        return [f"{file}: {error.strerror or error}"]


def repair(settings: Settings) -> list[str]:
    """What was done, in words; empty when nothing was wrong. Raises RepairError, and HomeError while a server runs."""
    file = file_of(settings)
    if file is None:
        raise RepairError(
            "the database is on a PostgreSQL server: use its own tools (pg_amcheck, pg_restore)"
        )
    home = Home(settings.home)
    try:
        return _repair(file) if file.exists() else []
    except (OSError, sqlite3.Error) as error:
        raise RepairError(
            f"{file} could not be repaired: {error}; see that the disk has as much free space as the file is large"
        ) from error
    finally:
        home.release()


def _repair(file: Path) -> list[str]:
    done = []
    if integrity.check(file):
        if integrity.reindex(file):
            done.append("the indexes were made anew")
        else:
            saved = integrity.salvage(file, objects.mend)
            done.append(f"{sum(saved.rows.values())} rows were copied into a new file")
            done += [f"{table}: up to {lost} rows are lost" for table, lost in saved.lost.items()]
            done.append(f"the damaged file is kept as {saved.aside}")
    if _check_objects(file):
        with contextlib.closing(sqlite3.connect(file)) as connection, connection:
            done.append(f"{objects.mend(connection)} rows of objects were put right")
    return done


def _check_objects(file: Path) -> list[str]:
    try:
        with contextlib.closing(
            sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)
        ) as connection:
            return objects.check(connection)
    except sqlite3.DatabaseError as error:
        return [str(error)]
