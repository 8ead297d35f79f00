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


def is_same_shape(one: Timeline, other: Timeline) -> bool:
    return len(one.rows) == len(other.rows) and all(
        a.id == b.id and a.parent == b.parent for a, b in zip(one.rows, other.rows, strict=True)
    )
