"""What belongs to an object, and to that, as a tree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from sampan.dashboard.kubernetes import dependents
from sampan.dashboard.kubernetes.kinds import Catalogue, spaced
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.table import cells
from sampan.ui.table.table import Column, DataTable, Row

_COLUMNS = (Column("name", "Name"), Column("kind", "Kind"), Column("age", "Age"))
_SECONDS = 10.0
_INDENT = "\u2003\u2003"


class OwnedPart:
    def __init__(self, page: PageContext, catalogue: Catalogue, obj: Mapping[str, Any]) -> None:
        self._page = page
        self._catalogue = catalogue
        self._obj = obj
        self._is_stopped = False

    async def build(self) -> None:
        self._none = ui.element("div")
        with self._none:
            widgets.empty_state(
                "account_tree",
                "Nothing belongs to it",
                "No object that was looked through names it as its owner.",
            )
        self._table = DataTable(_COLUMNS, label="What belongs to it")
        await self._look()
        self._page.every(_SECONDS, self._look)

    def update(self, obj: Mapping[str, Any]) -> None:
        self._obj = obj

    def stop(self) -> None:
        self._is_stopped = True

    async def _look(self) -> None:
        if self._is_stopped:
            return
        self._show(await dependents.find(self._page.api, self._catalogue, self._obj))

    def _show(self, found: list[dependents.Dependent]) -> None:
        if self._is_stopped:
            return
        self._none.set_visibility(not found)
        self._table.set_visibility(bool(found))
        self._table.set_rows([self._row(each) for each in found])

    def _row(self, each: dependents.Dependent) -> Row:
        lead = _INDENT * each.depth + ("└ " if each.depth else "")
        href = self._page.href(each.kind.page(each.namespace, each.name))
        return Row(
            f"{each.kind.key}/{each.name}",
            {
                "name": cells.link(lead + each.name, href),
                "kind": spaced(each.kind.kind),
                "age": cells.time(each.created),
            },
            name=each.name,
        )
