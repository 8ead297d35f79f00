"""The ConfigMap `katib-config` as it is now. Shared by the reconcilers."""

from __future__ import annotations

from sampan.client.protocol import Client, ListOptions
from sampan.components.tuning.api import labels
from sampan.kube.kinds import CONFIG_MAPS
from sampan.kube.meta import Object
from sampan.reconcile.cache import Cache


class KatibConfigMap:
    def __init__(self, client: Client) -> None:
        selector = ListOptions(field_selector=f"metadata.name={labels.CONFIG_MAP}")
        self.cache = Cache(client, CONFIG_MAPS, namespace=labels.NAMESPACE, selector=selector)
        """Of that one object."""

    def get(self) -> Object | None:
        return self.cache.get(labels.NAMESPACE, labels.CONFIG_MAP)
