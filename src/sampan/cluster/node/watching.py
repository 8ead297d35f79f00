"""Tells the pods of the node when a ConfigMap or Secret that they show as files has changed.

Made by `agent`. Nothing is watched before the first pod needs it. Missing something is harmless: whoever is told looks
at the newest state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sampan.client.protocol import Client, ListOptions
from sampan.kube import meta
from sampan.kube.errors import ApiError, ExpiredError
from sampan.kube.kinds import CONFIG_MAPS, SECRETS, Resource
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet

log = get_logger(__name__)

_RETRY_SECONDS = 1.0

Reference = tuple[str, str, str]
"""Kind, namespace and name."""
OnChange = Callable[[Reference | None], None]
"""What has changed; None: anything may have."""


class ReferenceWatch:
    """For one event loop."""

    def __init__(self, client: Client, tasks: TaskSet, on_change: OnChange) -> None:
        self._client = client
        self._tasks = tasks
        self._on_change = on_change
        self._is_running = False

    def ensure(self) -> None:
        """From now on changes are told."""
        if not self._is_running:
            self._is_running = True
            for resource in (CONFIG_MAPS, SECRETS):
                self._tasks.spawn(self._watch(resource), name=f"watch {resource.plural}")

    async def _watch(self, resource: Resource) -> None:
        version = ""
        while True:
            try:
                if not version:
                    # One item is enough: what counts is the version.
                    page = await self._client.list(resource, options=ListOptions(limit=1))
                    version = page.resource_version
                    self._on_change(None)
                options = ListOptions(resource_version=version)
                async for event in self._client.watch(resource, options=options):
                    version = meta.resource_version(event.object) or version
                    if event.type != "BOOKMARK":
                        namespace, name = meta.namespace(event.object), meta.name(event.object)
                        self._on_change((resource.kind, namespace, name))
            except ExpiredError:
                version = ""
            except ApiError as error:
                log.warning("watch broken", kind=resource.kind, why=error.message)
                await asyncio.sleep(_RETRY_SECONDS)
