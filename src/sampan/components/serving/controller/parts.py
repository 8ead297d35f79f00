"""Serving's controllers put together. Loaded by the component's door, by name, after the server is ready."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.components import Services
from sampan.components.serving.api.kinds import (
    INFERENCE_GRAPHS,
    INFERENCE_SERVICES,
    KFSERVING_INFERENCE_SERVICES,
    TRAINED_MODELS,
)
from sampan.components.serving.api.labels import NAMESPACE
from sampan.components.serving.api.settings import ServingSettings
from sampan.components.serving.controller.around import Around
from sampan.components.serving.controller.configuration import ConfigReconciler
from sampan.components.serving.controller.gateway.gateway import Gateway, Limits, Surroundings
from sampan.components.serving.controller.gateway.reach import Direct, Forwarded
from sampan.components.serving.controller.gateway.sources import sources
from sampan.components.serving.controller.graphs.reconciler import InferenceGraphReconciler
from sampan.components.serving.controller.inference_services.parts import inference_services
from sampan.components.serving.controller.kfserving import KFServingReconciler
from sampan.components.serving.controller.model_cache import ModelCache
from sampan.components.serving.controller.scaling.autoscaler import Autoscaler
from sampan.components.serving.controller.trained_models.parts import trained_models
from sampan.kube.kinds import CONFIG_MAPS, Resource
from sampan.reconcile.cache import Cache, Caches
from sampan.reconcile.manager import Runnable


def around(services: Services, settings: ServingSettings) -> Around:
    return Around(
        services.client,
        services.clock,
        Caches(services.client),
        settings,
        services.home,
        services.url,
        services.pod_files,
        services.served,
        services.many_users,
        services.embedded_s3,
    )


def gateway(around: Around, services: Services) -> Gateway:
    """To be started with the controllers; what it counts is `Gateway.demand`."""
    settings = around.settings
    pod_port = services.pod_port
    return Gateway(
        around.caches,
        sources(around),
        Surroundings(
            Direct(pod_port) if pod_port is not None else Forwarded(around.client),
            settings.domain,
            services.reviewer,
            around.home / "serving" / "access",
            Limits(settings.max_waiting_requests, settings.max_request_mib * 1024 * 1024),
        ),
    )


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
        KFSERVING_INFERENCE_SERVICES: (
            KFServingReconciler(around, configs).controller(),
            ConfigReconciler(around, configs).controller(),
        ),
    }
    acts_on_all = around.settings.controllers == "on"
    return [
        runnable
        for kind, runnables in made.items()
        if acts_on_all or kind.key not in foreign
        for runnable in runnables
    ] + ([ModelCache(around)] if around.is_embedded else [])
