"""Why a trial does not begin, or does not go on: what its run object and its pods say. Pure.

Called by the reconciler of trials, for the condition Running. Upstream says that a trial runs as soon as its run
object is there (katib#2163: stuck, and no word why).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sampan.kube import meta, pods
from sampan.kube.meta import Object
from sampan.kube.troubles import summary, troubles_of

SUSPENDED, NO_PODS = "Suspended", "NoPods"


@dataclass(frozen=True, slots=True)
class Wait:
    reason: str
    """One word, as reasons of conditions are."""
    message: str


def why_waiting(run: Object, found: Sequence[Object]) -> Wait | None:
    """Of a run object that is there and has not ended, with its pods; None where nothing says that it waits."""
    if _is_suspended(run):
        return Wait(SUSPENDED, f"{_named(run)} is suspended")
    active = [pod for pod in found if not pods.is_terminal(pod) and not meta.is_deleting(pod)]
    if any(pods.phase(pod) == pods.RUNNING for pod in active):
        return None
    waiting = [each for each in troubles_of(active) if each.is_waiting]
    if waiting:
        return Wait(waiting[0].reason, summary(waiting, len(found)))
    return None


def has_begun(found: Sequence[Object]) -> bool:
    return any(pods.phase(pod) != pods.PENDING for pod in found)


def no_pods(run: Object, warning: str) -> Wait:
    """`warning` is what an Event of the run object says."""
    return Wait(NO_PODS, f"{_named(run)} has no pods: {warning}")


def _is_suspended(run: Object) -> bool:
    spec: dict[str, Any] = meta.spec(run)
    policy = spec.get("runPolicy")
    return spec.get("suspend") is True or (isinstance(policy, dict) and policy.get("suspend") is True)


def _named(run: Object) -> str:
    return f"{run.get('kind')} {meta.name(run)}"
