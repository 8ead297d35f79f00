"""Writes the kubeconfig with which kubectl and every Kubernetes client reach the embedded cluster."""

from __future__ import annotations

import json
from pathlib import Path

from sampan.app.home import write_private


def write(file: Path, url: str, token: str) -> None:
    """JSON is YAML: no emitter needed at start-up."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "sampan", "cluster": {"server": url}}],
        "users": [{"name": "sampan", "user": {"token": token}}],
        "contexts": [
            {"name": "sampan", "context": {"cluster": "sampan", "user": "sampan", "namespace": "default"}}
        ],
        "current-context": "sampan",
    }
    write_private(file, json.dumps(document, indent=2) + "\n")
