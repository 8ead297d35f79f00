"""Why pods do not start or do not run: what the scheduler and the node say of them. Pure.

Called by controllers of whatever waits for pods, so that its own conditions say it.

Source: kubeflow/training-operator v1.9.0 RecordAbnormalPods of pkg/core/job.go; kubeflow/trainer issue 2034.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.kube import meta, pods
from sampan.kube.meta import Object

_MESSAGE_LIMIT = 300


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with one pod."""

    uid: str
    pod: str
    reason: str
    what: str
    """Of the pod: `condition message: …`."""
    detail: str
    is_waiting: bool = True
    """Not of a container that has run and ended."""

    @property
    def event(self) -> str:
        return f"Error pod {self.pod} {self.what}"


def troubles_of(active: Sequence[Object]) -> list[Trouble]:
    """Of pods that are not over nor on their way out."""
    return [each for pod in active if _may_speak(pod) for each in _troubles(pod)]


def summary(found: Sequence[Trouble], wanted: int) -> str:
    """Of `wanted` pods, for a condition; empty where none waits."""
    waiting = [each for each in found if each.is_waiting]
    if not waiting:
        return ""
    many = len({each.pod for each in waiting})
    first = waiting[0]
    text = f"{many} of {wanted} pods wait: {first.pod}: {first.reason}: {first.detail}"
    return text if len(text) <= _MESSAGE_LIMIT else f"{text[: _MESSAGE_LIMIT - 1]}…"


def _may_speak(pod: Object) -> bool:
    return not pods.is_terminal(pod) and not meta.is_deleting(pod)


def _troubles(pod: Object) -> Iterator[Trouble]:
    status = meta.status(pod)
    # Where a container has a status, the pod was scheduled; where a regular one has, the init containers are done.
    for key in ("containerStatuses", "initContainerStatuses"):
        if found := status.get(key):
            for each in found:
                yield from _of_container(pod, each)
            return
    for condition in status.get("conditions") or ():
        # A gate that the job itself is waiting behind is none of the pod's troubles.
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            message = str(condition.get("message") or "")
            reason = str(condition.get("reason") or "Unschedulable")
            yield Trouble(meta.uid(pod), meta.name(pod), reason, f"condition message: {message}", message)


def _of_container(pod: Object, status: dict[str, Any]) -> Iterator[Trouble]:
    state, name = status.get("state") or {}, str(status.get("name") or "")
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    if message := str(waiting.get("message") or ""):
        what = f"container {name} waiting message: {message}"
        last = (status.get("lastState") or {}).get("terminated") or {}
        code = last.get("exitCode")
        detail = f"{message}; it last ended with exit code {code}" if code else message
        yield Trouble(meta.uid(pod), meta.name(pod), str(waiting.get("reason") or "Waiting"), what, detail)
    if code := int(ended.get("exitCode") or 0):
        message = str(ended.get("message") or "")
        what = f"container {name} exitCode: {code} terminated message: {message}"
        reason = str(ended.get("reason") or "Error")
        yield Trouble(meta.uid(pod), meta.name(pod), reason, what, message, is_waiting=False)
