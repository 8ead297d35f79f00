"""Lets every trainer tell of its progress: an address, a token of its own, and whom to trust.

Source: kubeflow/trainer pkg/runtime/framework/plugins/trainjobstatus/trainjobstatus.go, v2.3.
"""

from __future__ import annotations

from collections.abc import Sequence

from sampan.components.training.api import reporting
from sampan.components.training.engine.trainer.contract import TRAINER, Info, Plugin, Present
from sampan.components.training.engine.trainer.upserts import upsert_env, upsert_mounts, upsert_volumes, value
from sampan.kube.meta import Object


def enforce(info: Info) -> None:
    pods = info.by_ancestor(TRAINER)
    if info.reporting is None or pods is None:
        return
    folder = reporting.MOUNT_PATH
    variables = [
        value(reporting.URL, info.reporting.url + reporting.path(info.namespace, info.name)),
        value(reporting.CA_CERT, f"{folder}/{reporting.CA_FILE}"),
        value(reporting.TOKEN, f"{folder}/{reporting.TOKEN_FILE}"),
    ]
    for container in pods.containers:
        upsert_env(container, variables)
        upsert_mounts(container, [{"name": reporting.VOLUME, "mountPath": folder, "readOnly": True}])
    upsert_volumes(pods.pod_spec, [_volume(info)])


def build(info: Info, _present: Present) -> Sequence[Object]:
    if info.reporting is None or info.by_ancestor(TRAINER) is None:
        return ()
    return (
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": _config_map(info)},
            "data": {reporting.CA_FILE: info.reporting.authority},
        },
    )


def _volume(info: Info) -> Object:
    token = {
        "audience": reporting.audience(info.namespace, info.name),
        "expirationSeconds": reporting.TOKEN_SECONDS,
        "path": reporting.TOKEN_FILE,
    }
    authority = {
        "name": _config_map(info),
        "items": [{"key": reporting.CA_FILE, "path": reporting.CA_FILE}],
    }
    sources = [{"serviceAccountToken": token}, {"configMap": authority}]
    return {"name": reporting.VOLUME, "projected": {"sources": sources}}


def _config_map(info: Info) -> str:
    return f"{info.name}-tls-config"


PLUGIN = Plugin("reporting", enforce_ml_policy=enforce, build=build)
