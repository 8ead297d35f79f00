"""Reads what a model's storage needs of the cluster, and adds it to pod templates. For the reconcilers.

    template = await storage.add(component, template, storage_config)

Raises StorageError, whose reason and message belong into a condition, and ApiError.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sampan.client.protocol import Client, PatchType, WriteOptions
from sampan.components.serving.api.kinds import CLUSTER_STORAGE_CONTAINERS
from sampan.components.serving.controller.around import Around
from sampan.components.serving.controller.ca_bundles import CaBundles
from sampan.components.serving.controller.credentials import Credentials
from sampan.components.serving.engine.local_models import matching
from sampan.components.serving.engine.storage.config import OwnRules, StorageConfig
from sampan.components.serving.engine.storage.credentials import needs_own_s3
from sampan.components.serving.engine.storage.injection import with_storage
from sampan.components.serving.engine.storage.reads import Reads, secret_names, service_account_name
from sampan.components.serving.engine.storage.wanted import Wanted, wanted
from sampan.kube import meta
from sampan.kube.kinds import SECRETS, SERVICE_ACCOUNTS
from sampan.kube.meta import Object
from sampan.reconcile.apply import is_part
from sampan.reconcile.cache import Cache

if TYPE_CHECKING:
    from sampan.store.artifacts.objects import Bucket


OWN_S3_SECRET = "sampan-s3"  # noqa: S105  a name


class ModelStorage:
    def __init__(self, around: Around, credentials: Credentials) -> None:
        self._client: Client = around.client
        self._get = credentials.get
        self._own = own_rules(around)
        self._bundles = CaBundles(around.client)
        # Its keys open every bucket: with many users nobody is given them.
        self._own_s3 = None if around.has_many_users else around.own_s3
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
        await self._bundles.keep(namespace, config)
        if not asked.uris:
            return template
        asked = matching.claimed(asked, template)
        name = service_account_name(template)
        reads = await self._reads(name, asked, template, namespace, config)
        return with_storage(template, asked, reads, config)

    async def reads(
        self, account: str, asked: Wanted, namespace: str, config: StorageConfig, owner: str
    ) -> Reads:
        """For a download in `namespace` that nobody's pod asks for, with the Secrets of an account, if there is one.
        What may be fetched is what `owner`, another namespace, may. Raises StorageError, ApiError."""
        await self._bundles.keep(namespace, config)
        found = await self._reads(account, asked, {}, namespace, config)
        return replace(found, owner=owner)

    async def _reads(
        self, name: str, asked: Wanted, template: Object, namespace: str, config: StorageConfig
    ) -> Reads:
        account = await self._get(SERVICE_ACCOUNTS, name, namespace) if name else {}
        names = secret_names(template, asked, account, config)
        found = await asyncio.gather(*(self._get(SECRETS, name, namespace) for name in names))
        secrets = {meta.name(each): each for each in found if each is not None}
        own_s3 = None
        if self._own_s3 is not None and config.offers_own_s3 and needs_own_s3(asked):
            own_s3 = await self._own_s3_secret(namespace, self._own_s3(namespace))
        return Reads(namespace, account, secrets, tuple(self.containers.list()), own_s3=own_s3)

    async def _own_s3_secret(self, namespace: str, bucket: Bucket) -> Object:
        """In the namespace of the pods, which can refer to no other."""
        wanted_secret = own_s3_secret(namespace, bucket)
        found = await self._get(SECRETS, OWN_S3_SECRET, namespace)
        if found is not None and is_part({"data": wanted_secret["data"]}, found):
            return found
        options = WriteOptions(field_manager="sampan-serving", force=True)
        return await self._client.patch(
            SECRETS, OWN_S3_SECRET, wanted_secret, namespace, patch_type=PatchType.APPLY, options=options
        )


def own_s3_secret(namespace: str, bucket: Bucket) -> Object:
    """The keys of the platform's own S3, as KServe reads them."""
    keys = {"AWS_ACCESS_KEY_ID": bucket.access_key, "AWS_SECRET_ACCESS_KEY": bucket.secret_key}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": OWN_S3_SECRET,
            "namespace": namespace,
            "annotations": {
                "serving.kserve.io/s3-endpoint": bucket.endpoint,
                "serving.kserve.io/s3-region": bucket.region,
            },
        },
        "data": {name: base64.b64encode(text.encode()).decode() for name, text in keys.items()},
    }


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
