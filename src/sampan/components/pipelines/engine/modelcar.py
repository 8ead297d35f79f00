"""Models in OCI images ("modelcars"): what a step that reads one needs in its pod. Pure.

Source of the layout: backend/src/v2/driver/driver.go (addModelcarsToPodSpec), kubeflow/pipelines 2.17: the image holds
`/models`, and the step sees it at `/oci/<image>/models`. Unlike there, the image runs as a native sidecar, which
Kubernetes itself stops when the step ends. Where pods run as processes the pod says that it has no such image.
"""

from __future__ import annotations

from typing import Any

from sampan.components.pipelines.engine.placeholders import local_path
from sampan.components.pipelines.engine.resolve import Inputs

_SCHEME = "oci://"
_MODELS = "/models"


def attach(pod_spec: dict[str, Any], inputs: Inputs) -> None:
    """Adds a sidecar and a volume for each image among the step's input artifacts."""
    uris = {artifact.uri for found in inputs.artifacts.values() for artifact in found}
    cars = sorted(uri for uri in uris if uri.startswith(_SCHEME))
    if not cars:
        return
    # Through /proc the step sees the sidecar's files.
    pod_spec["shareProcessNamespace"] = True
    for index, uri in enumerate(cars):
        name, models = f"oci-{index}", local_path(uri)
        mount = {"name": name, "mountPath": models.removesuffix(_MODELS)}
        pod_spec.setdefault("volumes", []).append({"name": name, "emptyDir": {}})
        pod_spec["containers"][0].setdefault("volumeMounts", []).append(mount)
        sidecar = _sidecar(name, uri.removeprefix(_SCHEME), models) | {"volumeMounts": [mount]}
        pod_spec.setdefault("initContainers", []).append(sidecar)


def _sidecar(name: str, image: str, models: str) -> dict[str, Any]:
    # Kubernetes makes $$ of $$$$, and the shell its process id.
    link = f'test -d {_MODELS} || {{ echo "the image has no {_MODELS}" >&2; exit 1; }}; ' + (
        f'ln -sfn "/proc/$$$$/root{_MODELS}" "{models}"; trap "exit 0" TERM; while true; do sleep 1; done'
    )
    return {
        "name": name,
        "image": image,
        "restartPolicy": "Always",
        "command": ["sh", "-c", link],
        "startupProbe": {
            "exec": {"command": ["test", "-d", models]},
            "periodSeconds": 1,
            "failureThreshold": 600,
        },
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
