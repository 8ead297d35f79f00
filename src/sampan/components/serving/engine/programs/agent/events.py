"""What is told of a request or of an answer: as a CloudEvent, and as a record in a file.

Source: kserve 0.20 pkg/logger/worker.go (sendHttpCloudEvent), types.go (LogRequest), marshaller_record.go; CloudEvents
1.0, HTTP protocol binding 3.1 (binary content mode). Both events of a pair have the same id, and the request's type of
content.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from sampan.components.serving.engine.programs.agent.arguments import LoggerOptions
from sampan.components.serving.engine.programs.wire.heads import Headers

REQUEST = "org.kubeflow.serving.inference.request"
RESPONSE = "org.kubeflow.serving.inference.response"
COLUMNS = (
    *(
        "url",
        "bytes",
        "contentType",
        "reqType",
        "id",
        "sourceUri",
        "inferenceService",
        "namespace",
        "component",
    ),
    *("endpoint", "metadata", "annotations", "certName", "tlsSkipVerify"),
)


@dataclass(frozen=True, slots=True)
class Event:
    kind: str
    """REQUEST or RESPONSE."""
    id: str
    data: bytes
    content_type: str
    at: datetime
    metadata: Mapping[str, Sequence[str]]
    """Headers of the request that events are to tell, with names as Go writes them."""


def headers(event: Event, options: LoggerOptions) -> Headers:
    """Of the request that delivers it."""
    told = {
        "ce-specversion": "1.0",
        "ce-id": event.id,
        "ce-source": options.source,
        "ce-type": event.kind,
        "ce-time": _time(event.at),
        "ce-recordedtime": _time(datetime.now(UTC)),
        "ce-inferenceservicename": options.inference_service,
        "ce-namespace": options.namespace,
        "ce-component": options.component,
        "ce-endpoint": options.endpoint,
        "ce-metadata": _json(event.metadata),
    }
    if options.annotations:
        told["ce-annotations"] = _json(dict(options.annotations))
    found = [(name, _safe(value)) for name, value in told.items()]
    if event.content_type:
        found.append(("Content-Type", event.content_type))
    return found


def record(event: Event, options: LoggerOptions) -> dict[str, Any]:
    """As Go writes a LogRequest in JSON: what is empty is left out, and a URL is an object."""
    told: dict[str, Any] = {
        "url": _url(options.url),
        "bytes": base64.b64encode(event.data).decode(),
        "contentType": event.content_type,
        "reqType": event.kind,
        "id": event.id,
        "sourceUri": _url(options.source),
        "inferenceService": options.inference_service,
        "namespace": options.namespace,
        "component": options.component,
        "endpoint": options.endpoint,
        "metadata": {name: list(values) for name, values in event.metadata.items()},
        "annotations": dict(options.annotations),
        "certName": options.ca_cert_file,
        "tlsSkipVerify": options.skips_tls_verification,
    }
    kept = {name: value for name, value in told.items() if value or name == "bytes"}
    return {**kept, "occurrenceTime": _time(event.at)}


def row(event: Event, options: LoggerOptions) -> tuple[str, ...]:
    """One text for each of COLUMNS."""
    return (
        options.url,
        base64.b64encode(event.data).decode(),
        event.content_type,
        event.kind,
        event.id,
        options.source,
        options.inference_service,
        options.namespace,
        options.component,
        options.endpoint,
        _json(event.metadata),
        _json(dict(options.annotations)) if options.annotations else "",
        options.ca_cert_file,
        str(options.skips_tls_verification).lower(),
    )


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _safe(value: str) -> str:
    """What no header may hold is written in per cent (CloudEvents, HTTP binding 3.1.3.2)."""
    return "".join(
        character
        if " " <= character <= "~"
        else "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "replace"))
        for character in value
    )


def _url(text: str) -> dict[str, Any]:
    parts = urlsplit(text)
    return {
        "Scheme": parts.scheme,
        "Opaque": "",
        "User": None,
        "Host": parts.netloc.rpartition("@")[2],
        "Path": parts.path,
        "RawPath": "",
        "OmitHost": False,
        "ForceQuery": False,
        "RawQuery": parts.query,
        "Fragment": parts.fragment,
        "RawFragment": "",
    }
