"""Conditions of an object as rows of a table. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.ui.table import cells
from sampan.ui.table.table import Column, Row

COLUMNS = (
    Column("type", "Condition"),
    Column("at", "Since"),
    Column("reason", "Reason"),
    Column("message", "Message"),
)


def rows(conditions: Any, tones: Mapping[str, str]) -> list[Row]:
    """The newest first. `tones` (`ui.widgets`) are those of conditions that hold, by type; others are idle."""
    told = [each for each in conditions or () if isinstance(each, Mapping)]
    ordered = sorted(
        enumerate(told),
        key=lambda each: (str(each[1].get("lastTransitionTime") or ""), each[0]),
        reverse=True,
    )
    return [
        Row(
            str(each.get("type")),
            {
                "type": _condition(each, tones),
                "at": cells.moment(str(each.get("lastTransitionTime") or "")),
                "reason": str(each.get("reason") or ""),
                "message": str(each.get("message") or ""),
            },
        )
        for _, each in ordered
    ]


def _condition(each: Mapping[str, Any], tones: Mapping[str, str]) -> cells.Cell:
    name = str(each.get("type"))
    if each.get("status") == "True":
        return cells.state(name, tones.get(name, "idle"), "" if name in tones else "flag")
    word = "no longer" if each.get("status") == "False" else "unknown"
    return cells.state(f"{name}: {word}", "idle", "history")
