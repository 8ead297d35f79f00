"""Serving's controllers put together. Loaded by the component's door, by name, after the server is ready."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.components.serving.api.kinds import (
    INFERENCE_GRAPHS,
    INFERENCE_SERVICES,
    KFSERVING_INFERENCE_SERVICES,
    KFSERVING_TRAINED_MODELS,
    LLM_INFERENCE_SERVICE_CONFIGS,
    LLM_INFERENCE_SERVICES,
    LOCAL_MODEL_CACHES,
    LOCAL_MODEL_NAMESPACE_CACHES,
    LOCAL_MODEL_NODES,
    SELDON_DEPLOYMENTS,
    TRAINED_MODELS,
)
from sampan.components.serving.api.labels import NAMESPACE
from sampan.components.serving.controller.around import Around
from sampan.components.serving.controller.configuration import ConfigReconciler
from sampan.components.serving.controller.gateway.gateway import Gateway
from sampan.components.serving.controller.gateway.parts import around
from sampan.components.serving.controller.graphs.reconciler import InferenceGraphReconciler
from sampan.components.serving.controller.inference_services.parts import inference_services
from sampan.components.serving.controller.kfserving import KFServingReconciler
from sampan.components.serving.controller.kfserving_models import KFServingModelReconciler
from sampan.components.serving.controller.knative_services import KnativeServiceReconciler
from sampan.components.serving.controller.language_models.configs import LanguageModelConfigReconciler
from sampan.components.serving.controller.language_models.reconciler import LanguageModelReconciler
from sampan.components.serving.controller.local_models import parts as local_models
from sampan.components.serving.controller.model_cache import ModelCache
from sampan.components.serving.controller.remembering import Remembering
from sampan.components.serving.controller.scaling.autoscaler import Autoscaler
from sampan.components.serving.controller.seldon.reconciler import SeldonReconciler
from sampan.components.serving.controller.trained_models.parts import trained_models
from sampan.kube.kinds import CONFIG_MAPS, Resource
from sampan.reconcile.cache import Cache
from sampan.reconcile.manager import Runnable

__all__ = ["around", "controllers", "scaling"]


def scaling(around: Around, gateway: Gateway) -> Sequence[Runnable]:
    """What acts on what the gateway counts."""
    return [Autoscaler(around, gateway.demand).controller()]


def controllers(around: Around, foreign: frozenset[str]) -> Sequence[Runnable]:
    """All but those of `foreign` definitions, in the order in which to start them."""
    configs = Cache(around.client, CONFIG_MAPS, namespace=NAMESPACE)
    # One line for each kind; one that somebody else acts on is left to them.
    made: dict[Resource, Sequence[Runnable]] = {
        INFERENCE_SERVICES: inference_services(around),
        INFERENCE_GRAPHS: (InferenceGraphReconciler(around).controller(),),
        TRAINED_MODELS: trained_models(around),
        LLM_INFERENCE_SERVICES: (LanguageModelReconciler(around).controller(),),
        LLM_INFERENCE_SERVICE_CONFIGS: (LanguageModelConfigReconciler(around).controller(),),
        SELDON_DEPLOYMENTS: (SeldonReconciler(around).controller(),),
        KFSERVING_INFERENCE_SERVICES: (
            KFServingReconciler(around, configs).controller(),
            ConfigReconciler(around, configs).controller(),
        ),
        KFSERVING_TRAINED_MODELS: (KFServingModelReconciler(around).controller(),),
        LOCAL_MODEL_CACHES: local_models.caches(around, LOCAL_MODEL_CACHES, configs),
        LOCAL_MODEL_NAMESPACE_CACHES: local_models.caches(around, LOCAL_MODEL_NAMESPACE_CACHES, configs),
        LOCAL_MODEL_NODES: local_models.agent(around, configs),
    }
    acts_on_all = around.settings.controllers == "on"
    return [
        runnable
        for kind, runnables in made.items()
        if acts_on_all or kind.key not in foreign
        for runnable in runnables
    ] + (_of_our_cluster(around) if around.is_embedded else [])


def _of_our_cluster(around: Around) -> list[Runnable]:
    return [KnativeServiceReconciler(around).controller(), ModelCache(around), Remembering(around)]
