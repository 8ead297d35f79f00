"""Cards of names and values: one element of our own, to which they go as plain data and only when they have changed.

A value is a text, a cell of `ui.table.cells` (link, time, state, mono), or one of those made here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nicegui.element import Element

from sampan.ui.links import checked
from sampan.ui.times import TIMES

Value = Any


@dataclass(frozen=True, slots=True)
class Fact:
    name: str
    values: Sequence[Value]


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    facts: Sequence[Fact]
    wide: bool = False


def tag(text: str, href: str = "") -> Value:
    return {"t": "tag", "text": text, "href": checked(href) if href else ""}


def hidden(key: str, size: str, text: str | None = None) -> Value:
    """What is shown only when asked for. `text` is what it holds, once that is so; until then it is not sent."""
    return {"t": "hidden", "key": key, "size": size, "text": text}


def fact(name: str, *values: Value) -> list[Fact]:
    """None where there is no value: in a list of facts it takes no place."""
    kept = [each for each in values if each not in (None, "")]
    return [Fact(name, tuple(kept))] if kept else []


class Facts(Element, component="facts.js", esm=TIMES):
    def __init__(self, reveal: Callable[[str], Any] | None = None) -> None:
        """`reveal` gets the key of a hidden value that is to be shown, or hidden again."""
        super().__init__()
        self._sent: list[Any] = []
        self._props["sections"] = []
        if reveal is not None:
            self.on("reveal", lambda event: reveal(str(event.args)))

    def show(self, sections: Sequence[Section]) -> None:
        plain = [
            {
                "title": section.title,
                "wide": section.wide,
                "rows": [{"name": each.name, "values": list(each.values)} for each in section.facts],
            }
            for section in sections
            if section.facts
        ]
        if plain == self._sent:
            return
        is_first = not self._sent
        self._sent = plain
        # What a window that is loaded again begins with; no message by itself.
        dict.__setitem__(self._props, "sections", plain)
        if is_first:
            self.update()
        else:
            self.run_method("change", plain)
