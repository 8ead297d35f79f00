"""Priority: a pod's class becomes its number.

Source: plugin/pkg/admission/priority/admission.go, v1.33.
"""

from __future__ import annotations

from collections.abc import Sequence

from sampan.cluster.apiserver.admission.refusal import refused
from sampan.kube import meta
from sampan.kube.admission import AdmissionRequest
from sampan.kube.meta import Object


def admit(request: AdmissionRequest, classes: Sequence[Object], pod: Object) -> None:
    """Raises ForbiddenError for a class that does not exist, or a number that is not its."""
    spec = pod["spec"]
    name = spec.get("priorityClassName")
    if name:
        chosen = next((each for each in classes if meta.name(each) == name), None)
        if chosen is None:
            raise refused(request, f"no PriorityClass with name {name} was found")
    else:
        chosen = _default(classes)
        if chosen is not None:
            spec["priorityClassName"] = meta.name(chosen)
    value = int(chosen.get("value") or 0) if chosen is not None else 0
    policy = str((chosen or {}).get("preemptionPolicy") or "PreemptLowerPriority")
    if spec.get("priority", value) != value:
        raise refused(
            request,
            f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; priority "
            f"admission controller computed {value} from the given PriorityClass name",
        )
    if spec.get("preemptionPolicy", policy) != policy:
        raise refused(
            request,
            f"the string value of PreemptionPolicy ({spec['preemptionPolicy']}) must not be provided in pod spec; "
            f"priority admission controller computed {policy} from the given PriorityClass name",
        )
    spec["priority"], spec["preemptionPolicy"] = value, policy


def check(request: AdmissionRequest, classes: Sequence[Object], obj: Object) -> None:
    """Only one class can be the default. Raises ForbiddenError."""
    if not obj.get("globalDefault"):
        return
    for other in classes:
        if other.get("globalDefault") and meta.name(other) != meta.name(obj):
            raise refused(
                request,
                f"PriorityClass {meta.name(other)} is already marked as default. Only one default can exist",
            )


def _default(classes: Sequence[Object]) -> Object | None:
    """Of several, which a race can make, the lowest."""
    found = [each for each in classes if each.get("globalDefault")]
    return min(found, key=lambda each: (int(each.get("value") or 0), meta.name(each)), default=None)
