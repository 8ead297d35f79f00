"""The autoscaler beside a real API server: whom it wakes, whom it lets sleep, and what it leaves alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sampan.client.protocol import Client, Object
from sampan.cluster.apiserver.server import ApiServer
from sampan.components.serving.api import labels
from sampan.components.serving.api.demand import Load
from sampan.components.serving.api.routing import Target
from sampan.components.serving.api.settings import ServingSettings
from sampan.components.serving.controller.around import Around
from sampan.components.serving.controller.scaling.autoscaler import Autoscaler
from sampan.kube.errors import ApiError
from sampan.kube.kinds import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES
from sampan.lib.clock import SystemClock
from sampan.reconcile.cache import Caches
from sampan.reconcile.manager import Manager
from sampan.store.database import Database

_DEADLINE_SECONDS = 60.0
_A = "autoscaling.knative.dev/"


class FakeClock:
    """The wall's is real; the other is moved by the test."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return self.seconds


class FakeDemand:
    """What the gateway would count."""

    def __init__(self) -> None:
        self.loads: dict[str, Load] = {}
        self.asked = 0
        self._callbacks: list[Callable[[Target], None]] = []

    def load(self, target: Target, window_seconds: float) -> Load:
        self.asked += 1
        return self.loads.get(target.name, Load(0.0, 0.0, 0, float("inf")))

    def waiting(self) -> Sequence[Target]:
        return [Target("team", name) for name, load in self.loads.items() if load.waiting]

    def on_wait(self, callback: Callable[[Target], None]) -> None:
        self._callbacks.append(callback)

    def wait_for(self, name: str, count: int = 1) -> None:
        """So many requests begin to wait."""
        self.loads[name] = Load(0.01, 0.01, count, 0.0)
        for callback in self._callbacks:
            callback(Target("team", name))


class World:
    def __init__(self, client: Client) -> None:
        self.client = client
        self.clock = FakeClock()
        self.demand = FakeDemand()
        self._manager: Manager | None = None

    async def start(self) -> None:
        around = Around(
            self.client, self.clock, Caches(self.client), ServingSettings(), Path("/"), "http://x", None
        )
        self.demand._callbacks.clear()
        self._manager = Manager([Autoscaler(around, self.demand).controller()])
        await self._manager.start()

    async def stop(self) -> None:
        if self._manager is not None:
            await self._manager.stop()

    async def deployment(self, name: str, replicas: int, *, ready: int = 0, **annotations: str) -> Object:
        scaling = {_A + key.replace("_", "-"): value for key, value in annotations.items()}
        labelled = {"app": name}
        made = await self.client.create(
            DEPLOYMENTS,
            {
                "metadata": {
                    "name": name,
                    "namespace": "team",
                    "annotations": {labels.SCALING_CLASS: labels.KPA, **scaling},
                },
                "spec": {
                    "replicas": replicas,
                    "selector": {"matchLabels": labelled},
                    "template": {
                        "metadata": {"labels": labelled},
                        "spec": {"containers": [{"name": "kserve-container", "image": "model"}]},
                    },
                },
            },
        )
        if ready:
            await self.ready(name, ready)
        return made

    async def ready(self, name: str, count: int) -> None:
        status = {"replicas": count, "readyReplicas": count, "availableReplicas": count}
        await self.client.patch(DEPLOYMENTS, name, {"status": status}, "team", subresource="status")

    async def touch(self, name: str) -> None:
        """So that it is looked at now, not with the next beat."""
        patch = {"metadata": {"annotations": {"touched": str(self.clock.seconds)}}}
        await self.client.patch(DEPLOYMENTS, name, patch, "team")
        await self.settled()

    async def replicas(self, name: str) -> int:
        return int((await self.client.get(DEPLOYMENTS, name, "team"))["spec"]["replicas"])

    async def until(self, name: str, replicas: int) -> None:
        async with asyncio.timeout(_DEADLINE_SECONDS):
            while await self.replicas(name) != replicas:
                await asyncio.sleep(0.02)

    async def settled(self) -> None:
        """All that it was told of has been looked at."""
        await asyncio.sleep(0.2)


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Callable[[World], Awaitable[None]]], None]:
    return lambda scenario: asyncio.run(_run(tmp_path, scenario))


async def _run(home: Path, scenario: Callable[[World], Awaitable[None]]) -> None:
    database = Database.sqlite(home / "sampan.db")
    api = ApiServer(database, SystemClock())
    database.create(api.tables)
    await api.start()
    for namespace in ("team", "knative-serving"):
        with suppress(ApiError):
            await api.client.create(NAMESPACES, {"metadata": {"name": namespace}})
    world = World(api.client)
    try:
        await scenario(world)
    finally:
        await world.stop()
        await api.stop()
        await database.close()


def test_a_sleeper_wakes_for_the_first_request(run: Any) -> None:
    async def scenario(world: World) -> None:
        await world.deployment("iris", 0)
        await world.start()
        world.demand.wait_for("iris")
        await world.until("iris", 1)
        assert (await world.client.get(DEPLOYMENTS, "iris", "team"))["metadata"]["generation"] == 2

    run(scenario)


def test_a_crowd_that_waits_gets_as_many_pods_as_it_needs(run: Any) -> None:
    async def scenario(world: World) -> None:
        await world.deployment("iris", 0, target="10", max_scale="4")
        await world.deployment("alone", 0, activation_scale="3")
        await world.start()
        world.demand.wait_for("iris", 20)
        await world.until("iris", 3)
        world.demand.wait_for("alone")
        await world.until("alone", 3)
        world.demand.loads["iris"] = Load(100.0, 10.0, 0, 0.0)
        world.clock.seconds += 2
        await world.ready("iris", 3)
        await world.until("iris", 4)

    run(scenario)


def test_sleepers_that_nobody_asks_are_not_looked_at(run: Any) -> None:
    async def scenario(world: World) -> None:
        for number in range(20):
            await world.deployment(f"model-{number}", 0)
        await world.start()
        async with asyncio.timeout(60):
            asked = -1
            while asked != world.demand.asked:
                asked = world.demand.asked
                # Longer than the autoscaler's beat: who is looked at at every beat is asked for ever.
                await asyncio.sleep(2.5)

    run(scenario)


def test_the_last_pod_goes_when_nothing_was_asked_for_a_window(run: Any) -> None:
    async def scenario(world: World) -> None:
        await world.deployment("iris", 1, ready=1)
        await world.start()
        await world.settled()
        world.clock.seconds += 59
        await world.touch("iris")
        assert await world.replicas("iris") == 1
        world.clock.seconds += 1
        await world.until("iris", 0)

    run(scenario)


def test_a_request_that_waits_keeps_the_last_pod(run: Any) -> None:
    async def scenario(world: World) -> None:
        await world.deployment("iris", 1, ready=1)
        await world.start()
        await world.settled()
        world.demand.loads["iris"] = Load(0.0, 0.0, 1, 0.0)
        world.clock.seconds += 600
        await world.touch("iris")
        assert await world.replicas("iris") == 1

    run(scenario)


def test_one_that_began_to_wait_while_the_last_pod_went_wakes_it_again(run: Any) -> None:
    async def scenario(world: World) -> None:
        await world.deployment("iris", 1, ready=1)
        await world.start()
        await world.settled()
        load = FakeDemand.load

        def late(target: Target, window_seconds: float) -> Load:
            # As if it came between the decision, which asks three times, and the end of the writing.
            if world.demand.asked == asked + 3 and "iris" not in world.demand.loads:
                world.demand.wait_for("iris")
            return load(world.demand, target, window_seconds)

        world.clock.seconds += 60
        asked = world.demand.asked
        world.demand.load = late  # type: ignore[method-assign]
        async with asyncio.timeout(_DEADLINE_SECONDS):
            while "iris" not in world.demand.loads:
                await asyncio.sleep(0.02)
        await world.until("iris", 1)
        assert (await world.client.get(DEPLOYMENTS, "iris", "team"))["metadata"]["generation"] == 3

    run(scenario)


def test_nothing_is_taken_away_right_after_a_restart(run: Any) -> None:
    async def scenario(world: World) -> None:
        await world.deployment("iris", 4, ready=2)
        await world.start()
        await world.settled()
        world.clock.seconds += 55
        await world.ready("iris", 4)
        await world.settled()
        assert await world.replicas("iris") == 4
        world.clock.seconds += 10
        # By half at most, as it does at any time.
        await world.until("iris", 2)
        await world.settled()
        assert await world.replicas("iris") == 2
        world.clock.seconds += 2
        await world.ready("iris", 2)
        await world.until("iris", 1)

    run(scenario)


def test_the_least_and_the_configuration_count_at_once(run: Any) -> None:
    async def scenario(world: World) -> None:
        await world.start()
        await world.deployment("iris", 1, min_scale="2")
        await world.until("iris", 2)
        await world.deployment("plain", 1, ready=1)
        config = {"metadata": {"name": "config-autoscaler", "namespace": "knative-serving"}}
        await world.client.create(CONFIG_MAPS, config | {"data": {"min-scale": "3"}})
        await world.until("plain", 3)
        # A mistake is told of, and the last good one stays.
        patch = {"data": {"min-scale": "many"}}
        await world.client.patch(CONFIG_MAPS, "config-autoscaler", patch, "knative-serving")
        await world.settled()
        assert await world.replicas("plain") == 3

    run(scenario)


def test_one_that_was_asked_since_the_decision_keeps_its_pod(run: Any) -> None:
    async def scenario(world: World) -> None:
        await world.deployment("iris", 1, ready=1, scale_to_zero_pod_retention_period="30s")
        await world.start()
        await world.settled()
        world.clock.seconds += 60
        await world.touch("iris")
        world.clock.seconds += 29
        await world.touch("iris")
        # Its time has passed, and the next decision is not due yet.
        world.demand.loads["iris"] = Load(0.001, 0.5, 0, 0.0)
        world.clock.seconds += 1.5
        await world.touch("iris")
        assert await world.replicas("iris") == 1
        world.demand.loads.clear()
        world.clock.seconds += 2
        await world.touch("iris")
        await world.until("iris", 0)

    run(scenario)


def test_what_no_traffic_leads_to_goes(run: Any) -> None:
    async def scenario(world: World) -> None:
        await world.deployment("iris", 2, ready=2, min_scale="2")
        await world.start()
        await world.settled()
        world.clock.seconds += 100
        patch = {"metadata": {"labels": {labels.ROUTING_STATE: labels.RESERVE}}}
        await world.client.patch(DEPLOYMENTS, "iris", patch, "team")
        await world.until("iris", 0)

    run(scenario)


def test_others_are_left_alone(run: Any) -> None:
    async def scenario(world: World) -> None:
        await world.deployment("iris", 1, ready=1)
        patch = {"metadata": {"annotations": {labels.SCALING_CLASS: labels.HPA}}}
        await world.client.patch(DEPLOYMENTS, "iris", patch, "team")
        await world.deployment("asleep", 0)
        await world.client.patch(DEPLOYMENTS, "asleep", patch, "team")
        await world.start()
        world.demand.wait_for("asleep")
        world.clock.seconds += 600
        await world.touch("iris")
        assert (await world.replicas("iris"), await world.replicas("asleep")) == (1, 0)

    run(scenario)


def test_one_that_was_deleted_and_made_again_is_another(run: Any) -> None:
    async def scenario(world: World) -> None:
        await world.deployment("iris", 3, ready=3)
        await world.start()
        await world.settled()
        await world.client.delete(DEPLOYMENTS, "iris", "team")
        await world.deployment("iris", 0)
        world.demand.wait_for("iris")
        await world.until("iris", 1)

    run(scenario)
