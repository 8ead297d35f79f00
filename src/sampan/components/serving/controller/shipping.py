"""What serving brings along: the runtimes, who fetches models, what language models begin with, and the ConfigMap that
says how all is done.

How ours and others' are told apart: `reconcile.shipping`. For the component's door: `ship` before the server is ready,
`ship_presets` after.
"""

from __future__ import annotations

from collections.abc import Collection

from sampan.client.protocol import Client
from sampan.components.serving.api.kinds import (
    CLUSTER_SERVING_RUNTIMES,
    CLUSTER_STORAGE_CONTAINERS,
    LLM_INFERENCE_SERVICE_CONFIGS,
)
from sampan.components.serving.api.labels import KNATIVE, NAMESPACE
from sampan.components.serving.api.language_presets import presets
from sampan.components.serving.api.runtimes import config_map, runtimes, storage_container
from sampan.components.serving.api.settings import ServingSettings
from sampan.kube.kinds import CONFIG_MAPS, NAMESPACES, Resource
from sampan.kube.meta import Object
from sampan.reconcile import shipping

_MANAGER = "sampan-serving"
_NAMESPACE: Object = {
    "apiVersion": NAMESPACES.api_version,
    "kind": NAMESPACES.kind,
    "metadata": {"name": NAMESPACE},
}


async def ship(
    client: Client, settings: ServingSettings, *, is_embedded: bool, foreign: Collection[str] = ()
) -> None:
    """But for kinds of `foreign` definitions. What cannot be made is told of and left out."""
    wanted: list[tuple[Resource, Object]] = [
        *((CLUSTER_SERVING_RUNTIMES, each) for each in runtimes(is_embedded=is_embedded)),
        (CLUSTER_STORAGE_CONTAINERS, storage_container(is_embedded=is_embedded)),
    ]
    wanted = [(resource, each) for resource, each in wanted if resource.key not in foreign]
    if is_embedded:
        # Elsewhere whoever runs the cluster makes it, or what it says where there is none holds.
        mode = KNATIVE if settings.deployment_mode == "auto" else settings.deployment_mode
        wanted.append((CONFIG_MAPS, config_map(settings.domain, mode)))
    await shipping.ship(client, _MANAGER, wanted)


async def ship_presets(client: Client, *, is_embedded: bool, foreign: Collection[str] = ()) -> None:
    """Likewise what language models begin with; whose rules are costly to check, and which are watched by who reads
    them. A cluster that has never seen KServe has no namespace for them: it is made, as KServe's own installation
    does. Where it may not be, the reconciler begins with them all the same."""
    if LLM_INFERENCE_SERVICE_CONFIGS.key in foreign:
        return
    if not is_embedded:
        await shipping.ship(client, _MANAGER, [(NAMESPACES, _NAMESPACE)])
    wanted = [(LLM_INFERENCE_SERVICE_CONFIGS, each) for each in presets(is_embedded=is_embedded)]
    await shipping.ship(client, _MANAGER, wanted)
