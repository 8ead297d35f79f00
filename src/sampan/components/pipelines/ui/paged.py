"""A list of the API's as a table, a page at a time: kept current, sorted and paged by the API.

What is asked for may change while the page is shown (a filter); then the first page of that is shown. Where there is
nothing, what stands in the table's place says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from sampan.ui import widgets, words
from sampan.ui.api import ApiFailureError
from sampan.ui.context import PageContext, Stop
from sampan.ui.table.table import Column, DataTable, Row

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class Listed:
    """What a list is of, and how its rows look."""

    path: str
    items: str
    """Under which name the answer holds them."""
    noun: str
    """One of them and several: `artifact|artifacts`."""
    columns: Sequence[Column]
    row: Callable[[Any], Row]
    empty: Callable[[], Any]
    """Builds what stands there while there is none at all."""
    order: str = "created_at desc"
    """As `sort_by` has it; nothing for a list with an order of its own."""


class PagedTable:
    """`show` before anything is seen. `found` is the last answer."""

    def __init__(
        self,
        page: PageContext,
        listed: Listed,
        *,
        label: str,
        pick: Callable[[list[str]], Any] | None = None,
        on_action: Callable[[str, str], Any] | None = None,
        size: int = PAGE_SIZE,
    ) -> None:
        self._page = page
        self._listed = listed
        self._size = size
        self._query: Mapping[str, str] = {}
        self._is_narrowed = False
        self._order = listed.order
        self._tokens: list[str] = [""]
        """Of the pages up to the one that is shown."""
        self._next = ""
        self._stop: Stop | None = None
        self._number = 0
        """Of the question whose answer is shown."""
        self.items: dict[str, Any] = {}
        """What is shown, by the row's id."""
        field, _, direction = listed.order.partition(" ")
        self._empty = ui.element("div")
        self._nothing = ui.element("div").classes("sp-card")
        with self._nothing:
            widgets.empty_state(
                "search_off", "Nothing matches", "Change the search, or choose another filter."
            )
        self._nothing.set_visibility(False)
        self.table = DataTable(
            listed.columns,
            label=label,
            pick=pick,
            on_sort=self._sort if listed.order else None,
            on_action=on_action,
            order=(field, direction == "desc"),
        )
        self._pager = ui.element("div").classes("sp-pager")
        with self._pager:
            self._count = widgets.text("").props('role="status"')
            self._back = widgets.button("Previous", self._previous, icon="chevron_left")
            self._on = widgets.button("Next", self._following, icon="chevron_right")

    async def show(self, query: Mapping[str, str], *, narrowed: bool = False) -> None:
        """The first page of what `query` asks for; `narrowed` says that there may be others.

        Raises ApiFailureError at first; later a window says what was refused.
        """
        self._query, self._is_narrowed = query, narrowed
        self._tokens = [""]
        if self._stop is None:
            await self._ask()
        else:
            await self._ask_again()

    async def _ask(self) -> None:
        asked = {
            "namespace": self._page.namespace,
            "page_size": str(self._size),
            "page_token": self._tokens[-1],
            "sort_by": self._order,
            **self._query,
        }
        query = {key: value for key, value in asked.items() if value}
        self._number += 1
        number = self._number

        def take(found: Any) -> None:
            # Somebody who types asks again before the answer to the last question is there.
            if number == self._number:
                self._take(found)

        stop = await self._page.live(self._listed.path, take, query=query)
        if number != self._number:
            stop()
            return
        if self._stop is not None:
            self._stop()
        self._stop = stop

    def _take(self, found: Any) -> None:
        items = found.get(self._listed.items, [])
        rows = [self._listed.row(item) for item in items]
        self.items = {row.id: item for row, item in zip(rows, items, strict=True)}
        self._next = found.get("next_page_token", "")
        self.table.set_rows(rows)
        is_first = len(self._tokens) == 1
        # A list may look at a part of all there is at a time, in which there is nothing.
        is_empty = not rows and is_first and not self._next
        is_none = is_empty and not self._is_narrowed
        self.table.set_visibility(not is_empty)
        self._nothing.set_visibility(is_empty and not is_none)
        self._show_empty(is_none)
        self._pager.set_visibility(not is_empty)
        self._count.set_text(self._counted(len(rows), found.get("total_size")))
        self._back.set_visibility(not is_first)
        self._on.set_visibility(bool(self._next))

    def _show_empty(self, is_none: bool) -> None:
        is_shown = bool(self._empty.default_slot.children)
        if is_none and not is_shown:
            with self._empty, widgets.card():
                self._listed.empty()
        elif is_shown and not is_none:
            self._empty.clear()

    def _counted(self, count: int, total: int | None) -> str:
        begin = (len(self._tokens) - 1) * self._size
        if total is None and not count:
            return "Nothing here; there may be more further back" if self._next else "Nothing here"
        if total is None:
            return f"{begin + 1} to {begin + count}" if self._next or begin else ""
        if total <= count:
            return words.counted(total, self._listed.noun)
        return f"{begin + 1:,} to {begin + count:,} of {words.counted(total, self._listed.noun)}"

    async def _following(self) -> None:
        if self._next:
            self._tokens.append(self._next)
            await self._ask_again()

    async def _previous(self) -> None:
        if len(self._tokens) > 1:
            self._tokens.pop()
            await self._ask_again()

    async def _sort(self, field: str, descending: bool) -> None:
        self._order = f"{field} {'desc' if descending else 'asc'}"
        self._tokens = [""]
        await self._ask_again()

    async def _ask_again(self) -> None:
        try:
            await self._ask()
        except ApiFailureError as error:
            widgets.failure_dialog(error)
