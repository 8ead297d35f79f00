"""Kubernetes' events as rows of a table. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sampan.ui.table import cells
from sampan.ui.table.table import Column, Row

COLUMNS = (Column("time", "When"), Column("reason", "What"), Column("message", "Message"))


def rows(events: Sequence[Mapping[str, Any]]) -> list[Row]:
    """The newest first. Pure."""

    def at(event: Mapping[str, Any]) -> str:
        return str(
            event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"]
        )

    return [
        Row(
            event["metadata"]["name"],
            {
                "time": cells.time(at(event)),
                "reason": cells.state(str(event.get("reason", "")), _tone(event), ""),
                "message": _message(event),
            },
        )
        for event in sorted(events, key=at, reverse=True)
    ]


def _tone(event: Mapping[str, Any]) -> str:
    return "warn" if event.get("type") == "Warning" else "idle"


def _message(event: Mapping[str, Any]) -> str:
    count = int(event.get("count") or 1)
    return f"{event.get('message', '')}" + (f" ({count} times)" if count > 1 else "")
