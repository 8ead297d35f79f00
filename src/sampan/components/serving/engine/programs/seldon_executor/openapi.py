"""The description of a deployment's own API, and a page that shows it. Pure.

Source of what there is: seldon-core 1.18.2 executor/openapi/seldon.json, executor/api/rest/utils.go.
"""

from __future__ import annotations

import json
from typing import Any

from sampan.components.serving.engine.programs.seldon_microservice import openapi

_MODEL = "/v2/models/{model_name}"
_TENSOR = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer"}},
        "datatype": {"type": "string"},
        "parameters": {"type": "object"},
        "data": {},
    },
}


def page(namespace: str, deployment: str, file: str) -> tuple[str, bytes]:
    """Content type and body of a file of `doc`; no body for one that there is not."""
    return _page(f"{namespace}/{deployment}", description(namespace, deployment), file, "seldon.json")


def inference_page(namespace: str, deployment: str, file: str) -> tuple[str, bytes]:
    """Likewise of `/v2/docs`."""
    return _page(f"{namespace}/{deployment}", inference(), file, "dataplane.yaml")


def _page(title: str, told: dict[str, Any], file: str, name: str) -> tuple[str, bytes]:
    shown = json.dumps(told, indent=2)
    if file == name:
        # JSON is YAML too.
        return ("application/yaml" if name.endswith(".yaml") else "application/json"), shown.encode()
    if file in ("", "index.html"):
        # Without scripts of others: the description itself, to read.
        shown, title = (each.replace("&", "&amp;").replace("<", "&lt;") for each in (shown, title))
        return "text/html; charset=utf-8", (
            f"<!doctype html><title>{title}</title><h1>{title}</h1>"
            f'<p><a href="{name}">{name}</a></p><pre>{shown}</pre>'
        ).encode()
    return "text/plain", b""


def description(namespace: str, deployment: str) -> dict[str, Any]:
    root = f"/seldon/{namespace}/{deployment}/api/v1.0"
    posts = {
        f"{root}/predictions": ("Predict", "SeldonMessage"),
        f"{root}/feedback": ("SendFeedback", "Feedback"),
    }
    return openapi.described("Seldon External API", posts)


def inference() -> dict[str, Any]:
    """The Open Inference Protocol, as far as a graph speaks it. Source: executor/openapi/open-inference."""
    tensors = {"type": "array", "items": {"$ref": "#/components/schemas/Tensor"}}
    message = {"id": {"type": "string"}, "parameters": {"type": "object"}}
    content = {
        name: {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
        for name in ("InferenceRequest", "InferenceResponse")
    }
    answer = {"200": {"description": "OK"}}
    name = {"name": "model_name", "in": "path", "required": True, "schema": {"type": "string"}}
    infer = {
        "operationId": "model-infer",
        "requestBody": {"content": content["InferenceRequest"], "required": True},
        "responses": {"200": {"description": "OK", "content": content["InferenceResponse"]}},
    }
    reads = {"/v2/health/ready": "server-ready", f"{_MODEL}/ready": "model-ready", _MODEL: "model-metadata"}
    return {
        "openapi": "3.0.3",
        "info": {"title": "Data Plane", "version": "2.0"},
        "paths": {
            **{path: {"get": {"operationId": told, "responses": answer}} for path, told in reads.items()},
            f"{_MODEL}/infer": {"parameters": [name], "post": infer},
        },
        "components": {
            "schemas": {
                "Tensor": _TENSOR,
                "InferenceRequest": {"type": "object", "properties": {**message, "inputs": tensors}},
                "InferenceResponse": {"type": "object", "properties": {**message, "outputs": tensors}},
            }
        },
    }
