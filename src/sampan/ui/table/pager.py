"""Pages of a list that the API gives a token for each next one of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui

from sampan.ui import widgets


class Pager:
    """Not there while everything fits one page. `turn` is called with the token of the page that is wanted."""

    def __init__(self, turn: Callable[[str], Any], size: int) -> None:
        self._turn = turn
        self._size = size
        self._tokens = [""]
        """Of the pages up to the one that is shown."""
        self._next = ""
        self._box = ui.element("nav").classes("sp-pager").props('aria-label="Pages"')
        with self._box:
            self._text = widgets.Text("span", "")
            self._back = widgets.icon_button("chevron_left", "Previous page", self._go_back)
            self._on = widgets.icon_button("chevron_right", "Next page", self._go_on)
        self._box.set_visibility(False)

    def restart(self) -> None:
        """Something else is listed: the first page again, which the caller asks for."""
        self._tokens = [""]

    def show(self, count: int, total: int, next_token: str) -> None:
        """How many the page holds, how many there are, and where it goes on, if it does."""
        self._next = next_token
        first = (len(self._tokens) - 1) * self._size + 1
        self._text.set_text(f"{first:,}–{first + count - 1:,} of {total:,}" if count else f"of {total:,}")
        widgets.set_enabled(self._back, len(self._tokens) > 1, "This is the first page")
        widgets.set_enabled(self._on, bool(next_token), "This is the last page")
        self._box.set_visibility(bool(next_token) or len(self._tokens) > 1)

    def _go_back(self) -> Any:
        if len(self._tokens) > 1:
            self._tokens.pop()
        return self._turn(self._tokens[-1])

    def _go_on(self) -> Any:
        if self._next:
            self._tokens.append(self._next)
        return self._turn(self._tokens[-1])
