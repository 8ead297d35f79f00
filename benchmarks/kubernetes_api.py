"""The Kubernetes API itself, beside a real kube-apiserver with etcd where one is given.

    kubernetes_api.py [--kubeconfig FILE] [--objects 1000,100000] [--seconds 5]

The same small client measures both, in turns, in one run. The client shares the machine's cores with the server.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from harness import memory_mib, table
from kube_client import KubeClient

from sampan.client import kubeconfig
from sampan.client.kubeconfig import Connection
from sampan.testing.server import ServerProcess

NAMESPACE = "benchmark"
BASE = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
PAGE = 500


@dataclass
class Side:
    """One server under measurement."""

    name: str
    connection: Connection
    memory: Callable[[], float]
    figures: dict[str, str] = field(default_factory=dict)

    async def clients(self, count: int) -> list[KubeClient]:
        return list(await asyncio.gather(*(KubeClient(self.connection).connect() for _ in range(count))))


def config_map(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": {"app": "benchmark", "shard": name[-1]}},
        "data": {"filling": "x" * 500},
    }


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kubeconfig", type=Path)
    parser.add_argument("--objects", default="1000,100000")
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sampan-bench-", ignore_cleanup_errors=True) as folder:
        server = ServerProcess(Path(folder) / "home").start()
        try:
            sides = [Side("sampan", _own(server), lambda: memory_mib(server))]
            if options.kubeconfig:
                real = kubeconfig.load(options.kubeconfig)
                sides.append(Side("kube-apiserver + etcd", real, _real_memory))
            for side in sides:
                await _prepare(side)
            stored = 0
            for count in map(int, options.objects.split(",")):
                for side in sides:
                    await _fill(side, stored, count)
                stored = count
                for side in sides:
                    await _measure(side, count, options.seconds)
                _show(f"{count:,} objects stored", sides)
            for side in sides:
                await _watchers(side)
            _show("watches", sides)
            server.stop()
            server.start()
            print(
                f"\nsampan: ready with {stored:,} objects in {server.ready_seconds:.2f} s (goal: at most 5)"
            )
            if options.kubeconfig:
                await _clean(sides[1])
        finally:
            server.stop()


def _own(server: ServerProcess) -> Connection:
    return kubeconfig.load(server.home / "kubeconfig")


def _real_memory() -> float:
    names = {"kube-apiserver", "etcd"}
    return sum(p.memory_full_info().pss for p in psutil.process_iter() if p.name() in names) / 2**20


async def _prepare(side: Side) -> None:
    (client,) = await side.clients(1)
    await client.call("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    client.close()


async def _clean(side: Side) -> None:
    (client,) = await side.clients(1)
    await client.call("DELETE", BASE)
    await client.call("DELETE", f"/api/v1/namespaces/{NAMESPACE}")
    client.close()


async def _fill(side: Side, since: int, until: int) -> None:
    numbers = iter(range(since, until))
    clients = await side.clients(16)

    async def work(client: KubeClient) -> None:
        for number in numbers:
            await client.call("POST", BASE, config_map(f"stored-{number:06}"))

    await asyncio.gather(*map(work, clients))
    for client in clients:
        client.close()


async def _measure(side: Side, stored: int, seconds: float) -> None:
    side.figures = {}
    fresh = itertools.count()
    mark = f"{stored}-{os.getpid()}"
    for count in (1, 50):
        clients = await side.clients(count)

        async def create(client: KubeClient) -> None:
            await client.call("POST", BASE, config_map(f"new-{mark}-{next(fresh):06}"))

        async def get(client: KubeClient) -> None:
            await client.call("GET", f"{BASE}/stored-{next(fresh) * 7919 % stored:06}")

        async def patch(client: KubeClient) -> None:
            change = {"data": {"changed": str(next(fresh))}}
            name = f"stored-{next(fresh) * 7919 % stored:06}"
            await client.call("PATCH", f"{BASE}/{name}", change, "application/merge-patch+json")

        async def listed(client: KubeClient) -> None:
            await client.call("GET", f"{BASE}?limit={PAGE}")

        for name, action in (("create", create), ("get", get), ("patch", patch), (f"list {PAGE}", listed)):
            side.figures[f"{name}, {count} clients"] = await _timed(clients, action, seconds)
        for client in clients:
            client.close()
    side.figures["memory"] = f"{side.memory():.0f} MiB"


async def _timed(
    clients: list[KubeClient], action: Callable[[KubeClient], Awaitable[None]], seconds: float
) -> str:
    took: list[float] = []
    errors = 0
    end = time.perf_counter() + seconds

    async def work(client: KubeClient) -> None:
        nonlocal errors
        while (started := time.perf_counter()) < end:
            try:
                await action(client)
            except Exception:
                errors += 1
            took.append(time.perf_counter() - started)

    await asyncio.gather(*map(work, clients))
    took.sort()
    p50, p99 = statistics.median(took), took[int(len(took) * 0.99)]
    failed = f", {errors} ERRORS" if errors else ""
    return f"{p50 * 1000:.1f} / {p99 * 1000:.1f} ms, {len(took) / seconds:.0f}/s{failed}"


async def _watchers(side: Side) -> None:
    """Lag under 200 writes a second, with one watcher and with a thousand."""
    side.figures = {}
    for count in (1, 1000):
        clients = await side.clients(count)
        lags: list[float] = []
        seen = [0] * count

        since = json.loads(await clients[0].call("GET", f"{BASE}?limit=1"))["metadata"]["resourceVersion"]
        path = f"{BASE}?watch=1&labelSelector=app%3Dwatched&resourceVersion={since}"

        async def watch(at: int, client: KubeClient, path: str, lags: list[float], seen: list[int]) -> None:
            async for event in client.watch(path):
                if event["type"] == "ADDED":
                    lags.append(time.time() - float(event["object"]["data"]["at"]))
                    seen[at] += 1

        watching = [
            asyncio.create_task(watch(at, client, path, lags, seen)) for at, client in enumerate(clients)
        ]
        await asyncio.sleep(2)
        # With a thousand watchers each write is a thousand events to read for this client too.
        rate, writes = (200, 1000) if count == 1 else (10, 50)
        await _write_at_rate(side, rate, writes, count)
        deadline = time.monotonic() + 60
        while min(seen) < writes and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        lags.sort()
        missed = sum(writes - each for each in seen)
        side.figures[f"lag, {count} watchers, {rate} writes/s"] = (
            f"{statistics.median(lags) * 1000:.1f} / {lags[int(len(lags) * 0.99)] * 1000:.1f} ms"
            + (f", {missed} MISSED" if missed else "")
        )
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        for client in clients:
            client.close()
    side.figures["memory"] = f"{side.memory():.0f} MiB"


async def _write_at_rate(side: Side, rate: int, writes: int, mark: int) -> None:
    writers = await side.clients(8)
    begun = time.perf_counter()

    async def work(first: int, client: KubeClient) -> None:
        for at in range(first, writes, len(writers)):
            await asyncio.sleep(max(0.0, begun + at / rate - time.perf_counter()))
            obj = config_map(f"watched-{mark}-{at:05}")
            obj["metadata"]["labels"]["app"] = "watched"
            obj["data"] = {"at": repr(time.time())}
            await client.call("POST", BASE, obj)

    await asyncio.gather(*(work(at, client) for at, client in enumerate(writers)))
    for client in writers:
        client.close()


def _show(title: str, sides: list[Side]) -> None:
    for name in sides[0].figures:
        rows = [(side.name, side.figures[name], "") for side in sides]
        table(f"{title}: {name} (p50 / p99)", rows)


if __name__ == "__main__":
    asyncio.run(main())
