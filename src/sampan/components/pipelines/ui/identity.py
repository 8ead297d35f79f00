"""Answers that tabs share are looked at once for all of them. Pure.

`ui.live` hands the same object to all tabs that ask the same; what follows from it is remembered by that object, not by
what is in it, which would cost as much as to work it out again.
"""

from __future__ import annotations

from typing import Any


class Same:
    """Equal only to itself. Holds what it stands for, so that nothing else can take its place in memory."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)
