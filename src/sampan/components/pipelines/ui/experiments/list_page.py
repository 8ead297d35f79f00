"""All experiments of a namespace: how their last runs went, how many there are, what starts more."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui.experiments import actions, rows
from sampan.ui import widgets
from sampan.ui.context import PageContext, Stop
from sampan.ui.controls.controls import Choice
from sampan.ui.table.pager import Pager
from sampan.ui.table.search_box import SearchBox
from sampan.ui.table.table import DataTable

_SIZE = 25
_COMMAND = "kfp.Client().create_experiment('my-experiment')"
_SHELVES = (("", "Active"), ("archived", "Archived"))


async def build(page: PageContext) -> None:
    await _List(page).build()


class _List:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        query = page.query
        self._sort = query.get("sort", "") or "created_at"
        self._descending = query.get("order", "desc") == "desc"
        self._sought = query.get("find", "")
        self._shelf = query.get("show", "") if query.get("show", "") == "archived" else ""
        self._token = ""
        self._stop: Stop | None = None
        self._found: dict[str, Any] = {}

    async def build(self) -> None:
        with widgets.page_header("Experiments", "Runs that belong together, and how they went."):
            widgets.button("New experiment", lambda: actions.create(self._page), icon="add", kind="primary")
        with ui.element("div").classes("sp-list-tools"):
            SearchBox("Find experiments by name", self._sought, self._find)
            Choice("Show", _SHELVES, self._shelf, self._choose_shelf)
        self._table = DataTable(
            rows.COLUMNS,
            label="Experiments",
            on_sort=self._sort_by,
            on_action=self._act,
            order=(self._sort, self._descending),
        )
        self._pager = Pager(self._turn, _SIZE)
        self._empty = ui.element("div")
        await self._ask()

    async def _ask(self) -> None:
        if self._stop is not None:
            self._stop()
        query = {
            "view": "FULL",
            "page_size": str(_SIZE),
            "page_token": self._token,
            "namespace": self._page.namespace,
            "sort_by": f"{self._sort} {'desc' if self._descending else 'asc'}",
            "filter": rows.filter_of(self._sought, archived=bool(self._shelf)),
        }
        self._stop = await self._page.live(actions.BASE, self._show, query=query)

    def _show(self, answer: Any) -> None:
        listed = answer.get("experiments", ())
        self._found = {each["experiment_id"]: each for each in listed}
        self._table.set_rows([rows.experiment(each, self._page.href) for each in listed])
        self._pager.show(len(listed), int(answer.get("total_size", 0)), answer.get("next_page_token", ""))
        self._table.set_visibility(bool(listed))
        self._empty.clear()
        if not listed:
            with self._empty:
                self._say_empty()

    def _say_empty(self) -> None:
        if self._sought:
            detail = f"Nothing matches “{self._sought}”."
            widgets.empty_state("search_off", "No experiment has this in its name", detail)
        elif self._shelf:
            detail = "What is archived is out of the way, and can be brought back from here."
            widgets.empty_state("inventory_2", "Nothing is archived", detail)
        else:
            detail = "An experiment gathers runs that try the same thing. Make one here, or from Python:"
            links = [("New run", self._page.href("/runs/new"))]
            widgets.empty_state("science", "No experiments yet", detail, links, command=_COMMAND)

    async def _find(self, text: str) -> None:
        self._sought = text
        await self._restart()

    async def _choose_shelf(self, shelf: str) -> None:
        self._shelf = shelf
        await self._restart()

    async def _sort_by(self, key: str, descending: bool) -> None:
        self._sort, self._descending = key, descending
        await self._restart()

    async def _restart(self) -> None:
        self._token = ""
        self._pager.restart()
        sort = "" if self._sort == "created_at" else self._sort
        order = "" if self._descending else "asc"
        self._page.set_query(find=self._sought, show=self._shelf, sort=sort, order=order)
        await self._ask()

    async def _turn(self, token: str) -> None:
        self._token = token
        await self._ask()

    async def _act(self, experiment_id: str, action: str) -> None:
        found = self._found.get(experiment_id)
        if found is None:
            return
        match action:
            case "run":
                self._page.go("/runs/new", experiment=experiment_id)
            case "edit":
                actions.edit(self._page, found)
            case "archive":
                await self._page.attempt(actions.archive(self._page, experiment_id, lambda: None))
            case "unarchive":
                await actions.unarchive(self._page, experiment_id, found["display_name"])
            case "delete":
                await self._page.attempt(actions.delete(self._page, experiment_id, lambda: None))
