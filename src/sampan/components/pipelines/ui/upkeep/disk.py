"""What artifacts take, by run, experiment or pipeline, the home's folders, and what retention would delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui import filters
from sampan.components.pipelines.ui.link_tabs import link_tabs
from sampan.ui import widgets, words
from sampan.ui.context import PageContext, Stop
from sampan.ui.table import cells
from sampan.ui.table.table import Column, DataTable, Row

API = "/apis/v2beta1"
PARTS = (("Cached results", "/cache"), ("Disk use", "/cache/disk"))
"""Of what is kept: pages that lead to each other."""
_BY = {"run": "By run", "experiment": "By experiment", "pipeline": "By pipeline"}
_MOST = 10
_FOLDERS = {
    "artifacts": "Artifacts",
    "s3": "Object store",
    "cache": "Downloads kept",
    "logs": "Logs of steps",
    "pipelines": "Pipelines",
    "pods": "Pods",
    "volumes": "Volumes",
    "envs": "Environments of steps",
}


async def build(page: PageContext) -> None:
    view = _Disk(page)
    widgets.page_header(
        "Disk use", "What artifacts and the home folder take, and what retention would delete."
    )
    link_tabs(page, "Parts of what is kept", PARTS)
    with filters.bar():
        filters.choice("Disk use of", _BY, view.by, view.choose)
        view.total = widgets.text("", "sp-muted")
    with ui.element("div").classes("sp-grid"):
        view.table = DataTable(
            (Column("name", "Name"), Column("size", "Size"), Column("count", "Artifacts", number=True)),
            label="Disk use",
        )
        view.folders = DataTable(
            (Column("name", "In the home folder"), Column("size", "Size")), label="Folders"
        )
    await view.ask()
    page.spawn(view.measure(), "disk use")
    widgets.heading("Retention").classes("sp-section")
    widgets.paragraph(
        "Ended runs are deleted by the rules of the table retention in settings.toml, each hour.", "sp-muted"
    )
    with ui.element("div").classes("sp-row"):
        widgets.button("What would be deleted now", view.plan, icon="rule")


class _Disk:
    table: DataTable
    folders: DataTable
    total: widgets.Text

    def __init__(self, page: PageContext) -> None:
        self._page = page
        self.by = page.query.get("by", "run") if page.query.get("by") in _BY else "run"
        self._stop: Stop | None = None

    async def choose(self, by: str) -> None:
        self.by = by if by in _BY else "run"
        self._page.set_query(by=self.by)
        await self.ask()

    async def ask(self) -> None:
        if self._stop is not None:
            self._stop()
        query = {"namespace": self._page.namespace, "by": self.by, "page_size": str(_MOST)}
        self._stop = await self._page.live(f"{API}/usage", self._show, query=query)

    async def measure(self) -> None:
        """Folders are walked: once, and after everything else."""
        query = {"namespace": self._page.namespace, "page_size": "1", "disk": "true"}
        found = (await self._page.api.get(f"{API}/usage", query=query)).get("folders", {})
        self.folders.set_visibility(bool(found))
        largest = max(found.values(), default=1)
        self.folders.set_rows(
            [
                Row(
                    name,
                    {"name": _FOLDERS.get(name, name), "size": cells.bar(size / largest, words.size(size))},
                )
                for name, size in sorted(found.items(), key=lambda each: -each[1])
            ]
        )

    def _show(self, found: Mapping[str, Any]) -> None:
        total = int(found.get("size_bytes", 0))
        self.total.set_text(f"Artifacts take {words.size(total)} in all.")
        self.table.set_rows([self._row(each, total) for each in found.get("items", ())])

    def _row(self, item: Mapping[str, Any], total: int) -> Row:
        size, key = int(item.get("size_bytes", 0)), item.get("id", "")
        name = item.get("name", "") or "Runs that were deleted"
        path = {"run": "/runs/", "experiment": "/experiments/"}.get(self.by, "")
        return Row(
            key or "-",
            {
                "name": cells.link(name, self._page.href(path + key)) if path and key else name,
                "size": cells.bar(size / total if total else 0, words.size(size)),
                "count": cells.number(int(item.get("artifacts", 0))),
            },
        )

    async def plan(self) -> None:
        found: dict[str, Any] = {}

        async def ask() -> None:
            query = {"namespace": self._page.namespace}
            found.update(await self._page.api.get(f"{API}/retention", query=query))

        if await self._page.attempt(ask()):
            self._show_plan(found)

    def _show_plan(self, found: Mapping[str, Any]) -> None:
        doomed = found.get("runs", [])
        if not doomed:
            window, content = widgets.dialog("Nothing would be deleted")
            with content:
                widgets.paragraph("Every run is kept by the rules, or there are no rules.")
                widgets.paragraph("Rules stand in settings.toml:", "sp-muted")
                widgets.Text("pre", "[retention]\nkeep_last = 50\nmax_age_days = 90")
                with ui.element("div").classes("sp-dialog-actions"):
                    widgets.button("Close", window.close, kind="primary")
            return
        lines = [
            f"{each['run_id'][:8]}, {words.size(int(each.get('size_bytes', 0)))}: {each['reason']}"
            for each in doomed
        ]
        what = words.counted(len(doomed), "run|runs")
        widgets.confirm(
            f"Delete {what} now?",
            [
                *words.listed(lines, 12),
                f"{words.size(int(found.get('size_bytes', 0)))} in all, with their logs.",
            ],
            self._collect,
            label=f"Delete {what}",
        )

    async def _collect(self) -> None:
        query = {"namespace": self._page.namespace}
        await self._page.attempt(
            self._page.api.post(f"{API}/retention:collect", query=query), done="The runs are deleted."
        )
