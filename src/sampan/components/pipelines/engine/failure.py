"""Reads a pod: has it ended, how, and what to tell the user. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any

from sampan.components.pipelines.engine.podspec import MAIN_CONTAINER
from sampan.lib.clock import parse_rfc3339, to_micros

# The kubelet keeps trying after these, but a step's image or configuration does not mend by itself.
_HOPELESS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    }
)
# Of a pod's status: the node went down, the step did nothing wrong.
_LOST = frozenset({"Terminated", "NodeShutdown", "NodeLost", "Shutdown"})


class End(Enum):
    """How a pod ended."""

    SUCCEEDED = auto()
    FAILED = auto()
    HOPELESS = auto()
    """It never started and never will."""
    LOST = auto()
    """Taken away through no fault of the step: run it again."""


@dataclass(frozen=True, slots=True)
class PodEnd:
    end: End
    uid: str
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    started_at: int = 0
    finished_at: int = 0
    memory_limit: str = ""
    """Of the step's container."""
    scheduled_at: int = 0
    """Microseconds, as all times; 0 where that is not known."""

    @property
    def explanation(self) -> str:
        """One line for people, without the log."""
        if self.end is End.HOPELESS:
            return f"{self.reason}: {self.message}" if self.message else self.reason
        parts = [f"exit code {self.exit_code}"] if self.exit_code is not None else []
        if self.reason == "OOMKilled":
            parts.append(f"OOMKilled: {self._memory()}")
        elif self.reason == "DeadlineExceeded":
            parts.append("it ran longer than its timeout (DeadlineExceeded)")
        elif self.reason and self.reason != "Error":
            parts.append(self.reason)
        if self.message:
            parts.append(self.message.strip())
        return "; ".join(parts) or "the pod failed"

    def _memory(self) -> str:
        if self.memory_limit:
            return (
                f"it used more memory than its limit of {self.memory_limit}; raise it with set_memory_limit"
            )
        return "it used more memory than the machine has; have it use less, or run fewer steps at a time"


def pod_end(pod: Mapping[str, Any]) -> PodEnd | None:
    """How the pod ended, or None while it runs or waits."""
    status = pod.get("status") or {}
    uid = str(pod["metadata"].get("uid", ""))
    phase = status.get("phase")
    terminated = _terminated(status)
    if phase not in ("Succeeded", "Failed"):
        return _hopeless(status, uid)
    reason = str(status.get("reason") or terminated.get("reason") or "")
    times = (_micros(terminated.get("startedAt")), _micros(terminated.get("finishedAt")))
    if phase == "Succeeded":
        return PodEnd(End.SUCCEEDED, uid, "", "", 0, *times, scheduled_at=_scheduled_at(status))
    end = End.LOST if status.get("reason") in _LOST else End.FAILED
    message = str(status.get("message") or terminated.get("message") or "")
    exit_code = terminated.get("exitCode")
    return PodEnd(
        end,
        uid,
        reason,
        message,
        exit_code,
        *times,
        memory_limit=_memory_limit(pod),
        scheduled_at=_scheduled_at(status),
    )


def waits_for(pod: Mapping[str, Any]) -> str:
    """What keeps the pod from starting, in words for people; empty while nothing does that it could name."""
    status = pod.get("status") or {}
    if status.get("phase", "Pending") != "Pending":
        return ""
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return _because(condition)
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("message"):
            return _because(waiting)
    return ""


def _because(found: Mapping[str, Any]) -> str:
    return ": ".join(str(found[key]) for key in ("reason", "message") if found.get(key))


def _scheduled_at(status: Mapping[str, Any]) -> int:
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "True":
            return _micros(condition.get("lastTransitionTime"))
    return 0


def vanished(uid: str = "") -> PodEnd:
    """A pod that is gone, and nobody saw it end."""
    return PodEnd(End.LOST, uid, "Vanished", "the pod was deleted before its end was seen")


def address(pod: Mapping[str, Any]) -> str:
    """Where the pod is reached, once all its containers are ready; empty before."""
    status = pod.get("status") or {}
    containers = status.get("containerStatuses") or ()
    if (
        status.get("phase") != "Running"
        or not containers
        or not all(item.get("ready") for item in containers)
    ):
        return ""
    return str(status.get("podIP") or "")


def has_started(pod: Mapping[str, Any]) -> bool:
    """Whether the step's container has run, so that there may be a log."""
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        if container.get("name") == MAIN_CONTAINER:
            state = container.get("state") or {}
            return "running" in state or "terminated" in state
    return False


def _hopeless(status: Mapping[str, Any], uid: str) -> PodEnd | None:
    statuses = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    for container in statuses:
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _HOPELESS:
            return PodEnd(End.HOPELESS, uid, str(waiting["reason"]), str(waiting.get("message") or ""))
    return None


def _memory_limit(pod: Mapping[str, Any]) -> str:
    for container in (pod.get("spec") or {}).get("containers") or ():
        if container.get("name") == MAIN_CONTAINER:
            limits = (container.get("resources") or {}).get("limits") or {}
            return str(limits.get("memory", ""))
    return ""


def _terminated(status: Mapping[str, Any]) -> Mapping[str, Any]:
    """The state of the main container, or of the one that failed where that did not."""
    main: Mapping[str, Any] = {}
    failed: Mapping[str, Any] = {}
    for section, what in (("containerStatuses", "container"), ("initContainerStatuses", "init container")):
        for container in status.get(section) or ():
            state = (container.get("state") or {}).get("terminated") or {}
            if container.get("name") == MAIN_CONTAINER:
                main = state
            elif state.get("exitCode") and not failed:
                said = f": {state['message']}" if state.get("message") else ""
                failed = {**state, "message": f"{what} {container.get('name')} failed{said}"}
    return main if main.get("exitCode") or not failed else failed


def _micros(text: object) -> int:
    moment: datetime | None = parse_rfc3339(text) if isinstance(text, str) and text else None
    return to_micros(moment) if moment else 0
