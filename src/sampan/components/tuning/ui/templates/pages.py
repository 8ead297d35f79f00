"""All trial templates, and the page of one: it is read, changed, and an experiment is made with it."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from nicegui import ui

from sampan.components.tuning.api import labels
from sampan.components.tuning.ui import places, template_text
from sampan.components.tuning.ui.templates import changing, finding
from sampan.components.tuning.ui.templates.finding import Template
from sampan.kube import names
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError, segment
from sampan.ui.context import PageContext
from sampan.ui.contract import Page
from sampan.ui.forms.fields import About, TextField
from sampan.ui.forms.form import Form
from sampan.ui.objects.editor import YamlEditor
from sampan.ui.objects.yamltext import Problem
from sampan.ui.table import cells
from sampan.ui.table.table import Column, DataTable, Row

_COLUMNS = (
    Column("key", "Template"),
    Column("kind", "Runs a"),
    Column("places", "Fills in"),
    Column("map", "ConfigMap"),
    Column("actions", "", narrow=True),
)
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_NEW = f"{places.TEMPLATES}/new"


def _path(template: Template) -> str:
    parts = (template.namespace, template.config_map, template.key)
    return "/".join([places.TEMPLATES, *(segment(each) for each in parts)])


async def build(page: PageContext) -> None:
    await _List(page).build()


class _List:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._found: dict[str, dict[str, Template]] = {}

    async def build(self) -> None:
        page = self._page
        with widgets.page_header("Trial templates", "What trials run, kept in ConfigMaps to be used again."):
            widgets.button("New template", icon="add", kind="primary", href=page.href(_NEW))
        self._table = DataTable(_COLUMNS, label="Trial templates", on_action=self._act)
        self._empty = ui.element("div")
        with self._empty:
            widgets.empty_state(
                "description",
                "No templates here",
                "A template is an object that each trial creates, with places for its parameters. Experiments name "
                "one in place of writing it out.",
                [("New template", page.href(_NEW)), ("New experiment", page.href(places.NEW))],
            )
        query = {"labelSelector": f"{labels.COMPONENT}={labels.TRIAL_TEMPLATES}"}
        for namespace in dict.fromkeys((page.namespace, labels.NAMESPACE)):
            try:
                await page.live(finding.config_maps(namespace), partial(self._take, namespace), query=query)
            except ApiFailureError as error:
                if namespace == page.namespace:
                    widgets.paragraph(
                        f"Templates of {namespace} cannot be shown: {error.message}", "sp-muted"
                    )
        self._show()

    def _take(self, namespace: str, answer: Any) -> None:
        found = finding.read(answer.get("items") or ())
        self._found[namespace] = {each.place: each for each in found}
        self._show()

    @property
    def _templates(self) -> dict[str, Template]:
        return {key: each for found in self._found.values() for key, each in found.items()}

    def _show(self) -> None:
        found = self._templates
        self._table.set_rows([row(each, self._page) for each in found.values()])
        self._table.set_visibility(bool(found))
        self._empty.set_visibility(not found)

    def _act(self, place: str, what: str) -> None:
        template = self._templates.get(place)
        if template is None:
            return
        if what == "use":
            self._page.go(places.NEW, template=place)
        else:
            ask_delete(self._page, template)


def row(template: Template, page: PageContext) -> Row:
    return Row(
        template.place,
        {
            "key": cells.link(template.key, page.href(_path(template))),
            "kind": template.kind or cells.state("no object", "warn"),
            "places": cells.tags(template_text.places(template.text)),
            "map": cells.lines(template.config_map, template.namespace),
            "actions": cells.actions(
                [("use", "New experiment with", "play_arrow"), ("delete", "Delete", "delete")]
            ),
        },
        name=template.key,
    )


def ask_delete(page: PageContext, template: Template, after: str = "") -> None:
    async def go() -> None:
        if (
            await page.attempt(changing.remove(page.api, template), done=f"{template.key} is deleted.")
            and after
        ):
            page.go(after)

    lost = [
        f"{template.key} of the ConfigMap {template.config_map}",
        "Experiments that name it make no more trials",
    ]
    widgets.confirm(f"Delete {template.key}?", lost, go, label="Delete")


async def build_new(page: PageContext) -> None:
    widgets.page_header("New trial template", f"In the namespace {page.namespace}.")

    async def send() -> None:
        text = editor.text
        if problem := template_text.problem(text):
            editor.tell([Problem(0, problem)])
            form.tell(problem)
            return
        template = Template(page.namespace, str(map_name.read()).strip(), str(key.read()).strip(), text)
        await changing.write(page.api, template, is_new=True)
        page.notify(f"{template.key} is kept.")
        page.go(places.TEMPLATES)

    form = Form(send, label="New trial template", places={"ConfigMap": "map", "template": "key"})
    with form, widgets.card().classes("sp-form"):
        with ui.element("div").classes("sp-fields-row"):
            about = About("key", "Name", "As a file: train.yaml", required=True)
            key = form.add(TextField(about, "template.yaml", check=_key_problem))
            about = About("map", "ConfigMap", "One that is there, or a new one.", required=True)
            map_name = form.add(TextField(about, labels.TRIAL_TEMPLATES, check=_map_problem))
        hint = (
            "An object of any kind that the cluster serves. ${trialParameters.NAME} stands for a parameter."
        )
        widgets.paragraph(hint, "sp-muted")
        editor = YamlEditor(template_text.TO_BEGIN, label="Template", save=form.submit)
        form.buttons("Create", page.href(places.TEMPLATES))


async def build_one(page: PageContext) -> None:
    namespace, name, key = (page.params[each] for each in ("namespace", "config_map", "key"))
    answer = await page.api.get(finding.config_maps(namespace, name))
    found = next((each for each in finding.read([answer]) if each.key == key), None)
    if found is None:
        raise ApiFailureError(404, f"The ConfigMap {name} has no template {key}.")
    page.set_title(key)

    async def save() -> None:
        text = editor.text
        if problem := template_text.problem(text):
            editor.tell([Problem(0, problem)])
            return
        changed = Template(namespace, name, key, text)
        if await page.attempt(changing.write(page.api, changed, is_new=False)):
            editor.tell((), "Kept. Experiments that have begun use it for their next trials.")

    with widgets.page_header(key, f"In the ConfigMap {name} of {namespace}"):
        use = page.href(places.NEW, template=found.place)
        widgets.button("New experiment with it", icon="play_arrow", href=use)
        widgets.button("Save", save, icon="check", kind="primary")
        ask = partial(ask_delete, page, found, places.TEMPLATES)
        widgets.button("Delete", ask, icon="delete", kind="danger")
    editor = YamlEditor(found.text, label=f"Template {key}", save=save)


def _key_problem(text: Any) -> str:
    return "" if _KEY.fullmatch(str(text).strip()) else "Letters, digits, hyphens, points and underscores"


def _map_problem(text: Any) -> str:
    return "Lower case letters, digits, hyphens and points" if names.dns_subdomain(str(text).strip()) else ""


PAGES = (
    Page(places.TEMPLATES, "Trial templates", build, parent=places.LIST),
    Page(_NEW, "New trial template", build_new, parent=places.TEMPLATES),
    Page(
        f"{places.TEMPLATES}/{{namespace}}/{{config_map}}/{{key}}",
        "Trial template",
        build_one,
        parent=places.TEMPLATES,
    ),
)
