"""A request that fires a trigger: who sent it is proven by the trigger's secret, and what it says becomes an event.

Sources: docs.github.com "Webhook events and payloads" (headers, `ping`); docs.gitlab.com "Webhooks".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response

from sampan.components.pipelines.api.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    PipelinesError,
    UnauthenticatedError,
)
from sampan.components.pipelines.api.events import Event, EventKind
from sampan.components.pipelines.api.signatures import proves
from sampan.components.pipelines.api.wire import any_value, decode
from sampan.components.pipelines.engine.secret_texts import read_reference
from sampan.components.pipelines.engine.triggers.service import found_trigger
from sampan.components.pipelines.rest import event_render
from sampan.components.pipelines.rest.dispatch import BodyTooLargeError, Call, answer
from sampan.components.pipelines.store.deliveries import DeliveryState
from sampan.components.pipelines.store.event_triggers import TriggerRow
from sampan.lib.clock import rfc3339
from sampan.lib.ids import new_uid

_MOST_BYTES = 2 * 1024 * 1024
_LONGEST_ID = 200
_IDS = (
    "x-github-delivery",
    "x-gitlab-event-uuid",
    "x-gitea-delivery",
    "webhook-id",
    "idempotency-key",
    "ce-id",
)
_EVENTS = ("x-github-event", "x-gitlab-event", "x-gitea-event", "ce-type")
_NOT_KEPT = ("token", "secret", "signature", "auth", "key", "cookie", "password")
"""Words in names of headers that are not for the record."""


async def fire(call: Call) -> Response:
    """Starts a run, now or when it is its turn; the same delivery id a second time starts none."""
    trigger_id = call.params["trigger_id"]
    row = await call.backend.database.read(lambda connection: found_trigger(connection, trigger_id))
    if row.kind != EventKind.WEBHOOK:
        raise InvalidArgumentError(f"trigger {trigger_id!r} listens to a {row.kind}: nobody can fire it")
    body = await _body(call.request)
    headers = {key.lower(): value for key, value in call.request.headers.items()}
    if not proves(headers, body, await _secret(call, row)):
        raise UnauthenticatedError(
            "the request does not prove that it knows the trigger's secret: sign it (X-Hub-Signature-256), or send it "
            "as X-Gitlab-Token or as a Bearer token"
        )
    given_id = next((headers[name] for name in _IDS if headers.get(name)), "")
    if len(given_id) > _LONGEST_ID:
        raise InvalidArgumentError(f"a delivery id has at most {_LONGEST_ID} characters")
    data = {
        "body": _content(body, headers.get("content-type", "")),
        "headers": _kept(headers),
        "query": {key: value[-1] for key, value in parse_qs(call.request.url.query).items()},
        "delivery_id": given_id,
        "time": rfc3339(call.backend.clock.now(), micro=True),
    }
    event = Event(EventKind.WEBHOOK, row.namespace, given_id or new_uid(), data)
    delivery = await call.backend.triggers.fire(trigger_id, event, _skipped(row, headers))
    if delivery.state == DeliveryState.FAILED:
        raise _failure(json.loads(delivery.error))
    return answer(event_render.delivery(delivery))


async def _body(request: Request) -> bytes:
    """Raises BodyTooLargeError before all of it is read."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > _MOST_BYTES:
            raise BodyTooLargeError(f"the request is larger than {_MOST_BYTES // 2**20} MiB")
        parts.append(part)
    return b"".join(parts)


async def _secret(call: Call, row: TriggerRow) -> str:
    reference = json.loads(row.source).get("secret_ref")
    return await read_reference(call.backend.client, row.namespace, reference) if reference else row.secret


def _content(body: bytes, content_type: str) -> Any:
    """JSON as it is; a form's fields, with `payload` read as JSON (GitHub's older form); else text."""
    if content_type.partition(";")[0].strip() == "application/x-www-form-urlencoded":
        try:
            fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=1000)
        except ValueError as error:
            raise InvalidArgumentError(f"the request's body is no form: {error}") from error
        form: dict[str, Any] = {key: value[-1] for key, value in fields.items()}
        if "payload" in form:
            return any_value(decode(form["payload"].encode(), "the form's payload"), "payload")
        return form
    if "json" in content_type or body[:1] in (b"{", b"["):
        return any_value(decode(body, "the request's body"), "body") if body.strip() else {}
    return body.decode(errors="replace")


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    """What may be of use in parameters, without what proves anything."""
    names = ("content-type", "user-agent")
    return {
        key: value
        for key, value in headers.items()
        if key in names or (key.startswith(("x-", "ce-")) and not any(word in key for word in _NOT_KEPT))
    }


def _skipped(row: TriggerRow, headers: Mapping[str, str]) -> str:
    """Why this is no event that starts runs; empty when it is."""
    name = next((headers[header] for header in _EVENTS if headers.get(header)), "")
    wanted = json.loads(row.source).get("events") or []
    if wanted and name not in wanted:
        return f"its event is {name[:60]!r}, and the trigger is for {', '.join(wanted)}"
    if headers.get("x-github-event") == "ping" and "ping" not in wanted:
        return "it is GitHub's ping, sent when a webhook is made"
    return ""


def _failure(error: Mapping[str, Any]) -> PipelinesError:
    """The error that the delivery was left with, as an answer."""
    kinds = (NotFoundError, PermissionDeniedError, FailedPreconditionError)
    kind = next((each for each in kinds if each.code == error["code"]), InvalidArgumentError)
    return kind(error["message"])
