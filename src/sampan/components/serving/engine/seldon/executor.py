"""The container that takes a predictor's requests and sends them through its graph.

Source: seldon-core 1.18.2 operator/controllers/seldondeployment_engine.go. In the embedded cluster it asks for what our
program needs: with upstream's half a core for each predictor a laptop would be full of them.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from sampan.components.serving.api.reading import mapping, mappings, text
from sampan.components.serving.engine.seldon import names, spec
from sampan.components.serving.engine.seldon.config import SeldonConfig
from sampan.components.serving.engine.seldon.units import PROMETHEUS_PATH, probe
from sampan.kube import meta
from sampan.kube.meta import Object

HTTP_PORT, GRPC_PORT = 8000, 5001
_QUEUE_SIZE, _WRITE_TIMEOUT = (
    "seldon.io/executor-logger-queue-size",
    "seldon.io/executor-logger-write-timeout-ms",
)
_ENGINE_ANNOTATIONS = "seldon.io/engine-"
_LARGE = {"cpu": "500m", "memory": "512Mi"}
_SMALL = {"cpu": "50m", "memory": "64Mi"}


def container(sdep: Object, predictor: Object, config: SeldonConfig) -> Object:
    """Raises ValueError for annotations that are no numbers."""
    orchestrator = mapping(predictor.get("svcOrchSpec"))
    ready, live = (
        {"httpGet": {"path": each, "port": HTTP_PORT, "scheme": "HTTP"}} for each in ("/ready", "/live")
    )
    env = [
        {"name": "ENGINE_PREDICTOR", "value": _encoded(predictor)},
        {"name": "REQUEST_LOGGER_DEFAULT_ENDPOINT", "value": "http://default-broker"},
        *mappings(orchestrator.get("env")),
    ]
    there = {text(each.get("name")) for each in env}
    env += [each for each in _of_annotations(sdep) if each["name"] not in there]
    return {
        "name": names.EXECUTOR,
        "image": config.executor,
        "imagePullPolicy": "IfNotPresent",
        "args": _arguments(sdep, predictor),
        "env": env,
        "ports": [
            {"name": "http", "containerPort": HTTP_PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": HTTP_PORT, "protocol": "TCP"},
            {"name": "grpc", "containerPort": GRPC_PORT, "protocol": "TCP"},
        ],
        "readinessProbe": probe(ready, config, first=20, seconds=60),
        "livenessProbe": {**probe(live, config, first=60, seconds=60), "initialDelaySeconds": 20},
        "volumeMounts": [{"name": spec.PODINFO, "mountPath": spec.PODINFO_PATH}],
        "resources": mapping(orchestrator.get("resources")) or _resources(config),
    }


def add(template: Object, sdep: Object, predictor: Object, config: SeldonConfig) -> None:
    """To a pod that has units. Changes the template."""
    pod = template["spec"]
    if all(each.get("name") != names.EXECUTOR for each in mappings(pod.get("containers"))):
        pod["containers"] = [*mappings(pod.get("containers")), container(sdep, predictor, config)]


def template(sdep: Object, predictor: Object, config: SeldonConfig) -> Object:
    """Of a pod of its own."""
    return {
        "metadata": {
            "labels": {},
            "annotations": {"prometheus.io/path": PROMETHEUS_PATH, "prometheus.io/scrape": "true"},
        },
        "spec": {
            "containers": [container(sdep, predictor, config)],
            "terminationGracePeriodSeconds": 20,
            "serviceAccountName": "default",
            "volumes": [podinfo()],
        },
    }


def podinfo() -> Object:
    field = {"fieldPath": "metadata.annotations", "apiVersion": "v1"}
    return {
        "name": spec.PODINFO,
        "downwardAPI": {"items": [{"path": "annotations", "fieldRef": field}], "defaultMode": 420},
    }


def _encoded(predictor: Object) -> str:
    """Without what changes no graph, so that it changes no pod."""
    told = {**predictor, "traffic": 0, "replicas": 0}
    text_ = json.dumps(told, sort_keys=True, separators=(",", ":"))
    return base64.b64encode(text_.encode()).decode()


def _arguments(sdep: Object, predictor: Object) -> list[str]:
    told = meta.spec(sdep)
    numbers = {}
    for flag, annotation, default in (
        ("--log_work_buffer_size", _QUEUE_SIZE, "10000"),
        ("--log_write_timeout_ms", _WRITE_TIMEOUT, "2000"),
    ):
        value = spec.annotation(sdep, annotation, default)
        if not value.lstrip("-").isdecimal():
            raise ValueError(f"Failed to parse {value} as integer for {annotation}.")
        numbers[flag] = value
    pairs: dict[str, Any] = {
        "--sdep": meta.name(sdep),
        "--namespace": meta.namespace(sdep),
        "--predictor": text(predictor.get("name")),
        "--http_port": str(HTTP_PORT),
        "--grpc_port": str(GRPC_PORT),
        "--protocol": spec.protocol(sdep),
        "--transport": text(told.get("transport")) or "rest",
        "--prometheus_path": PROMETHEUS_PATH,
        "--server_type": text(told.get("serverType")) or "rpc",
        **numbers,
    }
    return [*(word for pair in pairs.items() for word in pair), "--full_health_checks=false"]


def _of_annotations(sdep: Object) -> list[Object]:
    found = []
    for key, value in sorted(mapping(meta.spec(sdep).get("annotations")).items()):
        if key.startswith(_ENGINE_ANNOTATIONS) and key != spec.SEPARATE:
            name = key.removeprefix(_ENGINE_ANNOTATIONS).replace("-", "_").upper()
            found.append({"name": name, "value": str(value)})
    return found


def _resources(config: SeldonConfig) -> Object:
    return {"requests": dict(_SMALL if config.is_embedded else _LARGE), "limits": dict(_LARGE)}
