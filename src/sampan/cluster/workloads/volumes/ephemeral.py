"""Generic ephemeral volumes: a claim for each, made from the template in the pod and owned by it.

The scheduler waits for these claims as for others, so they are made before a pod has a node.
Source: pkg/controller/volume/ephemeral/controller.go, v1.33.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sampan.client.protocol import Client, Object
from sampan.kube import meta, pods
from sampan.kube.errors import AlreadyExistsError, ForbiddenError, NotFoundError
from sampan.kube.kinds import PERSISTENT_VOLUME_CLAIMS, PODS
from sampan.reconcile.cache import Caches
from sampan.reconcile.controller import Controller, mapped
from sampan.reconcile.reconciler import DONE, Request, Result


class EphemeralVolumeReconciler:
    """Reconciles a pod."""

    def __init__(self, client: Client, caches: Caches) -> None:
        self._client = client
        self._pods = caches.of(PODS)
        self._claims = caches.of(PERSISTENT_VOLUME_CLAIMS)

    def controller(self) -> Controller[Request]:
        sources = [mapped(self._pods, _with_claims), mapped(self._claims, _owner)]
        return Controller("ephemeral-volume", self.reconcile, sources, workers=1)

    async def reconcile(self, request: Request) -> Result:
        pod = self._pods.get(request.namespace, request.name)
        if pod is None or meta.is_deleting(pod) or pods.is_terminal(pod):
            return DONE
        for claim in claims(pod):
            if self._claims.get(request.namespace, meta.name(claim)) is None:
                await self._create(claim)
        return DONE

    async def _create(self, claim: Object) -> None:
        try:
            await self._client.create(PERSISTENT_VOLUME_CLAIMS, claim)
        except (AlreadyExistsError, NotFoundError, ForbiddenError):
            return  # a moment ahead of the cache, or the namespace is going


def claims(pod: Object) -> list[Object]:
    """What the pod's volumes ask for. Pure."""
    return [_claim(pod, volume) for volume in _volumes(pod)]


def _volumes(pod: Object) -> Iterator[Mapping[str, Any]]:
    return (volume for volume in meta.spec(pod).get("volumes") or () if volume.get("ephemeral"))


def _with_claims(pod: Object) -> Iterable[Request]:
    if next(_volumes(pod), None) is None:
        return ()
    return (Request(meta.namespace(pod), meta.name(pod)),)


def _owner(claim: Object) -> Iterable[Request]:
    """A claim that is deleted while its pod waits is made again."""
    for owner in meta.metadata(claim).get("ownerReferences") or ():
        if owner.get("kind") == "Pod":
            yield Request(meta.namespace(claim), str(owner.get("name", "")))


def _claim(pod: Object, volume: Mapping[str, Any]) -> Object:
    template = volume["ephemeral"].get("volumeClaimTemplate") or {}
    owner = {
        "apiVersion": "v1",
        "kind": "Pod",
        "name": meta.name(pod),
        "uid": meta.uid(pod),
        "controller": True,
        "blockOwnerDeletion": True,
    }
    metadata: dict[str, Any] = {
        "name": f"{meta.name(pod)}-{volume['name']}",
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
