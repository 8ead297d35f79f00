"""Binds claims to volumes, makes volumes where none suits, and removes what was released.

One controller for both kinds: a request with a namespace is about a claim, one without about a volume.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from sampan.client.protocol import Client, Object
from sampan.cluster.scheduler.claims import NO_PROVISIONER, SELECTED_NODE, class_of
from sampan.cluster.workloads.volumes import folders
from sampan.cluster.workloads.volumes.matching import (
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    PROVISIONER,
    STORAGE_CLASS,
    best_match,
    capacity,
    claim_reference,
    is_claimed_by,
    is_reached,
    new_volume,
    requested,
    storage_class,
    volume_name,
)
from sampan.kube import meta, pods, quantities
from sampan.kube.errors import AlreadyExistsError, NotFoundError
from sampan.kube.kinds import NODES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS, STORAGE_CLASSES
from sampan.lib.clock import Clock
from sampan.reconcile.apply import add_finalizer, delete_if_present, remove_finalizer, update_status
from sampan.reconcile.cache import Caches
from sampan.reconcile.controller import Controller, mapped, own, reads
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result

PROTECTION = "kubernetes.io/pvc-protection"
_COMPONENT = "persistentvolume-controller"
_BY_CLAIM = "claim"


class VolumeReconciler:
    def __init__(self, client: Client, clock: Clock, caches: Caches, root: Path) -> None:
        self._client = client
        self._root = root
        self._claims = caches.of(PERSISTENT_VOLUME_CLAIMS)
        self._volumes = caches.of(PERSISTENT_VOLUMES)
        self._classes = caches.of(STORAGE_CLASSES)
        self._nodes = caches.of(NODES)
        self._pods = caches.of(PODS)
        self._pods.add_index(_BY_CLAIM, lambda pod: map(str, _claims_of_pod(pod)))
        self._recorder = EventRecorder(client, clock, _COMPONENT)

    def controller(self) -> Controller[Request]:
        sources = [
            own(self._claims),
            own(self._volumes),
            mapped(self._claims, _volume_of_claim),
            mapped(self._volumes, self._claims_of_volume),
            mapped(self._pods, _claims_of_pod),
            mapped(self._classes, self._claims_of_class),
            reads(self._nodes),
        ]
        return Controller("volumes", self.reconcile, sources, workers=2, close=self._recorder.close)

    async def reconcile(self, request: Request) -> Result:
        if request.namespace:
            claim = self._claims.get(request.namespace, request.name)
            if claim is not None:
                await self._reconcile_claim(claim, request)
        else:
            volume = self._volumes.get("", request.name)
            if volume is not None and not meta.is_deleting(volume):
                await self._reconcile_volume(volume)
        return DONE

    def _claims_of_volume(self, volume: Object) -> Iterable[Request]:
        """The claim it is bound to; a free volume may be what any pending claim waits for."""
        reference = meta.spec(volume).get("claimRef")
        if reference:
            return (Request(str(reference.get("namespace")), str(reference.get("name"))),)
        return [
            Request(meta.namespace(claim), meta.name(claim))
            for claim in self._claims.list()
            if meta.status(claim).get("phase") != "Bound"
        ]

    def _claims_of_class(self, storage: Object) -> Iterable[Request]:
        return [
            Request(meta.namespace(claim), meta.name(claim))
            for claim in self._claims.list()
            if storage_class(claim) == meta.name(storage) and meta.status(claim).get("phase") != "Bound"
        ]

    # Claims.

    async def _reconcile_claim(self, claim: Object, request: Request) -> None:
        if meta.is_deleting(claim):
            users = self._pods.by_index(_BY_CLAIM, str(request))
            if all(map(pods.is_terminal, users)):
                await remove_finalizer(self._client, PERSISTENT_VOLUME_CLAIMS, claim, PROTECTION)
            return
        claim = await add_finalizer(self._client, PERSISTENT_VOLUME_CLAIMS, claim, PROTECTION)
        name = str(meta.spec(claim).get("volumeName") or "")
        if name:
            volume = self._volumes.get("", name)
            if volume is not None and (is_claimed_by(volume, claim) or not meta.spec(volume).get("claimRef")):
                await self._bind(claim, volume)
            elif meta.status(claim).get("phase") == "Bound":
                await self._lose(claim)
            return
        storage = class_of(claim, self._classes.list())
        delayed = storage is not None and storage.get("volumeBindingMode") == "WaitForFirstConsumer"
        node = str(meta.annotations(claim).get(SELECTED_NODE) or "")
        if delayed and not node:
            message = "waiting for first consumer to be created before binding"
            self._recorder.normal(claim, "WaitForFirstConsumer", message)
            return
        volume = best_match(claim, self._near(node)) or await self._provision(claim, storage)
        if volume is not None:
            await self._bind(claim, volume)

    def _near(self, node: str) -> list[Object]:
        """The volumes that are within reach of `node`; all of them where none is named."""
        found, place = self._volumes.list(), self._nodes.get("", node)
        return [each for each in found if place is None or is_reached(each, place)]

    async def _provision(self, claim: Object, storage: Object | None) -> Object | None:
        """A new volume of the default class, or of another that leads to the same provisioner; None, with an event,
        when there cannot be one.
        """
        wanted = storage_class(claim)
        if wanted != STORAGE_CLASS and (storage or {}).get("provisioner") != PROVISIONER:
            if storage is not None and storage.get("provisioner") == NO_PROVISIONER:
                message = "no persistent volumes available for this claim, and its class makes none"
                self._recorder.normal(claim, "FailedBinding", message)
            elif wanted:
                message = f'storageclass.storage.k8s.io "{wanted}" not found; "{STORAGE_CLASS}" is there'
                self._recorder.warning(claim, "ProvisioningFailed", message)
            else:
                message = "no persistent volumes available for this claim and no storage class is set"
                self._recorder.normal(claim, "FailedBinding", message)
            return None
        name = volume_name(claim)
        folder = folders.folder_for(self._root, name, meta.namespace(claim), meta.name(claim))
        try:
            folders.make(folder)
        except OSError as error:
            message = f'failed to provision volume with StorageClass "{wanted}": {error.strerror}: {folder}'
            self._recorder.warning(claim, "ProvisioningFailed", message)
            raise
        try:
            volume = await self._client.create(PERSISTENT_VOLUMES, new_volume(claim, folder))
        except AlreadyExistsError:
            return await self._client.get(PERSISTENT_VOLUMES, name)
        self._recorder.normal(claim, "ProvisioningSucceeded", f"Successfully provisioned volume {name}")
        return volume

    async def _bind(self, claim: Object, volume: Object) -> None:
        """The volume first: nobody else may take it while the claim is being told."""
        reference = meta.spec(volume).get("claimRef") or {}
        if reference.get("uid") != meta.uid(claim):
            patch = {
                "metadata": {
                    "resourceVersion": meta.resource_version(volume),
                    "annotations": {BOUND_BY_CONTROLLER: "yes"},
                },
                "spec": {"claimRef": claim_reference(claim)},
            }
            volume = await self._client.patch(PERSISTENT_VOLUMES, meta.name(volume), patch)
        volume = await self._resize(claim, volume)
        status = {**meta.status(volume), "phase": "Bound"}
        volume = await update_status(self._client, PERSISTENT_VOLUMES, volume, status)
        if meta.spec(claim).get("volumeName") != meta.name(volume):
            patch = {
                "metadata": {
                    "resourceVersion": meta.resource_version(claim),
                    "annotations": {BIND_COMPLETED: "yes", BOUND_BY_CONTROLLER: "yes"},
                },
                "spec": {"volumeName": meta.name(volume), "storageClassName": storage_class(claim)},
            }
            claim = await self._client.patch(
                PERSISTENT_VOLUME_CLAIMS, meta.name(claim), patch, meta.namespace(claim)
            )
        status = {
            **meta.status(claim),
            "phase": "Bound",
            "accessModes": list(meta.spec(volume).get("accessModes") or ()),
            "capacity": dict(meta.spec(volume).get("capacity") or {}),
        }
        await update_status(self._client, PERSISTENT_VOLUME_CLAIMS, claim, status)

    async def _resize(self, claim: Object, volume: Object) -> Object:
        """A claim may grow: a folder has no size of its own."""
        wanted = requested(claim)
        if storage_class(claim) != STORAGE_CLASS or quantities.compare(capacity(volume), wanted) >= 0:
            return volume
        patch = {"spec": {"capacity": {"storage": wanted}}}
        return await self._client.patch(PERSISTENT_VOLUMES, meta.name(volume), patch)

    async def _lose(self, claim: Object) -> None:
        status = {**meta.status(claim), "phase": "Lost"}
        await update_status(self._client, PERSISTENT_VOLUME_CLAIMS, claim, status)
        message = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
        self._recorder.warning(claim, "ClaimLost", message)

    # Volumes.

    async def _reconcile_volume(self, volume: Object) -> None:
        reference = meta.spec(volume).get("claimRef")
        if not reference:
            await self._set_phase(volume, "Available")
        elif reference.get("uid") and await self._claim_is_gone(reference["namespace"], volume):
            await self._release(volume)

    async def _claim_is_gone(self, namespace: str, volume: Object) -> bool:
        """Asks the API, not the cache: data depends on the answer."""
        reference = meta.spec(volume)["claimRef"]
        try:
            claim = await self._client.get(PERSISTENT_VOLUME_CLAIMS, reference["name"], namespace)
        except NotFoundError:
            return True
        return meta.uid(claim) != str(reference["uid"])

    async def _release(self, volume: Object) -> None:
        volume = await self._set_phase(volume, "Released")
        if meta.spec(volume).get("persistentVolumeReclaimPolicy") != "Delete":
            return
        try:
            folder = folders.folder_of(self._root, volume)
            await asyncio.to_thread(folders.remove, folder)
        except folders.NotOursError as error:
            self._recorder.warning(volume, "VolumeFailedDelete", f"data is left as it is: {error}")
            await self._set_phase(volume, "Failed")
            return
        except OSError as error:
            self._recorder.warning(volume, "VolumeFailedDelete", f"{error.strerror}: {error.filename}")
            raise
        await delete_if_present(self._client, PERSISTENT_VOLUMES, volume)

    async def _set_phase(self, volume: Object, phase: str) -> Object:
        if phase == "Released" and meta.status(volume).get("phase") == "Failed":
            return volume
        status = {**meta.status(volume), "phase": phase}
        return await update_status(self._client, PERSISTENT_VOLUMES, volume, status)


def _volume_of_claim(claim: Object) -> Iterable[Request]:
    name = meta.spec(claim).get("volumeName")
    return (Request("", str(name)),) if name else ()


def _claims_of_pod(pod: Object) -> Iterable[Request]:
    for volume in meta.spec(pod).get("volumes") or ():
        if name := (volume.get("persistentVolumeClaim") or {}).get("claimName"):
            yield Request(meta.namespace(pod), str(name))
