"""A form for a new object, and beside it the object that it makes, which can be edited in its place.

making = NewObject(page, MAKING)
await making.form(fields)       # or making.edit(text), of what the form has no field for
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nicegui import ui

from sampan.kube import meta
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError, segment
from sampan.ui.code.view import CodeView
from sampan.ui.context import PageContext
from sampan.ui.forms.form import Form
from sampan.ui.forms.values import NotAValueError
from sampan.ui.objects import yamltext
from sampan.ui.objects.editor import YamlEditor
from sampan.ui.objects.yamltext import Problem, YamlError

MANAGER = {"fieldManager": "sampan-dashboard"}
_DRY = {**MANAGER, "dryRun": "All"}
_REST_SECONDS = 0.4
_LOOK_AGAIN = "A field needs another look."
_SHOWN = {"Create": "What will be created", "Apply": "What it will be"}
_DONE = {"Create": "created", "Apply": "changed"}
_FINE = "The cluster would take it so."

Read = Callable[[], Object]
"""The object as the fields say it. Raises NotAValueError, ValueError."""
Fields = Callable[[Form, Callable[[], None]], Awaitable[Read]]
"""Builds the fields in the form, and has what it is given called whenever one of them changes."""


@dataclass(frozen=True, slots=True)
class Making:
    title: str
    """`New training job`."""
    noun: str
    """Of one: `job`."""
    kinds: Sequence[Resource]
    """Of which it may be, when it is written as YAML."""
    collection: Callable[[Resource, str], str]
    """The API's path, by kind and namespace."""
    page_of: Callable[[Resource, str, str], str]
    """Of the object that was made: by kind, namespace and name."""
    home: str
    """The list's page."""
    places: Mapping[str, str] = field(default_factory=dict)
    """From what the API's messages name to the name of a field."""
    replaces: Callable[[Object, Object], Object] | None = None
    """For the change of an object that is there: from what it is by then, and what was made, to all that is written in
    its place. Raises ApiFailureError."""


class NewObject:
    def __init__(self, page: PageContext, making: Making) -> None:
        self._page = page
        self._making = making
        self._place = ui.element("div")
        self._read: Read | None = None
        self._editor: YamlEditor | None = None
        self._is_changed = True
        self._drawn = ""
        self._verb = "Create" if making.replaces is None else "Apply"

    async def form(self, fields: Fields) -> None:
        making = self._making
        with self._place, ui.element("div").classes("sp-new"):
            self._form = Form(self._send, label=making.title, places=making.places)
            with self._form:
                self._read = await fields(self._form, self._note)
                with self._form.buttons(self._verb, self._page.href(making.home)):
                    widgets.button("Check only", self._check, icon="rule")
            with ui.element("div").classes("sp-new-yaml"), widgets.card(_SHOWN[self._verb]):
                with ui.element("div").classes("sp-row"):
                    widgets.button("Edit as YAML", self._edit_shown, icon="edit")
                    self._wrong = widgets.text("", "sp-muted sp-small")
                self._yaml = ui.element("div")
        self._show_yaml()
        self._page.every(_REST_SECONDS, self._show_yaml)

    def edit(self, text: str) -> None:
        """The object itself, in place of the form."""
        self._read = None
        self._place.clear()
        with self._place:
            with ui.element("div").classes("sp-bar-of-list"):
                widgets.button(self._verb, self._send_yaml, icon="check", kind="primary")
                widgets.button("Check only", self._check_yaml, icon="rule")
                widgets.button("Cancel", href=self._page.href(self._making.home))
            label = f"YAML of the new {self._making.noun}"
            self._editor = YamlEditor(text, label=label, save=self._send_yaml)

    def _note(self) -> None:
        self._is_changed = True

    def _made(self) -> Object | None:
        """None while a field holds what cannot be read."""
        if self._read is None:
            return None
        try:
            return self._read()
        except (NotAValueError, ValueError):
            return None

    def _show_yaml(self) -> None:
        if not self._is_changed or self._read is None:
            return
        self._is_changed = False
        made = self._made()
        self._wrong.set_text("" if made is not None else _LOOK_AGAIN)
        if made is None or (text := yamltext.dump(made)) == self._drawn:
            return
        self._drawn = text
        self._yaml.clear()
        with self._yaml:
            CodeView(text, label=f"The {self._making.noun}", language="yaml", height="62vh")

    def _edit_shown(self) -> None:
        made = self._made()
        self.edit(yamltext.dump(made) if made is not None else self._drawn)

    async def _send(self) -> None:
        made = self._made()
        if made is None:
            self._form.tell(_LOOK_AGAIN)
            return
        await self._create(self._kind_of(made), made)

    async def _check(self) -> None:
        """As creating it would, but nothing is."""
        if not self._form.validate():
            return
        made = self._made()
        if made is None:
            self._form.tell(_LOOK_AGAIN)
            return
        try:
            await self._post(self._kind_of(made), made, _DRY)
        except ApiFailureError as error:
            self._form.show(error)
            return
        self._form.tell("")
        self._page.notify(_FINE)

    def _kind_of(self, made: Mapping[str, Any]) -> Resource:
        found = _kind(self._making.kinds, made)
        assert found is not None, "a form makes objects of its kinds"
        return found

    async def _create(self, resource: Resource, made: Mapping[str, Any]) -> None:
        """Raises ApiFailureError."""
        created: Any = await self._post(resource, made, MANAGER)
        self._page.notify(f"{meta.name(created)} is {_DONE[self._verb]}.")
        namespace = meta.namespace(created) or self._page.namespace
        self._page.go(self._making.page_of(resource, namespace, meta.name(created)))

    async def _post(self, resource: Resource, made: Mapping[str, Any], query: Mapping[str, str]) -> Any:
        """Raises ApiFailureError."""
        namespace = meta.namespace(made) or self._page.namespace
        path = self._making.collection(resource, namespace)
        if self._making.replaces is None:
            return await self._page.api.post(path, made, query)
        path = f"{path}/{segment(meta.name(made))}"
        found = self._making.replaces(await self._page.api.get(path), dict(made))
        return await self._page.api.put(path, found, query)

    async def _check_yaml(self) -> None:
        await self._take_yaml(only_check=True)

    async def _send_yaml(self) -> None:
        await self._take_yaml(only_check=False)

    async def _take_yaml(self, *, only_check: bool) -> None:
        if self._editor is None:
            return
        try:
            document, resource = one(self._editor.text, self._making)
        except YamlError as error:
            self._editor.tell([error.problem])
            return
        try:
            if only_check:
                await self._post(resource, document.value, _DRY)
                self._editor.tell((), _FINE)
            else:
                await self._create(resource, document.value)
        except ApiFailureError as error:
            self._editor.tell(yamltext.problems(document, error.message, error.causes))


def one(text: str, making: Making) -> tuple[yamltext.Document, Resource]:
    """The one object in it, and its kind. Pure. Raises YamlError."""
    documents = yamltext.parse(text)
    if len(documents) != 1:
        raise YamlError(Problem(1, f"One {making.noun} is made here."))
    value = documents[0].value
    if (found := _kind(making.kinds, value)) is not None:
        return documents[0], found
    known = ", ".join(f"{each.api_version} {each.kind}" for each in making.kinds)
    told = f"{value.get('apiVersion')} {value.get('kind')} is none of {known}."
    raise YamlError(Problem(documents[0].line_of("kind"), told, "kind"))


def _kind(kinds: Sequence[Resource], value: Mapping[str, Any]) -> Resource | None:
    named = (value.get("apiVersion"), value.get("kind"))
    return next((each for each in kinds if (each.api_version, each.kind) == named), None)
