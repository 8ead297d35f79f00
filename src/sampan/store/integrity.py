"""Whether a SQLite file is sound, and what can be saved of one that is not. For a database that no server uses.

Called by `sampan doctor` through `app`. Knows pages, rows and indexes; what the rows mean is checked by their owners.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

_FINDINGS = 20
_BATCH = 500
_ROW: sa.ColumnClause[int] = sa.column("rowid")
"""A row's number, by itself: a table gets one of its own."""


@dataclass(slots=True)
class Salvage:
    """What a repair has done. `aside` is the damaged file, which is kept."""

    aside: Path
    rows: dict[str, int] = field(default_factory=dict)
    """Rows saved, by table."""
    lost: dict[str, int] = field(default_factory=dict)
    """Gaps in the row numbers of a table that could not be read: at most so many rows are gone."""


def check(file: Path) -> list[str]:
    """What is wrong with the file, in words; empty when it is sound. Raises OSError when it cannot be read."""
    file.stat()
    try:
        with contextlib.closing(_open(file)) as connection:
            found = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({_FINDINGS})")]
            if found == ["ok"]:
                found = []
            broken = connection.execute("PRAGMA foreign_key_check").fetchmany(_FINDINGS)
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return found + [
        f"row {row} of {table} refers to a row of {parent} that is gone" for table, row, parent, _ in broken
    ]


def reindex(file: Path) -> bool:
    """Makes all indexes anew from their tables; whether the file is sound after that."""
    try:
        with contextlib.closing(_open(file)) as connection:
            connection.execute("REINDEX")
    except sqlite3.DatabaseError:
        return False
    return not check(file)


def salvage(file: Path, mend: Callable[[sqlite3.Connection], object]) -> Salvage:
    """Copies every row that can be read into a new file in its place, and has `mend` put right what they say together.

    Raises OSError, sqlite3.Error, and then all is as it was.
    """
    fresh = file.with_name(file.name + ".salvage")
    fresh.unlink(missing_ok=True)
    number = 1
    while (aside := file.with_name(f"{file.name}.damaged-{number}")).exists():
        number += 1
    report = Salvage(aside)
    with contextlib.closing(_open(file)) as old, contextlib.closing(sqlite3.connect(fresh)) as new:
        new.isolation_level = None
        schema = old.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        new.execute("BEGIN")
        for kind, name, sql in schema:
            if kind == "table" and not name.startswith("sqlite_"):
                new.execute(sql)
                _copy_table(old, new, name, report)
        _drop_orphans(new, report)
        # Before the indexes, one of which takes an object's current row only once.
        mend(new)
        for kind, _name, sql in schema:
            if kind == "index":
                new.execute(sql)
        new.execute("COMMIT")
    for suffix in ("-wal", "-shm"):
        # They belong to the damaged file, and would be read as the new one's.
        extra = file.with_name(file.name + suffix)
        if extra.exists():
            extra.rename(aside.with_name(aside.name + suffix))
    file.rename(aside)
    fresh.rename(file)
    return report


def _open(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{file.resolve().as_uri()}?mode=rw", uri=True, timeout=5)
    connection.isolation_level = None
    # Texts that are not UTF-8 are damage too, but no reason to lose the row.
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    return connection


def _copy_table(old: sqlite3.Connection, new: sqlite3.Connection, name: str, report: Salvage) -> None:
    """By ascending row number; where a page cannot be read, the search goes on behind it."""
    columns = [row[1] for row in new.execute(f"PRAGMA table_info('{name}')")]
    table = sa.table(name, sa.column("rowid"), *(sa.column(column) for column in columns))
    insert = _sql(sa.insert(table).prefix_with("OR IGNORE"))
    select = _sql(
        sa.select(table).where(sa.bindparam("last") < _ROW).order_by(_ROW).limit(sa.bindparam("most"))
    )
    last, step, saved, lost = 0, 1, 0, 0
    highest = _highest(old, table)
    while last < highest:
        try:
            rows = old.execute(select, (last, _BATCH if step == 1 else 1, 0)).fetchall()
        except sqlite3.ProgrammingError:
            raise
        except sqlite3.DatabaseError:
            # Row by row up to the damage, then in growing leaps over it.
            one = _one(old, select, last)
            if one is None:
                lost += step
                last += step
                step = min(step * 2, 4096)
                continue
            rows = [one]
        if not rows:
            break
        new.executemany(insert, rows)
        saved += len(rows)
        last, step = rows[-1][0], 1
    report.rows[name] = saved
    if lost:
        report.lost[name] = min(lost, highest)


def _sql(statement: sa.ClauseElement) -> str:
    """With question marks, in the order in which the statement names its parameters; a limit brings an offset."""
    return str(statement.compile(dialect=sqlite.dialect()))


def _one(old: sqlite3.Connection, select: str, last: int) -> tuple[int, ...] | None:
    try:
        found: tuple[int, ...] | None = old.execute(select, (last, 1, 0)).fetchone()
    except sqlite3.DatabaseError:
        return None
    return found


def _highest(connection: sqlite3.Connection, table: sa.TableClause) -> int:
    with contextlib.suppress(sqlite3.DatabaseError):
        row = connection.execute(_sql(sa.select(sa.func.max(_ROW)).select_from(table))).fetchone()
        return int(row[0] or 0)
    # Not even its end can be read: as far as a table of this kind may plausibly go.
    return 1_000_000


def _drop_orphans(new: sqlite3.Connection, report: Salvage) -> None:
    """Rows whose parents were lost."""
    while broken := new.execute("PRAGMA foreign_key_check").fetchmany(_BATCH):
        for table, row, _parent, _key in broken:
            new.execute(_sql(sa.delete(sa.table(table)).where(sa.bindparam("row") == _ROW)), (row,))
            report.rows[table] -= 1
            report.lost[table] = report.lost.get(table, 0) + 1
