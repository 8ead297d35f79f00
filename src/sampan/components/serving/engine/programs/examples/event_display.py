"""Shows CloudEvents on its standard output: stands at the place of Knative's image `event_display`.

Source: knative.dev/eventing cmd/event_display/main.go; cloudevents/sdk-go v2 event/event.go (String) for what it looks
like. Takes binary and structured mode, single events and batches.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from sampan.components.serving.engine.programs.wire.running import Server, run, serve
from sampan.components.serving.engine.programs.wire.server import Request, Response, text

_ATTRIBUTES = ("specversion", "type", "source", "subject", "id", "time", "dataschema", "datacontenttype")
_REQUIRED = ("specversion", "type", "source", "id")
_MOST_BYTES = 64 * 1024 * 1024


async def handle(request: Request) -> Response:
    if request.method != "POST":
        return Response(200 if request.method in ("GET", "HEAD") else 405)
    body = await request.read(_MOST_BYTES)
    try:
        events = _events(request, body)
    except ValueError as error:
        return text(400, str(error))
    for told, data in events:
        missing = [name for name in _REQUIRED if not told.get(name)]
        if missing:
            return text(400, f"a CloudEvent has {', '.join(missing)}")
        print(shown(told, data), flush=True)
    return Response(200)


def _events(request: Request, body: bytes) -> list[tuple[dict[str, str], bytes]]:
    """Attributes and data of each. Raises ValueError."""
    content_type = request.get("content-type")
    if content_type.startswith("application/cloudevents"):
        value = json.loads(body)
        return [_structured(each) for each in (value if isinstance(value, list) else [value])]
    told = {name.lower()[3:]: value for name, value in request.headers if name.lower().startswith("ce-")}
    if content_type:
        told["datacontenttype"] = content_type
    return [(told, body)]


def _structured(event: Any) -> tuple[dict[str, str], bytes]:
    if not isinstance(event, Mapping):
        raise ValueError("an event is an object")
    told = {str(name): str(value) for name, value in event.items() if name not in ("data", "data_base64")}
    if "data_base64" in event:
        return told, base64.b64decode(str(event["data_base64"]))
    data = event.get("data")
    return told, data.encode() if isinstance(data, str) else json.dumps(data).encode()


def shown(told: Mapping[str, str], data: bytes) -> str:
    lines = ["☁️  cloudevents.Event", "Validation: valid", "Context Attributes,"]
    lines += [f"  {name}: {told[name]}" for name in _ATTRIBUTES if told.get(name)]
    extensions = sorted(name for name in told if name not in _ATTRIBUTES)
    if extensions:
        lines += ["Extensions,", *(f"  {name}: {told[name]}" for name in extensions)]
    if data:
        lines += ["Data,", *(f"  {line}" for line in _lines(data, told.get("datacontenttype", "")))]
    return "\n".join(lines)


def _lines(data: bytes, content_type: str) -> list[str]:
    if "json" in content_type or not content_type:
        try:
            return json.dumps(json.loads(data), indent=2, ensure_ascii=False).splitlines()
        except (ValueError, RecursionError):
            pass
    return data.decode("utf-8", "backslashreplace").splitlines()


def main() -> int:
    port = int(os.environ.get("PORT") or 8080)

    async def begin() -> int:
        return await serve(Server(handle), port)

    return run(begin)


if __name__ == "__main__":
    sys.exit(main())
