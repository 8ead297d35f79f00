"""Requests in a queue: none of them is lost or stuck when what they wait for changes, or gives way."""

from __future__ import annotations

import asyncio
from typing import Any

from sampan.components.serving.api.routing import Rule
from sampan.components.serving.engine.gateway.places import Place
from sampan.testing.gateways import Asked, Rig, backend, request, say


def test_a_large_body_goes_on_when_its_turn_comes(run: Any) -> None:
    async def test(rig: Rig) -> None:
        goes_on = asyncio.Event()

        async def slow(asked: Asked, writer: asyncio.StreamWriter) -> None:
            await goes_on.wait()
            await say(writer, str(len(asked.body)).encode())

        one = backend(container_concurrency=1)
        rig.route(one)
        rig.pod(one, await rig.server(slow))
        first, second = await rig.client(), await rig.client()
        before = asyncio.create_task(first.ask(request()))
        size = 8 * 1024 * 1024
        large = asyncio.create_task(second.ask(request(body=b"x" * size)))
        while not rig.core.pool(one).waiting:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        # The connection of the one before is used again: nothing is to be connected to first.
        goes_on.set()
        assert (await before).status == 200
        async with asyncio.timeout(60):
            assert (await large).body == str(size).encode()

    run(test)


def test_who_waits_goes_where_the_route_leads_now(run: Any) -> None:
    async def test(rig: Rig) -> None:
        old, new = backend("iris-00001", container_concurrency=1), backend("iris-00002")
        copied = backend("shadow", scaled=False)
        rig.route(old, rules=(Rule((old,), shadows=(copied,)),))
        copies = await rig.server()
        rig.pod(copied, copies, "copies")
        client = await rig.client()
        body = b"x" * 1024 * 1024
        waiting = asyncio.create_task(client.ask(request(body=body)))
        while not rig.core.pool(old).waiting:
            await asyncio.sleep(0.01)
        server = await rig.server()
        rig.route(new, rules=(Rule((new,), shadows=(copied,)),))
        rig.pod(new, server)
        rig.core.pools.pop(("default", "iris-00001", 80)).close()
        assert (await waiting).status == 200
        assert server.asked[0].body == body
        assert [done.name[3] for done in await rig.noted(1)] == ["iris-00002"]
        loads = [rig.core.meter.load(each.target, 60) for each in (old, new)]  # type: ignore[arg-type]
        assert [(load.waiting, load.idle_seconds < 60) for load in loads] == [(0, True)] * 2
        while not copies.asked:  # nobody waits for a copy
            await asyncio.sleep(0.01)
        assert len(copies.asked) == 1

    run(test)


def test_who_finds_its_pod_gone_with_the_backend_goes_elsewhere(run: Any) -> None:
    async def test(rig: Rig) -> None:
        old, new = backend("iris-00001"), backend("iris-00002")
        rig.route(old)
        rig.pod(old, 1)
        server = await rig.server()
        dial = rig.core._dialler

        async def slow(place: Place, factory: Any) -> Any:
            if place.port == 1:
                rig.route(new)
                rig.pod(new, server)
                rig.core.pools.pop(("default", "iris-00001", 80)).close()
                raise ConnectionRefusedError("nobody")
            return await dial(place, factory)

        rig.core._dialler = slow
        async with asyncio.timeout(60):
            assert (await (await rig.client()).ask(request())).status == 200

    run(test)


def test_a_connection_that_is_closed_before_it_is_used(run: Any) -> None:
    async def test(rig: Rig) -> None:
        one, taken = backend(), 0
        rig.route(one, timeout_seconds=3.0)
        dial = rig.core._dialler

        async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.transport.abort()

        async def late(place: Place, factory: Any) -> Any:
            nonlocal taken
            taken += 1
            connection = await dial(place, factory)
            while connection.is_open:
                await asyncio.sleep(0.005)
            return connection

        rig.core._dialler = late
        rig.pod(one, await rig.raw(reset))
        answer = await (await rig.client()).ask(request())
        # It is tried again, after longer and longer rests.
        assert (answer.status, 1 < taken < 10) == (503, True)

    run(test)
