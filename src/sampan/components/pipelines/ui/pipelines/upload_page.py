"""Uploading a pipeline or a further version of one: a file, an address, or pasted text."""

from __future__ import annotations

import asyncio
from typing import Any

from nicegui import ui

from sampan.components.pipelines.api.packages import MAX_PACKAGE_BYTES
from sampan.components.pipelines.ui.pipelines import packages
from sampan.components.pipelines.ui.pipelines.packages import Looked
from sampan.components.pipelines.ui.pipelines.rows import filter_of, predicate
from sampan.ui import widgets
from sampan.ui.api import segment
from sampan.ui.context import PageContext
from sampan.ui.forms.drop import FileDrop
from sampan.ui.forms.fields import About, ChoiceField, PairsField, TextField
from sampan.ui.forms.form import Form

_API = "/apis/v2beta1/pipelines"
_NEW, _VERSION = "new", "version"
_FILE, _URL, _TEXT = "file", "url", "text"
_PLACES = {
    "pipeline.name": "name",
    "pipeline_version.name": "name",
    "name": "name",
    "tags": "tags",
    "pipeline.tags": "tags",
    "pipeline_version.tags": "tags",
    "pipeline_version.package_url.pipeline_url": "url",
}


class _Upload:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._data = b""
        self._looked = Looked(problem="Choose a file first")
        self._suggested = ""
        self._found_wrong = ("", "")
        """The text that was looked at last, and what is wrong with it."""

    async def build(self) -> None:
        page = self._page
        chosen = page.query.get("pipeline", "")
        widgets.page_header("Upload pipeline", "A pipeline compiled by kfp, or an Argo Workflow.")
        self._form = Form(self._send, label="Upload pipeline", places=_PLACES)
        with self._form, widgets.card().classes("sp-form"):
            self._target = self._form.add(
                ChoiceField(
                    About("target", "Upload as"),
                    [(_NEW, "New pipeline"), (_VERSION, "New version of a pipeline")],
                    _VERSION if chosen else _NEW,
                    segments=True,
                    change=self._arrange,
                )
            )
            await self._build_pipeline(chosen)
            self._build_sources()
            self._build_description()
            self._form.buttons("Upload", page.href("/pipelines"))
        await self._arrange()

    async def _build_pipeline(self, chosen: str) -> None:
        options = await self._pipelines("")
        if chosen and chosen not in dict(options):
            found = await self._page.api.get(f"{_API}/{segment(chosen)}")
            options.insert(0, (chosen, found["display_name"]))
        self._pipeline = self._form.add(
            ChoiceField(
                About("pipeline", "Pipeline", required=True),
                options,
                chosen,
                look=self._pipelines,
                change=self._suggest_version,
                placeholder="Choose a pipeline",
            )
        )

    def _build_sources(self) -> None:
        self._source = self._form.add(
            ChoiceField(
                About("source", "From"),
                [(_FILE, "File"), (_URL, "Web address"), (_TEXT, "Pasted text")],
                _FILE,
                segments=True,
                change=self._arrange,
            )
        )
        self._file = ui.element("div").classes("sp-field")
        with self._file:
            FileDrop(
                self._take,
                label="Choose a file",
                hint="or drop it here: .yaml, .json, .zip or .tar.gz",
                accept=packages.ACCEPTED,
                most_bytes=MAX_PACKAGE_BYTES,
            )
            self._told = widgets.paragraph("", "sp-hint")
            self._wrong = widgets.paragraph("", "sp-field-error sp-pre").props('role="alert"')
        self._url = self._form.add(
            TextField(
                About("url", "Web address", "Fetched by the server: http or https.", required=True),
                placeholder="https://example.org/pipeline.yaml",
            )
        )
        about = About("text", "YAML or JSON", required=True)
        self._text = self._form.add(
            TextField(about, lines=14, mono=True, check=self._text_problem, change=self._look_at_text)
        )
        with ui.element("div").classes("sp-field"):
            self._text_told = widgets.paragraph("", "sp-hint")

    def _build_description(self) -> None:
        self._name = self._form.add(TextField(About("name", "Name", required=True)))
        self._description = self._form.add(TextField(About("description", "Description"), lines=2))
        self._code = self._form.add(
            TextField(About("code", "Where its code is", "A commit or a file in your repository."))
        )
        self._tags = self._form.add(PairsField(About("tags", "Tags")))

    async def _arrange(self) -> None:
        """Shows what goes with the choices."""
        source = self._source.raw
        self._pipeline.show(self._target.raw == _VERSION)
        self._file.set_visibility(source == _FILE)
        self._url.show(source == _URL)
        self._text.show(source == _TEXT)
        self._text_told.set_visibility(source == _TEXT)
        if self._target.raw == _VERSION:
            await self._suggest_version()
        elif self._looked.name:
            self._suggest(self._looked.name)

    async def _pipelines(self, typed: str) -> list[tuple[str, str]]:
        query = {"page_size": "50", "sort_by": "created_at desc", "namespace": self._page.namespace}
        if typed:
            query["filter"] = filter_of(predicate("display_name", typed, "IS_SUBSTRING"))
        found = await self._page.api.get(_API, query)
        return [(each["pipeline_id"], each["display_name"]) for each in found.get("pipelines", ())]

    async def _suggest_version(self) -> None:
        if not self._pipeline.raw:
            return
        path = f"{_API}/{segment(self._pipeline.raw)}/versions"
        listed = await self._page.api.get(path, {"view": "BASIC", "page_size": "200"})
        self._suggest(packages.free_name({each["name"] for each in listed.get("pipeline_versions", ())}))

    def _suggest(self, name: str) -> None:
        """A name, unless somebody has written one."""
        if self._name.raw in ("", self._suggested):
            self._name.put(name)
            self._suggested = name

    async def _take(self, file_name: str, data: bytes) -> None:
        self._told.set_text("Reading …")
        self._wrong.set_text("")
        self._data, self._looked = data, await asyncio.to_thread(packages.look, file_name, data)
        self._told.set_text(self._looked.told)
        self._wrong.set_text(self._looked.problem)
        if self._looked.name and self._target.raw == _NEW:
            self._suggest(self._looked.name)

    async def _look_at_text(self) -> None:
        text = self._text.raw
        if not text.strip():
            return
        found = await asyncio.to_thread(packages.look, "The text", text.encode())
        if text != self._text.raw:
            return
        self._found_wrong = (text, found.problem)
        self._text.tell(found.problem)
        self._text_told.set_text(found.told)
        if found.name and self._target.raw == _NEW:
            self._suggest(found.name)

    def _text_problem(self, text: str) -> str:
        looked_at, problem = self._found_wrong
        return problem if text == looked_at else ""

    async def _send(self) -> None:
        about = packages.About(
            self._name.raw.strip(), self._description.raw, self._tags.read(), self._code.raw.strip()
        )
        where: dict[str, Any] = {"namespace": self._page.namespace}
        if self._target.raw == _VERSION:
            where["pipeline_id"] = self._pipeline.raw
        api, source = self._page.api, self._source.raw
        if source == _FILE and self._looked.problem:
            self._wrong.set_text(self._looked.problem)
            self._form.tell("The file cannot be uploaded as it is.")
            return
        if source == _URL:
            made = await packages.send_address(api, self._url.raw.strip(), about, **where)
        else:
            data = self._data if source == _FILE else self._text.raw.encode()
            made = await packages.send_file(api, data, about, **where)
        self._page.notify(f"{about.name} is uploaded.")
        self._page.go(f"/pipelines/{segment(made[0])}/versions/{segment(made[1])}")


async def build(page: PageContext) -> None:
    await _Upload(page).build()
