"""APIServices follow the kinds that are served."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sampan.cluster.apiserver.apiservices import ApiServices
from sampan.kube import conditions, meta
from sampan.kube.kinds import API_SERVICES, Resource
from sampan.testing.apiserver import embedded


def test_apiservices_follow_the_registry(tmp_path: Path) -> None:
    async def main() -> None:
        async with embedded(tmp_path) as server:
            services = ApiServices(server.client, server.registry)
            things = Resource("example.com", "v2", "Thing", "things")
            server.registry.add(things)
            await services.sync()
            listed = {meta.name(each): each for each in (await server.client.list(API_SERVICES)).items}
            assert {"v1.", "v1.apps", "v1.batch", "v2.example.com"} <= listed.keys()
            assert all(conditions.is_true(each, "Available") for each in listed.values())
            server.registry.remove(things)
            own = {"group": "other.com", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1}
            await server.client.create(API_SERVICES, {"metadata": {"name": "v1.other.com"}, "spec": own})
            await services.sync()
            names = {meta.name(each) for each in (await server.client.list(API_SERVICES)).items}
            assert "v2.example.com" not in names
            assert {"v1.apps", "v1.other.com"} <= names

    asyncio.run(main())
