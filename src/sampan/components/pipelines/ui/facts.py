"""How a fact about a record is drawn beside its name: for `widgets.pairs`, whose values may draw themselves."""

from __future__ import annotations

from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.times.stamp import Stamp


def stamp(at: str) -> None:
    Stamp(at)


def mono(text: str) -> None:
    widgets.text(text, "sp-mono")


def link(page: PageContext, text: str, path: str, **query: str) -> None:
    widgets.link(text, page.href(path, **query))
