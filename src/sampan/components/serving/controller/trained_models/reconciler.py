"""One TrainedModel, from its spec to its status.

Source: kserve/kserve v0.20.0 pkg/controller/v1alpha1/trainedmodel/controller.go. Not so here: there is no finalizer,
for the list of models is made anew from those that are there; and a model whose service is not there yet waits for it
a moment before it goes, so that both can be applied together.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from sampan.components.serving.api.kinds import INFERENCE_SERVICES, TRAINED_MODELS
from sampan.components.serving.controller.around import Around
from sampan.components.serving.engine.trained_models import models, status
from sampan.components.serving.engine.validation import trained_models as validation
from sampan.components.serving.engine.validation.surroundings import Surroundings
from sampan.kube import meta
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object
from sampan.lib.clock import parse_rfc3339, rfc3339
from sampan.reconcile.apply import delete_if_present, update_status
from sampan.reconcile.controller import Controller, Source, mapped
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result, request_for

OF_SERVICE = "service"
"""Index of TrainedModels: NAMESPACE/SERVICE."""
GRACE = timedelta(seconds=5)
"""How long one waits for its service."""


class TrainedModelReconciler:
    def __init__(self, around: Around) -> None:
        self._client = around.client
        self._clock = around.clock
        self._models = around.caches.of(TRAINED_MODELS)
        self._models.add_index(OF_SERVICE, of_service)
        self._services = around.caches.of(INFERENCE_SERVICES)
        self._recorder = EventRecorder(around.client, around.clock, "v1alpha1Controllers")

    def controller(self) -> Controller[Request]:
        sources: list[Source[Request]] = [
            Source(self._models, self._concerned),
            mapped(self._services, self._of_service),
        ]
        return Controller("trainedmodel", self.reconcile, sources, workers=2, close=self._recorder.close)

    async def reconcile(self, request: Request) -> Result:
        model = self._models.get(request.namespace, request.name)
        if model is None or meta.is_deleting(model):
            return DONE
        now = rfc3339(self._clock.now())
        if errors := _errors(model):
            await update_status(self._client, TRAINED_MODELS, model, status.invalid(model, errors, now))
            return DONE
        isvc = self._services.get(request.namespace, models.service_name(model))
        if isvc is None:
            return await self._orphaned(model, now)
        has_place = meta.name(model) in models.placed(isvc, self._all_of(isvc))
        model = await self._label(model, isvc, has_place=has_place and models.is_multi_model(isvc))
        wanted = status.status(model, isvc, has_place=has_place, now=now)
        await update_status(self._client, TRAINED_MODELS, model, wanted)
        return DONE

    async def _orphaned(self, model: Object, now: str) -> Result:
        """It goes with its service, and waits for one that is still to come."""
        age = self._clock.now() - parse_rfc3339(str(meta.metadata(model).get("creationTimestamp")))
        had_one = models.PARENT in meta.labels(model)
        if had_one or age >= GRACE:
            self._recorder.warning(
                model,
                "InferenceServiceNotFound",
                f"Parent InferenceService {models.service_name(model)} does not exist, deleting TrainedModel",
            )
            await delete_if_present(self._client, TRAINED_MODELS, model)
            return DONE
        await update_status(self._client, TRAINED_MODELS, model, status.waiting(model, now))
        return Result(GRACE - age)

    async def _label(self, model: Object, isvc: Object, *, has_place: bool) -> Object:
        wanted = {models.PARENT: meta.name(isvc), models.ALLOCATED: meta.name(isvc) if has_place else None}
        held = meta.labels(model)
        change = {name: value for name, value in wanted.items() if held.get(name) != value}
        if not change:
            return model
        patch = {"metadata": {"labels": change, "resourceVersion": meta.resource_version(model)}}
        name, namespace = meta.name(model), meta.namespace(model)
        return await self._client.patch(TRAINED_MODELS, name, patch, namespace)

    def _all_of(self, isvc: Object) -> list[Object]:
        found = self._models.by_index(OF_SERVICE, f"{meta.namespace(isvc)}/{meta.name(isvc)}")
        return acceptable(found)

    def _concerned(self, old: Object | None, new: Object | None) -> Iterable[Request]:
        """Itself, and the others of its service where that concerns who has room."""
        found = [each for each in (new, old) if each is not None]
        if old is None or new is None or _claim(old) != _claim(new):
            keys = {key for each in found for key in of_service(each)}
            return {request_for(each) for key in keys for each in self._models.by_index(OF_SERVICE, key)} | {
                request_for(each) for each in found
            }
        return map(request_for, found[:1])

    def _of_service(self, isvc: Object) -> Iterable[Request]:
        key = f"{meta.namespace(isvc)}/{meta.name(isvc)}"
        return map(request_for, self._models.by_index(OF_SERVICE, key))


def of_service(model: Object) -> tuple[str]:
    """For the index."""
    return (f"{meta.namespace(model)}/{models.service_name(model)}",)


def acceptable(found: Iterable[Object]) -> list[Object]:
    return [each for each in found if not meta.is_deleting(each) and not _errors(each)]


def _claim(model: Object) -> object:
    """What of it others of its service look at."""
    return meta.spec(model), meta.labels(model).get(models.ALLOCATED), meta.is_deleting(model)


def _errors(model: Object) -> str:
    """What is wrong with it, where nothing has refused it."""
    errors = FieldErrors()
    validation.check(model, None, Surroundings(), errors)
    return "; ".join(f"{each.field}: {each.message}" for each in errors.causes)
