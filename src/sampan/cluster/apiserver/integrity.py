"""Whether the rows of the object store make sense together, and how to mend them. Of a SQLite file no server uses.

Called by `sampan doctor` through `app`, beside `sampan.store.integrity`, which looks at the file itself. `storage`
says what must hold: an object's JSON carries its row's revision and name, only its newest row is current, and each
older one names the row that came after it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

_FINDINGS = 20


@dataclass(frozen=True, slots=True)
class _Row:
    rev: int
    superseded: int | None
    deleted: bool
    is_sound: bool
    """Whether its JSON is this object as of this revision."""


@dataclass(slots=True)
class _Mending:
    drop: list[int] = field(default_factory=list)
    supersede: list[tuple[int | None, int]] = field(default_factory=list)
    """(what superseded it, the row)."""
    findings: list[str] = field(default_factory=list)


def check(connection: sqlite3.Connection) -> list[str]:
    """What is wrong, in words; the first few. Raises sqlite3.DatabaseError for a file that cannot be read."""
    return _examine(connection).findings[:_FINDINGS]


def mend(connection: sqlite3.Connection) -> int:
    """Puts it right, an unreadable newest state being replaced by the one before; how many rows were touched."""
    found = _examine(connection)
    connection.executemany("DELETE FROM kube_objects WHERE rev = ?", [(rev,) for rev in found.drop])
    connection.executemany("UPDATE kube_objects SET superseded_rev = ? WHERE rev = ?", found.supersede)
    return len(found.drop) + len(found.supersede)


def _examine(connection: sqlite3.Connection) -> _Mending:
    found = _Mending()
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'kube_objects'").fetchone():
        return found
    for name, rows in _objects(connection):
        _examine_object(name, rows, found)
    return found


def _objects(connection: sqlite3.Connection) -> Iterator[tuple[str, list[_Row]]]:
    """Every object with its rows, oldest first."""
    cursor = connection.execute(
        "SELECT resource, namespace, name, rev, superseded_rev, deleted, data FROM kube_objects NOT INDEXED "
        "ORDER BY resource, namespace, name, rev"
    )
    current: tuple[str, str, str] | None = None
    rows: list[_Row] = []
    for resource, namespace, name, rev, superseded, deleted, data in cursor:
        key = (resource, namespace, name)
        if key != current:
            if current is not None:
                yield "/".join(filter(None, current)), rows
            current, rows = key, []
        rows.append(_Row(rev, superseded, bool(deleted), _is_sound(data, namespace, name, rev)))
    if current is not None:
        yield "/".join(filter(None, current)), rows


def _is_sound(data: bytes, namespace: str, name: str, rev: int) -> bool:
    try:
        metadata = msgspec.json.decode(data)["metadata"]
        is_named = metadata["name"] == name and metadata.get("namespace", "") == namespace
        return is_named and str(metadata["resourceVersion"]) == str(rev)
    except (msgspec.DecodeError, TypeError, KeyError, AttributeError):
        return False


def _examine_object(name: str, rows: list[_Row], found: _Mending) -> None:
    kept = [row for row in rows if row.is_sound]
    for row in rows:
        if not row.is_sound:
            found.findings.append(f"{name}: revision {row.rev} is not the object's JSON")
            found.drop.append(row.rev)
    for at, row in enumerate(kept):
        expected = row.rev if row.deleted else kept[at + 1].rev if at + 1 < len(kept) else None
        if row.superseded == expected:
            continue
        if row.is_sound and len(kept) == len(rows):
            found.findings.append(
                f"{name}: revision {row.rev} is superseded by {row.superseded}, not by {expected}"
            )
        found.supersede.append((expected, row.rev))
