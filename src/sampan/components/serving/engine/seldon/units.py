"""Units' containers as pods have them, each with its Service; changes what it is given.

Source: seldon-core 1.18.2 operator/controllers/seldondeployment_controller.go (createContainerService, addModelEnvs,
addPortEnvs). Where pods are processes of this machine they are asked at once whether they are ready, and nobody has to
be given time to forget a pod that goes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sampan.components.serving.api.labels import MODEL_DIR
from sampan.components.serving.api.reading import by_text, mapping, mappings, text
from sampan.components.serving.engine.seldon import names, spec
from sampan.components.serving.engine.seldon.config import SeldonConfig
from sampan.kube import meta
from sampan.kube.meta import Object

PROMETHEUS_PATH = "/prometheus"
PARAMETERS = "PREDICTIVE_UNIT_PARAMETERS"
APP_SERVICE = "seldon-app-svc"
_TYPES = {
    "ROUTER": "seldon.io/router",
    "COMBINER": "seldon.io/combiner",
    "MODEL": "seldon.io/model",
    "TRANSFORMER": "seldon.io/transformer",
    "OUTPUT_TRANSFORMER": "seldon.io/output-transformer",
}
MANAGED_BY, VALUE = "app.kubernetes.io/managed-by", "seldon-core"


def type_labels(unit: Mapping[str, Any] | None, predictor: Mapping[str, Any]) -> dict[str, str]:
    found = {MANAGED_BY: VALUE}
    if unit is not None:
        label = _TYPES.get(text(unit.get("type")))
        found |= {label: "true"} if label else {}
    elif has_explainer(predictor):
        found["seldon.io/explainer"] = "true"
    if predictor.get("shadow"):
        found["seldon.io/shadow"] = "true"
    return found


def has_explainer(predictor: Mapping[str, Any]) -> bool:
    return bool(text(mapping(predictor.get("explainer")).get("type")))


def set_variable(container: Object, name: str, value: str, *, over: bool = False) -> None:
    env = mappings(container.get("env"))
    if any(each.get("name") == name for each in env):
        if not over:
            return
        env = [each for each in env if each.get("name") != name]
    container["env"] = [*env, {"name": name, "value": value}]


def parameters_json(unit: Mapping[str, Any], *more: Mapping[str, str]) -> str:
    return json.dumps([*mappings(unit.get("parameters")), *more], separators=(",", ":"))


def complete(sdep: Object, predictor: Object, unit: Object, container: Object, config: SeldonConfig) -> None:
    """The container with ports, probes and what its program is told."""
    endpoint = mapping(unit.get("endpoint"))
    http, grpc = int(endpoint["httpPort"]), int(endpoint["grpcPort"])
    ports = mappings(container.get("ports"))
    for name, number in (("http", http), ("grpc", grpc)):
        if all(each.get("name") != name for each in ports):
            ports.append({"name": name, "containerPort": number, "protocol": "TCP"})
    container["ports"] = ports
    asked = grpc if spec.is_grpc(sdep, unit) else http
    if not container.get("livenessProbe"):
        container["livenessProbe"] = probe({"tcpSocket": {"port": asked}}, config, first=60)
    if not container.get("readinessProbe"):
        container["readinessProbe"] = probe({"tcpSocket": {"port": asked}}, config, first=20)
    if not container.get("lifecycle") and not config.is_embedded:
        container["lifecycle"] = {"preStop": {"exec": {"command": ["/bin/sh", "-c", "/bin/sleep 10"]}}}
    _tell(sdep, predictor, unit, container)


def probe(
    how: Mapping[str, Any], config: SeldonConfig, *, first: int, failures: int = 3, seconds: int = 1
) -> Object:
    found = {
        **how,
        "initialDelaySeconds": first,
        "periodSeconds": 5,
        "successThreshold": 1,
        "failureThreshold": failures,
        "timeoutSeconds": seconds,
    }
    if config.is_embedded and first <= 20:
        found |= {"initialDelaySeconds": 0, "periodSeconds": 1}
    return found


def service(sdep: Object, predictor: Object, unit: Object, container: str) -> Object:
    """By which the container alone is asked."""
    name = names.container_service(meta.name(sdep), predictor, container)
    endpoint = mapping(unit.get("endpoint"))
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": meta.namespace(sdep),
            "labels": {
                f"{APP_SERVICE}-{container}": name,
                "seldon-deployment-id": names.seldon_id(meta.name(sdep)),
                "seldon-app": names.predictor_key(meta.name(sdep), predictor),
                **type_labels(unit, predictor),
            },
            "annotations": by_text(predictor.get("annotations")),
        },
        "spec": {
            "type": "ClusterIP",
            "sessionAffinity": "None",
            "selector": {f"{APP_SERVICE}-{container}": name},
            "ports": [
                service_port("http", int(endpoint["httpPort"])),
                service_port("grpc", int(endpoint["grpcPort"])),
            ],
        },
    }


def service_port(name: str, number: int) -> Object:
    return {"name": name, "port": number, "targetPort": number, "protocol": "TCP"}


def _tell(sdep: Object, predictor: Object, unit: Object, container: Object) -> None:
    endpoint, name = mapping(unit.get("endpoint")), text(container.get("name"))
    http, grpc = str(endpoint["httpPort"]), str(endpoint["grpcPort"])
    told = {
        "PREDICTIVE_UNIT_SERVICE_PORT": grpc if spec.is_grpc(sdep, unit) else http,
        "PREDICTIVE_UNIT_HTTP_SERVICE_PORT": http,
        "MLSERVER_HTTP_PORT": http,
        "PREDICTIVE_UNIT_GRPC_SERVICE_PORT": grpc,
        "MLSERVER_GRPC_PORT": grpc,
    }
    if mappings(unit.get("parameters")):
        told[PARAMETERS] = parameters_json(unit)
    if unit.get("modelUri"):
        told["MLSERVER_MODEL_URI"] = MODEL_DIR
    for key, value in told.items():
        set_variable(container, key, value)
    labels = json.dumps(mapping(predictor.get("labels")), sort_keys=True, separators=(",", ":"))
    told = {
        "PREDICTIVE_UNIT_ID": name,
        "MLSERVER_MODEL_NAME": name,
        "PREDICTIVE_UNIT_IMAGE": text(container.get("image")),
        "PREDICTOR_ID": text(predictor.get("name")),
        "PREDICTOR_LABELS": labels,
        "SELDON_DEPLOYMENT_ID": meta.name(sdep),
        "SELDON_EXECUTOR_ENABLED": "true",
    }
    metrics = next(
        (each.get("containerPort") for each in container["ports"] if each.get("name") == "metrics"), None
    )
    if metrics is not None:
        told |= {
            "PREDICTIVE_UNIT_METRICS_SERVICE_PORT": str(metrics),
            "PREDICTIVE_UNIT_METRICS_ENDPOINT": PROMETHEUS_PATH,
            "MLSERVER_METRICS_PORT": str(metrics),
            "MLSERVER_METRICS_ENDPOINT": PROMETHEUS_PATH,
        }
    for key, value in told.items():
        set_variable(container, key, value, over=True)
