"""What is done to experiments: made, described, archived and brought back, deleted; with the questions before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sampan.components.pipelines.ui.experiments import rows
from sampan.ui import widgets
from sampan.ui.api import segment
from sampan.ui.context import PageContext
from sampan.ui.forms.fields import About, TextField
from sampan.ui.forms.form import Form

BASE = "/apis/v2beta1/experiments"
_MOST_CHARACTERS = 128

Experiment = Mapping[str, Any]


def path_of(experiment_id: str) -> str:
    return f"{BASE}/{segment(experiment_id)}"


def create(page: PageContext) -> None:
    """Asks for a name, and goes to the new experiment."""

    async def send(given: dict[str, str]) -> None:
        made = await page.api.post(BASE, {**given, "namespace": page.namespace})
        page.notify(f"Experiment {given['display_name']} is made.")
        page.go(f"/experiments/{made['experiment_id']}")

    _ask("New experiment", "Create", "", "", send)


def edit(page: PageContext, found: Experiment) -> None:
    async def send(given: dict[str, str]) -> None:
        await page.api.patch(path_of(found["experiment_id"]), given)
        # The API has changed: what is shown live asks again.
        await page.attempt(_nothing(), "The experiment is changed.")

    name, description = found["display_name"], found.get("description", "")
    _ask(f"Edit {name}", "Save", name, description, send, keeps_name=name == rows.DEFAULT)


def _ask(
    title: str,
    label: str,
    name: str,
    description: str,
    send: Callable[[dict[str, str]], Any],
    *,
    keeps_name: bool = False,
) -> None:
    window, content = widgets.dialog(title)

    async def go() -> None:
        given = {"description": about.read()}
        if not keeps_name:
            given["display_name"] = called.read().strip()
        await send(given)
        window.close()

    places = {"experiment.display_name": "name", "experiment.description": "description"}
    with content, Form(go, label=title, places=places) as form:
        called = TextField(About("name", "Name", required=True), name, check=_check_name)
        if keeps_name:
            called.show(False)
            widgets.paragraph("Runs that name no experiment are in this one: it keeps its name.", "sp-muted")
        else:
            form.add(called)
        hint = "What is tried here, and what you expect of it."
        about = form.add(TextField(About("description", "Description", hint=hint), description, lines=3))
        form.buttons(label, window.close)


def _check_name(name: str) -> str:
    return f"At most {_MOST_CHARACTERS} characters" if len(name.strip()) > _MOST_CHARACTERS else ""


async def archive(page: PageContext, experiment_id: str, then: Callable[[], Any]) -> None:
    found, schedules = await _affected(page, experiment_id)
    name = found["display_name"]

    async def go() -> None:
        if await page.attempt(page.api.post(f"{path_of(experiment_id)}:archive"), f"{name} is archived."):
            then()

    widgets.confirm(f"Archive {name}?", rows.lost_by_archiving(found, schedules), go, label="Archive")


async def unarchive(page: PageContext, experiment_id: str, name: str) -> None:
    done = f"{name} is back. Its runs are still in the archive."
    await page.attempt(page.api.post(f"{path_of(experiment_id)}:unarchive"), done)


async def delete(page: PageContext, experiment_id: str, then: Callable[[], Any]) -> None:
    found, schedules = await _affected(page, experiment_id)
    name = found["display_name"]

    async def go() -> None:
        if await page.attempt(page.api.delete(path_of(experiment_id)), f"{name} is deleted."):
            then()

    widgets.confirm(f"Delete {name}?", rows.lost_by_deleting(found, schedules), go, label="Delete")


async def _affected(page: PageContext, experiment_id: str) -> tuple[Experiment, list[str]]:
    """The experiment, and the names of its recurring runs."""
    found = await page.api.get(path_of(experiment_id), {"view": "FULL"})
    query = {"experiment_id": experiment_id, "namespace": page.namespace, "page_size": "100"}
    listed = await page.api.get("/apis/v2beta1/recurringruns", query)
    return found, [str(each["display_name"]) for each in listed.get("recurringRuns", ())]


async def _nothing() -> None:
    """Has been done already."""
