"""The status of a pod, made from the records of its containers. Pure.

Every field that Kubernetes' API declares as required is there: typed clients refuse an object without them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sampan.client.protocol import Object
from sampan.cluster.node import decisions
from sampan.cluster.node.env import HOST_IP
from sampan.cluster.node.layout import container_id
from sampan.cluster.node.records import ContainerRecord, Running, Terminated, Waiting
from sampan.cluster.node.runtimes.protocol import Exit
from sampan.kube import conditions, meta, pods
from sampan.lib.clock import parse_rfc3339, rfc3339

OWN_CONDITIONS = frozenset(
    {
        *("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"),
        "DisruptionTarget",
    }
)
"""What the node writes; all other conditions are somebody else's."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """An end that does not come from the containers: a deadline, a shutdown."""

    reason: str
    message: str
    is_disruption: bool = False
    """Whether the condition DisruptionTarget tells of it, so that a Job does not count it as a failure."""


@dataclass(slots=True)
class PodState:
    """All that a status is made from, beside the pod itself."""

    policy: str
    start_time: str
    records: dict[str, ContainerRecord] = field(default_factory=dict)
    address: str = HOST_IP
    verdict: Verdict | None = None
    has_sandbox: bool = False
    """The pod's folders are there."""


def is_over(state: PodState) -> bool:
    """No container runs and none will: the phase is final."""
    busy = any(record.is_running or record.is_starting for record in state.records.values())
    return not busy and (
        state.verdict is not None or decisions.is_settled(state.policy, state.records.values())
    )


def pod_status(pod: Object, state: PodState, now: str) -> dict[str, Any]:
    """The whole status; conditions keep their times where they did not change, and those of others stay."""
    uid = meta.uid(pod)
    phase = _phase(state)
    main = [record for record in state.records.values() if record.is_main]
    init = [record for record in state.records.values() if record.is_init]
    ephemeral = [record for record in state.records.values() if record.is_ephemeral]
    status: dict[str, Any] = {
        "phase": phase,
        "conditions": copy.deepcopy(meta.status(pod).get("conditions") or []),
        "hostIP": HOST_IP,
        "hostIPs": [{"ip": HOST_IP}],
        "podIP": state.address,
        "podIPs": [{"ip": state.address}],
        "startTime": state.start_time,
        "qosClass": meta.status(pod).get("qosClass") or pods.qos_class(pod),
        "containerStatuses": [_container_status(uid, record) for record in main],
    }
    if init:
        status["initContainerStatuses"] = [_container_status(uid, record) for record in init]
    if ephemeral:
        status["ephemeralContainerStatuses"] = [_container_status(uid, record) for record in ephemeral]
    # An empty value takes away what an earlier status said.
    verdict = state.verdict if phase == pods.FAILED else None
    status["reason"] = verdict.reason if verdict else None
    status["message"] = verdict.message if verdict else None
    _put_conditions(pod, status, state, now)
    return status


def container_state(record: ContainerRecord, uid: str) -> dict[str, Any]:
    if isinstance(record.state, Running):
        return pods.running(record.state.started_at)
    if isinstance(record.state, Terminated):
        return _terminated(record.state.exit, container_id(uid, record.name, record.restart))
    return pods.waiting(record.state.reason, record.state.message)


def _phase(state: PodState) -> str:
    if state.verdict is not None and is_over(state):
        return pods.FAILED
    return decisions.phase(state.policy, state.records)


def _container_status(uid: str, record: ContainerRecord) -> dict[str, Any]:
    status: dict[str, Any] = {
        "name": record.name,
        "image": str(record.spec.get("image") or ""),
        "imageID": record.image_id,
        "ready": record.is_ready,
        "started": record.is_started,
        "restartCount": record.restart,
        "state": container_state(record, uid),
        "lastState": {},
    }
    if record.last is not None:
        # While it waits, the last run is the one that `restart` still numbers.
        last = record.restart - (0 if isinstance(record.state, Waiting) else 1)
        status["lastState"] = _terminated(record.last, container_id(uid, record.name, last))
    resources = {key: value for key, value in (record.spec.get("resources") or {}).items() if value}
    if record.has_run and resources:
        status["resources"] = resources
        if resources.get("requests"):
            status["allocatedResources"] = resources["requests"]
    if record.has_run:
        status["containerID"] = f"sampan://{container_id(uid, record.name, record.restart)}"
    return status


def _terminated(end: Exit, container: str) -> dict[str, Any]:
    reason = "OOMKilled" if end.oom else end.reason
    return pods.terminated(
        end.exit_code,
        started_at=_seconds(end.started_at or end.finished_at),
        finished_at=_seconds(end.finished_at),
        reason=reason,
        message=end.message,
        container_id=f"sampan://{container}",
    )


def _seconds(text: str) -> str:
    """Kubernetes' Time has whole seconds."""
    return rfc3339(parse_rfc3339(text)) if text else "1970-01-01T00:00:00Z"


def _put_conditions(pod: Object, status: dict[str, Any], state: PodState, now: str) -> None:
    holder: Object = {"status": status}
    records = state.records.values()
    phase = str(status["phase"])
    if state.verdict is not None and state.verdict.is_disruption:
        message = state.verdict.message
        conditions.put(
            holder, "DisruptionTarget", "True", now=now, reason="TerminationByKubelet", message=message
        )
    completed = phase in (pods.SUCCEEDED, pods.FAILED)
    conditions.put(holder, "PodReadyToStartContainers", _truth(state.has_sandbox and not completed), now=now)
    main = [record for record in records if record.is_main]
    init_missing = (
        [record.name for record in records if record.is_init and not _is_initialised(record)]
        if not any(record.has_run for record in main)
        else []
    )
    if init_missing:
        message = f"containers with incomplete status: [{' '.join(init_missing)}]"
        conditions.put(
            holder, "Initialized", "False", now=now, reason="ContainersNotInitialized", message=message
        )
    else:
        reason = "PodCompleted" if phase == pods.SUCCEEDED else ""
        conditions.put(holder, "Initialized", "True", now=now, reason=reason)
    truth, reason, message = _readiness(state.records, phase)
    conditions.put(holder, "ContainersReady", truth, now=now, reason=reason, message=message)
    if truth == "True" and (message := _closed_gates(pod, holder)):
        truth, reason = "False", "ReadinessGatesNotReady"
    conditions.put(holder, "Ready", truth, now=now, reason=reason, message=message)
    conditions.put(holder, "PodScheduled", "True", now=now)


def _is_initialised(record: ContainerRecord) -> bool:
    if record.is_sidecar:
        return record.is_started
    return record.end is not None and record.end.exit_code == 0


def _readiness(records: Mapping[str, ContainerRecord], phase: str) -> tuple[str, str, str]:
    if phase == pods.SUCCEEDED:
        return "False", "PodCompleted", ""
    if phase == pods.FAILED:
        return "False", "PodFailed", ""
    unready = [
        record.name
        for record in records.values()
        if not record.is_ready and (record.is_main or record.is_sidecar)
    ]
    if unready:
        return "False", "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
    return "True", "", ""


def _closed_gates(pod: Object, holder: Object) -> str:
    """Why the pod's readiness gates keep it from being ready; empty when they do not.

    Source: kubernetes/pkg/kubelet/status/generate.go, v1.31.
    """
    messages: list[str] = []
    for gate in meta.spec(pod).get("readinessGates") or ():
        name = str(gate.get("conditionType"))
        found = conditions.find(holder, name)
        if found is None:
            messages.append(f'corresponding condition of pod readiness gate "{name}" does not exist.')
        elif found.get("status") != "True":
            status = found.get("status")
            messages.append(f'the status of pod readiness gate "{name}" is not "True", but {status}')
    return ", ".join(messages)


def _truth(value: bool) -> str:
    return "True" if value else "False"


def waiting_reason(record: ContainerRecord) -> str:
    return record.state.reason if isinstance(record.state, Waiting) else ""
