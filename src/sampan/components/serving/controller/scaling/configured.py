"""The autoscaler's configuration as it stands in the cluster, kept current."""

from __future__ import annotations

from sampan.client.protocol import Client, ListOptions, Object
from sampan.components.serving.engine.scaling.configuration import (
    DEFAULTS,
    NAME,
    NAMESPACE,
    AutoscalerConfig,
    read,
)
from sampan.kube.kinds import CONFIG_MAPS
from sampan.lib.log import get_logger
from sampan.reconcile.cache import Cache

log = get_logger(__name__)


class Configured:
    """`current` is the last one that could be read: a mistake in the ConfigMap changes nothing."""

    def __init__(self, client: Client) -> None:
        selector = ListOptions(field_selector=f"metadata.name={NAME}")
        self.cache = Cache(client, CONFIG_MAPS, namespace=NAMESPACE, selector=selector)
        self.current: AutoscalerConfig = DEFAULTS
        self.cache.add_handler(self._take)

    def _take(self, _old: Object | None, new: Object | None) -> None:
        try:
            self.current = read((new or {}).get("data") or {})
        except ValueError as error:
            log.warning("autoscaler is not reconfigured", configmap=f"{NAMESPACE}/{NAME}", error=str(error))
