"""A trial's parameters put to use: as text to take along, or as a run of the same template that begins now."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from sampan.components.tuning.ui import actions, places, run_objects
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError
from sampan.ui.code.view import CodeView
from sampan.ui.context import PageContext
from sampan.ui.forms.fields import About, TextField
from sampan.ui.objects import copies, yamltext
from sampan.ui.objects.making import MANAGER

_FORMS = {"use-yaml": "Parameters as YAML", "use-env": "For a shell", "use-run": "As a run"}
"""Tabs, whose names no tab of the page below has."""
_CONFLICT = 409
_MOST = 20
"""Names that are tried."""


def ask_use(page: PageContext, namespace: str, experiment: str, trial: str) -> None:
    """Shows them in a window."""
    window, content = widgets.dialog(f"Use the parameters of {trial}", wide=True)

    async def show(key: str) -> None:
        form = key.removeprefix("use-")
        text = await _text(page, namespace, experiment, trial, form)
        if form == "run":
            text = _offer_run(page, window, namespace, text)
        CodeView(text, label=_FORMS[key], language="" if form == "env" else "yaml", height="46vh")

    async def build() -> None:
        with content:
            tabs = widgets.Tabs(_FORMS, "use-yaml", show)
            try:
                await tabs.show()
            except ApiFailureError as error:
                widgets.failure(error)
            with ui.element("div").classes("sp-dialog-actions"):
                widgets.button("Close", window.close)

    page.spawn(build(), "parameters of a trial")


async def _text(page: PageContext, namespace: str, experiment: str, trial: str, form: str) -> str:
    """Raises ApiFailureError."""
    path = places.tuning_api(namespace, experiment, "best")
    reply = await page.api.request("GET", path, query={"trial": trial, "as": form}, accept="*/*")
    return reply.body.decode(errors="replace")


def _offer_run(page: PageContext, window: ui.dialog, namespace: str, text: str) -> str:
    """A button that creates the object, under a name of one's own. The object as YAML of ours."""
    try:
        found = yaml_of(text)
    except ValueError as error:
        widgets.paragraph(str(error), "sp-muted")
        return text

    async def go() -> None:
        wanted = str(name.read()).strip() or meta.name(found)
        created: list[Object] = []

        async def create() -> None:
            created.append(await start(page, namespace, found, wanted))

        window.close()
        if await page.attempt(create()):
            page.notify(f"{meta.name(created[0])} is created.")
            page.go(run_objects.page_of(created[0], namespace))

    with ui.element("div").classes("tu-start"):
        name = TextField(About("name", "Name"), meta.name(found))
        widgets.button(f"Start this {found.get('kind')}", go, icon="play_arrow", kind="primary")
    return yamltext.dump(found)


async def start(page: PageContext, namespace: str, obj: Object, name: str) -> Object:
    """Under the name, or the next that is free. Raises ApiFailureError."""
    kind = str(obj.get("kind") or "")
    path = await run_objects.path_of(page.api, str(obj.get("apiVersion") or ""), kind, namespace)
    taken: set[str] = set()
    while True:
        free = copies.next_name(name, taken, actions.MOST_NAME)
        made = {**obj, "metadata": {**meta.metadata(obj), "name": free, "namespace": namespace}}
        try:
            answer: Any = await page.api.post(path, made, MANAGER)
        except ApiFailureError as error:
            taken.add(free)
            if error.status == _CONFLICT and len(taken) < _MOST:
                continue
            raise
        return {**answer, "apiVersion": obj.get("apiVersion"), "kind": kind}


def yaml_of(text: str) -> Object:
    """The one object in it. Raises ValueError."""
    try:
        documents = yamltext.parse(text)
    except yamltext.YamlError as error:
        raise ValueError(error.problem.message) from error
    if len(documents) != 1:
        raise ValueError("There is no one object to start.")
    return documents[0].value
