"""The CustomResourceDefinitions of serving's kinds, with upstream's schemas.

Installed by the composition root before the component starts, on our API server and on a cluster alike, unless somebody
else's are there. Pod specs are not written out: their places name the built-in type (decision 36).

    assembly    how a definition is put together, and what schemas share
    inference_services, runtimes, graphs, models, language_models    KServe's kinds
    kfserving, seldon    those of its forerunner and of Seldon Core
"""

from __future__ import annotations

from dataclasses import replace

from sampan.components.serving.api import kinds
from sampan.components.serving.api.definitions import (
    graphs,
    inference_services,
    kfserving,
    language_models,
    models,
    runtimes,
)
from sampan.components.serving.api.definitions.assembly import AGE, READY, URL, definition
from sampan.components.serving.api.definitions.seldon import SCALE, SELDON_DEPLOYMENT
from sampan.kube.meta import Object

_SERVICE_COLUMNS = (URL, READY, *inference_services.TRAFFIC_COLUMNS, AGE)
_WITH_URL = (URL, READY, AGE)

DEFINITIONS: tuple[Object, ...] = (
    definition({kinds.INFERENCE_SERVICES: inference_services.INFERENCE_SERVICE}, _SERVICE_COLUMNS),
    definition({kinds.SERVING_RUNTIMES: runtimes.SERVING_RUNTIME}, runtimes.COLUMNS),
    definition({kinds.CLUSTER_SERVING_RUNTIMES: runtimes.SERVING_RUNTIME}, runtimes.COLUMNS),
    definition({kinds.TRAINED_MODELS: models.TRAINED_MODEL}, _WITH_URL),
    definition({kinds.INFERENCE_GRAPHS: graphs.INFERENCE_GRAPH}, _WITH_URL),
    definition({kinds.CLUSTER_STORAGE_CONTAINERS: models.STORAGE_CONTAINER}),
    definition(
        {
            kinds.LLM_INFERENCE_SERVICES: language_models.SERVICE,
            replace(kinds.LLM_INFERENCE_SERVICES, version="v1alpha1"): language_models.SERVICE_V1ALPHA1,
        },
        language_models.COLUMNS,
    ),
    definition(
        {
            kinds.LLM_INFERENCE_SERVICE_CONFIGS: language_models.SERVICE_CONFIG,
            replace(
                kinds.LLM_INFERENCE_SERVICE_CONFIGS, version="v1alpha1"
            ): language_models.SERVICE_CONFIG_V1ALPHA1,
        },
        language_models.CONFIG_COLUMNS,
    ),
    definition({kinds.LOCAL_MODEL_CACHES: models.LOCAL_MODEL_CACHE}),
    definition({kinds.LOCAL_MODEL_NAMESPACE_CACHES: models.LOCAL_MODEL_CACHE}),
    definition({kinds.LOCAL_MODEL_NODE_GROUPS: models.LOCAL_MODEL_NODE_GROUP}),
    definition({kinds.LOCAL_MODEL_NODES: models.LOCAL_MODEL_NODE}),
    definition(
        {
            kinds.KFSERVING_INFERENCE_SERVICES: kfserving.INFERENCE_SERVICE_V1BETA1,
            replace(kinds.KFSERVING_INFERENCE_SERVICES, version="v1alpha2"): (
                kfserving.INFERENCE_SERVICE_V1ALPHA2
            ),
        },
        _SERVICE_COLUMNS,
        columns_of={"v1alpha2": (URL, READY, *kfserving.V1ALPHA2_COLUMNS, AGE)},
    ),
    definition({kinds.KFSERVING_TRAINED_MODELS: models.TRAINED_MODEL}, _WITH_URL),
    definition(
        {
            replace(kinds.SELDON_DEPLOYMENTS, version=version): SELDON_DEPLOYMENT
            for version in ("v1", "v1alpha2", "v1alpha3")
        },
        scale=SCALE,
    ),
)
