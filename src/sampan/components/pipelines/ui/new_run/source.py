"""What is to run: a version of an uploaded pipeline, or YAML that is pasted or changed here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from nicegui import ui

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.ui.new_run.request import Start
from sampan.components.pipelines.ui.pipelines.rows import filter_of, predicate
from sampan.components.pipelines.ui.spec import reading
from sampan.components.pipelines.ui.spec.reading import Spec
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError, segment
from sampan.ui.context import PageContext
from sampan.ui.forms.fields import About, ChoiceField, TextField
from sampan.ui.forms.form import Form

_API = "/apis/v2beta1/pipelines"
_UPLOADED, _YAML = "uploaded", "yaml"
_LATEST = ("", "Latest version, whichever it is then")

Found = Callable[[Spec | None, str], Awaitable[None]]
"""Told of the specification that was chosen, or of none, and how many have heard of it call it."""


class Source:
    def __init__(self, page: PageContext, form: Form, start: Start, found: Found) -> None:
        self._page = page
        self._form = form
        self._start = start
        self._found = found
        self._text_source: Mapping[str, Any] | None = start.source
        self._read_last = ""
        self._found_wrong = ("", "")
        """The text that was looked at last and cannot run, and why."""
        self._versions: list[tuple[str, str]] = []
        self._standard = ""
        self._spec: Spec | None = None
        self._is_recurring = start.schedule is not None

    @property
    def pipeline_id(self) -> str:
        return str(self._pipeline.raw) if self._kind.raw == _UPLOADED else ""

    @property
    def version_id(self) -> str:
        return str(self._version.raw)

    @property
    def text_source(self) -> Mapping[str, Any] | None:
        """What the API takes as `pipeline_spec`, where it is not an uploaded version that runs."""
        return self._text_source if self._kind.raw == _YAML else None

    async def build(self) -> None:
        start, add = self._start, self._form.add
        is_text = start.source is not None
        self._kind = add(
            ChoiceField(
                About("source", "What runs"),
                [(_UPLOADED, "Uploaded pipeline"), (_YAML, "YAML")],
                _YAML if is_text else _UPLOADED,
                segments=True,
                change=self._switch,
            )
        )
        options = await self._pipelines("")
        if start.pipeline_id and start.pipeline_id not in dict(options):
            options.insert(0, (start.pipeline_id, await self._name_of(start.pipeline_id)))
        self._pipeline = add(
            ChoiceField(
                About("pipeline", "Pipeline", required=True),
                options,
                start.pipeline_id,
                look=self._pipelines,
                change=self._choose_pipeline,
                placeholder="Choose a pipeline",
            )
        )
        self._version = add(ChoiceField(About("version", "Version"), [], "", change=self._choose_version))
        text = await asyncio.to_thread(reading.as_yaml, start.source) if start.source is not None else ""
        self._text = add(
            TextField(
                About("yaml", "YAML", "KFP's IR or an Argo Workflow. Only this run uses it.", required=True),
                text,
                lines=14,
                mono=True,
                check=self._text_problem,
                change=self._read_text,
            )
        )
        self._told = widgets.paragraph("", "sp-hint")
        if not options:
            with ui.element("div").classes("sp-hint") as self._none:
                widgets.text("There is no pipeline yet. ")
                widgets.link("Upload one", self._page.href("/pipelines/upload"))
                widgets.text(", or choose YAML.")
        self._arrange()

    async def begin(self) -> None:
        """Reads what the form begins with."""
        if self._kind.raw == _YAML:
            await self._read_text()
        else:
            await self._load_versions(self._start.version_id)

    async def settle(self) -> None:
        """What was typed a moment ago counts, though it has not been read yet."""
        if self._kind.raw == _YAML and self._text.raw != self._read_last:
            await self._read_text()

    async def make_recurring(self, is_recurring: bool) -> None:
        """Only what runs again and again may take whichever version is the latest."""
        self._is_recurring = is_recurring
        self._offer_versions(self._version.raw or ("" if is_recurring else self._standard))
        await self._choose_version()

    def _arrange(self) -> None:
        is_text = self._kind.raw == _YAML
        self._pipeline.show(not is_text)
        self._version.show(not is_text and bool(self._versions))
        self._text.show(is_text)
        self._told.set_visibility(is_text)

    async def _switch(self) -> None:
        self._arrange()
        if self._kind.raw == _UPLOADED:
            await self._choose_version()
            return
        if not self._text.raw.strip() and self._spec is not None:
            # What was chosen is what is changed.
            self._text.put(await asyncio.to_thread(reading.as_yaml, self._spec.source))
        await self._read_text()

    async def _pipelines(self, typed: str) -> list[tuple[str, str]]:
        query = {"page_size": "50", "sort_by": "created_at desc", "namespace": self._page.namespace}
        if typed:
            query["filter"] = filter_of(predicate("display_name", typed, "IS_SUBSTRING"))
        found = await self._page.api.get(_API, query)
        return [(each["pipeline_id"], each["display_name"]) for each in found.get("pipelines", ())]

    async def _name_of(self, pipeline_id: str) -> str:
        try:
            return str((await self._page.api.get(f"{_API}/{segment(pipeline_id)}"))["display_name"])
        except ApiFailureError:
            return f"{pipeline_id} (deleted)"

    async def _choose_pipeline(self) -> None:
        await self._load_versions("")

    async def _load_versions(self, chosen: str) -> None:
        pipeline_id = str(self._pipeline.raw)
        if not pipeline_id:
            self._versions = []
            self._arrange()
            await self._tell(None)
            return
        path = f"{_API}/{segment(pipeline_id)}"
        query = {"view": "BASIC", "page_size": "200", "sort_by": "created_at desc"}
        try:
            pipeline, listed = await asyncio.gather(
                self._page.api.get(path, {"view": "FULL"}), self._page.api.get(f"{path}/versions", query)
            )
        except ApiFailureError as error:
            self._pipeline.tell(error.message)
            await self._tell(None)
            return
        if pipeline_id != self._pipeline.raw:
            return
        versions = listed.get("pipeline_versions", ())
        self._versions = [(each["pipeline_version_id"], each["display_name"]) for each in versions]
        latest = self._versions[0][0] if self._versions else ""
        self._standard = pipeline.get("default_version_id") or latest
        is_known = chosen in dict(self._versions)
        self._offer_versions(chosen if is_known else self._standard)
        self._arrange()
        self._pipeline.tell("" if versions else "This pipeline has no versions: upload one")
        if chosen and not is_known:
            self._version.tell("The version that ran is deleted; this is the default one")
        await self._choose_version()

    def _offer_versions(self, chosen: str) -> None:
        options = [_LATEST, *self._versions] if self._is_recurring else self._versions
        self._version.set_options(options)
        self._version.put(chosen)

    async def _choose_version(self) -> None:
        if self._kind.raw != _UPLOADED or not self._pipeline.raw:
            return
        pipeline_id, version_id = str(self._pipeline.raw), str(self._version.raw)
        shown = version_id or (self._versions[0][0] if self._versions else "")
        if not shown:
            await self._tell(None)
            return
        try:
            version = await self._page.api.get(f"{_API}/{segment(pipeline_id)}/versions/{segment(shown)}")
            spec = await asyncio.to_thread(reading.read, version["pipeline_spec"])
        except (ApiFailureError, InvalidArgumentError) as error:
            self._version.tell(error.message)
            await self._tell(None)
            return
        if (pipeline_id, version_id) == (self._pipeline.raw, self._version.raw):
            await self._tell(spec)

    async def _read_text(self) -> None:
        text = self._text.raw
        if not text.strip():
            self._text_source = None
            self._told.set_text("")
            await self._tell(None)
            return
        try:
            source, spec = await asyncio.to_thread(_read, text)
        except InvalidArgumentError as error:
            if text == self._text.raw:
                self._read_last = text
                self._found_wrong = (text, error.message)
                self._text.tell(error.message)
                self._told.set_text("")
            return
        if text == self._text.raw:
            self._text.tell("")
            self._text_source, self._read_last = source, text
            self._told.set_text(f"{spec.name or 'A pipeline'} with {len(spec.inputs)} inputs")
            await self._tell(spec)

    def _text_problem(self, text: str) -> str:
        looked_at, problem = self._found_wrong
        return problem if text == looked_at else ""

    async def _tell(self, spec: Spec | None) -> None:
        self._spec = spec
        name = dict(self._pipeline_options()).get(self.pipeline_id, "") if self.pipeline_id else ""
        await self._found(spec, name or (spec.name if spec is not None else ""))

    def _pipeline_options(self) -> list[tuple[str, str]]:
        return [(str(value), str(label)) for value, label in self._pipeline.options]


def _read(text: str) -> tuple[dict[str, Any], Spec]:
    source = reading.from_text(text)
    return source, reading.read(source)
