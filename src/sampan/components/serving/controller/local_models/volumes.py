"""The volumes and claims of a cache: made where they are missing, and removed where nobody needs them.

As upstream makes them: from the node group as it is then, and never changed. Unlike there, a volume is reserved for its
claim, so that no other claim takes it, and one whose claim has gone is made anew.
Source: kserve/kserve v0.20.0 pkg/controller/v1alpha1/localmodel/reconcilers/utils.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sampan.client.protocol import Client
from sampan.components.serving.api.reading import child, mapping
from sampan.components.serving.engine.local_models import volumes
from sampan.kube import meta, owners
from sampan.kube.errors import AlreadyExistsError, ApiError, NotFoundError
from sampan.kube.kinds import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, Resource
from sampan.kube.meta import Object
from sampan.reconcile.apply import delete_if_present

_ENDED = ("Released", "Failed")
Tell = Callable[[Object, str, str], None]
"""A warning: about an object, its reason and message."""


class CacheVolumes:
    def __init__(self, client: Client, tell: Tell, *, apart: bool) -> None:
        self._client = client
        self._tell = tell
        self._apart = apart

    async def for_download(self, cache: Object, group: Object, job_namespace: str) -> bool:
        """Whether all is there; as long as something is going, it is not."""
        volume, claim = volumes.download_names(meta.name(cache), meta.name(group), meta.namespace(cache))
        return await self._ensure(cache, group, volume, claim, job_namespace)

    async def for_pods(self, cache: Object, group: Object, namespace: str) -> bool:
        """Likewise."""
        claim = volumes.claim_name(meta.name(cache), meta.name(group))
        volume = volumes.volume_name(meta.name(cache), meta.name(group), namespace)
        return await self._ensure(cache, group, volume, claim, namespace)

    async def drop_of_pods(self, cache: Object, groups: Iterable[str], namespace: str) -> None:
        for group in groups:
            claim = volumes.claim_name(meta.name(cache), group)
            volume = volumes.volume_name(meta.name(cache), group, namespace)
            await self._drop(cache, PERSISTENT_VOLUME_CLAIMS, claim, namespace)
            await self._drop(cache, PERSISTENT_VOLUMES, volume, None)

    async def drop_of_download(self, cache: Object, groups: Iterable[str], job_namespace: str) -> None:
        """Of a cache that has a namespace, which owns nothing elsewhere."""
        for group in groups:
            volume, claim = volumes.download_names(meta.name(cache), group, meta.namespace(cache))
            await self._drop(cache, PERSISTENT_VOLUME_CLAIMS, claim, job_namespace)
            await self._drop(cache, PERSISTENT_VOLUMES, volume, None)

    async def _ensure(self, cache: Object, group: Object, volume: str, claim: str, namespace: str) -> bool:
        made = volumes.volume(volume, group, meta.namespace(cache), apart=self._apart)
        made["spec"]["claimRef"] = {"namespace": namespace, "name": claim}
        try:
            found = await self._made(cache, PERSISTENT_VOLUMES, made)
            if meta.status(found).get("phase") in _ENDED:
                # Its claim has gone, and it would take no other.
                await delete_if_present(self._client, PERSISTENT_VOLUMES, found)
                return False
            if _place(found) != _place(made):
                message = f"PersistentVolume {volume} is there and is of another folder: delete it"
                self._tell(cache, "VolumeNotUsable", message)
                return True
            wanted = volumes.claim(claim, volume, group, namespace)
            its_claim = await self._made(cache, PERSISTENT_VOLUME_CLAIMS, wanted)
        except ApiError as error:
            if error.code >= 500 or error.code == 409:
                raise
            self._tell(cache, "VolumeNotMade", f"{claim} of node group {meta.name(group)}: {error.message}")
            return True
        return not meta.is_deleting(found) and not meta.is_deleting(its_claim)

    async def _made(self, cache: Object, resource: Resource, wanted: Object) -> Object:
        name, namespace = meta.name(wanted), meta.namespace(wanted) or None
        try:
            return await self._client.get(resource, name, namespace)
        except NotFoundError:
            pass
        # What is of the cluster cannot belong to what is of a namespace, nor anything to what is of another one.
        if meta.namespace(cache) in ("", namespace):
            wanted = owners.with_controller(wanted, cache)
        try:
            return await self._client.create(resource, wanted)
        except AlreadyExistsError:
            return await self._client.get(resource, name, namespace)

    async def _drop(self, cache: Object, resource: Resource, name: str, namespace: str | None) -> None:
        try:
            found = await self._client.get(resource, name, namespace)
        except NotFoundError:
            return
        owner = owners.controller_of(found)
        if owner is None or owner.get("uid") == meta.uid(cache):
            await delete_if_present(self._client, resource, found)


def _place(volume: Object) -> object:
    spec = meta.spec(volume)
    return tuple(mapping(spec.get(kind)).get("path") for kind in ("local", "hostPath")), child(spec, "csi")
