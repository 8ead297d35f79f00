"""Reading a SeldonDeployment, and its defaults, which stand in no object: each look at one puts them in anew.

Source: seldon-core 1.18.2 operator/apis/machinelearning.seldon.io/v1/defaults.go (DefaultSeldonDeployment).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sampan.components.serving.api.reading import mapping, mappings, named, text
from sampan.components.serving.engine.seldon import names
from sampan.components.serving.engine.seldon.config import SELDON, TENSORFLOW, SeldonConfig
from sampan.kube import meta
from sampan.kube.meta import Object

UNKNOWN = "UNKNOWN_IMPLEMENTATION"
BUILT_IN = frozenset(("SIMPLE_MODEL", "SIMPLE_ROUTER", "RANDOM_ABTEST", "AVERAGE_COMBINER"))
MODEL = "MODEL"
SEPARATE, NO_ENGINE = "seldon.io/engine-separate-pod", "seldon.io/no-engine"
NO_STORAGE = "seldon.io/no-storage-initializer"
PODINFO, PODINFO_PATH, OLD_PODINFO = "seldon-podinfo", "/etc/podinfo", "podinfo"
_HTTP, _GRPC, _METRICS = 9000, 9500, 6000
_MOST_DEPTH = 64


def is_prepackaged(unit: Mapping[str, Any]) -> bool:
    implementation = text(unit.get("implementation"))
    return bool(implementation) and implementation not in BUILT_IN and implementation != UNKNOWN


def units(unit: Object, depth: int = 0) -> Iterator[Object]:
    """A graph's, the outermost first."""
    yield unit
    if depth < _MOST_DEPTH:
        for child in mappings(unit.get("children")):
            yield from units(child, depth + 1)


def find_unit(predictor: Mapping[str, Any], name: str) -> Object | None:
    return next((each for each in units(mapping(predictor.get("graph"))) if each.get("name") == name), None)


def pods(predictor: Mapping[str, Any]) -> list[Object]:
    return mappings(predictor.get("componentSpecs"))


def containers(pod: Mapping[str, Any]) -> list[Object]:
    return mappings(mapping(pod.get("spec")).get("containers"))


def container_of(predictor: Mapping[str, Any], name: str) -> tuple[int, Object | None]:
    """A unit's, and in which of the predictor's pods; the first where there is none."""
    for index, pod in enumerate(pods(predictor)):
        for each in containers(pod):
            if each.get("name") == name:
                return index, each
    return 0, None


def predictors(sdep: Object) -> list[Object]:
    return mappings(meta.spec(sdep).get("predictors"))


def protocol(sdep: Object) -> str:
    return text(meta.spec(sdep).get("protocol")) or SELDON


def is_grpc(sdep: Object, unit: Mapping[str, Any]) -> bool:
    return meta.spec(sdep).get("transport") == "grpc" or mapping(unit.get("endpoint")).get("type") == "GRPC"


def has_executor(predictor: Mapping[str, Any]) -> bool:
    return text(mapping(predictor.get("annotations")).get(NO_ENGINE)).lower() != "true"


def is_separate(sdep: Object) -> bool:
    return text(mapping(meta.spec(sdep).get("annotations")).get(SEPARATE)).lower() == "true"


def annotation(sdep: Object, name: str, otherwise: str = "") -> str:
    return text(mapping(meta.spec(sdep).get("annotations")).get(name)) or meta.annotations(sdep).get(
        name, otherwise
    )


def replicas(sdep: Object, predictor: Mapping[str, Any], pod: Mapping[str, Any]) -> int | None:
    """The most specific that is said."""
    told = (pod.get("replicas"), predictor.get("replicas"), meta.spec(sdep).get("replicas"))
    return next((each for each in told if isinstance(each, int)), None)


def with_defaults(sdep: Object, config: SeldonConfig) -> Object:
    """A copy in which every unit knows its container, and where it is asked."""
    found = copy.deepcopy(sdep)
    ports = _Ports()
    for predictor in predictors(found):
        labels = dict(mapping(predictor.get("labels")))
        labels.setdefault("version", predictor.get("name"))
        predictor["labels"] = labels
        for unit in units(mapping(predictor.get("graph"))):
            _default_unit(unit)
        for index, pod in enumerate(pods(predictor)):
            for container in containers(pod):
                http, grpc = ports.of(text(container.get("name")))
                unit_of = find_unit(predictor, text(container.get("name")))
                if unit_of is not None:
                    _Placed(found, predictor, index).put(unit_of, container, http, grpc, ports)
        for unit in units(mapping(predictor.get("graph"))):
            if is_prepackaged(unit):
                _default_server(found, predictor, unit, config, ports)
    return found


@dataclass(slots=True)
class _Ports:
    """Containers of one name have the same, whichever predictor's they are."""

    numbers: dict[str, int] = field(default_factory=dict)
    metrics: int = _METRICS

    def of(self, name: str) -> tuple[int, int]:
        number = self.numbers.setdefault(name, len(self.numbers))
        return _HTTP + number, _GRPC + number


@dataclass(frozen=True, slots=True)
class _Placed:
    """A pod of a predictor."""

    sdep: Object
    predictor: Object
    index: int

    def put(self, unit: Object, container: Object, http: int, grpc: int, ports: _Ports) -> None:
        container.setdefault("imagePullPolicy", "IfNotPresent")
        own = {each.get("name"): each.get("containerPort") for each in mappings(container.get("ports"))}
        http, grpc = own.get("http") or http, own.get("grpc") or grpc
        mounts = [each for each in mappings(container.get("volumeMounts")) if each.get("name") != OLD_PODINFO]
        if all(each.get("name") != PODINFO for each in mounts):
            mounts.append({"name": PODINFO, "mountPath": PODINFO_PATH})
        container["volumeMounts"] = mounts
        if "metrics" not in own:
            told = {"name": "metrics", "containerPort": ports.metrics, "protocol": "TCP"}
            container["ports"] = [*mappings(container.get("ports")), told]
            ports.metrics += 1
        host = "localhost"
        if self.index or is_separate(self.sdep):
            service = names.container_service(
                meta.name(self.sdep), self.predictor, text(container.get("name"))
            )
            host = names.cluster_host(service, meta.namespace(self.sdep))
        port = grpc if is_grpc(self.sdep, unit) else http
        unit["endpoint"] = {
            **mapping(unit.get("endpoint")),
            "service_host": host,
            "service_port": port,
            "httpPort": http,
            "grpcPort": grpc,
        }


def _default_unit(unit: Object) -> None:
    if not any(unit.get(key) for key in ("type", "methods", "implementation")):
        unit["type"] = MODEL
    if not unit.get("implementation"):
        unit["implementation"] = UNKNOWN
    elif is_prepackaged(unit):
        unit["type"] = MODEL


def _default_server(
    sdep: Object, predictor: Object, unit: Object, config: SeldonConfig, ports: _Ports
) -> None:
    """A prepackaged server's container, made where its author wrote none."""
    name = text(unit.get("name"))
    index, found = container_of(predictor, name)
    container = found if found is not None else {"name": name}
    http, grpc = ports.of(name)
    _Placed(sdep, predictor, index).put(unit, container, http, grpc, ports)
    if protocol(sdep) != TENSORFLOW and not container.get("image"):
        image = config.image(text(unit.get("implementation")), protocol(sdep))
        if image:
            container["image"] = image
    if found is not None:
        return
    specs = pods(predictor)
    if not specs:
        specs = [{"metadata": {}, "spec": {"containers": []}}]
    first = dict(mapping(specs[0].get("spec")))
    first["containers"] = [*mappings(first.get("containers")), container]
    specs[0] = {**specs[0], "spec": first}
    predictor["componentSpecs"] = specs


def server_container(predictor: Mapping[str, Any], unit: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return next(
        (found for pod in pods(predictor) if (found := named(containers(pod), text(unit.get("name"))))), None
    )
