"""The gateway put together, and what serving's controllers share with it.

Loaded by the component's door, by name, before them: after a restart requests wait for no more than this.
"""

from __future__ import annotations

from sampan.components import Services
from sampan.components.serving.api.settings import ServingSettings
from sampan.components.serving.controller.around import Around
from sampan.components.serving.controller.gateway.gateway import Gateway, Limits, Surroundings
from sampan.components.serving.controller.gateway.reach import Direct, Forwarded
from sampan.components.serving.controller.gateway.sources import sources
from sampan.reconcile.cache import Caches


def around(services: Services, settings: ServingSettings) -> Around:
    return Around(
        services.client,
        services.clock,
        Caches(services.client),
        settings,
        services.home,
        services.url,
        services.pod_files,
        services.grpc_port,
        services.served,
        services.many_users,
        services.embedded_s3,
    )


def gateway(around: Around, services: Services) -> Gateway:
    """What it counts is `Gateway.demand`."""
    settings = around.settings
    pod_port = services.pod_port
    return Gateway(
        around.caches,
        sources(around),
        Surroundings(
            Direct(pod_port) if pod_port is not None else Forwarded(around.client),
            settings.domain,
            pod_port,
            services.reviewer,
            around.home / "serving" / "access",
            Limits(settings.max_waiting_requests, settings.max_request_mib * 1024 * 1024),
        ),
    )
