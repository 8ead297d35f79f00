"""The controller of KFServing's TrainedModels: each is followed by one of KServe's, of its name and its own.

One whose InferenceService has gone goes, as KFServing's do: its follower would come and go for ever otherwise.
Source: kserve/kserve 0.5.1 (KFServing) pkg/controller/v1alpha1/trainedmodel/controller.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from sampan.client.protocol import PatchType, WriteOptions
from sampan.components.serving.api.kinds import (
    INFERENCE_SERVICES,
    KFSERVING_INFERENCE_SERVICES,
    KFSERVING_TRAINED_MODELS,
    TRAINED_MODELS,
)
from sampan.components.serving.controller.around import Around
from sampan.components.serving.controller.trained_models.reconciler import GRACE, OF_SERVICE, of_service
from sampan.components.serving.engine.kfserving.status import refused
from sampan.components.serving.engine.kfserving.trained_models import mirror, status
from sampan.components.serving.engine.trained_models.models import service_name
from sampan.kube import meta, owners
from sampan.kube.errors import BadRequestError, InvalidError
from sampan.kube.meta import Object
from sampan.lib.clock import parse_rfc3339, rfc3339
from sampan.reconcile.apply import delete_if_present, is_part, update_status
from sampan.reconcile.controller import Controller, Source, mapped, own
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result, request_for

_MANAGER = "sampan-kfserving"


class KFServingModelReconciler:
    def __init__(self, around: Around) -> None:
        self._client = around.client
        self._clock = around.clock
        self._models = around.caches.of(KFSERVING_TRAINED_MODELS)
        self._models.add_index(OF_SERVICE, of_service)
        self._running = around.caches.of(TRAINED_MODELS)
        self._services = around.caches.of(INFERENCE_SERVICES)
        self._old_services = around.caches.of(KFSERVING_INFERENCE_SERVICES)
        self._recorder = EventRecorder(around.client, around.clock, "kfserving-trainedmodel-controller")

    def controller(self) -> Controller[Request]:
        sources: list[Source[Request]] = [
            own(self._models),
            # By its name, so that one that was in the way is missed too.
            mapped(self._running, lambda obj: (request_for(obj),)),
            mapped(self._services, self._of_service),
            mapped(self._old_services, self._of_service),
        ]
        return Controller(
            "kfserving-trainedmodel", self.reconcile, sources, workers=1, close=self._recorder.close
        )

    async def reconcile(self, request: Request) -> Result:
        model = self._models.get(request.namespace, request.name)
        if model is None or meta.is_deleting(model):
            return DONE
        if not self._has_service(model):
            return await self._orphaned(model)
        running = self._running.get(request.namespace, request.name)
        if running is not None and not owners.is_controlled_by(running, model):
            return await self._refuse(
                model,
                "NameTaken",
                f"TrainedModel.serving.kserve.io {meta.name(model)} is there and is somebody else's: delete it, or"
                " take another name",
            )
        try:
            running = await self._ensure(model, running)
        except (InvalidError, BadRequestError) as error:
            return await self._refuse(model, "InvalidSpec", error.message)
        await update_status(self._client, KFSERVING_TRAINED_MODELS, model, status(model, running))
        return DONE

    async def _ensure(self, model: Object, running: Object | None) -> Object:
        wanted = mirror(model)
        if running is not None and is_part(wanted, running):
            return running
        wanted["metadata"] = {**wanted["metadata"], "ownerReferences": [owners.owner_reference(model)]}
        found = await self._client.patch(
            TRAINED_MODELS,
            meta.name(model),
            wanted,
            meta.namespace(model),
            patch_type=PatchType.APPLY,
            options=WriteOptions(field_manager=_MANAGER, force=True),
        )
        await self._running.reached(meta.resource_version(found))
        return found

    def _has_service(self, model: Object) -> bool:
        key = meta.namespace(model), service_name(model)
        return self._services.get(*key) is not None or self._old_services.get(*key) is not None

    async def _orphaned(self, model: Object) -> Result:
        """It waits a moment for one that is still to come."""
        age = self._clock.now() - parse_rfc3339(str(meta.metadata(model).get("creationTimestamp")))
        if not meta.status(model) and age < GRACE:
            return Result(max(GRACE - age, timedelta(milliseconds=10)))
        message = f"Parent InferenceService {service_name(model)} does not exist, deleting TrainedModel"
        self._recorder.warning(model, "InferenceServiceNotFound", message)
        await delete_if_present(self._client, KFSERVING_TRAINED_MODELS, model)
        return DONE

    async def _refuse(self, model: Object, reason: str, message: str) -> Result:
        said = refused(model, reason, message, rfc3339(self._clock.now()))
        after = await update_status(self._client, KFSERVING_TRAINED_MODELS, model, said)
        if after is not model:
            self._recorder.warning(model, reason, message)
        return DONE

    def _of_service(self, isvc: Object) -> Iterable[Request]:
        key = f"{meta.namespace(isvc)}/{meta.name(isvc)}"
        return map(request_for, self._models.by_index(OF_SERVICE, key))
