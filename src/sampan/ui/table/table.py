"""A table of rows, with sorting, picking and actions that the server answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nicegui.element import Element

from sampan.ui.table.cells import Cell
from sampan.ui.times import TIMES


@dataclass(frozen=True, slots=True)
class Column:
    key: str
    label: str
    sort: str = ""
    """What `on_sort` gets; empty for a column that nothing is sorted by."""
    number: bool = False
    narrow: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    id: str
    cells: Mapping[str, Cell]
    """By the column's key."""
    name: str = ""
    """What a reader of the page aloud says for picking it."""


class DataTable(Element, component="table.js", esm=TIMES):
    """Rows go to the browser as they are; only what changed goes again."""

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        label: str,
        pick: Callable[[list[str]], Any] | None = None,
        on_sort: Callable[[str, bool], Any] | None = None,
        on_action: Callable[[str, str], Any] | None = None,
        order: tuple[str, bool] = ("", False),
    ) -> None:
        """`label` names the table for whoever hears it.

        `pick` gets the ids that are picked; `on_sort` a column's `sort`, and whether the largest come first, which is
        also what `order` says of the beginning; `on_action` a row's id and the action's name.
        """
        super().__init__()
        self._rows: dict[str, Row] = {}
        self._order: list[str] = []
        self.picked: list[str] = []
        self._props.update(
            columns=[asdict(column) for column in columns],
            rows=[],
            label=label,
            pickable=pick is not None,
            sort=order[0],
            descending=order[1],
        )
        if pick is not None:
            self.on("pick", lambda event: self._pick(list(event.args), pick))
        if on_sort is not None:
            self.on("sort", lambda event: self._sort(event.args, on_sort))
        if on_action is not None:
            self.on("action", lambda event: on_action(str(event.args["id"]), str(event.args["name"])))

    def set_columns(self, columns: Sequence[Column]) -> None:
        self._props["columns"] = [asdict(column) for column in columns]
        self.update()

    def set_order(self, sort: str, descending: bool) -> None:
        """Shows by what the rows are sorted; sorts nothing."""
        self._props["sort"], self._props["descending"] = sort, descending
        self.update()

    def set_rows(self, rows: Sequence[Row]) -> None:
        """All that are shown. Where the same rows stand in the same order, only the changed ones are sent."""
        order = [row.id for row in rows]
        changed = [row for row in rows if self._rows.get(row.id) != row]
        is_same_order = order == self._order
        self._rows = {row.id: row for row in rows}
        self._order = order
        # What a window that is loaded again begins with; no message by itself.
        dict.__setitem__(self._props, "rows", [_plain(row) for row in rows])
        if not is_same_order:
            self.update()
        elif changed:
            self.run_method("change", [_plain(row) for row in changed])

    def clear_picked(self) -> None:
        self.picked = []
        self.run_method("unpick")

    def _pick(self, ids: list[str], pick: Callable[[list[str]], Any]) -> Any:
        self.picked = [each for each in ids if each in self._rows]
        return pick(self.picked)

    def _sort(self, args: Any, on_sort: Callable[[str, bool], Any]) -> Any:
        self._props["sort"], self._props["descending"] = str(args["sort"]), bool(args["descending"])
        return on_sort(self._props["sort"], self._props["descending"])


def _plain(row: Row) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "cells": row.cells}
