"""Keeping what an MPIJob owns beside its pods: ConfigMap, Secret, Service, account, rights. Safe to repeat.

Source of the events: kubeflow/mpi-operator v0.8 pkg/controller/mpi_job_controller.go (ErrResourceExists).
"""

from __future__ import annotations

from sampan.client.protocol import Client
from sampan.kube import meta, owners
from sampan.kube.errors import AlreadyExistsError, ApiError, NotFoundError
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.reconcile.apply import apply_child
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import TerminalError


class TakenError(ApiError):
    """Somebody else has an object of the name. It may go, so it is worth another look."""


class Owned:
    def __init__(self, client: Client, recorder: EventRecorder) -> None:
        self._client = client
        self._recorder = recorder

    async def find(self, kind: Resource, name: str, namespace: str) -> Object | None:
        """Raises ApiError."""
        try:
            return await self._client.get(kind, name, namespace)
        except NotFoundError:
            return None

    async def apply(self, kind: Resource, job: Object, wanted: Object) -> Object:
        """Raises ApiError; TakenError, and tells of it, where somebody else has one of that name."""
        name = meta.name(wanted)
        found = await self.find(kind, name, meta.namespace(wanted))
        try:
            return await apply_child(self._client, kind, job, wanted, found)
        except TerminalError:
            message = f'Resource "{name}" of Kind "{kind.kind}" already exists and is not managed by MPIJob'
            self._recorder.warning(job, "ErrResourceExists", message)
            raise TakenError(message) from None

    async def make_if_missing(self, kind: Resource, job: Object, wanted: Object) -> None:
        """One that is there is left as it is, whosever it is. Raises ApiError."""
        if await self.find(kind, meta.name(wanted), meta.namespace(wanted)) is None:
            try:
                await self._client.create(kind, owners.with_controller(wanted, job))
            except AlreadyExistsError:
                return
