"""A pod's template with where its metrics are, and with what names the revision in them.

Upstream does the same when a pod is made, by a webhook, and has Knative's queue-proxy add the metrics up, which no pod
has here: a container of that name comes with a program of ours. Called by `controller/inference_services/templates`,
after the agent has been added.

Source: kserve/kserve v0.20.0 pkg/webhook/admission/pod/{metrics_aggregate,accelerator}_injector.go. Not so here: where
nothing adds up, `prometheus.io/port` is the container's own, as nothing listens at upstream's 9091.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.engine.agent.config import AgentConfig
from sampan.kube import meta
from sampan.kube.meta import Object

AGGREGATION, SCRAPING = (
    "serving.kserve.io/enable-metric-aggregation",
    "serving.kserve.io/enable-prometheus-scraping",
)
PORT = 9088
_OF_CONTAINER = {"port": "prometheus.kserve.io/port", "path": "prometheus.kserve.io/path"}
_PROMETHEUS_PORT, _PROMETHEUS_PATH = "prometheus.io/port", "prometheus.io/path"
_SECTION = "metricsAggregator"
_IMAGE = "kserve/qpext:v0.20.0"
_SERVING = {
    "SERVING_SERVICE": "serving.knative.dev/service",
    "SERVING_CONFIGURATION": "serving.knative.dev/configuration",
    "SERVING_REVISION": "serving.knative.dev/revision",
}
_GPU, _ACCELERATOR, _NODE_LABEL = (
    "nvidia.com/gpu",
    "serving.kserve.io/gke-accelerator",
    "cloud.google.com/gke-accelerator",
)


@dataclass(frozen=True, slots=True)
class Defaults:
    """What `inferenceservice-config` says of services that say nothing."""

    adds_up: str = ""
    is_scraped: str = ""

    @staticmethod
    def of(data: Mapping[str, str]) -> Defaults:
        try:
            found = json.loads(data[_SECTION])
        except (KeyError, ValueError, TypeError):
            found = None
        told = found if isinstance(found, Mapping) else {}
        return Defaults(
            str(told.get("enableMetricAggregation") or ""), str(told.get("enablePrometheusScraping") or "")
        )


def with_metrics(template: Object, data: Mapping[str, str], *, has_revisions: bool) -> Object:
    """A copy, or the template where it asks for nothing. `has_revisions`: in mode Knative."""
    held, defaults = meta.annotations(template), Defaults.of(data)
    adds_up = held.get(AGGREGATION, defaults.adds_up) == "true" and has_revisions
    is_scraped = held.get(SCRAPING, defaults.is_scraped) == "true"
    containers = meta.spec(template).get("containers") or ()
    if not (adds_up or is_scraped) or not containers:
        return template
    template = copy.deepcopy(template)
    port = held.get(_OF_CONTAINER["port"]) or "8080"
    path = held.get(_OF_CONTAINER["path"]) or "/metrics"
    annotations = template.setdefault("metadata", {}).setdefault("annotations", {})
    if adds_up:
        annotations[AGGREGATION] = "true"
        if all(each.get("name") != labels.QUEUE_PROXY for each in containers):
            template["spec"]["containers"].append(_container(template, port, path, AgentConfig.of(data)))
    if is_scraped:
        annotations[SCRAPING] = "true"
        annotations[_PROMETHEUS_PORT] = str(PORT) if adds_up else port
        annotations[_PROMETHEUS_PATH] = "/metrics" if adds_up else path
    return template


def with_accelerator(template: Object) -> Object:
    """A copy whose pods want a node of Google's with the GPU that their service names, where they want one at all."""
    name = meta.annotations(template).get(_ACCELERATOR)
    spec = meta.spec(template)
    limits = [(each.get("resources") or {}).get("limits") or {} for each in spec.get("containers") or ()]
    if not name or not any(_GPU in each for each in limits):
        return template
    return {
        **template,
        "spec": {**spec, "nodeSelector": {**(spec.get("nodeSelector") or {}), _NODE_LABEL: name}},
    }


def _container(template: Object, port: str, path: str, config: AgentConfig) -> dict[str, Any]:
    told = {
        "KSERVE_CONTAINER_PROMETHEUS_METRICS_PORT": port,
        "KSERVE_CONTAINER_PROMETHEUS_METRICS_PATH": path,
        "AGGREGATE_PROMETHEUS_METRICS_PORT": str(PORT),
    }
    made: dict[str, Any] = {
        "name": labels.QUEUE_PROXY,
        "image": _IMAGE,
        "env": [
            *({"name": name, "value": value} for name, value in told.items()),
            *(_of_label(name, label) for name, label in _SERVING.items()),
        ],
        "ports": [{"name": "aggr-metric", "containerPort": PORT, "protocol": "TCP"}],
        "resources": {
            "limits": {"cpu": config.cpu_limit, "memory": config.memory_limit},
            "requests": {"cpu": config.cpu_request, "memory": config.memory_request},
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    context = template["spec"]["containers"][0].get("securityContext")
    return {**made, "securityContext": copy.deepcopy(context)} if context else made


def _of_label(name: str, label: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{label}']"}}}
