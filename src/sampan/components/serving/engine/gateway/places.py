"""Where the pods behind a Service take requests. Pure.

The gateway reads the Service's selector and the pods themselves, as the controller of EndpointSlices does: it knows one
step earlier who is ready, and what somebody has written into an EndpointSlice by hand leads nowhere.
Source: pkg/controller/endpoint/endpoints_controller.go, v1.31.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Any

from sampan.components.serving.api import labels
from sampan.kube import meta, pods
from sampan.kube.meta import Object


class State(Enum):
    READY = "ready"
    COMING = "coming"
    LEAVING = "leaving"
    """Finishes what it has, and takes nothing more."""


@dataclass(frozen=True, slots=True)
class Place:
    uid: str
    pod: str
    namespace: str
    address: str
    port: int
    state: State
    grpc_port: int = 0


def selects(service: Object, pod: Object) -> bool:
    selector = meta.spec(service).get("selector")
    if not isinstance(selector, dict) or not selector or meta.namespace(service) != meta.namespace(pod):
        return False
    held = meta.labels(pod)
    return all(held.get(key) == value for key, value in selector.items())


def place(service: Object, port: int, pod: Object) -> Place | None:
    """Where `port` of the Service is in a pod that it selects. None for a port that either of them has not."""
    number = _number(service, port, pod)
    if number is None:
        return None
    address = str(meta.status(pod).get("podIP") or "")
    return Place(
        meta.uid(pod),
        meta.name(pod),
        meta.namespace(pod),
        address,
        _http_port(pod, number),
        _state(pod, address),
        _grpc_port(pod, number),
    )


def _state(pod: Object, address: str) -> State:
    if meta.is_deleting(pod) or pods.is_terminal(pod):
        return State.LEAVING
    return State.READY if address and pods.is_ready(pod) else State.COMING


def _http_port(pod: Object, number: int) -> int:
    """Where a container speaks both, each at a port of its own, the Service leads to the first of them."""
    for container in pods.containers(pod):
        told = [each for each in container.get("ports") or () if each.get("containerPort")]
        if any(int(each["containerPort"]) == number and _is_grpc(each) for each in told):
            return next((int(each["containerPort"]) for each in told if not _is_grpc(each)), number)
    return number


def _is_grpc(port: Object) -> bool:
    named = str(port.get("name") or "").startswith(("h2c", "grpc"))
    return named or port.get("appProtocol") == "kubernetes.io/h2c"


def _grpc_port(pod: Object, number: int) -> int:
    """Where it speaks gRPC: at a port that says so, else where its settings say, else at that of KServe's servers."""
    if _is_agent_of_grpc(pod, number):
        return number
    # Of several containers the one that is asked at that port counts first.
    for container in sorted(pods.containers(pod), key=lambda each: not _has_port(each, number)):
        for port in container.get("ports") or ():
            if _is_grpc(port) and port.get("containerPort"):
                return int(port["containerPort"])
        words = [*(container.get("command") or ()), *(container.get("args") or ())]
        said = [str(word).replace("_", "-").partition("--grpc-port=")[2] for word in words]
        said += [
            str(each.get("value") or "") for each in container.get("env") or () if each.get("name") in _GRPC
        ]
        if found := next((int(each) for each in said if each.isdecimal()), 0):
            return found
    return _KSERVE_GRPC_PORT if number == _KSERVE_PORT else number


def _is_agent_of_grpc(pod: Object, number: int) -> bool:
    """Whether an agent listens there, and speaks with a component's port that is one of gRPC: it logs calls too."""
    containers = list(pods.containers(pod))
    agents = [each for each in containers if each.get("name") == labels.AGENT and _has_port(each, number)]
    words = [str(word) for each in agents for word in each.get("args") or ()]
    behind = {port for word, port in pairwise(words) if word == "--component-port"}
    ports = [port for each in containers for port in each.get("ports") or ()]
    return any(_is_grpc(port) and str(port.get("containerPort")) in behind for port in ports)


def _has_port(container: Object, number: int) -> bool:
    return any(each.get("containerPort") == number for each in container.get("ports") or ())


_GRPC = frozenset({"MLSERVER_GRPC_PORT", "GRPC_PORT"})
_KSERVE_PORT, _KSERVE_GRPC_PORT = 8080, 8081


def _number(service: Object, port: int, pod: Object) -> int | None:
    for each in meta.spec(service).get("ports") or ():
        if each.get("port") == port and (each.get("protocol") or "TCP") == "TCP":
            target = each.get("targetPort") or port
            return target if isinstance(target, int) else _named(pod, target)
    return None


def _named(pod: Object, name: Any) -> int | None:
    for container in pods.all_containers(pod):
        for port in container.get("ports") or ():
            if port.get("name") == name and isinstance(port.get("containerPort"), int):
                return int(port["containerPort"])
    return None
