"""Why pods do not serve: what their containers and the scheduler say. Pure.

Source: knative.dev/serving 1.22 pkg/reconciler/revision/reconcile_resources.go,
pkg/apis/serving/v1/revision_lifecycle.go; kserve/kserve 0.20 pkg/apis/serving/v1beta1/inference_service_status.go
(PropagateModelStatus). Not so here: an image that cannot be had is said at once, not when the deployment has run out
of time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.components.serving.api import labels
from sampan.kube import meta, pods
from sampan.kube.meta import Object

_MESSAGE_LIMIT = 2000
_PASSING = frozenset(("", "ContainerCreating", "PodInitializing"))
"""Reasons to wait that pass by themselves."""
_WITH_THEIR_NODE = ("Terminated", "NodeShutdown")
"""Kubernetes 1.31 pkg/kubelet/nodeshutdown. So do all pods end when the embedded cluster is stopped, whatever code."""


@dataclass(frozen=True, slots=True)
class Failure:
    pod: str
    container: str
    reason: str
    message: str
    exit_code: int = 0
    time: str = ""
    is_final: bool = True
    """Whether nothing will come of it by waiting alone. Not so of a pod that is being made ready."""

    @property
    def is_of_storage(self) -> bool:
        return self.container == labels.STORAGE_INITIALIZER

    @property
    def text(self) -> str:
        """For a condition."""
        if self.exit_code or self.reason == "Completed":
            what = "Fetching the model failed" if self.is_of_storage else "Container failed with"
            return f"{what}: {self.message or f'{self.container} exited with {self.exit_code}'}"
        return self.message or self.reason


def newest_first(found: Sequence[Object]) -> list[Object]:
    """Pods that are not on their way out, and have not ended with their node: others come in the place of those."""
    alive = [pod for pod in found if not meta.is_deleting(pod) and not _went_with_its_node(pod)]
    return sorted(alive, key=lambda pod: str(meta.metadata(pod).get("creationTimestamp") or ""), reverse=True)


def _went_with_its_node(pod: Object) -> bool:
    return pods.phase(pod) == pods.FAILED and meta.status(pod).get("reason") in _WITH_THEIR_NODE


def ready_count(found: Sequence[Object]) -> int:
    return sum(pods.phase(pod) == pods.RUNNING and pods.is_ready(pod) for pod in found)


def failure_of(found: Sequence[Object]) -> Failure | None:
    """The first that counts, of the newest pods; None where one is ready or none has anything to say."""
    alive = newest_first(found)
    if ready_count(alive):
        return None
    told = [failure for pod in alive for failure in _failures(pod)]
    return next((each for each in told if each.is_final), told[0] if told else None)


def failed_copies(found: Sequence[Object]) -> int:
    return sum(
        not pods.is_ready(pod) and any(each.is_final for each in _failures(pod))
        for pod in newest_first(found)
    )


def _failures(pod: Object) -> Iterator[Failure]:
    status = meta.status(pod)
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            reason = str(condition.get("reason") or "Unschedulable")
            yield Failure(meta.name(pod), "", reason, str(condition.get("message") or ""))
    for key in ("initContainerStatuses", "containerStatuses"):
        for each in status.get(key) or ():
            if isinstance(each, Mapping):
                yield from _of_container(pod, each, is_init=key == "initContainerStatuses")
    if pods.phase(pod) == pods.FAILED and not status.get("containerStatuses"):
        yield Failure(
            meta.name(pod), "", str(status.get("reason") or "Failed"), str(status.get("message") or "")
        )


def _of_container(pod: Object, status: Mapping[str, Any], *, is_init: bool) -> Iterator[Failure]:
    name, state = str(status.get("name") or ""), status.get("state") or {}
    last = (status.get("lastState") or {}).get("terminated")
    ended, waiting = state.get("terminated"), state.get("waiting")
    if ended and not (is_init and not ended.get("exitCode")):
        yield _ended(pod, name, ended)
    elif last and not status.get("ready"):
        # It is tried again, or about to be: what it said the last time is why it is not ready.
        yield _ended(pod, name, last)
    elif waiting:
        reason = str(waiting.get("reason") or "")
        message = _short(str(waiting.get("message") or ""))
        if message or reason not in _PASSING:
            yield Failure(meta.name(pod), name, reason, message, is_final=reason not in _PASSING)


def _ended(pod: Object, container: str, ended: Mapping[str, Any]) -> Failure:
    code = int(ended.get("exitCode") or 0)
    reason, message = str(ended.get("reason") or "Error"), str(ended.get("message") or "")
    if not message and not code:
        message = "container exited with no error"
    time = str(ended.get("finishedAt") or "")
    return Failure(meta.name(pod), container, reason, _short(message), code, time)


def _short(text: str) -> str:
    """Its end, where the error stands."""
    text = text.strip()
    return text if len(text) <= _MESSAGE_LIMIT else f"…{text[-_MESSAGE_LIMIT:]}"
