"""All pipelines of a namespace."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui.pipelines import deleting, finding, rows
from sampan.ui import widgets
from sampan.ui.context import PageContext, Stop
from sampan.ui.table.pager import Pager
from sampan.ui.table.search_box import SearchBox
from sampan.ui.table.table import DataTable

_SIZE = 25
_COMMAND = "kfp.Client().upload_pipeline('pipeline.yaml', pipeline_name='my-pipeline')"


class _List:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._sort = page.query.get("sort", "created_at")
        self._descending = page.query.get("order", "desc") == "desc"
        self._sought = page.query.get("find", "")
        self._token = ""
        self._stop: Stop | None = None

    async def build(self) -> None:
        page = self._page
        with widgets.page_header("Pipelines"):
            widgets.button("New run", href=page.href("/runs/new"), icon="play_arrow")
            widgets.button(
                "Upload pipeline", href=page.href("/pipelines/upload"), icon="upload", kind="primary"
            )
        self._tools = ui.element("div").classes("sp-list-tools")
        with self._tools:
            SearchBox("Find by name, or by a tag as team: ml", self._sought, self._find)
        self._table = DataTable(
            rows.PIPELINES,
            label="Pipelines",
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
        }
        if self._sought:
            # A tag is asked for as it is shown; everything else is a part of a name.
            named = rows.predicate("display_name", self._sought, "IS_SUBSTRING")
            query["filter"] = rows.filter_of(finding.tagged(self._sought) or named)
        self._stop = await self._page.live("/apis/v2beta1/pipelines", self._show, query=query)

    def _show(self, found: Any) -> None:
        listed = found.get("pipelines", ())
        self._table.set_rows([rows.pipeline(each, self._page.href) for each in listed])
        self._pager.show(len(listed), int(found.get("total_size", 0)), found.get("next_page_token", ""))
        self._table.set_visibility(bool(listed))
        self._tools.set_visibility(bool(listed or self._sought))
        self._empty.clear()
        if not listed:
            with self._empty:
                self._say_empty()

    def _say_empty(self) -> None:
        if self._sought:
            widgets.empty_state(
                "search_off", "No pipeline is called this", f"Nothing matches {self._sought!r}."
            )
            return
        links = [("Upload pipeline", self._page.href("/pipelines/upload"))]
        detail = "A pipeline is a file compiled by kfp. Upload one here, or from Python:"
        widgets.empty_state("account_tree", "No pipelines yet", detail, links, command=_COMMAND)

    async def _find(self, text: str) -> None:
        self._sought = text
        await self._restart()

    async def _sort_by(self, key: str, descending: bool) -> None:
        self._sort, self._descending = key, descending
        await self._restart()

    async def _restart(self) -> None:
        self._token = ""
        self._pager.restart()
        order = "" if self._descending else "asc"
        sort = "" if self._sort == "created_at" else self._sort
        self._page.set_query(find=self._sought, sort=sort, order=order)
        await self._ask()

    async def _turn(self, token: str) -> None:
        self._token = token
        await self._ask()

    async def _act(self, pipeline_id: str, action: str) -> None:
        if action == "run":
            self._page.go("/runs/new", pipeline=pipeline_id)
        else:
            await self._page.attempt(deleting.ask_pipeline(self._page, pipeline_id, lambda: None))


async def build(page: PageContext) -> None:
    await _List(page).build()
