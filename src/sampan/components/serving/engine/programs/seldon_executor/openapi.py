"""The description of a deployment's own API, and a page that shows it. Pure.

Source of what there is: seldon-core 1.18.2 executor/openapi/seldon.json, executor/api/rest/utils.go.
"""

from __future__ import annotations

import json
from typing import Any

_MESSAGE = {
    "type": "object",
    "properties": {
        "meta": {"$ref": "#/components/schemas/Meta"},
        "status": {"$ref": "#/components/schemas/Status"},
        "data": {
            "type": "object",
            "properties": {
                "names": {"type": "array", "items": {"type": "string"}},
                "ndarray": {"type": "array", "items": {}},
                "tensor": {
                    "type": "object",
                    "properties": {
                        "shape": {"type": "array", "items": {"type": "integer"}},
                        "values": {"type": "array", "items": {"type": "number"}},
                    },
                },
            },
        },
        "binData": {"type": "string", "format": "byte"},
        "strData": {"type": "string"},
        "jsonData": {},
    },
}
_META = {
    "type": "object",
    "properties": {
        "puid": {"type": "string"},
        "tags": {"type": "object"},
        "routing": {"type": "object", "additionalProperties": {"type": "integer"}},
        "requestPath": {"type": "object", "additionalProperties": {"type": "string"}},
        "metrics": {"type": "array", "items": {"type": "object"}},
    },
}
_STATUS = {
    "type": "object",
    "properties": {
        "code": {"type": "integer"},
        "info": {"type": "string"},
        "reason": {"type": "string"},
        "status": {"type": "string", "enum": ["SUCCESS", "FAILURE"]},
    },
}


def page(namespace: str, deployment: str, file: str) -> tuple[str, bytes]:
    """Content type and body of a file of `doc`; no body for one that there is not."""
    if file == "seldon.json":
        return "application/json", json.dumps(description(namespace, deployment), indent=2).encode()
    if file in ("", "index.html"):
        # Without scripts of others: the description itself, to read.
        shown = json.dumps(description(namespace, deployment), indent=2)
        shown = shown.replace("&", "&amp;").replace("<", "&lt;")
        name = f"{namespace}/{deployment}".replace("&", "&amp;").replace("<", "&lt;")
        return "text/html; charset=utf-8", (
            f"<!doctype html><title>{name}</title><h1>{name}</h1>"
            f'<p><a href="seldon.json">seldon.json</a></p><pre>{shown}</pre>'
        ).encode()
    return "text/plain", b""


def description(namespace: str, deployment: str) -> dict[str, Any]:
    root = f"/seldon/{namespace}/{deployment}/api/v1.0"
    feedback = {
        "type": "object",
        "properties": {
            **{
                name: {"$ref": "#/components/schemas/SeldonMessage"}
                for name in ("request", "response", "truth")
            },
            "reward": {"type": "number"},
        },
    }
    return {
        "openapi": "3.0.0",
        "info": {"title": "Seldon External API", "version": "0.1"},
        "paths": {
            f"{root}/predictions": {"post": _operation("Predict", "SeldonMessage")},
            f"{root}/feedback": {"post": _operation("SendFeedback", "Feedback")},
        },
        "components": {
            "schemas": {"SeldonMessage": _MESSAGE, "Feedback": feedback, "Meta": _META, "Status": _STATUS}
        },
    }


def _operation(name: str, schema: str) -> dict[str, Any]:
    def content(of: str) -> dict[str, Any]:
        return {"application/json": {"schema": {"$ref": f"#/components/schemas/{of}"}}}

    return {
        "operationId": name,
        "requestBody": {"content": content(schema), "required": True},
        "responses": {"200": {"description": "A successful response", "content": content("SeldonMessage")}},
    }
