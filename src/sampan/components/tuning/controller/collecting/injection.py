"""What a pod of a trial is given by the hook: the container that shows its collector, and the volumes of metrics and
checkpoints. Pure.

Source: kubeflow/katib 0.19 pkg/webhook/v1beta1/pod (inject_webhook.go, utils.go),
pkg/controller.v1beta1/util/suggestion.go (names of the claim and of the service of early stopping).
"""

from __future__ import annotations

import copy
import posixpath
from collections.abc import Mapping
from typing import Any

from sampan.components.tuning.api import labels
from sampan.components.tuning.api.reading import named_values
from sampan.components.tuning.engine.collecting.wanted import (
    CUSTOM,
    FILE,
    PROMETHEUS,
    READ_HERE,
    STDOUT,
    TF_EVENT,
    Wanted,
    image_name,
)
from sampan.components.tuning.engine.suggestion.katib_config import STOPPING_PORT, katib_config_of
from sampan.kube import meta, pods
from sampan.kube.meta import Object

_VOLUME = "metrics-volume"
_CHECKPOINTS, _CHECKPOINT_SETTING = "suggestion-volume", "suggestion_trial_dir"
_PARENT_LABEL = "pbt.suggestion.katib.kubeflow.org/parent"
_COPIER = "checkpoint-of-parent"
_COPIER_IMAGE = "busybox:1.36"
_COPY = (
    'if [ -d "$0/$1" ] && [ -z "$(ls -A "$0/$2" 2>/dev/null)" ]; then '
    'mkdir -p "$0/$2" && cp -a "$0/$1/." "$0/$2/"; fi'
)
_MANAGER = "katib-db-manager.kubeflow:6789"
_IMAGES = {
    STDOUT: "ghcr.io/kubeflow/katib/file-metrics-collector:v0.19.0",
    FILE: "ghcr.io/kubeflow/katib/file-metrics-collector:v0.19.0",
    TF_EVENT: "ghcr.io/kubeflow/katib/tfevent-metrics-collector:v0.19.0",
    PROMETHEUS: "ghcr.io/kubeflow/katib/prometheus-metrics-collector:v0.19.0",
}
"""Shown, not run."""


def inject(
    pod: Object,
    trial: Object,
    wanted: Wanted,
    suggestion: Object | None = None,
    config_map: Mapping[str, Any] | None = None,
) -> None:
    """Into a pod whose metrics count. `config_map` is katib-config, None where there is none."""
    container: Object
    if wanted.shown:
        container, mark = copy.deepcopy(dict(wanted.shown)), pods.ATTENDANTS
    elif wanted.kind in READ_HERE:
        name = (
            labels.COLLECTOR_CONTAINER if wanted.kind in (STDOUT, FILE) else labels.OTHER_COLLECTOR_CONTAINER
        )
        entry = katib_config_of(config_map).collectors.get(wanted.kind) or {}
        args = _arguments(wanted, entry, suggestion)
        container = {"name": name, "image": _image(wanted.kind, entry), "args": args}
        mark = pods.ATTENDANTS
    elif wanted.kind == CUSTOM:
        found = ((meta.spec(trial).get("metricsCollector") or {}).get("collector") or {}).get(
            "customCollector"
        )
        if not isinstance(found, dict):
            return
        container, mark = copy.deepcopy(found), pods.FOLLOWERS
        meta.spec(pod)["shareProcessNamespace"] = True
    else:
        return
    containers = meta.spec(pod).get("containers") or []
    if any(each.get("name") == container.get("name") for each in containers):
        return
    _mount_metrics(pod, container, wanted)
    meta.spec(pod)["containers"] = [*containers, container]
    annotations = pod["metadata"].setdefault("annotations", {})
    annotations[mark] = ",".join(filter(None, (annotations.get(mark), str(container.get("name")))))


def mount_checkpoints(pod: Object, trial: Object, suggestion: Object | None, container: str) -> None:
    """Of population based training: a folder for each trial, which begins as its parent's was (decision 53)."""
    algorithm = meta.spec(suggestion or {}).get("algorithm") or {}
    path = named_values(algorithm.get("algorithmSettings")).get(_CHECKPOINT_SETTING)
    own = _container(pod, container)
    if (
        suggestion is None
        or not path
        or own is None
        or any(_name(each) == _CHECKPOINTS for each in _volumes(pod))
    ):
        return
    claim = _service(suggestion)
    experiment = meta.name(suggestion)
    spec = meta.spec(pod)
    spec["volumes"] = [*_volumes(pod), {"name": _CHECKPOINTS, "persistentVolumeClaim": {"claimName": claim}}]
    mount = {"name": _CHECKPOINTS, "mountPath": path, "subPath": posixpath.join(experiment, meta.name(trial))}
    own["volumeMounts"] = [*(own.get("volumeMounts") or ()), mount]
    parent = (meta.spec(trial).get("labels") or {}).get(_PARENT_LABEL) or meta.labels(trial).get(
        _PARENT_LABEL
    )
    if parent:
        copier = {
            "name": _COPIER,
            "image": _COPIER_IMAGE,
            "command": ["sh", "-c", _COPY, path, parent, meta.name(trial)],
            "volumeMounts": [{"name": _CHECKPOINTS, "mountPath": path, "subPath": experiment}],
        }
        spec["initContainers"] = [copier, *(spec.get("initContainers") or ())]


def _mount_metrics(pod: Object, collector: Object, wanted: Wanted) -> None:
    folder = wanted.folder
    own = _container(pod, wanted.container)
    if wanted.kind == STDOUT or folder in ("", "/") or own is None:
        return
    mounts = [each for each in own.get("volumeMounts") or () if isinstance(each, dict)]
    covering = next((each for each in mounts if _covers(str(each.get("mountPath")), folder)), None)
    if covering is not None:
        # The user's own volume has it.
        collector["volumeMounts"] = [*(collector.get("volumeMounts") or ()), copy.deepcopy(covering)]
        return
    mount = {"name": _VOLUME, "mountPath": folder}
    meta.spec(pod)["volumes"] = [*_volumes(pod), {"name": _VOLUME, "emptyDir": {}}]
    for each in (own, collector):
        each["volumeMounts"] = [*(each.get("volumeMounts") or ()), dict(mount)]


def _covers(mounted: str, folder: str) -> bool:
    mounted = posixpath.normpath(mounted)
    return folder == mounted or folder.startswith(mounted.rstrip("/") + "/")


def _arguments(wanted: Wanted, entry: Mapping[str, Any], suggestion: Object | None) -> list[str]:
    """As upstream's collector is called. Source: getMetricsCollectorArgs."""
    found = [
        "-t",
        wanted.trial,
        "-m",
        ";".join(wanted.metrics),
        "-o-type",
        wanted.objective.type,
        "-s-db",
        _MANAGER,
    ]
    path = "/var/log/katib/metrics.log" if wanted.kind == STDOUT else wanted.path
    found += ["-path", path] if path else []
    found += ["-f", ";".join(wanted.filters)] if wanted.filters else []
    found += ["-format", wanted.format] if wanted.kind in (STDOUT, FILE) else []
    waits = entry.get("waitAllProcesses")
    found += ["-w", str(waits).lower()] if isinstance(waits, bool) else []
    for rule in wanted.rules:
        found += ["-stop-rule", ";".join((rule.name, rule.value, rule.comparison, str(rule.start_step)))]
    if wanted.rules and suggestion is not None:
        found += ["-s-earlystop", f"{_service(suggestion)}.{wanted.namespace}:{STOPPING_PORT}"]
    return found


def _image(kind: str, entry: Mapping[str, Any]) -> str:
    """Of the configuration where that is upstream's, whatever registry it comes from: one of the user's own would not
    be run."""
    configured = str(entry.get("image") or "").strip()
    return configured if image_name(configured) == image_name(_IMAGES[kind]) else _IMAGES[kind]


def _service(suggestion: Object) -> str:
    algorithm = meta.spec(suggestion).get("algorithm") or {}
    return f"{meta.name(suggestion)}-{algorithm.get('algorithmName')}"


def _container(pod: Object, name: str) -> dict[str, Any] | None:
    containers = [each for each in meta.spec(pod).get("containers") or () if isinstance(each, dict)]
    return next((each for each in containers if each.get("name") == name or not name), None)


def _volumes(pod: Object) -> list[Any]:
    found = meta.spec(pod).get("volumes")
    return list(found) if isinstance(found, list) else []


def _name(volume: Any) -> str:
    return str(volume.get("name")) if isinstance(volume, dict) else ""
