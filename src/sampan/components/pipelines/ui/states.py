"""How states of runs and tasks are said and coloured. Pure."""

from __future__ import annotations

_SHOWN = {
    "PENDING": ("Pending", "idle", "schedule"),
    "RUNNING": ("Running", "busy", ""),
    "SUCCEEDED": ("Succeeded", "ok", ""),
    "SKIPPED": ("Skipped", "idle", "skip_next"),
    "FAILED": ("Failed", "bad", ""),
    "CANCELING": ("Stopping", "warn", "cancel"),
    "CANCELED": ("Stopped", "warn", "cancel"),
    "PAUSED": ("Paused", "warn", "pause_circle"),
    "CACHED": ("From cache", "ok", "bolt"),
}
_FINAL = frozenset({"SUCCEEDED", "SKIPPED", "FAILED", "CANCELED", "CACHED"})


def shown(state: str) -> tuple[str, str, str]:
    """A word, a tone and an icon (empty for the tone's own)."""
    return _SHOWN.get(state, (state.replace("_", " ").capitalize() or "Unknown", "idle", ""))


def is_final(state: str) -> bool:
    """Of a run or a task that will not change any more by itself."""
    return state in _FINAL
