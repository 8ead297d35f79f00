"""One artifact: what it is, where it came from and went, who uses it, and deleting it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui import facts, filters
from sampan.components.pipelines.ui.artifacts import model
from sampan.components.pipelines.ui.artifacts.overview import API
from sampan.components.pipelines.ui.previews.view import preview
from sampan.components.pipelines.ui.states import shown
from sampan.ui import widgets
from sampan.ui.api import segment
from sampan.ui.context import PageContext, Stop
from sampan.ui.copied.copied import Copied
from sampan.ui.graph.view import GraphView
from sampan.ui.table import cells
from sampan.ui.table.table import Column, DataTable, Row

_DEPTHS = {
    "1": "One step far",
    "3": "Three steps far",
    "8": "Eight steps far",
    "20": "As far as there is any",
}
_COLUMNS = (
    Column("how", "How"),
    Column("task", "Step"),
    Column("run", "Run"),
    Column("state", "State"),
)


async def build(page: PageContext) -> None:
    view = _View(page)
    await page.live(view.path, view.show, query={"view": "FULL"})
    await view.ask_lineage()
    page.spawn(view.fill_content(), "preview")


class _View:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self.path = f"{API}/{segment(page.params['artifact_id'])}"
        self._artifact: Mapping[str, Any] = {}
        self._lineage: Mapping[str, Any] = {}
        depth = page.query.get("depth", "3")
        self._depth = depth if depth in _DEPTHS else "3"
        self._stop: Stop | None = None
        self._body = ui.element("div")
        with ui.element("section").classes("sp-section"):
            with ui.element("div").classes("sp-row"):
                widgets.heading("Content")
                widgets.link("With all the room there is", page.href(f"{page.path}/content"))
            self._content = widgets.card()
        with ui.element("section").classes("sp-section"):
            with filters.bar():
                widgets.heading("Lineage")
                filters.choice("How far", _DEPTHS, self._depth, self._choose_depth)
                self._left_out = widgets.text("", "sp-muted")
            self._graph = GraphView(label="Lineage", on_select=self._open)
        with ui.element("section").classes("sp-section"):
            widgets.heading("Where it is used")
            self._unused = widgets.paragraph("Nothing has read it yet.", "sp-muted")
            self._count = widgets.paragraph("", "sp-muted")
            self._uses = DataTable(_COLUMNS, label="Where it is used")

    def show(self, artifact: Any) -> None:
        if {**artifact, "used_by": []} != {**self._artifact, "used_by": []}:
            self._draw(artifact)
        self._artifact = artifact
        rows = [self._use_row(use) for use in model.uses(artifact)]
        self._uses.set_rows(rows)
        self._uses.set_visibility(bool(rows))
        self._unused.set_visibility(not rows)
        count = int(artifact.get("used_count", 0))
        self._count.set_text(f"The newest {len(rows)} of {count:,} uses." if count > len(rows) else "")
        self._count.set_visibility(count > len(rows))

    async def fill_content(self) -> None:
        """Files are read for it: after everything else."""
        with self._content:
            await preview(self._page, self._artifact)

    async def ask_lineage(self) -> None:
        if self._stop is not None:
            self._stop()
        query = {"depth": self._depth}
        self._stop = await self._page.live(f"{self.path}/lineage", self._show_lineage, query=query)

    def _show_lineage(self, found: Any) -> None:
        self._lineage = found
        centre = self._page.params["artifact_id"]
        self._graph.show(model.graph(found, centre))
        if not self._graph.selected:
            self._graph.select(f"artifact:{centre}")
        self._left_out.set_text(
            "" if found.get("whole", True) else "There is more than can be shown at once."
        )

    async def _choose_depth(self, depth: str) -> None:
        self._depth = depth if depth in _DEPTHS else "3"
        self._page.set_query(depth=self._depth)
        await self.ask_lineage()

    def _open(self, node_id: str) -> None:
        path, query = model.path_of(node_id, self._lineage)
        if path and path != f"/artifacts/{self._page.params['artifact_id']}":
            self._page.go(path, **query)

    def _draw(self, artifact: Mapping[str, Any]) -> None:
        name = str(artifact.get("name", ""))
        self._page.set_title(name)
        self._body.clear()
        with self._body:
            with widgets.page_header(name, artifact.get("description", "")):
                if address := model.download(artifact):
                    found = widgets.download("Download", address, model.file_name(artifact))
                    found.classes("sp-button")
                widgets.button("Delete", self._ask_to_delete, icon="delete", kind="danger")
            with ui.element("div").classes("sp-grid"):
                with widgets.card("What it is"):
                    widgets.pairs(self._pairs(artifact))
                    if artifact.get("uri"):
                        Copied(str(artifact["uri"]), "address")
                metadata = artifact.get("metadata", {})
                with widgets.card("Metadata"):
                    if metadata:
                        widgets.pairs({str(key): model.text_of(each) for key, each in metadata.items()})
                    else:
                        widgets.paragraph("The step has noted nothing with it.", "sp-muted")

    def _pairs(self, artifact: Mapping[str, Any]) -> dict[str, str | Callable[[], None]]:
        found: dict[str, str | Callable[[], None]] = {
            "Type": " ".join(
                each
                for each in (str(artifact.get("type", "")), str(artifact.get("schema_version", "")))
                if each
            )
        }
        if number := model.value(artifact):
            found["Value"] = number
        if by := artifact.get("produced_by"):
            found["Made by"] = lambda: facts.link(
                self._page, model.task_name(by), f"/runs/{by['run_id']}", task=by["task_id"]
            )
            found["In the run"] = lambda: facts.link(self._page, by.get("run", ""), f"/runs/{by['run_id']}")
            found["Pipeline"] = str(by.get("pipeline", ""))
            if artifact.get("imported"):
                found["Imported"] = "its files lie where they were, and are not ours"
        if measured := model.size(artifact):
            found["Size"] = measured
        if artifact.get("digest"):
            found["SHA-256"] = lambda: facts.mono(str(artifact["digest"]))
        found["Made"] = lambda: facts.stamp(str(artifact["created_at"]))
        found["Id"] = lambda: facts.mono(str(artifact["artifact_id"]))
        return found

    def _use_row(self, use: Mapping[str, Any]) -> Row:
        word, tone, icon = shown(str(use.get("state", "")))
        run = self._page.href(f"/runs/{use['run_id']}")
        step = self._page.href(f"/runs/{use['run_id']}", task=use["task_id"])
        return Row(
            f"{use['task_id']} {use.get('key', '')}",
            {
                "how": model.HOW.get(use["how"], use["how"]),
                "task": cells.link(model.task_name(use), step, f"as {use.get('key', '')}"),
                "run": cells.link(use.get("run", ""), run, use.get("pipeline", "")),
                "state": cells.state(word, tone, icon),
            },
        )

    def _ask_to_delete(self) -> None:
        name = str(self._artifact.get("name", ""))
        widgets.confirm(
            f"Delete {name}?",
            model.deletion(self._artifact),
            self._delete,
            label="Delete the artifact",
            typed=name if model.has_other_users(self._artifact) else "",
        )

    async def _delete(self) -> None:
        # What others lose was named, and its name was typed.
        query = {"force": "true"} if model.has_other_users(self._artifact) else {}
        done = f"{self._artifact.get('name', '')} is deleted."
        if await self._page.attempt(self._page.api.delete(self.path, query=query), done=done):
            self._page.go("/artifacts")
