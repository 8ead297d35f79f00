"""One pipeline: what is said of it, its versions, its runs, its recurring runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui.pipelines import deleting, rows
from sampan.ui import widgets
from sampan.ui.api import segment
from sampan.ui.context import PageContext, Stop
from sampan.ui.forms.fields import About, PairsField, TextField
from sampan.ui.forms.form import Form
from sampan.ui.table.pager import Pager
from sampan.ui.table.table import DataTable

_API = "/apis/v2beta1"
_SIZE = 25
_TABS = {"versions": "Versions", "runs": "Runs", "schedules": "Recurring runs"}


class _PipelinePage:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._id = page.params["pipeline_id"]
        self._path = f"{_API}/pipelines/{segment(self._id)}"
        self._pipeline: Any = {}
        self._stop: Stop | None = None
        self._token = ""

    async def build(self) -> None:
        page = self._page
        self._head = ui.element("div")
        with ui.element("div").classes("sp-stack"):
            self._about = widgets.card()
            body = ui.element("div")
        await page.live(self._path, self._show, query={"view": "FULL"})
        with body:
            self._tabs = widgets.Tabs(_TABS, page.query.get("tab", "versions"), self._choose)
            await self._tabs.show()

    @property
    def _standard(self) -> str:
        return _standard_of(self._pipeline)

    async def _show(self, found: Any) -> None:
        former, self._pipeline = self._pipeline, found
        page = self._page
        page.set_title(found["display_name"])
        if _said(found) != _said(former):
            self._head.clear()
            with self._head:
                self._build_head()
            self._about.clear()
            with self._about:
                self._build_about()
        if former and _standard_of(former) != self._standard and self._tabs.chosen == "versions":
            await self._tabs.show()

    def _build_head(self) -> None:
        page, found = self._page, self._pipeline
        with widgets.page_header(found["display_name"]):
            if found.get("version_count"):
                widgets.button(
                    "New run",
                    href=page.href("/runs/new", pipeline=self._id),
                    icon="play_arrow",
                    kind="primary",
                )
                schedule = page.href("/runs/new", pipeline=self._id, recurring="1")
                widgets.button("Schedule", href=schedule, icon="event_repeat")
            widgets.button(
                "Upload version", href=page.href("/pipelines/upload", pipeline=self._id), icon="upload"
            )
            if found.get("version_count", 0) > 1:
                compare = page.href(f"/pipelines/{segment(self._id)}/compare")
                widgets.button("Compare versions", href=compare, icon="difference")
            widgets.button("Edit", self._edit, icon="edit")
            widgets.button("Delete", self._delete, icon="delete", kind="danger")

    def _build_about(self) -> None:
        found = self._pipeline
        if found.get("description"):
            widgets.paragraph(found["description"], "sp-pre sp-described")
        tags = rows.tag_texts(found.get("tags") or {})
        run = found.get("last_run") or {}
        values: dict[str, Any] = (
            {"Name": found.get("name", "")} if found.get("name") != found["display_name"] else {}
        )
        if tags:
            values["Tags"] = lambda: _tags(tags)
        latest = found.get("latest_version") or {}
        if latest:
            path = f"/pipelines/{segment(self._id)}/versions/{latest['pipeline_version_id']}"
            values["Latest version"] = lambda: widgets.link(latest["display_name"], self._page.href(path))
        if run:
            values["Last run"] = lambda: widgets.link(
                run["display_name"], self._page.href(f"/runs/{run['run_id']}")
            )
        values["Id"] = lambda: widgets.text(self._id, "sp-mono")
        widgets.pairs(values)

    async def _choose(self, key: str) -> None:
        if self._stop is not None:
            self._stop()
            self._stop = None
        self._token = ""
        if self._page.query.get("tab", "versions") != key:
            self._page.set_query(tab="" if key == "versions" else key)
        columns = {"versions": rows.VERSIONS, "runs": rows.RUNS, "schedules": rows.SCHEDULES}[key]
        on_action = self._act if key == "versions" else None
        self._table = DataTable(columns, label=_TABS[key], on_action=on_action)
        self._pager = Pager(self._turn, _SIZE)
        self._empty = ui.element("div")
        await self._ask()

    async def _turn(self, token: str) -> None:
        self._token = token
        await self._ask()

    async def _ask(self) -> None:
        if self._stop is not None:
            self._stop()
        key = self._tabs.chosen
        query = {"page_size": str(_SIZE), "page_token": self._token, "sort_by": "created_at desc"}
        if key == "versions":
            path, query["view"] = f"{self._path}/versions", "BASIC"
        else:
            path = f"{_API}/runs" if key == "runs" else f"{_API}/recurringruns"
            query |= {
                "filter": rows.filter_of(rows.predicate("pipeline_id", self._id)),
                "namespace": self._page.namespace,
            }
        self._stop = await self._page.live(path, lambda found: self._list(key, found), query=query)

    def _list(self, key: str, found: Any) -> None:
        href = self._page.href
        if key == "versions":
            listed = found.get("pipeline_versions", ())
            shown = [rows.version(each, href, self._standard) for each in listed]
        elif key == "runs":
            listed = found.get("runs", ())
            shown = [rows.run(each, href) for each in listed]
        else:
            listed = found.get("recurringRuns", ())
            shown = [rows.schedule(each, href) for each in listed]
        self._table.set_rows(shown)
        self._table.set_visibility(bool(shown))
        self._pager.show(len(listed), int(found.get("total_size", 0)), found.get("next_page_token", ""))
        self._empty.clear()
        if not shown:
            with self._empty:
                self._say_empty(key)

    def _say_empty(self, key: str) -> None:
        page = self._page
        if key == "versions":
            link = ("Upload version", page.href("/pipelines/upload", pipeline=self._id))
            widgets.empty_state("history", "No versions", "A pipeline runs as one of its versions.", [link])
        elif key == "runs":
            link = ("New run", page.href("/runs/new", pipeline=self._id))
            widgets.empty_state("play_circle", "It has not run yet", "Its runs will be listed here.", [link])
        else:
            link = ("New recurring run", page.href("/runs/new", pipeline=self._id, recurring="1"))
            detail = "A recurring run starts it at times that you choose."
            widgets.empty_state("event_repeat", "Nothing starts it by itself", detail, [link])

    async def _act(self, version_id: str, action: str) -> None:
        page = self._page
        path = f"/pipelines/{segment(self._id)}"
        if action == "run":
            page.go("/runs/new", pipeline=self._id, version=version_id)
        elif action == "compare":
            page.go(
                f"{path}/compare",
                **{"from": version_id, "to": "" if version_id == self._standard else self._standard},
            )
        elif action == "default":
            chosen = f"/apis/v1beta1{path}/default_version/{segment(version_id)}"
            await page.attempt(page.api.post(chosen), "This version is the default now.")
        else:
            await page.attempt(deleting.ask_version(page, self._id, version_id, lambda: None))

    async def _delete(self) -> None:
        await self._page.attempt(
            deleting.ask_pipeline(self._page, self._id, lambda: self._page.go("/pipelines"))
        )

    def _edit(self) -> None:
        edit(self._page, self._path, self._pipeline, "Edit pipeline")


def edit(
    page: PageContext, path: str, shown: Any, title: str, then: Callable[[], Any] = lambda: None
) -> None:
    """The shown name and the tags of a pipeline or a version: what the API lets be changed."""
    window, content = widgets.dialog(title)

    async def send() -> None:
        await page.api.patch(path, {"display_name": name.raw.strip(), "tags": tags.read()})
        window.close()
        page.notify("The change is kept.")
        then()

    with content:
        form = Form(send, label=title, places={"tags": "tags", "display_name": "name"})
        with form:
            name = form.add(TextField(About("name", "Name", required=True), shown["display_name"]))
            tags = form.add(PairsField(About("tags", "Tags"), shown.get("tags") or {}))
            form.buttons("Save", window.close)


def _standard_of(pipeline: Any) -> str:
    """The id of the version that is taken where none is named."""
    latest = pipeline.get("latest_version") or {}
    return str(pipeline.get("default_version_id") or latest.get("pipeline_version_id", ""))


def _said(pipeline: Any) -> list[Any]:
    """What the top of the page shows."""
    keys = ("display_name", "description", "tags", "last_run", "latest_version", "version_count")
    return [pipeline.get(key) for key in keys]


def _tags(tags: list[str]) -> None:
    with ui.element("span").classes("sp-row"):
        for each in tags:
            widgets.text(each, "sp-tag")


async def build(page: PageContext) -> None:
    await _PipelinePage(page).build()
