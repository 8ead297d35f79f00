"""What is done to endpoints, with the question that goes before it: from the list and from their pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.api.kinds import (
    INFERENCE_GRAPHS,
    INFERENCE_SERVICES,
    LLM_INFERENCE_SERVICES,
)
from sampan.components.serving.api.summary import State
from sampan.components.serving.ui import places
from sampan.components.serving.ui.summary import Endpoint
from sampan.ui.api import ApiFailureError
from sampan.ui.context import PageContext
from sampan.ui.objects.making import MANAGER
from sampan.ui.table.acting import Acted, Action

MERGE = "application/merge-patch+json"
_NOT_FOUND = 404
_STOPPABLE = (INFERENCE_SERVICES.kind, INFERENCE_GRAPHS.kind, LLM_INFERENCE_SERVICES.kind)


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


async def _set_stopped(page: PageContext, endpoint: Endpoint, *, stopped: bool) -> None:
    await _patch(page, endpoint, stopping(stopped))


async def _delete(page: PageContext, endpoint: Endpoint) -> None:
    await page.api.delete(path_of(endpoint), {"propagationPolicy": "Background"})


ENDPOINTS: Acted[Endpoint] = Acted(
    "endpoint|endpoints", lambda each: each.name, lambda each: f"{each.name} ({each.kind})"
)
ACTIONS: tuple[Action[Endpoint], ...] = (
    Action(
        "stop",
        "Stop",
        "stop_circle",
        "stopped",
        fits=lambda each: each.kind in _STOPPABLE and each.state not in (State.STOPPED, State.DELETING),
        act=partial(_set_stopped, stopped=True),
        lost=lambda count: (
            "Their pods end, and requests to them are refused until they are started again.",
        ),
        danger=False,
    ),
    Action(
        "start",
        "Start",
        "play_circle",
        "started",
        fits=lambda each: each.kind in _STOPPABLE and each.state == State.STOPPED,
        act=partial(_set_stopped, stopped=False),
    ),
    Action(
        "delete",
        "Delete",
        "delete",
        "deleted",
        fits=lambda each: True,
        act=_delete,
        lost=lambda count: (
            "Their pods end, and requests to them fail.",
            "The models stay where they are stored.",
        ),
    ),
)
BY_NAME = {action.name: action for action in ACTIONS}


def ask(
    page: PageContext, action: Action[Endpoint], endpoints: Sequence[Endpoint], after: Callable[[], Any]
) -> None:
    ENDPOINTS.ask(page, action, endpoints, after)
