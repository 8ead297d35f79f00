"""The APIServices of what is served here: one for each group and version, as `kubectl get apiservices` lists them.

A task of the platform: it looks whether the registry of kinds has changed, and acts only then. Source:
k8s.io/kube-aggregator/pkg/controllers/autoregister, kubernetes/pkg/controlplane/apiserver/aggregator.go, v1.34.
"""

from __future__ import annotations

import asyncio

from sampan.client.protocol import Client, ListOptions
from sampan.kube import meta
from sampan.kube.errors import AlreadyExistsError, ApiError, NotFoundError
from sampan.kube.kinds import API_SERVICES, KindRegistry
from sampan.kube.meta import Object
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet

log = get_logger(__name__)

_MANAGED = "kube-aggregator.kubernetes.io/automanaged"
_LOOK_EVERY_SECONDS = 2.0
_PRIORITIES = {
    "": 18000,
    "apps": 17800,
    "events.k8s.io": 17750,
    "authentication.k8s.io": 17700,
    "authorization.k8s.io": 17600,
    "autoscaling": 17500,
    "batch": 17400,
    "certificates.k8s.io": 17300,
    "networking.k8s.io": 17200,
    "policy": 17100,
    "rbac.authorization.k8s.io": 17000,
    "storage.k8s.io": 16800,
    "apiextensions.k8s.io": 16700,
    "admissionregistration.k8s.io": 16700,
    "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500,
    "node.k8s.io": 16300,
    "discovery.k8s.io": 16200,
    "flowcontrol.apiserver.k8s.io": 16100,
    "apiregistration.k8s.io": 20000,
}
_OTHERS = 1000


class ApiServices:
    def __init__(self, client: Client, registry: KindRegistry) -> None:
        self._client = client
        self._registry = registry
        self._tasks = TaskSet("apiservices")

    def start(self) -> None:
        self._tasks.spawn(self._run(), name="apiservices")

    async def stop(self) -> None:
        await self._tasks.close()

    async def _run(self) -> None:
        seen = -1
        while True:
            generation = self._registry.generation
            if generation != seen:
                try:
                    await self.sync()
                    seen = generation
                except ApiError as error:
                    log.warning("the APIServices could not be written", exc=error)
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def sync(self) -> None:
        """Creates what is missing, and deletes what stood for something that is served no more."""
        wanted = desired(self._registry)
        listed = await self._client.list(API_SERVICES, None, ListOptions(label_selector=_MANAGED))
        there = {meta.name(each) for each in listed.items}
        await asyncio.gather(
            *(self._create(wanted[name]) for name in wanted if name not in there),
            *(self._delete(name) for name in there if name not in wanted),
        )

    async def _create(self, service: Object) -> None:
        try:
            await self._client.create(API_SERVICES, service)
        except AlreadyExistsError:
            return

    async def _delete(self, name: str) -> None:
        try:
            await self._client.delete(API_SERVICES, name)
        except NotFoundError:
            return


def desired(registry: KindRegistry) -> dict[str, Object]:
    """By name: `v1.apps`, and `v1.` for the core group."""
    found: dict[str, Object] = {}
    for resource in registry:
        name = f"{resource.version}.{resource.group}"
        priority = _PRIORITIES.get(resource.group, _OTHERS)
        found[name] = {
            "metadata": {"name": name, "labels": {_MANAGED: "true" if priority == _OTHERS else "onstart"}},
            "spec": {
                "group": resource.group,
                "version": resource.version,
                "groupPriorityMinimum": priority,
                "versionPriority": 100 if priority == _OTHERS else 15,
            },
        }
    return found
