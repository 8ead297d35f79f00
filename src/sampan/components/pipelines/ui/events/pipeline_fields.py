"""Fields of a form for what a trigger runs: a pipeline, a version of it or the latest each time, and its parameters.

The parameters' fields are those that the version declares. A trigger with a specification of its own keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui import lookups
from sampan.components.pipelines.ui.events import trigger_model as model
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError, segment
from sampan.ui.context import PageContext
from sampan.ui.forms.fields import About, ChoiceField, TextField, typed
from sampan.ui.forms.form import Form

_API = "/apis/v2beta1/pipelines"
_LATEST = "The latest each time"


class PipelineFields:
    def __init__(self, page: PageContext, form: Form, trigger: Mapping[str, Any]) -> None:
        """`trigger` is what there is already; empty for a new one."""
        self._page = page
        self._form = form
        self._spec = trigger.get("pipeline_spec")
        reference = trigger.get("pipeline_version_reference", {})
        self._pipeline_id = str(reference.get("pipeline_id", "")) or page.query.get("pipeline", "")
        self._version_id = str(reference.get("pipeline_version_id", "")) or page.query.get("version", "")
        self._given: dict[str, Any] = dict(trigger.get("runtime_config", {}).get("parameters", {}))
        self._config: dict[str, Any] = dict(trigger.get("runtime_config", {}))
        self._declared: list[tuple[str, str, Any]] = []
        self._fields: dict[str, TextField] = {}
        self._versions: dict[str, Any] = {}
        self._hint = ""

    async def build(self) -> None:
        if self._spec is None:
            options = list(await lookups.options(self._page, "pipelines", ""))
            if self._pipeline_id and all(key != self._pipeline_id for key, _ in options):
                options.insert(0, (self._pipeline_id, await self._name()))
            about = About("pipeline", "Pipeline", required=True)
            self._pipeline = self._form.add(
                ChoiceField(about, options, self._pipeline_id, look=self._look, change=self._choose_pipeline)
            )
            about = About("version", "Version")
            self._version = self._form.add(
                ChoiceField(about, [("", _LATEST)], self._version_id, change=self._choose_version)
            )
        else:
            widgets.paragraph("It runs a specification of its own, which stays as it is.", "sp-muted")
        widgets.heading("Parameters", 3)
        self._hint_place = widgets.paragraph("", "sp-hint")
        self._place = ui.element("div").classes("sp-stack")
        if self._spec is not None:
            self._declare(self._spec)
        else:
            await self._list_versions()

    def tell(self, hint: str) -> None:
        """What of an event the parameters may say."""
        self._hint_place.set_text(
            f"A value, or a part of the event: {hint}. Left empty, it has the pipeline's default."
        )

    def message(self) -> dict[str, Any]:
        """The fields of the API's message."""
        types = {name: kind for name, kind, _ in self._declared}
        parameters = {
            name: model.parameter(str(field.raw), types.get(name, "STRING"))
            for name, field in self._fields.items()
            if str(field.raw) != ""
        }
        found: dict[str, Any] = {"runtime_config": {**self._config, "parameters": parameters}}
        if self._spec is not None:
            return found | {"pipeline_spec": self._spec}
        reference = {"pipeline_id": self._pipeline.read()}
        if version := self._version.read():
            reference["pipeline_version_id"] = version
        return found | {"pipeline_version_reference": reference}

    async def _look(self, text: str) -> Sequence[tuple[str, str]]:
        return await lookups.options(self._page, "pipelines", "", text)

    async def _name(self) -> str:
        return await lookups.name_of(self._page.api, "pipelines", self._pipeline_id) or self._pipeline_id

    async def _choose_pipeline(self) -> None:
        if self._pipeline.read() != self._pipeline_id:
            self._pipeline_id, self._version_id = self._pipeline.read(), ""
            self._version.put("")
            try:
                await self._list_versions()
            except ApiFailureError as error:
                self._page.notify(error.message, "bad")

    def _choose_version(self) -> None:
        self._version_id = self._version.read()
        self._declare_version()

    async def _list_versions(self) -> None:
        self._versions = {}
        if self._pipeline_id:
            query = {"page_size": "50", "sort_by": "created_at desc"}
            path = f"{_API}/{segment(self._pipeline_id)}/versions"
            found = (await self._page.api.get(path, query=query)).get("pipeline_versions", [])
            self._versions = {each["pipeline_version_id"]: each for each in found}
        names = [(key, str(each["display_name"])) for key, each in self._versions.items()]
        self._version.set_options([("", _LATEST), *names])
        self._declare_version()

    def _declare_version(self) -> None:
        version: Mapping[str, Any] = self._versions.get(self._version_id) or next(
            iter(self._versions.values()), {}
        )
        self._declare(version.get("pipeline_spec", {}))

    def _declare(self, spec: Mapping[str, Any]) -> None:
        for name, field in self._fields.items():
            self._form.forget(f"parameter {name}")
            if str(field.raw):
                self._given[name] = field.raw
        self._declared, self._fields = model.inputs(spec), {}
        self._place.clear()
        with self._place:
            for name, kind, default in self._declared:
                hint = "" if default is None else f"Default: {model.default_word(default, kind)[:120]}"
                about = About(f"parameter {name}", name, hint=hint, kind=model.type_word(kind))
                field = TextField(about, typed(self._given.get(name)), mono=True)
                self._fields[name] = self._form.add(field)
            if not self._declared:
                widgets.paragraph("The pipeline has none.", "sp-muted")
