"""The trials of an experiment as the server has them: from the controllers' caches where these run, else by a list.

Never changed by whoever reads them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sampan.client.protocol import Client, ListOptions
from sampan.components.tuning.api import labels
from sampan.components.tuning.api.kinds import EXPERIMENTS, SUGGESTIONS, TRIALS
from sampan.kube import meta
from sampan.kube.errors import NotFoundError, ServiceUnavailableError
from sampan.kube.meta import Object
from sampan.reconcile.cache import Caches

_BY_EXPERIMENT = "rest experiment"
_SYNC_SECONDS = 10.0
_PAGE = 500


class Trials:
    """For one event loop."""

    def __init__(self, client: Client, caches: Callable[[], Caches | None]) -> None:
        """`caches` gives those of the controllers; None while there are none."""
        self._client = client
        self._caches = caches

    async def experiment(self, namespace: str, name: str) -> Object:
        """As it is written now. Raises ApiError."""
        return await self._client.get(EXPERIMENTS, name, namespace)

    async def of(self, namespace: str, experiment: str) -> Sequence[Object]:
        """All of them, in no order. Raises ApiError."""
        caches = self._caches()
        cache = caches.find(TRIALS) if caches is not None else None
        if cache is None:
            return await self._listed(namespace, experiment)
        cache.add_index(_BY_EXPERIMENT, _experiment)
        try:
            async with asyncio.timeout(_SYNC_SECONDS):
                await cache.synced()
        except TimeoutError:
            raise ServiceUnavailableError("the trials are not read yet: try again in a moment") from None
        return cache.by_index(_BY_EXPERIMENT, f"{namespace}/{experiment}")

    def is_of(self, trial: Object, experiment: str) -> bool:
        return meta.labels(trial).get(labels.EXPERIMENT) == experiment

    async def ranks(self, namespace: str, experiment: str) -> Mapping[str, int]:
        """By trial, its place among the suggestions. Raises ApiError."""
        caches = self._caches()
        cache = caches.find(SUGGESTIONS) if caches is not None else None
        suggestion = cache.get(namespace, experiment) if cache is not None else None
        if suggestion is None:
            try:
                suggestion = await self._client.get(SUGGESTIONS, experiment, namespace)
            except NotFoundError:
                return {}
        found = meta.status(suggestion).get("suggestions")
        named: list[Any] = found if isinstance(found, list) else []
        return {str(each.get("name")): at for at, each in enumerate(named) if isinstance(each, dict)}

    async def _listed(self, namespace: str, experiment: str) -> list[Object]:
        found: list[Object] = []
        options = ListOptions(label_selector=f"{labels.EXPERIMENT}={experiment}", limit=_PAGE)
        while True:
            page = await self._client.list(TRIALS, namespace, options)
            found += page.items
            if not page.continue_token:
                return found
            options = ListOptions(
                label_selector=options.label_selector, limit=_PAGE, continue_token=page.continue_token
            )


def _experiment(trial: Object) -> tuple[str, ...]:
    found = meta.labels(trial).get(labels.EXPERIMENT)
    return (f"{meta.namespace(trial)}/{found}",) if found else ()
