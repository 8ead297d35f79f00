"""Artifacts of a namespace: of which type, by which step, how large; searched by name, address and metadata."""

from __future__ import annotations

import json
from typing import Any

from sampan.components.pipelines.ui import filters
from sampan.components.pipelines.ui.artifacts import model
from sampan.components.pipelines.ui.paged import Listed, PagedTable
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.table import cells
from sampan.ui.table.search_box import SearchBox
from sampan.ui.table.table import Column, Row

API = "/apis/v2beta1/artifacts"
_COLUMNS = (
    Column("name", "Name", sort="name"),
    Column("type", "Type", sort="type"),
    Column("by", "Made by"),
    Column("value", "Value", number=True),
    Column("size", "Size", number=True),
    Column("created", "Made", sort="created_at"),
)


async def build(page: PageContext) -> None:
    view = _View(page)
    widgets.page_header("Artifacts", "What steps have made: datasets, models, metrics and more.")
    with filters.bar():
        SearchBox("Search in name, address, metadata", view.text, view.search)
        filters.choice("Type", model.TYPES, view.type, view.choose_type)
    view.list = PagedTable(page, view.listed(), label="Artifacts")
    await view.ask()


class _View:
    list: PagedTable

    def __init__(self, page: PageContext) -> None:
        self._page = page
        self.text = page.query.get("q", "")
        self.type = page.query.get("type", "")

    def listed(self) -> Listed:
        return Listed(API, "artifacts", "artifact|artifacts", _COLUMNS, self._row, lambda: _empty(self._page))

    async def search(self, text: str) -> None:
        self.text = text
        await self._narrow()

    async def choose_type(self, kind: str) -> None:
        self.type = kind
        await self._narrow()

    async def ask(self) -> None:
        query = {"view": "FULL", "search": self.text}
        if self.type:
            predicate = {"operation": "EQUALS", "key": "type", "string_value": self.type}
            query["filter"] = json.dumps({"predicates": [predicate]})
        await self.list.show(query, narrowed=bool(self.text or self.type))

    async def _narrow(self) -> None:
        self._page.set_query(q=self.text, type=self.type)
        await self.ask()

    def _row(self, artifact: Any) -> Row:
        key, name = artifact["artifact_id"], artifact.get("name", "")
        by = artifact.get("produced_by", {})
        made: Any = ""
        if by:
            href = self._page.href(f"/runs/{by['run_id']}", task=by["task_id"])
            made = cells.link(model.task_name(by), href, f"{_how(artifact)} {by.get('run', '')}")
        return Row(
            key,
            {
                "name": cells.link(name, self._page.href(f"/artifacts/{key}"), "", model.icon(artifact)),
                "type": artifact.get("type", ""),
                "by": made,
                "value": cells.number(None, model.value(artifact)),
                "size": cells.number(None, model.size(artifact)),
                "created": cells.time(artifact.get("created_at", "")),
            },
            name=name,
        )


def _how(artifact: Any) -> str:
    if artifact.get("imported"):
        return "imported by"
    return "from the cache, in" if artifact["produced_by"]["how"] == "REUSED" else "of"


def _empty(page: PageContext) -> None:
    widgets.empty_state(
        "category",
        "No artifacts yet",
        "Datasets, models, metrics and files that steps declare as outputs are listed here.",
        [("New run", page.href("/runs/new")), ("Pipelines", page.href("/pipelines"))],
        command="sampan run pipeline.py",
    )
