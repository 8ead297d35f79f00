"""Routes and pods as the API has them: who is a target, who is not, and why nobody is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from sampan.components.serving.api.routing import Backend, Route, Rule, Target
from sampan.components.serving.controller.gateway.watching import Source, Watching
from sampan.kube.kinds import CONFIG_MAPS, ENDPOINT_SLICES, PODS, SERVICES
from sampan.reconcile.cache import Caches
from sampan.testing.apiserver import embedded
from sampan.testing.gateways import Rig, request, rig

NAMES = "x-default.localhost"


class Kit:
    """ConfigMaps stand for objects that have routes: to the Service that `service` names, `refusal` if there is one."""

    def __init__(self, client: Any, made: Rig, watching: Watching) -> None:
        self.client, self.rig, self.watching = client, made, watching

    async def route(self, name: str = "x", **data: str) -> None:
        body = {"metadata": {"name": name, "namespace": "default"}, "data": {"service": "x", **data}}
        await self.client.create(CONFIG_MAPS, body)

    async def service(self, name: str = "x", selector: dict[str, str] | None = None) -> None:
        spec = {"ports": [{"port": 80, "targetPort": 8080}], **({"selector": selector} if selector else {})}
        await self.client.create(SERVICES, {"metadata": {"name": name, "namespace": "default"}, "spec": spec})

    async def pod(self, name: str, labels: dict[str, str], **status: Any) -> None:
        spec = {"containers": [{"name": "c", "image": "i"}]}
        metadata = {"name": name, "namespace": "default", "labels": labels}
        await self.client.create(PODS, {"metadata": metadata, "spec": spec})
        await self.status(name, **status)

    async def status(self, name: str, *, ready: bool = False, ip: str = "", waiting: str = "") -> None:
        state = {"waiting": {"reason": waiting, "message": "why"}} if waiting else {"running": {}}
        status = {
            "phase": "Running",
            "podIP": ip or None,
            "podIPs": [{"ip": ip}] if ip else None,
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [
                {"name": "c", "state": state, "ready": ready, "restartCount": 0, "image": "i", "imageID": ""}
            ],
        }
        await self.client.patch(PODS, name, {"status": status}, "default", subresource="status")

    async def until(self, check: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not check():
                await asyncio.sleep(0.01)


def routes(obj: Any) -> list[Route]:
    data = obj.get("data") or {}
    if "service" not in data:
        return []
    name, backend = obj["metadata"]["name"], data["service"]
    one = Backend(data.get("in", "default"), backend, target=Target("default", backend))
    return [
        Route(
            "ConfigMap",
            "default",
            name,
            (f"{name}-default.localhost",),
            (),
            (Rule((one,)),),
            refusal=data.get("refusal", ""),
        )
    ]


def play(tmp_path: Path, test: Callable[[Kit], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(60), embedded(tmp_path) as server, rig() as made:
            caches = Caches(server.client)
            watching = Watching(made.core, caches, [Source(caches.of(CONFIG_MAPS), routes)])
            for cache in watching.caches:
                cache.start()
                await cache.synced()
            watching.start()
            try:
                await test(Kit(server.client, made, watching))
            finally:
                for cache in watching.caches:
                    await cache.stop()

    asyncio.run(main())


def test_pods_come_and_go(tmp_path: Path) -> None:
    async def test(kit: Kit) -> None:
        await kit.pod("early", {"app": "x"}, ready=True, ip="127.0.0.2")
        await kit.route()
        await kit.service(selector={"app": "x"})
        pools = kit.rig.core.pools
        key = ("default", "x", 80)
        await kit.until(lambda: key in pools and pools[key].ready == 1)
        await kit.pod("late", {"app": "x"}, ip="127.0.0.3")
        await kit.until(lambda: len(pools[key].members) == 2)
        assert pools[key].ready == 1
        await kit.status("late", ready=True, ip="127.0.0.3")
        await kit.until(lambda: pools[key].ready == 2)
        assert kit.watching.namespace_of("127.0.0.3") == "default"
        assert kit.watching.namespace_of("127.0.0.9") == ""
        await kit.client.delete(PODS, "early", "default")
        await kit.until(lambda: pools[key].ready == 1)
        await kit.client.delete(CONFIG_MAPS, "x", "default")
        await kit.until(lambda: not pools and not len(kit.rig.core.table))

    play(tmp_path, test)


def test_pods_are_found_by_whatever_their_service_selects_now(tmp_path: Path) -> None:
    async def test(kit: Kit) -> None:
        for name in ("x", "y"):
            await kit.service(name, {"common": "all", "app": name})
            await kit.pod(name, {"common": "all", "app": name}, ready=True, ip="127.0.0.2")
        # Two objects lead to one Service, and a third to the other.
        await kit.route("a")
        await kit.route("b")
        await kit.route("c", service="y")
        pools = kit.rig.core.pools
        x, y = ("default", "x", 80), ("default", "y", 80)

        def names(key: tuple[str, str, int]) -> set[str]:
            return {member.place.pod for member in pools[key].members.values()} if key in pools else set()

        await kit.until(lambda: names(x) == {"x"} and names(y) == {"y"})
        await kit.client.patch(PODS, "x", {"metadata": {"labels": {"app": "y"}}}, "default")
        await kit.until(lambda: names(x) == set() and names(y) == {"x", "y"})
        await kit.client.patch(SERVICES, "x", {"spec": {"selector": {"app": "y"}}}, "default")
        await kit.until(lambda: names(x) == {"x", "y"})
        await kit.client.delete(CONFIG_MAPS, "a", "default")
        await kit.client.patch(CONFIG_MAPS, "c", {"data": {"service": "x"}}, "default")
        await kit.until(lambda: y not in pools)
        assert names(x) == {"x", "y"}
        await kit.client.delete(CONFIG_MAPS, "b", "default")
        await kit.client.delete(CONFIG_MAPS, "c", "default")
        await kit.until(lambda: not pools)

    play(tmp_path, test)


def test_endpoints_that_somebody_wrote_lead_nowhere(tmp_path: Path) -> None:
    async def test(kit: Kit) -> None:
        await kit.route()
        await kit.service()
        slice_ = {
            "metadata": {
                "name": "evil",
                "namespace": "default",
                "labels": {"kubernetes.io/service-name": "x"},
            },
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["169.254.169.254"], "conditions": {"ready": True}}],
            "ports": [{"name": "", "port": 80, "protocol": "TCP"}],
        }
        await kit.client.create(ENDPOINT_SLICES, slice_)
        await kit.pod("other", {"app": "y"}, ready=True, ip="127.0.0.2")
        await kit.until(lambda: ("default", "x", 80) in kit.rig.core.pools)
        await asyncio.sleep(0.2)
        assert not kit.rig.core.pools["default", "x", 80].members

    play(tmp_path, test)


def test_backends_of_another_namespace_are_none(tmp_path: Path) -> None:
    async def test(kit: Kit) -> None:
        await kit.route(**{"in": "kube-system"})
        await kit.until(lambda: len(kit.rig.core.table) == 1)
        assert kit.rig.core.pools == {}
        client = await kit.rig.client()
        assert (await client.ask(request(host=NAMES))).status == 503

    play(tmp_path, test)


def test_who_waits_is_told_when_the_pod_cannot_come(tmp_path: Path) -> None:
    async def test(kit: Kit) -> None:
        await kit.route()
        await kit.service(selector={"app": "x"})
        client = await kit.rig.client()
        await kit.until(lambda: kit.rig.core.table.has_host(NAMES.encode()))
        waiting = asyncio.create_task(client.ask(request(host=NAMES)))
        await kit.pod("p", {"app": "x"}, waiting="ContainerCreating")
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await kit.status("p", waiting="ImagePullBackOff")
        answer = await waiting
        assert (answer.status, b"ImagePullBackOff: why" in answer.body) == (503, True)
        again = await client.ask(request(host=NAMES))
        assert b"ImagePullBackOff" in again.body
        assert kit.rig.core.meter.waiting() == []

    play(tmp_path, test)


def test_who_waits_is_told_when_the_object_refuses(tmp_path: Path) -> None:
    async def test(kit: Kit) -> None:
        await kit.route()
        await kit.service(selector={"app": "x"})
        client = await kit.rig.client()
        await kit.until(lambda: kit.rig.core.table.has_host(NAMES.encode()))
        waiting = asyncio.create_task(client.ask(request(host=NAMES)))
        await kit.until(lambda: bool(kit.rig.core.pools["default", "x", 80].waiting))
        await kit.client.patch(CONFIG_MAPS, "x", {"data": {"refusal": "it is stopped"}}, "default")
        assert b"it is stopped" in (await waiting).body

    play(tmp_path, test)
