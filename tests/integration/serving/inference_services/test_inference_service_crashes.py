"""The controller is killed after each of its writes, or before it reaches the API: who goes on ends the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sampan.kube import meta
from sampan.kube.kinds import DEPLOYMENTS, ENDPOINT_SLICES, EVENTS, SERVICES

from .conftest import Serving, sklearn, traffic

_WRITES = ("create", "patch", "replace", "delete")
_ALL = range(1, 37)
_USUALLY = (2, 5, 9, 14, 22)


class Deadly:
    """A client whose user is dead after the given write, or instead of it."""

    def __init__(self, client: Any, writes: int, *, reached: bool) -> None:
        self._client = client
        self._left = writes
        self._reached = reached
        self.is_dead = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._client, name)
        if name not in _WRITES:
            return real

        async def write(resource: Any, *args: Any, **more: Any) -> Any:
            if resource == EVENTS:
                return await real(resource, *args, **more)
            self._left -= 1
            if self._left < 0 or (self._left == 0 and not self._reached):
                self.is_dead.set()
                await asyncio.Event().wait()
            answer = await real(resource, *args, **more)
            if self._left == 0:
                self.is_dead.set()
                await asyncio.Event().wait()
            return answer

        return write


async def life(serving: Serving) -> None:
    """What somebody does with a service while its controller may be dead: each step waits for the one before."""
    await serving.make()
    await serving.becomes()
    await serving.edit(predictor=sklearn("file:///models/2", canaryTrafficPercent=20))
    await serving.becomes()
    await serving.edit(predictor={"canaryTrafficPercent": None})
    await serving.becomes()


async def left(serving: Serving) -> dict[str, Any]:
    """What is there in the end, but for times and what the API gives out."""
    isvc = await serving.becomes()
    kept = [each for each in await serving.all(SERVICES) if not meta.is_deleting(each)]
    return {
        "traffic": traffic(isvc),
        "revisions": {
            key: value
            for key, value in meta.status(isvc)["components"]["predictor"].items()
            if key.endswith("Revision")
        },
        "deployments": {
            meta.name(each): meta.labels(each)["serving.knative.dev/routingState"]
            for each in await serving.all(DEPLOYMENTS)
        },
        "services": sorted(meta.name(each) for each in kept),
        "slices": [name for name in await serving.names(ENDPOINT_SLICES) if name.startswith("iris")][:2],
    }


UNDISTURBED = {
    "traffic": [("2", 100, True, "")],
    "revisions": {
        "latestCreatedRevision": "iris-predictor-00002",
        "latestReadyRevision": "iris-predictor-00002",
        "latestRolledoutRevision": "iris-predictor-00002",
        "previousRolledoutRevision": "iris-predictor-00001",
    },
    "deployments": {
        "iris-predictor-00001-deployment": "reserve",
        "iris-predictor-00002-deployment": "active",
    },
    "services": ["iris", "iris-predictor", "iris-predictor-00001", "iris-predictor-00002"],
    "slices": ["iris", "iris-predictor"],
}


@pytest.mark.parametrize("reached", [True, False])
@pytest.mark.parametrize(
    "writes", [pytest.param(n, marks=() if n in _USUALLY else pytest.mark.slow) for n in _ALL]
)
def test_a_crash_at_any_write_is_harmless(run, monkeypatch, writes, reached):
    monkeypatch.setattr("sampan.reconcile.controller._STOP_GRACE_SECONDS", 0.0)

    async def scenario(serving):
        await serving.stop()
        deadly = Deadly(serving.client, writes, reached=reached)
        await serving.start(deadly)
        living = asyncio.create_task(life(serving))
        dying = asyncio.create_task(deadly.is_dead.wait())
        await asyncio.wait([dying, living], return_when=asyncio.FIRST_COMPLETED)
        await serving.stop()
        await serving.start()
        await living
        dying.cancel()

        async def settled():
            return await left(serving) == UNDISTURBED

        try:
            await serving.until(settled)
        except TimeoutError:
            assert await left(serving) == UNDISTURBED

    run(scenario)


def test_a_life_has_fewer_writes_than_are_tried(run):
    """Else crashes at the last of them would never be tried."""

    async def scenario(serving):
        await serving.stop()
        deadly = Deadly(serving.client, max(_ALL) + 1, reached=True)
        await serving.start(deadly)
        await life(serving)
        await asyncio.sleep(0.1)
        assert not deadly.is_dead.is_set()

    run(scenario)
