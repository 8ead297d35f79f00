"""The small services: authorisation for proxies, reports of controllers, visualizations.

Sources: kubeflow/pipelines 2.17, backend/src/apiserver/server/{auth_server,report_server,visualization_server}.go.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from sampan.components.pipelines.api.errors import (
    InvalidArgumentError,
    PermissionDeniedError,
    UnavailableError,
)
from sampan.components.pipelines.api.wire import decode
from sampan.components.pipelines.rest.authorise import Resource, Verb
from sampan.components.pipelines.rest.dispatch import Call, answer

_RESOURCES = ("UNASSIGNED_RESOURCES", "VIEWERS")
_VERBS = ("UNASSIGNED_VERB", "CREATE", "GET", "DELETE")
_CUSTOM = "CUSTOM"


async def authorize(call: Call) -> Response:
    """May the caller do this with what the user interface shows? Answered with nothing, or with an error."""
    namespace = call.query.get("namespace", "").lower()
    if not namespace:
        raise InvalidArgumentError("namespace must not be empty")
    resource = _choice(call, "resources", _RESOURCES)
    verb = _choice(call, "verb", _VERBS)
    asked = namespace if call.backend.multi_user else call.backend.namespace
    await call.authoriser.authorise(call.request, Verb(verb.lower()), Resource(resource.lower()), asked)
    return answer({})


async def report(call: Call) -> Response:
    """What a controller elsewhere says of a workflow. Here the engine itself knows, and nobody may tell it."""
    document = _reported(call.body.get("text", ""))
    metadata = document.get("metadata")
    for field in ("name", "namespace", "uid"):
        if not isinstance(metadata, dict) or not metadata.get(field):
            raise InvalidArgumentError(f"the reported object must have metadata.{field}")
    raise PermissionDeniedError(
        f"{call.request.url.path} is not for use from outside: runs and recurring runs are executed by this server, "
        "which does not take their states from reports"
    )


async def create_visualization(call: Call) -> Response:
    """Checks the request, and says that there is nobody to draw it."""
    given = call.body
    if given.get("type", "ROC_CURVE") != _CUSTOM and not given.get("source"):
        raise InvalidArgumentError("visualization.source must say which files are to be shown")
    try:
        msgspec.json.decode(given.get("arguments") or "{}")
    except msgspec.DecodeError as error:
        raise InvalidArgumentError(f"visualization.arguments must be JSON: {error}") from error
    raise UnavailableError(
        "cannot generate the visualization: no visualization service runs here. Let a step write an HTML or Markdown "
        "artifact instead"
    )


def _reported(text: str) -> dict[str, Any]:
    document = decode(text.encode(), "the reported object")
    if not isinstance(document, dict):
        raise InvalidArgumentError("the reported object must be a JSON object")
    return document


def _choice(call: Call, name: str, names: tuple[str, ...]) -> str:
    """By name or by number; the first one means that none was given."""
    text = call.query.get(name, "")
    if text.isdecimal() and int(text) < len(names):
        text = names[int(text)]
    if text not in names[1:]:
        raise InvalidArgumentError(f"{name} must be one of {', '.join(names[1:])}, not {text[:40]!r}")
    return text
