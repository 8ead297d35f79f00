"""What is done to all the rows that somebody has picked: one request after another, and what was refused is named."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from nicegui import ui

from sampan.ui import widgets, words
from sampan.ui.api import ApiFailureError
from sampan.ui.context import PageContext


class Bar:
    """Above a table, while rows are picked. What is made within `actions` is what can be done with them."""

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._bar = ui.element("div").classes("sp-bulk")
        with self._bar:
            self._count = widgets.text("").props('role="status"')
            self.actions = ui.element("div").classes("sp-row")
        self._bar.set_visibility(False)

    def picked(self, ids: Sequence[str]) -> None:
        self._bar.set_visibility(bool(ids))
        self._count.set_text(f"{words.counted(len(ids), self._noun)} picked")


async def each(
    page: PageContext, things: Sequence[Any], act: Callable[[Any], Awaitable[Any]], name: str, done: str
) -> None:
    """`name` is the field that holds what people call one of them. `done` is said where nothing was refused."""
    refused: list[str] = []

    async def all_of_them() -> None:
        for thing in things:
            try:
                await act(thing)
            except ApiFailureError as error:
                refused.append(f"{thing.get(name, '')}: {error.message}")

    await page.attempt(all_of_them())
    if refused:
        tell(f"{len(things) - len(refused)} of {len(things)} were done", refused)
    elif done:
        page.notify(done)


def tell(title: str, lines: Sequence[str]) -> None:
    """What was refused, and why."""
    window, content = widgets.dialog(title)
    with content:
        with ui.element("ul").classes("sp-lost"):
            for line in words.listed(list(lines)):
                widgets.Text("li", line)
        with ui.element("div").classes("sp-dialog-actions"):
            widgets.button("Close", window.close, kind="primary")
