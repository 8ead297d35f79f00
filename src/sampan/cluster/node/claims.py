"""Generic ephemeral volumes: a claim for each, made from the template in the pod and owned by it.

Called by `factory` before a container's volumes are looked up. Upstream a controller of its own does this; with one
node nothing is gained by that. Source: kubernetes/pkg/controller/volume/ephemeral/controller.go, v1.31.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.client.protocol import Client, Object
from sampan.cluster.node.volumes import VolumeNotReadyError
from sampan.kube import meta
from sampan.kube.errors import AlreadyExistsError, NotFoundError
from sampan.kube.kinds import PERSISTENT_VOLUME_CLAIMS


async def ensure(client: Client, pod: Object) -> None:
    """Makes the claims that are missing. Raises ApiError, and VolumeNotReadyError for a claim of somebody else."""
    for volume in meta.spec(pod).get("volumes") or ():
        if "ephemeral" in volume:
            await _ensure(client, pod, volume)


def claim_name(pod: Object, volume: Mapping[str, Any]) -> str:
    return f"{meta.name(pod)}-{volume['name']}"


async def _ensure(client: Client, pod: Object, volume: Mapping[str, Any]) -> None:
    name, namespace = claim_name(pod, volume), meta.namespace(pod)
    try:
        found = await client.get(PERSISTENT_VOLUME_CLAIMS, name, namespace)
    except NotFoundError:
        try:
            found = await client.create(PERSISTENT_VOLUME_CLAIMS, _claim(pod, volume, name))
        except AlreadyExistsError:
            found = await client.get(PERSISTENT_VOLUME_CLAIMS, name, namespace)
    owners = meta.metadata(found).get("ownerReferences") or ()
    if not any(owner.get("uid") == meta.uid(pod) for owner in owners):
        raise VolumeNotReadyError(
            f"PVC {namespace}/{name} was not created for pod {namespace}/{meta.name(pod)} (pod is not owner)"
        )


def _claim(pod: Object, volume: Mapping[str, Any], name: str) -> Object:
    template = (volume.get("ephemeral") or {}).get("volumeClaimTemplate") or {}
    owner = {
        "apiVersion": "v1",
        "kind": "Pod",
        "name": meta.name(pod),
        "uid": meta.uid(pod),
        "controller": True,
        "blockOwnerDeletion": True,
    }
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": meta.namespace(pod),
        "ownerReferences": [owner],
    }
    for key in ("labels", "annotations"):
        if value := (template.get("metadata") or {}).get(key):
            metadata[key] = value
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": template.get("spec") or {},
    }
