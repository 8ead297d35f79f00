"""Results that later steps may reuse, what artifacts take, and what retention would delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.pipelines.ui import filters
from sampan.components.pipelines.ui.link_tabs import link_tabs
from sampan.components.pipelines.ui.paged import Listed, PagedTable
from sampan.components.pipelines.ui.upkeep import disk
from sampan.ui import widgets, words
from sampan.ui.api import segment
from sampan.ui.context import PageContext
from sampan.ui.table import cells
from sampan.ui.table.search_box import SearchBox
from sampan.ui.table.table import Column, Row

API = "/apis/v2beta1"
_COLUMNS = (
    Column("task", "Step"),
    Column("pipeline", "Pipeline"),
    Column("run", "Made by"),
    Column("made", "Made"),
    Column("size", "Size", number=True),
    Column("hits", "Reused", number=True),
    Column("last", "Last reused"),
    Column("actions", "", narrow=True),
)
_FORGOTTEN = "The next step of the kind runs again, in place of taking the result. Runs that have it keep it."


async def build(page: PageContext) -> None:
    view = _View(page)
    with widgets.page_header(
        "Cache", "Results of steps that later runs take in place of running the step again."
    ):
        widgets.button("Forget all that is shown", view.ask_to_clear, icon="delete_sweep", kind="danger")
    link_tabs(page, "Parts of what is kept", disk.PARTS)
    with filters.bar():
        SearchBox("Pipeline, by its whole name", view.pipeline, view.choose_pipeline)
        SearchBox("Step, by its whole name", view.task, view.choose_task)
    view.list = PagedTable(page, view.listed(), label="Results that are reused", on_action=view.act)
    await view.ask()


class _View:
    list: PagedTable

    def __init__(self, page: PageContext) -> None:
        self._page = page
        self.pipeline = page.query.get("pipeline", "")
        self.task = page.query.get("task", "")

    def listed(self) -> Listed:
        return Listed(
            f"{API}/cache",
            "entries",
            "result|results",
            _COLUMNS,
            self._row,
            lambda: _empty(self._page),
            order="",
        )

    async def choose_pipeline(self, text: str) -> None:
        self.pipeline = text
        await self._narrow()

    async def choose_task(self, text: str) -> None:
        self.task = text
        await self._narrow()

    async def ask(self) -> None:
        await self.list.show(self._wanted(), narrowed=bool(self._wanted()))

    def ask_to_clear(self) -> None:
        which = "all results"
        if self.pipeline or self.task:
            which = "results"
            which += f" of the step {self.task}" if self.task else ""
            which += f" of the pipeline {self.pipeline}" if self.pipeline else ""
        widgets.confirm(f"Forget {which}?", [_FORGOTTEN], self._clear, label="Forget them")

    async def act(self, task_id: str, name: str) -> None:
        entry = self.list.items[task_id]
        if name == "narrow":
            self._page.go("/cache", pipeline=entry.get("pipeline", ""))
            return

        async def go() -> None:
            await self._page.attempt(
                self._page.api.delete(f"{API}/cache/{segment(task_id)}"),
                done=f"The result of {entry['task']} is forgotten.",
            )

        widgets.confirm(f"Forget the result of {entry['task']}?", [_FORGOTTEN], go, label="Forget it")

    async def _clear(self) -> None:
        query = {"namespace": self._page.namespace, **self._wanted()}
        await self._page.attempt(
            self._page.api.delete(f"{API}/cache", query=query), done="The results are forgotten."
        )

    async def _narrow(self) -> None:
        self._page.set_query(pipeline=self.pipeline, task=self.task)
        await self.ask()

    def _wanted(self) -> dict[str, str]:
        given = {"pipeline": self.pipeline, "task": self.task}
        return {key: value for key, value in given.items() if value}

    def _row(self, entry: Mapping[str, Any]) -> Row:
        href = self._page.href(f"/runs/{entry['run_id']}", task=entry["task_id"])
        hits = int(entry.get("hits", 0))
        return Row(
            entry["task_id"],
            {
                "task": entry["task"],
                "pipeline": entry.get("pipeline", ""),
                "run": cells.link(entry.get("run", ""), href),
                "made": cells.time(entry.get("created_at", "")),
                "size": cells.number(None, words.size(int(entry.get("size_bytes", 0)))),
                "hits": cells.number(hits, f"{hits:,} ×"),
                "last": cells.time(entry.get("last_hit_at", "")),
                "actions": cells.actions(
                    [
                        ("narrow", "Only this pipeline", "filter_alt"),
                        ("forget", "Forget", "delete"),
                    ]
                ),
            },
            name=f"{entry['task']} of {entry.get('run', '')}",
        )


def _empty(page: PageContext) -> None:
    widgets.empty_state(
        "bolt",
        "Nothing is kept to be reused",
        "A step that succeeds leaves its result here, and the next step with the same inputs takes it.",
        [("Runs", page.href("/runs"))],
        command="sampan cache ls",
    )
