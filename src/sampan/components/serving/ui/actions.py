"""What is done to endpoints, with the question that goes before it: from the list and from their pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from sampan.components.serving.api import labels
from sampan.components.serving.api.kinds import (
    INFERENCE_GRAPHS,
    INFERENCE_SERVICES,
    LLM_INFERENCE_SERVICES,
)
from sampan.components.serving.api.summary import State
from sampan.components.serving.ui import places
from sampan.components.serving.ui.summary import Endpoint
from sampan.ui import widgets, words
from sampan.ui.api import ApiFailureError
from sampan.ui.context import PageContext
from sampan.ui.objects.making import MANAGER

MERGE = "application/merge-patch+json"
_NOT_FOUND = 404
_STOPPABLE = (INFERENCE_SERVICES.kind, INFERENCE_GRAPHS.kind, LLM_INFERENCE_SERVICES.kind)


@dataclass(frozen=True, slots=True)
class Action:
    name: str
    label: str
    icon: str
    past: str
    """Of what it was done to."""
    fits: Callable[[Endpoint], bool]


ACTIONS = (
    Action(
        "stop",
        "Stop",
        "stop_circle",
        "stopped",
        lambda each: each.kind in _STOPPABLE and each.state not in (State.STOPPED, State.DELETING),
    ),
    Action(
        "start",
        "Start",
        "play_circle",
        "started",
        lambda each: each.kind in _STOPPABLE and each.state == State.STOPPED,
    ),
    Action("delete", "Delete", "delete", "deleted", lambda each: True),
)
BY_NAME = {action.name: action for action in ACTIONS}


def path_of(endpoint: Endpoint) -> str:
    """Raises ApiFailureError."""
    resource = places.by_kind(endpoint.kind)
    if resource is None:
        raise ApiFailureError(_NOT_FOUND, f"There is no kind of endpoints {endpoint.kind}.")
    return places.api(resource, endpoint.namespace, endpoint.name)


def stopping(stopped: bool) -> dict[str, Any]:
    """A merge patch. Pure."""
    return {"metadata": {"annotations": {labels.STOP: "true" if stopped else None}}}


def share(percent: int | None) -> dict[str, Any]:
    """A merge patch: what the newest revision gets, None for everything. Pure."""
    return {"spec": {"predictor": {"canaryTrafficPercent": percent}}}


async def set_share(page: PageContext, endpoint: Endpoint, percent: int | None) -> bool:
    done = (
        f"{endpoint.name}: the newest revision gets all requests."
        if percent is None
        else f"{endpoint.name}: {percent}% go to the newest revision."
    )
    return await page.attempt(_patch(page, endpoint, share(percent)), done=done)


async def _patch(page: PageContext, endpoint: Endpoint, patch: dict[str, Any]) -> None:
    await page.api.patch(path_of(endpoint), patch, MANAGER, content_type=MERGE)


def ask(page: PageContext, action: Action, endpoints: Sequence[Endpoint], after: Callable[[], Any]) -> None:
    """Asks where something would be lost, does it to those that it fits, and says what came of it."""
    fitting = [each for each in endpoints if action.fits(each)]
    if not fitting:
        page.notify(f"None of the picked endpoints can be {action.past}.", "warn")
        return

    async def go() -> None:
        failures = await _each(page, action, fitting)
        done = len(fitting) - len(failures)
        await page.attempt(_nothing(), done=summary(action, done, len(endpoints)))
        if failures:
            _tell(action, failures)
        after()

    if action.name == "start":
        page.spawn(go(), "start endpoints")
        return
    count = words.counted(len(fitting), "endpoint|endpoints")
    names = words.listed([f"{each.name} ({each.kind})" for each in fitting])
    widgets.confirm(
        f"{action.label} {count}?",
        [*names, *_lost(action)],
        go,
        label=f"{action.label} {count}",
        danger=action.name == "delete",
    )


def _lost(action: Action) -> list[str]:
    if action.name == "delete":
        return ["Their pods end, and requests to them fail.", "The models stay where they are stored."]
    return ["Their pods end, and requests to them are refused until they are started again."]


def summary(action: Action, done: int, picked: int) -> str:
    """Pure."""
    if not done:
        return ""
    of = f"{done} of {picked} endpoints" if done < picked else words.counted(done, "endpoint|endpoints")
    return f"{of} {action.past}."


async def _each(page: PageContext, action: Action, endpoints: Sequence[Endpoint]) -> list[tuple[str, str]]:
    """One after the other. The names of those that refused it, and why."""
    failures: list[tuple[str, str]] = []
    for each in endpoints:
        try:
            if action.name == "delete":
                await page.api.delete(path_of(each), {"propagationPolicy": "Background"})
            else:
                await _patch(page, each, stopping(action.name == "stop"))
        except ApiFailureError as error:
            failures.append((each.name, error.message))
    return failures


async def _nothing() -> None:
    """What was done is done; the page's `attempt` says so to whatever is live."""


def _tell(action: Action, failures: Sequence[tuple[str, str]]) -> None:
    window, content = widgets.dialog(f"Some endpoints were not {action.past}")
    with content:
        widgets.pairs(dict(failures))
        with ui.element("div").classes("sp-dialog-actions"):
            widgets.button("Close", window.close, kind="primary")
