"""`status.modelStatus`: whether the model that the spec asks for is loaded, and why not. Pure.

Source: kserve/kserve 0.20 pkg/apis/serving/v1beta1/inference_service_status.go (PropagateModelStatus,
UpdateModelRevisionStates, UpdateModelTransitionStatus). Beyond upstream: where, when and of which revision something
failed, copies that failed, and pods that cannot start for another reason than their container's end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.components.serving.engine.inference_services import failures
from sampan.components.serving.engine.inference_services.failures import Failure
from sampan.kube.meta import Object

PENDING, LOADING, LOADED, FAILED_TO_LOAD = "Pending", "Loading", "Loaded", "FailedToLoad"
UP_TO_DATE, IN_PROGRESS, BLOCKED, INVALID_SPEC = (
    "UpToDate",
    "InProgress",
    "BlockedByFailedLoad",
    "InvalidSpec",
)
_TRANSITIONS = {PENDING: IN_PROGRESS, LOADING: IN_PROGRESS, LOADED: UP_TO_DATE, FAILED_TO_LOAD: BLOCKED}
_LOAD_FAILED, _UNHEALTHY = "ModelLoadFailed", "RuntimeUnhealthy"
_REASONS = frozenset(
    (
        *(_LOAD_FAILED, _UNHEALTHY, "RuntimeDisabled", "NoSupportingRuntime"),
        *("RuntimeNotRecognized", "InvalidPredictorSpec"),
    )
)
"""That there are: the schema takes no others."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is seen of the predictor's newest pods."""

    pods: Sequence[Object]
    has_failed: bool
    """Whether its newest revision has, pods or not."""
    sleeps: bool
    """Ready, and without pods for want of requests."""
    revision: str = ""
    is_newest: bool = True
    """Whether all pods are of what the spec says now. Of revisions their names tell."""
    is_ready: bool = False
    """Whether the whole service is, by its newest pods."""


def status(before: Mapping[str, Any], seen: Seen) -> dict[str, Any]:
    failure = failures.failure_of(seen.pods)
    state = _state(before, seen, failure)
    found = _with_state(before, state)
    copies = {
        "failedCopies": failures.failed_copies(seen.pods),
        "totalCopies": failures.ready_count(failures.newest_first(seen.pods)),
    }
    found["copies"] = copies
    if state == FAILED_TO_LOAD and failure is not None:
        found["lastFailureInfo"] = _info(failure, seen.revision)
    return found


def invalid(before: Mapping[str, Any], reason: str, message: str) -> dict[str, Any]:
    """Where nothing can be made of the spec."""
    found = _with_state(before, FAILED_TO_LOAD)
    found["transitionStatus"] = INVALID_SPEC
    known = reason if reason in _REASONS else "InvalidPredictorSpec"
    found["lastFailureInfo"] = {"reason": known, "message": message}
    return found


def _state(before: Mapping[str, Any], seen: Seen, failure: Failure | None) -> str:
    if seen.is_ready:
        # Upstream calls one without pods Pending, and then waits for it for ever where nobody asks.
        return LOADED if seen.pods or seen.sleeps else PENDING
    if failure is not None and failure.is_final:
        return FAILED_TO_LOAD
    if not seen.pods:
        return FAILED_TO_LOAD if seen.has_failed else PENDING
    return LOADING if _is_fetching(seen.pods) else PENDING


def _is_fetching(pods: Sequence[Object]) -> bool:
    newest = next(iter(failures.newest_first(pods)), {})
    statuses = (newest.get("status") or {}).get("initContainerStatuses") or ()
    return any("running" in (each.get("state") or {}) for each in statuses)


def _with_state(before: Mapping[str, Any], state: str) -> dict[str, Any]:
    # Upstream writes the empty text, which Kubernetes 1.20 takes for none and refuses.
    states = dict(before.get("states") or {"activeModelState": PENDING})
    states["targetModelState"] = state
    if state == LOADED:
        states["activeModelState"] = LOADED
    return {**before, "transitionStatus": _TRANSITIONS[state], "states": states}


def _info(failure: Failure, revision: str) -> dict[str, Any]:
    of_container = bool(failure.exit_code) or failure.reason == "Completed"
    info: dict[str, Any] = {
        "location": failure.pod,
        "reason": _LOAD_FAILED if of_container else _UNHEALTHY,
        "message": failure.message or failure.reason,
    }
    if failure.exit_code:
        info["exitCode"] = failure.exit_code
    if failure.time:
        info["time"] = failure.time
    if revision:
        info["modelRevisionName"] = revision
    return info
