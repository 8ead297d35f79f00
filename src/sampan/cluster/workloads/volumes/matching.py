"""Which volume suits a claim, and the volume that is made for one. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from sampan.client.protocol import Object
from sampan.cluster.scheduler.claims import pinned_to
from sampan.kube import meta, quantities, selectors

STORAGE_CLASS = "standard"
PROVISIONER = "sampan.dev/folder"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
BIND_COMPLETED = "pv.kubernetes.io/bind-completed"


def default_class() -> Object:
    """The StorageClass that every cluster is expected to have: its volumes are folders of this machine."""
    return {
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    }


def storage_class(claim: Object) -> str:
    """The default class unless the claim names one; empty when it wants none, only what exists."""
    named = meta.spec(claim).get("storageClassName")
    return STORAGE_CLASS if named is None else str(named)


def requested(claim: Object) -> str:
    resources = meta.spec(claim).get("resources") or {}
    return str((resources.get("requests") or {}).get("storage") or "0")


def capacity(volume: Object) -> str:
    return str((meta.spec(volume).get("capacity") or {}).get("storage") or "0")


def is_claimed_by(volume: Object, claim: Object) -> bool:
    """Whether the volume is meant for this very claim: bound to it, or reserved under its name."""
    reference = meta.spec(volume).get("claimRef") or {}
    return (
        reference.get("name") == meta.name(claim)
        and reference.get("namespace") == meta.namespace(claim)
        and (reference.get("uid") or meta.uid(claim)) == meta.uid(claim)
    )


def is_reached(volume: Object, node: Object) -> bool:
    """By the volume's node affinity, if it has any."""
    terms = pinned_to(volume)
    return terms is None or any(term.matches(meta.name(node), meta.labels(node)) for term in terms)


def best_match(claim: Object, volumes: Iterable[Object]) -> Object | None:
    """A volume reserved for the claim, else the smallest free one that is large enough."""
    fitting = [volume for volume in volumes if _suits(volume, claim)]
    reserved = [volume for volume in fitting if is_claimed_by(volume, claim)]
    return min(reserved or fitting, key=_size, default=None)


def new_volume(claim: Object, folder: Path) -> Object:
    """The PersistentVolume for a claim whose folder has been made."""
    spec = meta.spec(claim)
    return {
        "metadata": {"name": volume_name(claim), "annotations": {PROVISIONED_BY: PROVISIONER}},
        "spec": {
            "capacity": {"storage": requested(claim)},
            "accessModes": list(spec.get("accessModes") or ["ReadWriteOnce"]),
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": storage_class(claim),
            "volumeMode": "Filesystem",
            "hostPath": {"path": str(folder), "type": "Directory"},
            "claimRef": claim_reference(claim),
        },
    }


def volume_name(claim: Object) -> str:
    return f"pvc-{meta.uid(claim)}"


def claim_reference(claim: Object) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": meta.namespace(claim),
        "name": meta.name(claim),
        "uid": meta.uid(claim),
    }


def _suits(volume: Object, claim: Object) -> bool:
    spec, wanted = meta.spec(volume), meta.spec(claim)
    if meta.is_deleting(volume):
        return False
    if spec.get("claimRef") and not is_claimed_by(volume, claim):
        return False
    if str(spec.get("storageClassName") or "") != storage_class(claim):
        return False
    if (spec.get("volumeMode") or "Filesystem") != (wanted.get("volumeMode") or "Filesystem"):
        return False
    if not set(wanted.get("accessModes") or ()) <= set(spec.get("accessModes") or ()):
        return False
    if not selectors.from_object(wanted.get("selector")).matches(meta.labels(volume)):
        return False
    return quantities.compare(capacity(volume), requested(claim)) >= 0


def _size(volume: Object) -> Decimal:
    return quantities.parse(capacity(volume))
