"""The notification service: Sampan's own."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from sampan.components.pipelines.engine.notifications.service import NotificationRequest, found_notification
from sampan.components.pipelines.rest import event_render, render
from sampan.components.pipelines.rest.dispatch import Call, answer, answer_from
from sampan.components.pipelines.rest.names import checked_name
from sampan.components.pipelines.store import notices
from sampan.components.pipelines.store.event_triggers import Status

_MAX_NAME = 256
_SCOPE = ("experiment_id", "pipeline_id", "run_id")


async def create(call: Call) -> Response:
    return answer(
        event_render.notification(
            await call.backend.notifications.create(_request(call)), call.shown_namespace
        )
    )


async def replace(call: Call) -> Response:
    """All of it but its id, what it has sent, and the URL and secret, unless others are given."""
    row = await call.backend.notifications.replace(_id(call), _request(call))
    return answer(event_render.notification(row, call.shown_namespace))


def _request(call: Call) -> NotificationRequest:
    given = call.body
    return NotificationRequest(
        namespace=call.namespace,
        display_name=checked_name(given.get("display_name", ""), "notification.display_name", _MAX_NAME),
        given=given,
        enabled=not given.get("disabled", False),
        description=given.get("description", ""),
        scope={name: given.get(name, "") for name in _SCOPE},
    )


async def get(call: Call) -> Response:
    key, shown = _id(call), call.shown_namespace
    return await answer_from(call, lambda c: event_render.notification(found_notification(c, key), shown))


async def list_(call: Call) -> Response:
    request, namespace, shown = call.list_request(), call.namespace, call.shown_namespace

    def read(connection: Any) -> dict[str, Any]:
        page = notices.list_page(connection, request, namespace)
        return render.page("notifications", page.mapped(lambda row: event_render.notification(row, shown)))

    return await answer_from(call, read)


async def enable(call: Call) -> Response:
    await call.backend.notifications.switch(_id(call), Status.ENABLED)
    return answer({})


async def disable(call: Call) -> Response:
    await call.backend.notifications.switch(_id(call), Status.DISABLED)
    return answer({})


async def delete(call: Call) -> Response:
    await call.backend.notifications.delete(_id(call))
    return answer({})


async def test(call: Call) -> Response:
    """Sends one now: answered when the receiver has taken it, or with why it has not."""
    key = _id(call)
    row = await call.backend.database.read(lambda connection: found_notification(connection, key))
    await call.backend.send_test(row)
    return answer({})


async def list_deliveries(call: Call) -> Response:
    request, key = call.list_request(), _id(call)

    def read(connection: Any) -> dict[str, Any]:
        page = notices.list_notices(connection, request, key)
        return render.page("deliveries", page.mapped(event_render.notice))

    return await answer_from(call, read)


def _id(call: Call) -> str:
    return call.params["notification_id"]
