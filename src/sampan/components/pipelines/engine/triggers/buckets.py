"""Object stores for triggers: those that runs keep artifacts in, reached the same way.

The stores load their libraries, so they load when the first bucket is watched.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from typing import Any

from sampan.client.protocol import Client
from sampan.components.pipelines.api.artifact_settings import ArtifactSettings
from sampan.store.artifacts.protocol import ArtifactStore, StoreUnusableError

_STORES = "sampan.components.pipelines.engine.artifact_stores"


class LateBuckets:
    """`places.Buckets`."""

    def __init__(
        self, client: Client, settings: ArtifactSettings, embedded: Callable[[str], Any] | None
    ) -> None:
        self._client = client
        self._settings = settings
        self._embedded = embedded
        self._stores: Any = None

    async def refresh(self, namespace: str) -> None:
        if self._stores is None:
            module = await asyncio.to_thread(importlib.import_module, _STORES)
            self._stores = self._stores or module.ArtifactStores(self._settings, self._embedded)
        await self._stores.refresh(self._client, namespace)

    def open(self, namespace: str, uri: str) -> tuple[ArtifactStore, str]:
        if self._stores is None:
            raise StoreUnusableError(f"{uri}: its store has not been looked for yet")
        opened = self._stores.open(uri, namespace)
        return opened.store, opened.key
