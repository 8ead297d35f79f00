"""The router of a graph as a component: its pod template, and how much of it there is to be.

Called by the reconciler, which keeps it as it keeps those of InferenceServices.

Source: kserve/kserve v0.20.0 pkg/controller/v1alpha1/inferencegraph/{raw_ig,knative_reconciler}.go,
pkg/constants/constants.go (GetRouterReadinessProbe). Not so here: the router is told of nodes and time limits only, so
that another number of replicas is no new router; where the cluster is our own it is probed at once.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.api.reading import mapping
from sampan.components.serving.engine.graphs.config import RouterConfig
from sampan.components.serving.engine.inference_services.pods import Disallowed
from sampan.components.serving.engine.inference_services.spec import Component
from sampan.kube import meta
from sampan.kube.meta import Object

KIND = "router"
PORT, READINESS = 8080, "/readyz"
MOST_GRAPH_BYTES = 100_000
"""Of its JSON, which is one argument: Linux takes none of 128 KiB."""
_WORKLOAD = "serving.kserve.io/kind"
_CONTAINER = "user-container"
_HEADERS = "PROPAGATE_HEADERS"
_SCALING = ("minReplicas", "maxReplicas", "scaleTarget", "scaleMetric", "timeout")
_POD_FIELDS = ("affinity", "tolerations", "nodeSelector", "nodeName", "serviceAccountName")


def router(graph: Object) -> Component:
    """Its Service has the graph's own name."""
    spec = meta.spec(graph)
    return Component(
        KIND, {key: spec[key] for key in _SCALING if spec.get(key) is not None}, meta.name(graph)
    )


def template(
    graph: Object,
    graph_json: str,
    config: RouterConfig,
    disallowed: Disallowed,
    *,
    mode: str,
    is_embedded: bool,
) -> Object:
    """A PodTemplateSpec."""
    spec = meta.spec(graph)
    pod: dict[str, Any] = {
        "containers": [_container(graph, graph_json, config, mode=mode, is_embedded=is_embedded)],
        # It calls other pods, never the API.
        "automountServiceAccountToken": False,
    }
    pod |= {key: copy.deepcopy(spec[key]) for key in _POD_FIELDS if spec.get(key)}
    if config.pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in config.pull_secrets]
    return {"metadata": _metadata(graph, disallowed, mode), "spec": pod}


def _metadata(graph: Object, disallowed: Disallowed, mode: str) -> Object:
    held = {key: value for key, value in meta.labels(graph).items() if key not in disallowed.labels}
    held[labels.INFERENCE_GRAPH] = meta.name(graph)
    if mode == labels.KNATIVE:
        held[_WORKLOAD] = "InferenceGraph"
    told = {key: value for key, value in meta.annotations(graph).items() if key not in disallowed.annotations}
    told.pop(labels.STOP, None)
    return {"labels": held, "annotations": told}


def _container(
    graph: Object, graph_json: str, config: RouterConfig, *, mode: str, is_embedded: bool
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": _CONTAINER if mode == labels.KNATIVE else meta.name(graph),
        "image": config.image,
        "args": ["--graph-json", graph_json],
        "resources": _resources(meta.spec(graph), config),
        "readinessProbe": _probe(is_embedded=is_embedded),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "privileged": False,
            "runAsNonRoot": True,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    if config.pull_policy:
        made["imagePullPolicy"] = config.pull_policy
    if config.propagated is not None:
        made["env"] = [{"name": _HEADERS, "value": ",".join(config.propagated)}]
    return made


def _resources(spec: Mapping[str, Any], config: RouterConfig) -> Object:
    if told := mapping(spec.get("resources")):
        return {key: copy.deepcopy(told[key]) for key in ("limits", "requests") if told.get(key)}
    return {
        "limits": {"cpu": config.cpu_limit, "memory": config.memory_limit},
        "requests": {"cpu": config.cpu_request, "memory": config.memory_request},
    }


def _probe(*, is_embedded: bool) -> dict[str, Any]:
    delay, period = (0, 1) if is_embedded else (5, 5)
    return {
        "httpGet": {"path": READINESS, "port": PORT, "scheme": "HTTP"},
        **({"initialDelaySeconds": delay} if delay else {}),
        "timeoutSeconds": 2,
        "periodSeconds": period,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
