"""Reads what a model's storage needs of the cluster, and adds it to pod templates. For the reconcilers.

    template = await storage.add(component, template, storage_config)

Raises StorageError, whose reason and message belong into a condition, and ApiError.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sampan.client.protocol import Client
from sampan.components.serving.api.kinds import CLUSTER_STORAGE_CONTAINERS
from sampan.components.serving.controller.around import Around
from sampan.components.serving.engine.storage.config import OwnRules, StorageConfig
from sampan.components.serving.engine.storage.injection import with_storage
from sampan.components.serving.engine.storage.reads import Reads, secret_names, service_account_name
from sampan.components.serving.engine.storage.wanted import Wanted, wanted
from sampan.kube import meta
from sampan.kube.errors import NotFoundError
from sampan.kube.kinds import SECRETS, SERVICE_ACCOUNTS, Resource
from sampan.kube.meta import Object
from sampan.reconcile.cache import Cache


class ModelStorage:
    """Secrets and service accounts are read when they are needed, and not kept."""

    def __init__(self, around: Around) -> None:
        self._client: Client = around.client
        self._own = own_rules(around)
        self.containers: Cache = around.caches.of(CLUSTER_STORAGE_CONTAINERS)
        """A source for whoever wants to look again when they change."""

    def config(self, data: Mapping[str, str]) -> StorageConfig:
        """From the data of `inferenceservice-config`."""
        return StorageConfig.of(data, self._own)

    async def add(
        self, component: Mapping[str, Any], template: Object, namespace: str, config: StorageConfig
    ) -> Object:
        """`component` is the spec of a predictor, transformer or explainer, `template` its pods'."""
        asked = wanted(component)
        if not asked.uris:
            return template
        reads = await self._reads(asked, template, namespace, config)
        return with_storage(template, asked, reads, config)

    async def _reads(self, asked: Wanted, template: Object, namespace: str, config: StorageConfig) -> Reads:
        account = await self._get(SERVICE_ACCOUNTS, service_account_name(template), namespace)
        names = secret_names(template, asked, account, config)
        found = await asyncio.gather(*(self._get(SECRETS, name, namespace) for name in names))
        secrets = {meta.name(each): each for each in found if each is not None}
        return Reads(namespace, account, secrets, tuple(self.containers.list()))

    async def _get(self, resource: Resource, name: str, namespace: str) -> Object | None:
        try:
            return await self._client.get(resource, name, namespace)
        except NotFoundError:
            return None


def own_rules(around: Around) -> OwnRules:
    """With many users nobody reaches a private address, or serves a file, that the settings do not name."""
    if not around.is_embedded:
        return OwnRules()
    settings, many = around.settings, around.has_many_users
    artifacts = str(around.home / "artifacts" / "{namespace}")
    return OwnRules(
        is_embedded=True,
        cache=str(cache_folder(around.home)),
        file_roots=(artifacts, *settings.file_roots) if many or settings.file_roots else None,
        private_hosts=settings.private_hosts if many or settings.private_hosts else None,
    )


def cache_folder(home: Path) -> Path:
    """Where the initializer keeps what it has downloaded, for the pods of this machine."""
    return home / "cache" / "models"
