"""Where the rows are kept: settings of the database, read by `app`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """SQLite in the home folder, or a PostgreSQL server."""

    url: str = ""
    """Empty: `sampan.db` in the home folder. Or `postgresql://USER:PASSWORD@HOST/DATABASE`, with `sampan[postgres]`."""
