"""Reading pods and building the status of their containers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sampan.kube import conditions, meta

PENDING, RUNNING, SUCCEEDED, FAILED, UNKNOWN = "Pending", "Running", "Succeeded", "Failed", "Unknown"


ATTENDANTS = "sampan.dev/attendants"
"""Annotation of a pod: names of containers, with commas, that run no process where pods are processes: somebody else
does their work. They begin and end with the others."""
FOLLOWERS = "sampan.dev/followers"
"""The same, of containers that run, but end at last a while after the others, and whose ends count for nothing."""
COMPLETED = "sampan.dev/completed"
"""Annotation of a pod that is to end now and to have succeeded. Its value says why."""


def named_in(pod: Mapping[str, Any], annotation: str) -> frozenset[str]:
    """The containers that an annotation of the pod names."""
    text = meta.annotations(pod).get(annotation, "")
    return frozenset(each.strip() for each in text.split(",") if each.strip())


def phase(pod: Mapping[str, Any]) -> str:
    return str(meta.status(pod).get("phase") or PENDING)


def is_terminal(pod: Mapping[str, Any]) -> bool:
    """Whether no container will run again."""
    return phase(pod) in (SUCCEEDED, FAILED)


def is_ready(pod: Mapping[str, Any]) -> bool:
    return conditions.is_true(pod, "Ready")


def node_name(pod: Mapping[str, Any]) -> str:
    return str(meta.spec(pod).get("nodeName") or "")


def is_sidecar(init_container: Mapping[str, Any]) -> bool:
    """A native sidecar: an init container that keeps running beside the others."""
    return init_container.get("restartPolicy") == "Always"


def containers(pod: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Init containers first, then the regular ones."""
    spec = meta.spec(pod)
    yield from spec.get("initContainers") or ()
    yield from spec.get("containers") or ()


def all_containers(pod: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """`containers`, and the ephemeral ones after them."""
    yield from containers(pod)
    yield from meta.spec(pod).get("ephemeralContainers") or ()


def container_statuses(pod: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    status = meta.status(pod)
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def container_status(pod: Mapping[str, Any], container: str) -> dict[str, Any] | None:
    ephemeral = meta.status(pod).get("ephemeralContainerStatuses") or ()
    everything = (*container_statuses(pod), *ephemeral)
    return next((each for each in everything if each.get("name") == container), None)


def exit_code(pod: Mapping[str, Any], container: str) -> int | None:
    """Of the container's last end; None while it has not ended."""
    status = container_status(pod, container) or {}
    terminated = (status.get("state") or {}).get("terminated")
    return None if terminated is None else int(terminated.get("exitCode", 0))


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def running(started_at: str) -> dict[str, Any]:
    return {"running": {"startedAt": started_at}}


def terminated(
    code: int,
    *,
    started_at: str,
    finished_at: str,
    reason: str = "",
    message: str = "",
    container_id: str = "",
) -> dict[str, Any]:
    """`reason` is Completed or Error by the exit code, unless given (OOMKilled, StartError, …)."""
    state: dict[str, Any] = {
        "exitCode": code,
        "reason": reason or exit_reason(code),
        "startedAt": started_at,
        "finishedAt": finished_at,
    }
    # A process killed by a signal exits with 128 + its number, as every container runtime reports it.
    if code > 128:
        state["signal"] = code - 128
    if message:
        state["message"] = message
    if container_id:
        state["containerID"] = container_id
    return {"terminated": state}


def exit_reason(code: int, *, oom: bool = False) -> str:
    if oom:
        return "OOMKilled"
    return "Completed" if code == 0 else "Error"


def qos_class(pod: Mapping[str, Any]) -> str:
    """Source: kubernetes/pkg/apis/core/helper/qos/qos.go, v1.31 (CPU and memory count)."""
    guaranteed, any_set = True, False
    for container in containers(pod):
        resources = container.get("resources") or {}
        requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
        for name in ("cpu", "memory"):
            limit, request = limits.get(name), requests.get(name, limits.get(name))
            any_set = any_set or limit is not None or request is not None
            if limit is None or str(limit) != str(request):
                guaranteed = False
    if not any_set:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"
