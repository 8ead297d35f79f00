"""The description of Seldon's API in OpenAPI's words: the messages and operations that it has everywhere. Pure.

Called by the microservice's server, and by the executor's, each with paths of its own. Source of what there is:
seldon-core 1.18.2 openapi/{engine,wrapper}.oas3.json, executor/openapi/seldon.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MESSAGE: dict[str, Any] = {
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
_META: dict[str, Any] = {
    "type": "object",
    "properties": {
        "puid": {"type": "string"},
        "tags": {"type": "object"},
        "routing": {"type": "object", "additionalProperties": {"type": "integer"}},
        "requestPath": {"type": "object", "additionalProperties": {"type": "string"}},
        "metrics": {"type": "array", "items": {"type": "object"}},
    },
}
_STATUS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "code": {"type": "integer"},
        "info": {"type": "string"},
        "reason": {"type": "string"},
        "status": {"type": "string", "enum": ["SUCCESS", "FAILURE"]},
    },
}
_FEEDBACK = {
    "type": "object",
    "properties": {
        **{name: {"$ref": "#/components/schemas/SeldonMessage"} for name in ("request", "response", "truth")},
        "reward": {"type": "number"},
    },
}
_LIST = {
    "type": "object",
    "properties": {
        "seldonMessages": {"type": "array", "items": {"$ref": "#/components/schemas/SeldonMessage"}}
    },
}
_MICROSERVICE = {
    "/predict": ("Predict", "SeldonMessage"),
    "/transform-input": ("TransformInput", "SeldonMessage"),
    "/transform-output": ("TransformOutput", "SeldonMessage"),
    "/route": ("Route", "SeldonMessage"),
    "/aggregate": ("Aggregate", "SeldonMessageList"),
    "/send-feedback": ("SendFeedback", "Feedback"),
}


def described(title: str, posts: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """`posts` are paths with the names of their operations and of what these get."""
    return {
        "openapi": "3.0.0",
        "info": {"title": title, "version": "0.1"},
        "paths": {path: {"post": _operation(name, schema)} for path, (name, schema) in posts.items()},
        "components": {
            "schemas": {
                "SeldonMessage": _MESSAGE,
                "SeldonMessageList": _LIST,
                "Feedback": _FEEDBACK,
                "Meta": _META,
                "Status": _STATUS,
            }
        },
    }


def microservice() -> dict[str, Any]:
    return described("Seldon Microservice API", _MICROSERVICE)


def _operation(name: str, schema: str) -> dict[str, Any]:
    def content(of: str) -> dict[str, Any]:
        return {"application/json": {"schema": {"$ref": f"#/components/schemas/{of}"}}}

    return {
        "operationId": name,
        "requestBody": {"content": content(schema), "required": True},
        "responses": {"200": {"description": "A successful response", "content": content("SeldonMessage")}},
    }
