"""The list of models for each InferenceService that serves several: the ConfigMap that its pods' agents read.

Source: kserve/kserve v0.20.0 pkg/controller/v1beta1/inferenceservice/reconcilers/modelconfig/modelconfig_reconciler.go,
pkg/controller/v1alpha1/trainedmodel/reconcilers/modelconfig/modelconfig_reconciler.go.
"""

from __future__ import annotations

from sampan.client.protocol import ListOptions
from sampan.components.serving.api import labels
from sampan.components.serving.api.kinds import INFERENCE_SERVICES, TRAINED_MODELS
from sampan.components.serving.controller.around import Around
from sampan.components.serving.controller.trained_models.reconciler import OF_SERVICE, acceptable, of_service
from sampan.components.serving.engine.inference_services.pods import model_config_name
from sampan.components.serving.engine.trained_models import models
from sampan.kube import meta, owners
from sampan.kube.kinds import CONFIG_MAPS
from sampan.kube.meta import Object
from sampan.reconcile.apply import apply_child, delete_if_present
from sampan.reconcile.cache import Cache
from sampan.reconcile.controller import Controller, Source, mapped, own, owned
from sampan.reconcile.reconciler import DONE, Request, Result


class ModelConfigReconciler:
    def __init__(self, around: Around) -> None:
        self._client = around.client
        self._services = around.caches.of(INFERENCE_SERVICES)
        self._models = around.caches.of(TRAINED_MODELS)
        self._models.add_index(OF_SERVICE, of_service)
        selector = ListOptions(label_selector=labels.INFERENCE_SERVICE)
        self._config_maps = Cache(around.client, CONFIG_MAPS, selector=selector)

    def controller(self) -> Controller[Request]:
        sources: list[Source[Request]] = [
            own(self._services),
            mapped(self._models, _service_of),
            owned(self._config_maps, INFERENCE_SERVICES),
        ]
        return Controller("modelconfig", self.reconcile, sources, workers=2)

    async def reconcile(self, request: Request) -> Result:
        isvc = self._services.get(request.namespace, request.name)
        if isvc is None or meta.is_deleting(isvc):
            return DONE
        observed = self._config_maps.get(request.namespace, model_config_name(request.name))
        if not models.is_multi_model(isvc):
            if observed is not None and owners.is_controlled_by(observed, isvc):
                await delete_if_present(self._client, CONFIG_MAPS, observed)
            return DONE
        found = self._models.by_index(OF_SERVICE, f"{request.namespace}/{request.name}")
        wanted = models.config_map(isvc, acceptable(found))
        await apply_child(self._client, CONFIG_MAPS, isvc, wanted, observed)
        return DONE


def _service_of(model: Object) -> tuple[Request]:
    return (Request(meta.namespace(model), models.service_name(model)),)
