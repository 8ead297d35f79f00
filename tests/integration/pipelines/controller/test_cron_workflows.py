"""CronWorkflows on a real API server: one Workflow a tick, whatever happens in between."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sampan.app.definitions import DEFINITIONS as DEFINITION_KIND
from sampan.app.definitions import install
from sampan.client.protocol import Client, Object
from sampan.components.pipelines.api.workflow_kinds import CRON_WORKFLOWS, DEFINITIONS, WORKFLOWS
from sampan.components.pipelines.controller.cronworkflows import CronCaches, CronWorkflowReconciler
from sampan.components.pipelines.controller.expressions import holds, when
from sampan.reconcile.cache import Cache
from sampan.reconcile.manager import Manager
from sampan.testing.apiserver import embedded


class Clock:
    """Says what it is told; the controller is woken by a change of the object."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


class World:
    def __init__(self, client: Client, clock: Clock) -> None:
        self.client, self.clock = client, clock
        self._manager: Manager | None = None
        self._nudges = 0

    async def start(self) -> None:
        caches = CronCaches(Cache(self.client, CRON_WORKFLOWS), Cache(self.client, WORKFLOWS))
        reconciler = CronWorkflowReconciler(self.client, self.clock, caches, when, holds)
        self._manager = Manager([reconciler.controller()])
        await self._manager.start()

    async def stop(self) -> None:
        assert self._manager is not None
        await self._manager.stop()

    async def cron(self, **spec: Any) -> None:
        template = {"name": "main", "container": {"image": "busybox", "command": ["true"]}}
        body = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "CronWorkflow",
            "metadata": {"name": "c", "namespace": "default"},
            "spec": {
                "schedules": ["* * * * *"],
                "workflowSpec": {"entrypoint": "main", "templates": [template]},
                **spec,
            },
        }
        await self.client.create(CRON_WORKFLOWS, body)

    async def at(self, hour: int, minute: int, second: int = 1) -> None:
        """The clock moves on, and the controller looks."""
        self.clock.at = datetime(2026, 3, 1, hour, minute, second, tzinfo=UTC)
        await self.nudge()

    async def nudge(self) -> None:
        self._nudges += 1
        patch = {"metadata": {"annotations": {"nudge": str(self._nudges)}}}
        await self.client.patch(CRON_WORKFLOWS, "c", patch, "default")

    async def workflows(self) -> list[Object]:
        return (await self.client.list(WORKFLOWS, "default")).items

    async def status(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.client.get(CRON_WORKFLOWS, "c", "default")).get("status") or {}
        return found

    async def end(self, workflow: Object, phase: str) -> None:
        patch = {
            "metadata": {"labels": {"workflows.argoproj.io/completed": "true"}},
            "status": {"phase": phase, "finishedAt": "2026-03-01T12:00:00Z"},
        }
        await self.client.patch(WORKFLOWS, workflow["metadata"]["name"], patch, "default")


async def until(question: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await question():
            await asyncio.sleep(0.01)


def scenario(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """A test that is given a world of its own."""

    async def play(folder: Path, given: dict[str, Any]) -> None:
        clock = Clock()
        async with embedded(folder, clock=clock) as server:
            assert await install(server.client, DEFINITIONS) == frozenset()
            world = World(server.client, clock)
            await world.start()
            try:
                await test(world, **given)
            finally:
                await world.stop()

    def run(tmp_path: Path, **given: Any) -> None:
        asyncio.run(play(tmp_path, given))

    _, *others = inspect.signature(test).parameters.values()
    folder = inspect.Parameter("tmp_path", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    run.__signature__ = inspect.Signature([folder, *others])  # type: ignore[attr-defined]
    run.__name__ = run.__qualname__ = test.__name__
    return run


async def names(world: World) -> list[str]:
    return sorted(each["metadata"]["name"] for each in await world.workflows())


def tick(hour: int, minute: int) -> str:
    return f"c-{int(datetime(2026, 3, 1, hour, minute, tzinfo=UTC).timestamp())}"


async def shows(world: World, *wanted: str) -> None:
    await until(lambda: _equal(world, list(wanted)))


async def _equal(world: World, wanted: list[str]) -> bool:
    return await names(world) == sorted(wanted)


@scenario
async def test_one_workflow_a_tick_over_restarts_and_lost_writes(world: World) -> None:
    await world.cron()
    await world.at(12, 1)
    await shows(world, tick(12, 1))
    # As after a crash between making the Workflow and writing the status.
    await world.stop()
    await world.client.patch(
        CRON_WORKFLOWS, "c", {"status": {"lastScheduledTime": None, "active": None}}, "default"
    )
    await world.start()
    await world.nudge()

    async def is_listed() -> bool:
        return [each["name"] for each in (await world.status()).get("active") or ()] == [tick(12, 1)]

    await until(is_listed)
    assert await names(world) == [tick(12, 1)]
    await world.at(12, 2)
    await shows(world, tick(12, 1), tick(12, 2))

    async def is_written() -> bool:
        return (await world.status())["lastScheduledTime"] == "2026-03-01T12:02:00Z"

    await until(is_written)


@scenario
async def test_missed_ticks_are_made_up_for_once_within_the_deadline(world: World) -> None:
    await world.cron(startingDeadlineSeconds=120)
    await world.at(15, 1, 40)
    await shows(world, tick(15, 1))

    async def is_written() -> bool:
        return (await world.status()).get("lastScheduledTime") == "2026-03-01T15:01:00Z"

    await until(is_written)
    # Begun anew: else it might still know the old deadline when the clock moves on.
    await world.stop()
    await world.client.patch(CRON_WORKFLOWS, "c", {"spec": {"startingDeadlineSeconds": None}}, "default")
    await world.start()
    await world.at(17, 1, 40)
    await world.at(17, 2)
    await shows(world, tick(15, 1), tick(17, 2))


@pytest.mark.parametrize(("policy", "left"), [("Forbid", (12, 1)), ("Replace", (12, 2))])
@scenario
async def test_what_happens_while_one_is_active(world: World, policy: str, left: tuple[int, int]) -> None:
    await world.cron(concurrencyPolicy=policy)
    await world.at(12, 1)
    await shows(world, tick(12, 1))
    await world.at(12, 2)
    await shows(world, tick(*left))


@scenario
async def test_ends_are_counted_kept_and_stop_the_schedule(world: World) -> None:
    await world.cron(stopStrategy={"expression": "cronworkflow.failed >= 1"}, successfulJobsHistoryLimit=1)
    for minute, phase in ((1, "Succeeded"), (2, "Succeeded"), (3, "Failed")):
        await world.at(12, minute)

        async def is_listed(name: str = tick(12, minute)) -> bool:
            return name in [each["name"] for each in (await world.status()).get("active") or ()]

        await until(is_listed)  # else its end is none of a Workflow that is known
        [made] = [each for each in await world.workflows() if each["metadata"]["name"] == tick(12, minute)]
        await world.end(made, phase)

    async def has_stopped() -> bool:
        status = await world.status()
        return (status.get("succeeded"), status.get("failed"), status.get("phase")) == (2, 1, "Stopped")

    await until(has_stopped)
    await world.at(12, 4)
    await shows(world, tick(12, 2), tick(12, 3))


@scenario
async def test_when_decides_at_each_tick(world: World) -> None:
    await world.cron(
        when="{{= cronworkflow.lastScheduledTime == nil || (now() - cronworkflow.lastScheduledTime).Seconds() < 0 }}"
    )
    await world.at(12, 1)
    await shows(world, tick(12, 1))
    await world.at(12, 2)
    await world.at(12, 2, 40)
    await world.client.patch(CRON_WORKFLOWS, "c", {"spec": {"when": "a == a"}}, "default")
    await world.at(12, 3)
    await shows(world, tick(12, 1), tick(12, 3))


@scenario
async def test_a_bad_schedule_is_said_in_the_status(world: World) -> None:
    await world.cron(timezone="Mars/Base")

    async def is_said() -> bool:
        conditions = (await world.status()).get("conditions") or [{}]
        return "unknown time zone Mars/Base" in conditions[0].get("message", "")

    await until(is_said)
    assert await names(world) == []


@scenario
async def test_somebody_elses_definitions_stay_theirs(world: World) -> None:
    """Installed again, ours are ours; without our label they are not."""
    assert await install(world.client, DEFINITIONS) == frozenset()
    unlabelled = {"metadata": {"labels": {"app.kubernetes.io/managed-by": "Helm"}}}
    await world.client.patch(DEFINITION_KIND, WORKFLOWS.key, unlabelled)
    assert await install(world.client, DEFINITIONS) == {WORKFLOWS.key}
