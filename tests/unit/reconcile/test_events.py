"""Events are counted, bounded, and never anybody's problem."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from sampan.kube.errors import ForbiddenError, NotFoundError
from sampan.reconcile.events import EventRecorder

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "pod", "namespace": "team", "uid": "u-1", "resourceVersion": "7"},
}


class ManualClock:
    def __init__(self) -> None:
        self.at = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


class Store:
    """The outermost seam: an API that keeps Events, or refuses to."""

    def __init__(self) -> None:
        self.events: dict[str, dict[str, Any]] = {}
        self.refuse: Exception | None = None

    async def create(self, _resource: Any, obj: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(0)
        if self.refuse:
            raise self.refuse
        self.events[obj["metadata"]["name"]] = obj
        return obj

    async def patch(
        self, _resource: Any, name: str, patch: dict[str, Any], _namespace: str
    ) -> dict[str, Any]:
        await asyncio.sleep(0)
        if name not in self.events:
            raise NotFoundError("gone")
        self.events[name] |= patch
        return self.events[name]


def record(scenario) -> list[dict[str, Any]]:
    store, clock = Store(), ManualClock()

    async def main() -> None:
        recorder = EventRecorder(store, clock, "tester", host="here")
        await scenario(recorder, store, clock)
        await recorder.close()

    asyncio.run(main())
    return list(store.events.values())


def test_an_event_says_who_what_and_when():
    async def scenario(recorder, _store, _clock):
        recorder.warning(POD, "Broken", "it broke")

    [event] = record(scenario)
    assert event["type"] == "Warning"
    assert event["reason"] == "Broken"
    assert event["source"] == {"component": "tester", "host": "here"}
    assert event["involvedObject"] == {
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": "team",
        "name": "pod",
        "uid": "u-1",
        "resourceVersion": "7",
    }
    assert event["firstTimestamp"] == event["lastTimestamp"] == "2026-01-01T00:00:00Z"
    assert event["metadata"]["namespace"] == "team"


def test_repetition_is_counted_in_one_event():
    async def scenario(recorder, _store, clock):
        for _ in range(3):
            recorder.normal(POD, "Again", "same")
            await recorder.flush()
            clock.at += timedelta(seconds=5)
        recorder.normal(POD, "Again", "other")

    events = record(scenario)
    assert [(event["message"], event["count"]) for event in events] == [("same", 3), ("other", 1)]
    assert events[0]["lastTimestamp"] == "2026-01-01T00:00:10Z"


def test_names_are_in_the_order_of_what_happened():
    async def scenario(recorder, _store, _clock):
        for number in range(20):
            recorder.normal(POD, f"Reason{number}", "text")

    names = [event["metadata"]["name"] for event in record(scenario)]
    assert names == sorted(set(names))


def test_an_expired_event_is_written_anew():
    async def scenario(recorder, store, _clock):
        recorder.normal(POD, "Again", "same")
        await recorder.flush()
        store.events.clear()
        recorder.normal(POD, "Again", "same")

    [event] = record(scenario)
    assert event["count"] == 1


def test_an_object_cannot_flood_but_others_are_heard():
    other = {**POD, "metadata": {**POD["metadata"], "uid": "u-2", "name": "other"}}

    async def scenario(recorder, _store, clock):
        for number in range(1000):
            recorder.normal(POD, "Noise", str(number))
        recorder.normal(other, "Quiet", "hello")
        clock.at += timedelta(seconds=300)
        recorder.normal(POD, "Noise", "later")

    events = record(scenario)
    assert len([event for event in events if event["reason"] == "Noise"]) == 26
    assert len([event for event in events if event["reason"] == "Quiet"]) == 1


def test_what_the_api_refuses_is_dropped_and_the_next_is_written():
    async def scenario(recorder, store, _clock):
        for refusal in (ForbiddenError("terminating"), RuntimeError("a bug")):
            store.refuse = refusal
            recorder.normal(POD, "Lost", str(refusal))
            await recorder.flush()
        store.refuse = None
        recorder.normal(POD, "Kept", "x")

    assert [event["reason"] for event in record(scenario)] == ["Kept"]


def test_cluster_objects_and_long_texts_fit():
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n" * 253, "uid": "u-3"}}

    async def scenario(recorder, _store, _clock):
        recorder.normal(node, "Long", "x" * 5000)

    [event] = record(scenario)
    assert event["metadata"]["namespace"] == "default"
    assert len(event["metadata"]["name"]) <= 253
    assert len(event["message"]) == 1024
