"""The window in which runs are picked for the comparison."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui.states import shown
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError
from sampan.ui.context import PageContext
from sampan.ui.table import cells
from sampan.ui.table.search_box import SearchBox
from sampan.ui.table.table import Column, DataTable, Row

_COLUMNS = (
    Column("name", "Name"),
    Column("state", "State"),
    Column("experiment", "Experiment"),
    Column("started", "Started"),
)
_SHOWN = 20


class Picker:
    """Shows the newest runs, or those whose name holds what is typed."""

    def __init__(
        self, page: PageContext, present: Sequence[str], room: int, take: Callable[[list[str]], Any]
    ) -> None:
        self._page = page
        self._present = list(present)
        self._room = room
        self._asked = 0
        window, content = widgets.dialog("Add runs to the comparison", wide=True)

        async def add() -> None:
            window.close()
            take(self._table.picked[: self._room])

        with content:
            SearchBox("Search runs by name", "", self._search)
            self._note = widgets.paragraph("", "sp-muted").props('role="status"')
            with ui.element("div").classes("sp-picker"):
                self._table = DataTable(_COLUMNS, label="Runs to add", pick=self._picked)
            with ui.element("div").classes("sp-dialog-actions"):
                widgets.button("Cancel", window.close)
                self._add = widgets.button("Add", add, kind="primary")
        self._picked([])

    async def fill(self) -> None:
        await self._search("")

    async def _search(self, text: str) -> None:
        self._asked += 1
        asked = self._asked
        query = {
            "page_size": str(_SHOWN + len(self._present)),
            "sort_by": "created_at desc",
            "namespace": self._page.namespace,
            "include": "origin",
        }
        predicates: list[dict[str, Any]] = [
            {"key": "storage_state", "operation": "EQUALS", "string_value": "AVAILABLE"}
        ]
        if text.strip():
            predicates.append({"key": "name", "operation": "IS_SUBSTRING", "string_value": text.strip()})
        query["filter"] = json.dumps({"predicates": predicates})
        try:
            found = await self._page.api.get("/apis/v2beta1/runs", query)
        except ApiFailureError as error:
            self._note.set_text(error.message)
            return
        if asked != self._asked:
            return
        runs = [run for run in found.get("runs", ()) if run["run_id"] not in self._present][:_SHOWN]
        picked = set(self._table.picked)
        self._table.set_rows([_row(run) for run in runs])
        self._table.picked = [run["run_id"] for run in runs if run["run_id"] in picked]
        self._picked(self._table.picked)
        if not runs:
            self._note.set_text(
                "No other run has that in its name." if text.strip() else "There are no other runs."
            )

    def _picked(self, ids: list[str]) -> None:
        count = len(ids)
        widgets.set_enabled(
            self._add, 0 < count <= self._room, "Pick at least one run" if not count else "Too many"
        )
        if count > self._room:
            self._note.set_text(
                f"{count} are picked, and there is room for {self._room}: ten runs can be compared."
            )
        else:
            self._note.set_text(
                f"{count} of at most {self._room} picked." if count else "The newest runs, or search."
            )


def _row(run: Any) -> Row:
    text, tone, icon = shown(run.get("state", ""))
    return Row(
        run["run_id"],
        {
            "name": run["display_name"],
            "state": cells.state(text, tone, icon),
            "experiment": (run.get("origin") or {}).get("experiment", ""),
            "started": cells.time(run["created_at"]),
        },
        name=run["display_name"],
    )
