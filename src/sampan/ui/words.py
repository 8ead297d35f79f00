"""Counts and sizes in words. Pure."""

from __future__ import annotations

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def counted(count: int, noun: str) -> str:
    """`noun` is one of them and several: `run|runs`."""
    one, _, several = noun.partition("|")
    return f"{count:,} {one if count == 1 else several}"


def size(count: int) -> str:
    value, unit = float(count), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{count} B" if not unit else f"{value:.1f} {_UNITS[unit]}"


def listed(names: list[str], most: int = 8) -> list[str]:
    """As lines of a question, no more than `most`, the last of which says how many more there are."""
    if len(names) <= most:
        return names
    return [*names[: most - 1], f"and {len(names) - most + 1} more"]
