"""Claims of generic ephemeral volumes: the controller `workloads/volumes/ephemeral` makes them, here they are checked.

Called by `factory` before a container's volumes are looked up. A claim of that name may be somebody else's.
Source: kubernetes/pkg/kubelet/volumemanager/populator, v1.33.
"""

from __future__ import annotations

from sampan.client.protocol import Object, Reader
from sampan.cluster.node.volumes import VolumeNotReadyError
from sampan.kube import meta
from sampan.kube.errors import NotFoundError
from sampan.kube.kinds import PERSISTENT_VOLUME_CLAIMS


async def check(client: Reader, pod: Object) -> None:
    """Raises ApiError, and VolumeNotReadyError for a claim that is missing or another's."""
    for volume in meta.spec(pod).get("volumes") or ():
        if "ephemeral" in volume:
            await _check(client, pod, f"{meta.name(pod)}-{volume['name']}")


async def _check(client: Reader, pod: Object, name: str) -> None:
    namespace = meta.namespace(pod)
    try:
        found = await client.get(PERSISTENT_VOLUME_CLAIMS, name, namespace)
    except NotFoundError:
        raise VolumeNotReadyError(f'persistentvolumeclaim "{name}" not found') from None
    owners = meta.metadata(found).get("ownerReferences") or ()
    if not any(owner.get("uid") == meta.uid(pod) for owner in owners):
        raise VolumeNotReadyError(
            f"PVC {namespace}/{name} was not created for pod {namespace}/{meta.name(pod)} (pod is not owner)"
        )
