"""The controller of Services of Knative's that users make: each is followed by an InferenceService of its name.

The thin edge around `engine.knative`; in the embedded cluster alone. Those that show components are left alone.
"""

from __future__ import annotations

from sampan.client.protocol import PatchType, WriteOptions
from sampan.components.serving.api.kinds import INFERENCE_SERVICES, KNATIVE_SERVICES
from sampan.components.serving.controller.around import Around
from sampan.components.serving.engine.knative import following
from sampan.kube import meta, owners
from sampan.kube.errors import BadRequestError, InvalidError
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object
from sampan.lib.clock import rfc3339
from sampan.reconcile.apply import is_part, update_status
from sampan.reconcile.controller import Controller, Source, mapped
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result, request_for

_MANAGER = "sampan-knative"
_TAKEN, _INVALID = "NameTaken", "InvalidSpec"


class KnativeServiceReconciler:
    def __init__(self, around: Around) -> None:
        self._client = around.client
        self._clock = around.clock
        self._services = around.caches.of(KNATIVE_SERVICES)
        self._running = around.caches.of(INFERENCE_SERVICES)
        self._recorder = EventRecorder(around.client, around.clock, "service-controller")

    def controller(self) -> Controller[Request]:
        sources: list[Source[Request]] = [
            mapped(self._services, lambda obj: (request_for(obj),) if following.is_users(obj) else ()),
            # By its name, so that one that was in the way is missed too.
            mapped(self._running, self._followed),
        ]
        return Controller("knative-service", self.reconcile, sources, workers=1, close=self._recorder.close)

    async def reconcile(self, request: Request) -> Result:
        service = self._services.get(request.namespace, request.name)
        if service is None or meta.is_deleting(service) or not following.is_users(service):
            return DONE
        running = self._running.get(request.namespace, request.name)
        if running is not None and not owners.is_controlled_by(running, service):
            message = (
                f"{INFERENCE_SERVICES.kind} {meta.name(service)} is there and is somebody else's: delete it, or take"
                " another name"
            )
            return await self._refuse(service, _TAKEN, message)
        errors = FieldErrors()
        following.check(service, errors)
        if errors:
            told = "; ".join(f"{each.field}: {each.message}" for each in errors.causes[:3])
            return await self._refuse(service, _INVALID, told)
        try:
            running = await self._ensure(service, running)
        except (InvalidError, BadRequestError) as error:
            return await self._refuse(service, _INVALID, error.message)
        await self._tell(service, following.status(service, running, rfc3339(self._clock.now())))
        return DONE

    async def _ensure(self, service: Object, running: Object | None) -> Object:
        """Applied as a whole, so that what is no longer said is no longer there."""
        wanted = following.mirror(service)
        if running is not None and is_part(wanted, running):
            return running
        wanted["metadata"] = {**wanted["metadata"], "ownerReferences": [owners.owner_reference(service)]}
        found = await self._client.patch(
            INFERENCE_SERVICES,
            meta.name(service),
            wanted,
            meta.namespace(service),
            patch_type=PatchType.APPLY,
            options=WriteOptions(field_manager=_MANAGER, force=True),
        )
        await self._running.reached(meta.resource_version(found))
        return found

    async def _refuse(self, service: Object, reason: str, message: str) -> Result:
        said = following.refused(service, reason, message, rfc3339(self._clock.now()))
        if await self._tell(service, said):
            self._recorder.warning(service, reason, message)
        return DONE

    async def _tell(self, service: Object, said: Object) -> bool:
        """Whether it was otherwise."""
        after = await update_status(self._client, KNATIVE_SERVICES, service, said)
        await self._services.reached(meta.resource_version(after))
        return after is not service

    def _followed(self, running: Object) -> list[Request]:
        known = self._services.get(meta.namespace(running), meta.name(running))
        return [request_for(known)] if known is not None and following.is_users(known) else []
