"""The status of a SeldonDeployment, out of what is seen of its Deployments.

Source: seldon-core 1.18.2 operator/apis/machinelearning.seldon.io/v1/seldon_deployment_status.go,
operator/controllers/seldondeployment_controller.go (createDeployments, Reconcile). Not so here: pods that cannot start
make the state Failed at once, with what they say as the description.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.components.serving.engine.inference_services import conditions as known
from sampan.components.serving.engine.inference_services.conditions import FALSE, MET, TRUE, UNKNOWN, Verdict
from sampan.components.serving.engine.seldon.desired import Desired
from sampan.kube import meta
from sampan.kube.meta import Object

AVAILABLE, CREATING, FAILED = "Available", "Creating", "Failed"
DEPLOYMENTS_READY, SERVICES_READY, READY = "DeploymentsReady", "ServicesReady", known.READY
_OTHERS = {
    "KedaReady": "No KEDA resources defined",
    "HpasReady": "No HPAs defined",
    "PdbsReady": "No PDBs defined",
    "istioVirtualServicesReady": "No VirtualServices defined",
    "AmbassadorMappingsReady": "No Ambassador Mappaings defined",
}
_HAS = {"HpasReady": "All HPAs resources ready", "PdbsReady": "All PDBs resources ready"}
Status = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """One Deployment, and what its pods make of it."""

    deployment: Object
    verdict: Verdict
    is_final: bool = False
    """Whether nothing comes of waiting."""


def running(sdep: Object, wanted: Desired, seen: Sequence[Seen], now: str) -> Status:
    """With `seen` in the order of `wanted.deployments`."""
    worst = next((each for each in seen if each.is_final and not each.verdict.is_true), None)
    worst = worst or next((each for each in seen if not each.verdict.is_true), None)
    state = AVAILABLE if worst is None else FAILED if worst.is_final else CREATING
    deployments = MET if worst is None else worst.verdict
    if worst is not None and worst.is_final:
        deployments = Verdict(FALSE, worst.verdict.reason, worst.verdict.message)
    found = _told(wanted, seen)
    found["state"] = state
    if worst is not None and worst.verdict.message:
        found["description"] = worst.verdict.message
    verdicts = {
        DEPLOYMENTS_READY: deployments,
        SERVICES_READY: Verdict(TRUE, "All services created"),
        **{type_: Verdict(TRUE, reason) for type_, reason in _OTHERS.items()},
    }
    for type_, there in (("HpasReady", wanted.autoscalers), ("PdbsReady", wanted.budgets)):
        if there:
            verdicts[type_] = Verdict(TRUE, _HAS[type_])
    if wanted.uses_keda:
        verdicts["KedaReady"] = Verdict(
            FALSE, "KEDA resources not ready", "KEDA is not part of this platform"
        )
    verdicts[READY] = _all(verdicts)
    found["conditions"] = _conditions(sdep, verdicts, now)
    return found


def refused(sdep: Object, reason: str, message: str, now: str) -> Status:
    """For one that cannot be acted on as it is. What runs is told of as it was."""
    kept = {key: value for key, value in meta.status(sdep).items() if key != "conditions"}
    verdict = Verdict(FALSE, reason, message)
    before = {
        str(each["type"]): Verdict(
            str(each.get("status")), str(each.get("reason") or ""), str(each.get("message") or "")
        )
        for each in meta.status(sdep).get("conditions") or ()
        if isinstance(each, Mapping) and each.get("type")
    }
    verdicts = {**before, DEPLOYMENTS_READY: verdict, READY: verdict}
    return {
        **kept,
        "state": FAILED,
        "description": message,
        "conditions": _conditions(sdep, verdicts, now),
    }


def _told(wanted: Desired, seen: Sequence[Seen]) -> Status:
    found: Status = {"deploymentStatus": {}, "serviceStatus": {}, "address": {"url": wanted.address}}
    for each in seen:
        status, name = meta.status(each.deployment), meta.name(each.deployment)
        counts = {key: int(status.get(key) or 0) for key in ("replicas", "availableReplicas")}
        found["deploymentStatus"][name] = {key: count for key, count in counts.items() if count}
        if name == wanted.default_deployment:
            found["replicas"] = counts["replicas"]
    for name, at in wanted.endpoints.items():
        told = {
            "svcName": name,
            "httpEndpoint": at.http,
            "grpcEndpoint": at.grpc,
            "explainerFor": at.explains,
        }
        found["serviceStatus"][name] = {key: value for key, value in told.items() if value}
    return found


def _all(verdicts: Mapping[str, Verdict]) -> Verdict:
    for status in (FALSE, UNKNOWN):
        for type_ in (DEPLOYMENTS_READY, *sorted(verdicts)):
            if verdicts[type_].status == status:
                return verdicts[type_]
    return MET


def _conditions(sdep: Object, verdicts: Mapping[str, Verdict], now: str) -> list[dict[str, Any]]:
    before = [
        {**each, "severity": "Info"} if each.get("type") != READY else each
        for each in meta.status(sdep).get("conditions") or ()
        if isinstance(each, Mapping)
    ]
    written = known.written(before, verdicts, now)
    for each in written:
        # Ready follows from all of them.
        each.pop("severity", None)
    return written
