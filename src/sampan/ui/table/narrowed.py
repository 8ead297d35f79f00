"""A table of all that is there, narrowed, sorted, paged, some of it picked. What is shown stands in the address.

listed = NarrowedTable(page, VIEW)
SearchBox("Name", listed.wanted.text, lambda text: listed.narrow(text=text))
listed.build()
await page.live(path, lambda found: listed.take([…]))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, TypeVar

from nicegui import ui

from sampan.ui import widgets, words
from sampan.ui.context import PageContext
from sampan.ui.table.narrowing import Narrowing
from sampan.ui.table.pager import Pager
from sampan.ui.table.table import Column, DataTable, Row

_SIZE = 100


Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class PickedAction(Generic[Item]):
    label: str
    icon: str
    act: Callable[[list[Item]], Any]
    kind: str = ""
    """Of the button (`ui.widgets`)."""


@dataclass(frozen=True, slots=True)
class View(Generic[Item]):
    label: str
    noun: str
    """Of one and of many: `job|jobs`."""
    columns: Sequence[Column]
    row: Callable[[Item], Row]
    narrowing: Narrowing[Item]
    home: str
    """The page's path, where nothing is narrowed."""
    offer: Callable[[], None]
    """Says in place of the table that there is nothing at all, and what to do."""
    act: Callable[[Item, str], Any]
    """A row's action, by name."""
    picked: Sequence[PickedAction[Item]] = ()


class NarrowedTable(Generic[Item]):
    def __init__(self, page: PageContext, view: View[Item]) -> None:
        self._page = page
        self._view = view
        self.wanted = view.narrowing.from_address(page.query)
        self._all: Sequence[Item] = ()
        self._shown: dict[str, Item] = {}
        self._start = 0
        self._is_empty: bool | None = None

    def build(self) -> DataTable:
        view = self._view
        self._bar = ui.element("div").classes("sp-picked-bar")
        several = view.noun.partition("|")[2]
        self._bar._props.update({"role": "toolbar", "aria-label": f"Picked {several}"})
        self._bar.set_visibility(False)
        self._build_bar()
        self._table = DataTable(
            view.columns,
            label=view.label,
            pick=self._pick if view.picked else None,
            on_sort=lambda key, descending: self.narrow(sort=key, descending=descending),
            on_action=self._act,
            order=(self.wanted.sort, self.wanted.descending),
        )
        self._pager = Pager(self._turn, _SIZE)
        self._empty = ui.element("div")
        return self._table

    def take(self, items: Sequence[Item]) -> None:
        """All that there is now."""
        self._all = items
        self._show()

    def narrow(self, **changed: Any) -> None:
        """To what the fields of `wanted` then say."""
        self.wanted = replace(self.wanted, **changed)
        self._start = 0
        self._is_empty = None
        self._pager.restart()
        self._page.set_query(**self._view.narrowing.to_address(self.wanted))
        self._show()

    def unpick(self) -> None:
        self._table.clear_picked()
        self._bar.set_visibility(False)

    def _show(self) -> None:
        found = self._view.narrowing.chosen(self._all, self.wanted)
        self._start = self._start if self._start < len(found) else 0
        part = found[self._start : self._start + _SIZE]
        rows = [self._view.row(item) for item in part]
        self._shown = {row.id: item for row, item in zip(rows, part, strict=True)}
        self._table.set_rows(rows)
        self._table.set_visibility(bool(part))
        after = self._start + _SIZE
        self._pager.show(len(part), len(found), str(after) if after < len(found) else "")
        if self._is_empty != (not part):
            self._is_empty = not part
            self._say_empty()

    def _say_empty(self) -> None:
        self._empty.clear()
        if not self._is_empty:
            return
        with self._empty:
            if not self._all:
                self._view.offer()
                return
            one = self._view.noun.partition("|")[0]
            shown = [("Show all", self._page.href(self._view.home))]
            widgets.empty_state(
                "search_off", f"No {one} fits", "Clear the filters to see all of them.", shown
            )

    def _turn(self, token: str) -> None:
        self._start = int(token or 0)
        self._show()

    def _build_bar(self) -> None:
        """Once: whoever picks one more and clicks at once has clicked a button that is still there."""
        with self._bar:
            self._picked_count = widgets.text("")
            for action in self._view.picked:
                widgets.button(
                    action.label, partial(self._act_on_picked, action), icon=action.icon, kind=action.kind
                )
            widgets.button("Pick none", self.unpick, icon="close")

    def _pick(self, ids: list[str]) -> None:
        self._bar.set_visibility(bool(ids))
        self._picked_count.set_text(f"{words.counted(len(ids), self._view.noun)} picked")

    def _act_on_picked(self, action: PickedAction[Item]) -> Any:
        return action.act([self._shown[each] for each in self._table.picked if each in self._shown])

    def _act(self, identity: str, name: str) -> Any:
        item = self._shown.get(identity)
        return None if item is None else self._view.act(item, name)
