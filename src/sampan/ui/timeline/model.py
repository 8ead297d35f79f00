"""What a timeline is made of. Pure data; moments are milliseconds since 1970, 0 for none."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Span(msgspec.Struct, frozen=True, omit_defaults=True):
    kind: str
    """`queue` (it waited its turn), `prepare` (its surroundings were made), `run`, or `group` (of what is in it)."""
    start: int
    end: int = 0
    """0 while it goes on."""
    tone: str = ""
    """Of a `run` or `group`: as everywhere."""
    label: str = ""
    """What it is, where the kind does not say it: `attempt 2`."""


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    id: str
    label: str
    parent: str = ""
    """The row that holds it, which comes before it."""
    icon: str = ""
    state: str = ""
    tone: str = ""
    badge: str = ""
    title: str = ""
    spans: Sequence[Span] = ()
    critical: bool = False
    """The whole would have been shorter, had this been shorter."""
    open: bool = True
    """Whether what it holds is shown at first."""


class Timeline(msgspec.Struct, frozen=True, omit_defaults=True):
    """Rows in the order in which they are shown."""

    rows: Sequence[Row] = ()
    start: int = 0
    end: int = 0
    """0 while it goes on."""


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """From one timeline to another in few words: rows that go, rows that come with their places, rows that differ."""

    start: int = 0
    end: int = 0
    removed: Sequence[str] = ()
    added: Sequence[tuple[int, Row]] = ()
    changed: Sequence[Row] = ()


def change(old: Timeline, new: Timeline) -> Change | None:
    """None where all of `new` is said as quickly."""
    before = {row.id: row for row in old.rows}
    after = {row.id for row in new.rows}
    kept = [row for row in new.rows if row.id in before]
    added = [(at, row) for at, row in enumerate(new.rows) if row.id not in before]
    if [row.id for row in kept] != [row.id for row in old.rows if row.id in after] or 2 * len(added) > len(
        after
    ):
        return None
    removed = [row.id for row in old.rows if row.id not in after]
    return Change(new.start, new.end, removed, added, [row for row in kept if before[row.id] != row])
