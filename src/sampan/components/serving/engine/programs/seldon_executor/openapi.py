"""The description of a deployment's own API, and a page that shows it. Pure.

Source of what there is: seldon-core 1.18.2 executor/openapi/seldon.json, executor/api/rest/utils.go.
"""

from __future__ import annotations

import json
from typing import Any

from sampan.components.serving.engine.programs.seldon_microservice import openapi


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
    posts = {
        f"{root}/predictions": ("Predict", "SeldonMessage"),
        f"{root}/feedback": ("SendFeedback", "Feedback"),
    }
    return openapi.described("Seldon External API", posts)
