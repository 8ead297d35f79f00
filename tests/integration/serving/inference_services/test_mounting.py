"""What a kubelet says of a volume that does not come, where the pod's own status says nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sampan.components.serving.controller.inference_services.mounting import FailedMounts
from sampan.components.serving.engine.inference_services import failures
from sampan.kube.kinds import EVENTS
from sampan.kube.meta import Object

from .conftest import Serving

Scenario = Callable[[Serving], Awaitable[None]]


def event(name: str, uid: str, message: str, second: int, reason: str = "FailedMount") -> Object:
    return {
        "metadata": {"name": name, "namespace": "team"},
        "involvedObject": {"kind": "Pod", "namespace": "team", "name": "words", "uid": uid},
        "reason": reason,
        "message": message,
        "lastTimestamp": f"2026-01-01T00:00:0{second}Z",
        "type": "Warning",
    }


def pod(uid: str, phase: str = "Pending") -> Object:
    waiting = {"name": "main", "state": {"waiting": {"reason": "ContainerCreating"}}}
    return {
        "metadata": {"name": "words", "namespace": "team", "uid": uid},
        "status": {"phase": phase, "containerStatuses": [waiting]},
    }


def test_a_pod_that_waits_for_a_volume_says_so(run: Callable[[Scenario], None]) -> None:
    async def scenario(serving: Serving) -> None:
        told: list[tuple[str, str]] = []
        mounts = FailedMounts(serving.client)
        mounts.start(lambda namespace, name: told.append((namespace, name)))
        try:
            await serving.client.create(EVENTS, event("a", "1", "no such claim", 1))
            await serving.client.create(EVENTS, event("b", "1", 'secret "keys" not found', 2))
            await serving.client.create(EVENTS, event("c", "1", "pulled", 3, "Pulled"))

            async def is_told() -> bool:
                return len(told) == 2

            await serving.until(is_told)
            assert set(told) == {("team", "words")}
            failure = failures.failure_of(mounts.told([pod("1")]))
            assert failure is not None
            assert (failure.text, failure.is_final) == ('secret "keys" not found', False)
            assert mounts.told([pod("2"), pod("1", "Running")]) == [pod("2"), pod("1", "Running")]
        finally:
            await mounts.stop()

    run(scenario)
