"""What many clients saw of one server that is killed in the middle, checked against what Kubernetes promises.

Every client notes each request with its begin, its end and the answer. Afterwards: acknowledged writes are there; reads
and writes of an object are linearizable by its resourceVersion; every watch has seen every change once and in order,
across the crash. After Jepsen's register and watch tests of etcd (jepsen.io/analyses/etcd-3.4.3).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from sampan.client.kubeconfig import Connection
from sampan.client.protocol import ListOptions, PatchType
from sampan.client.remote import RemoteClient
from sampan.kube.errors import AlreadyExistsError, ApiError, ConflictError, NotFoundError
from sampan.kube.kinds import CONFIG_MAPS
from sampan.testing.connections import free_port
from sampan.testing.server import ServerProcess

NAMESPACE = "default"
LABEL = {"history": "yes"}
SELECTOR = "history=yes"
REGISTERS = [f"register-{at}" for at in range(4)]


@dataclass(frozen=True)
class Operation:
    """One request about one object. `version` is the resourceVersion of the answer, 0 where none came."""

    kind: Literal["read", "write"]
    name: str
    begin: float
    end: float
    version: int
    acknowledged: bool = True


@dataclass
class History:
    operations: list[Operation] = field(default_factory=list)
    increments: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Acknowledged ones, by register."""
    doubtful: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    created: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    seen: list[list[tuple[int, str, str]]] = field(default_factory=list)
    """By watch: (resourceVersion, type, name)."""
    is_over: bool = False

    async def note(
        self, kind: Literal["read", "write"], name: str, call: Awaitable[dict[str, Any]]
    ) -> dict[str, Any]:
        begin = time.monotonic()
        try:
            answer = await call
        except (ConflictError, AlreadyExistsError, NotFoundError):
            raise
        except ApiError:
            # Nobody knows whether it was done.
            self.operations.append(Operation(kind, name, begin, time.monotonic(), 0, acknowledged=False))
            raise
        version = int(answer["metadata"]["resourceVersion"])
        self.operations.append(Operation(kind, name, begin, time.monotonic(), version))
        return answer


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": NAMESPACE, "labels": LABEL}, "data": data}


async def incrementing(client: RemoteClient, history: History, rng: random.Random) -> None:
    """Read, add one, write back if nobody was faster."""
    while not history.is_over:
        name = rng.choice(REGISTERS)
        try:
            obj = await history.note("read", name, client.get(CONFIG_MAPS, name, NAMESPACE))
            obj["data"]["value"] = str(int(obj["data"]["value"]) + 1)
            await history.note("write", name, client.replace(CONFIG_MAPS, obj))
            history.increments[name] += 1
        except ConflictError:
            continue
        except ApiError:
            history.doubtful[name] += 1
            await asyncio.sleep(0.05)


async def coming_and_going(client: RemoteClient, history: History, mark: str) -> None:
    """Creates, patches and deletes objects of its own, each name once."""
    at = 0
    while not history.is_over:
        at += 1
        name = f"{mark}-{at}"
        try:
            await history.note("write", name, client.create(CONFIG_MAPS, config_map(name, at=str(at))))
            history.created.add(name)
            change = {"data": {"patched": "yes"}}
            patch = client.patch(CONFIG_MAPS, name, change, NAMESPACE, patch_type=PatchType.MERGE)
            await history.note("write", name, patch)
            if at % 2:
                await client.delete(CONFIG_MAPS, name, NAMESPACE)
                history.deleted.add(name)
        except ApiError:
            if at % 2:
                # The request to delete may have been the one that nobody answered.
                history.created.discard(name)
            await asyncio.sleep(0.05)


async def watching(client: RemoteClient, since: str, seen: list[tuple[int, str, str]]) -> None:
    version = since
    while True:
        try:
            options = ListOptions(label_selector=SELECTOR, resource_version=version)
            async for event in client.watch(CONFIG_MAPS, NAMESPACE, options):
                metadata = event.object["metadata"]
                version = metadata["resourceVersion"]
                if event.type != "BOOKMARK":
                    seen.append((int(version), event.type, metadata["name"]))
        except ApiError:
            await asyncio.sleep(0.05)


async def play(
    server: ServerProcess, seconds: float, crashes: int, seed: int
) -> tuple[History, dict[str, Any]]:
    history, rng = History(), random.Random(seed)
    clients = [RemoteClient(Connection(server.url)) for _ in range(16)]
    try:
        for name in REGISTERS:
            await clients[0].create(CONFIG_MAPS, config_map(name, value="0"))
        start = (await clients[0].list(CONFIG_MAPS, NAMESPACE)).resource_version
        history.seen = [[] for _ in range(4)]
        watches = [
            asyncio.create_task(watching(client, start, seen))
            for client, seen in zip(clients[:4], history.seen, strict=True)
        ]
        work = [
            *(incrementing(client, history, random.Random(rng.random())) for client in clients[4:10]),
            *(coming_and_going(client, history, f"w{at}") for at, client in enumerate(clients[10:])),
        ]
        running = asyncio.gather(*work)
        for crash in range(crashes + 1):
            done = len(history.operations)
            await asyncio.sleep(seconds / (crashes + 1) * rng.uniform(0.6, 1.0))
            while len(history.operations) < done + 60:
                await asyncio.sleep(0.05)
            if crash < crashes:
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
        history.is_over = True
        await running
        last = await clients[0].create(CONFIG_MAPS, config_map("last"))
        final = int(last["metadata"]["resourceVersion"])
        async with asyncio.timeout(60):
            while not all(seen and seen[-1][0] >= final for seen in history.seen):
                await asyncio.sleep(0.05)
        found = await clients[0].list(CONFIG_MAPS, NAMESPACE, ListOptions(label_selector=SELECTOR))
        for task in watches:
            task.cancel()
        return history, {each["metadata"]["name"]: each for each in found.items}
    finally:
        await asyncio.gather(*(client.close() for client in clients))


def check_survival(history: History, state: dict[str, Any]) -> None:
    kept = history.created - history.deleted
    assert kept <= state.keys()
    assert not history.deleted & state.keys()
    for name in REGISTERS:
        value = int(state[name]["data"]["value"])
        least = history.increments[name]
        assert least <= value <= least + history.doubtful[name], name


def check_linearizable(history: History) -> None:
    """Per object: no answer is older than one that had come before the request was sent."""
    by_object: dict[str, list[Operation]] = defaultdict(list)
    for operation in history.operations:
        if operation.acknowledged:
            by_object[operation.name].append(operation)
    for name, operations in by_object.items():
        writes = [each.version for each in operations if each.kind == "write"]
        assert len(writes) == len(set(writes)), f"{name}: two writes have the same version"
        ended = sorted(operations, key=lambda each: each.end)
        newest, at = 0, 0
        for operation in sorted(operations, key=lambda each: each.begin):
            while at < len(ended) and ended[at].end < operation.begin:
                newest = max(newest, ended[at].version)
                at += 1
            floor = newest + 1 if operation.kind == "write" and newest != operation.version else newest
            assert operation.version >= floor, f"{name}: {operation} after an answer of version {newest}"


def check_watches(history: History) -> None:
    for seen in history.seen:
        versions = [version for version, _, _ in seen]
        assert versions == sorted(set(versions)), "a watch saw a change twice or out of order"
        state: set[str] = set(REGISTERS)
        for version, kind, name in seen:
            assert (name in state) == (kind != "ADDED"), f"{kind} of {name} at {version}"
            (state.discard if kind == "DELETED" else state.add)(name)
    first, *others = history.seen
    for other in others:
        assert other == first
    written = {each.version for each in history.operations if each.kind == "write" and each.acknowledged}
    assert written <= {version for version, _, _ in first}


@pytest.mark.parametrize(
    ("seconds", "crashes"),
    [(4, 1), pytest.param(60, 8, marks=[pytest.mark.slow, pytest.mark.timeout(300)])],
)
def test_a_history_with_crashes_is_one_of_kubernetes(tmp_path: Path, seconds: float, crashes: int) -> None:
    with ServerProcess(tmp_path / "home", options=("--port", str(free_port()))) as server:
        history, state = asyncio.run(play(server, seconds, crashes, seed=crashes))
    assert len(history.operations) > 100
    assert any(not each.acknowledged for each in history.operations), "the crash met no request"
    check_survival(history, state)
    check_linearizable(history)
    check_watches(history)


def test_the_checker_finds_what_it_is_there_for() -> None:
    lost = History(created={"a"})
    with pytest.raises(AssertionError):
        check_survival(lost, {})
    stale = History([Operation("write", "a", 0, 1, 7), Operation("read", "a", 2, 3, 6)])
    with pytest.raises(AssertionError):
        check_linearizable(stale)
    overwritten = History([Operation("write", "a", 0, 1, 7), Operation("write", "a", 2, 3, 5)])
    with pytest.raises(AssertionError):
        check_linearizable(overwritten)
    for gap in (
        [[(5, "ADDED", "a")], []],
        [[(5, "ADDED", "a"), (5, "MODIFIED", "a")]],
        [[(5, "MODIFIED", "unknown")]],
    ):
        with pytest.raises(AssertionError):
            check_watches(History(seen=gap))
