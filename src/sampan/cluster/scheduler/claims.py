"""What a pod's claims say about where it may run. Pure.

A claim that is bound pins the pod to where its volume is. One of a class that waits for its first consumer gets its
volume when the pod's node is known: the scheduler names the node on the claim, and the volume controller does the rest.

Source: kubernetes/pkg/scheduler/framework/plugins/volumebinding, v1.34.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sampan.client.protocol import Object
from sampan.cluster.scheduler.constraints import Term, read_terms
from sampan.kube import meta, quantities

SELECTED_NODE = "volume.kubernetes.io/selected-node"
NO_PROVISIONER = "kubernetes.io/no-provisioner"
UNBOUND = "pod has unbound immediate PersistentVolumeClaims"


def is_bound(claim: Object) -> bool:
    return meta.status(claim).get("phase") == "Bound"


def waits_for_consumer(claim: Object, classes: Iterable[Object]) -> bool:
    """Whether the claim's storage class binds when a pod uses it."""
    found = class_of(claim, classes)
    return found is not None and found.get("volumeBindingMode") == "WaitForFirstConsumer"


def class_of(claim: Object, classes: Iterable[Object]) -> Object | None:
    name = meta.spec(claim).get("storageClassName")
    return next((each for each in classes if meta.name(each) == name), None) if name else None


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps a pod from every node alike."""

    said: str
    """In Kubernetes' words."""
    advice: str
    """What would help, in ours."""


def obstacle(namespace: str, name: str, claim: Object | None, *, waits: bool) -> Obstacle | None:
    """Why a pod with this claim cannot have any node; None when the claim is no obstacle."""
    it = f"PersistentVolumeClaim {namespace}/{name}"
    if claim is None:
        return Obstacle(
            f'persistentvolumeclaim "{name}" not found', f"It starts when {it} exists and is bound."
        )
    if meta.is_deleting(claim):
        said = f'persistentvolumeclaim "{name}" is being deleted'
        return Obstacle(said, f"{it} goes when no pod uses it any more; this one needs a new claim.")
    if meta.status(claim).get("phase") == "Lost":
        said = f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{_volume(claim)}"'
        return Obstacle(said, f"The data of {it} is gone with its volume; make a new claim.")
    if is_bound(claim) or waits:
        return None
    return Obstacle(UNBOUND, f"It waits for {it} to be bound; the claim's events say what that waits for.")


def pinned_to(volume: Object | None) -> tuple[Term, ...] | None:
    """The terms of which a node must match one; None when the volume is everywhere. Raises as `read_terms`."""
    affinity: Any = meta.spec(volume or {}).get("nodeAffinity") or {}
    return read_terms(affinity.get("required"))


def pinned_to_free(claim: Object, volumes: Iterable[Object]) -> tuple[Term, ...] | None:
    """Where a volume is that a claim may take, when nobody makes new ones: as `pinned_to`, of all of them."""
    found: list[Term] = []
    for volume in volumes:
        if _is_free(volume, claim):
            terms = pinned_to(volume)
            if terms is None:
                return None
            found += terms
    return tuple(found)


def _is_free(volume: Object, claim: Object) -> bool:
    spec, wanted = meta.spec(volume), meta.spec(claim)
    reference = spec.get("claimRef") or {}
    needed = ((wanted.get("resources") or {}).get("requests") or {}).get("storage") or "0"
    return (
        not meta.is_deleting(volume)
        and spec.get("storageClassName") == wanted.get("storageClassName")
        and (
            not reference
            or (reference.get("namespace"), reference.get("name"))
            == (meta.namespace(claim), meta.name(claim))
        )
        and set(wanted.get("accessModes") or ()) <= set(spec.get("accessModes") or ())
        and quantities.compare((spec.get("capacity") or {}).get("storage") or "0", needed) >= 0
    )


def _volume(claim: Object) -> str:
    return str(meta.spec(claim).get("volumeName") or "")
