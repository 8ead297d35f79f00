"""Requests wait for a pod that comes, and are told at once when none will; what is safe is sent again, nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

from sampan.components.serving.api.routing import Target
from sampan.components.serving.engine.gateway.places import State
from sampan.testing.gateways import Asked, Rig, backend, request, say


def test_a_first_request_waits_and_the_autoscaler_is_told(run: Any) -> None:
    async def test(rig: Rig) -> None:
        one = backend()
        rig.route(one)
        woken: list[Target] = []
        rig.core.meter.on_wait(woken.append)
        client, other = await rig.client(), await rig.client()
        first = asyncio.create_task(client.ask(request(body=b"x" * 100_000)))
        second = asyncio.create_task(other.ask(request()))
        while len(woken) < 2:
            await asyncio.sleep(0.01)
        assert woken == [one.target, one.target]
        load = rig.core.meter.load(one.target, 1)  # type: ignore[arg-type]
        assert (load.waiting, load.idle_seconds) == (2, 0.0)
        server = await rig.server()
        rig.pod(one, server, state=State.COMING)
        await asyncio.sleep(0.02)
        assert not first.done()
        rig.pod(one, server)
        assert [(await first).status, (await second).status] == [200, 200]
        assert len(server.asked[0].body) == 100_000
        assert rig.core.meter.waiting() == []

    run(test)


def test_a_name_that_is_just_being_made_is_looked_for_again(run: Any) -> None:
    async def test(rig: Rig) -> None:
        one, server = backend(), await rig.server()
        client, other = await rig.client(), await rig.client()
        rig.core.has_coming = lambda: True
        early = [asyncio.create_task(each.ask(request(body=b"x" * 9))) for each in (client, other)]
        await asyncio.sleep(0.6)
        rig.route(one)
        rig.pod(one, server)
        rig.core.routes_changed()
        assert [(await each).status for each in early] == [200, 200]
        assert {len(asked.body) for asked in server.asked} == {9}
        rig.core.has_coming = lambda: False
        assert (await client.ask(request(host="other-default.localhost"))).status == 404

    run(test)


def test_what_cannot_come_is_said_at_once(run: Any) -> None:
    async def test(rig: Rig) -> None:
        one = backend()
        rig.route(one)
        rig.core.trouble = lambda _backend: "no server of the model can start: ErrImagePull"
        client = await rig.client()
        answer = await client.ask(request())
        assert (answer.status, b"ErrImagePull" in answer.body) == (503, True)
        rig.core.trouble = lambda _backend: ""
        waiting = asyncio.create_task(client.ask(request()))
        while not rig.core.pool(one).waiting:
            await asyncio.sleep(0.01)
        rig.core.pool(one).refuse(503, "it crashes")
        assert b"it crashes" in (await waiting).body
        rig.route(one, refusal="it is stopped")
        answer = await client.ask(request())
        assert (answer.status, answer.body) == (503, b'{"error":"it is stopped"}')

    run(test)


def test_waiting_is_bounded_in_number_and_in_time(run: Any) -> None:
    async def test(rig: Rig) -> None:
        one = backend()
        rig.route(one, timeout_seconds=0.3)
        rig.core.waits_for = lambda _backend: "Unschedulable: no room"
        clients = [await rig.client() for _ in range(3)]
        answers = await asyncio.gather(*(client.ask(request()) for client in clients))
        assert sorted(answer.status for answer in answers) == [503, 503, 503]
        said = sorted(answer.body for answer in answers)
        assert said[2] == b'{"error":"too many requests wait for this model already"}'
        assert b"no room" in said[0]
        assert rig.core.meter.load(one.target, 60).waiting == 0  # type: ignore[arg-type]

    run(test, most_waiting=2)


def test_without_a_scale_only_a_pod_that_is_there_is_waited_for(run: Any) -> None:
    async def test(rig: Rig) -> None:
        one = backend(scaled=False)
        rig.route(one)
        client = await rig.client()
        assert (await client.ask(request())).status == 503
        server = await rig.server()
        rig.pod(one, server, state=State.COMING)
        waiting = asyncio.create_task(client.ask(request()))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        rig.pod(one, server)
        assert (await waiting).status == 200

    run(test)


def test_a_client_that_leaves_is_no_longer_waited_for(run: Any) -> None:
    async def test(rig: Rig) -> None:
        one = backend()
        rig.route(one)
        client = await rig.client()
        client.writer.write(request())
        while not rig.core.pool(one).waiting:
            await asyncio.sleep(0.01)
        client.close()
        while rig.core.pool(one).waiting:
            await asyncio.sleep(0.01)
        load = rig.core.meter.load(one.target, 60)  # type: ignore[arg-type]
        assert load.waiting == 0
        assert load.idle_seconds < 60
        assert (await rig.noted(1))[0].status == 499

    run(test)


def test_a_pod_takes_as_many_at_a_time_as_it_may(run: Any) -> None:
    async def test(rig: Rig) -> None:
        now = most = 0
        are_all = asyncio.Event()

        async def count(asked: Asked, writer: asyncio.StreamWriter) -> None:
            nonlocal now, most
            now += 1
            most = max(most, now)
            if now == 4:
                are_all.set()
            await are_all.wait()
            await asyncio.sleep(0.01)
            now -= 1
            await say(writer, b"")

        one = backend(container_concurrency=2)
        rig.route(one)
        rig.pod(one, await rig.server(count), "a")
        rig.pod(one, await rig.server(count), "b")
        clients = [await rig.client() for _ in range(12)]
        answers = await asyncio.gather(*(client.ask(request()) for client in clients))
        assert {answer.status for answer in answers} == {200}
        assert most == 4
        assert {member.in_flight for member in rig.core.pool(one).members.values()} == {0}

    run(test)


def test_a_pod_that_takes_no_connection_is_left_out(run: Any) -> None:
    async def test(rig: Rig) -> None:
        one = backend()
        rig.route(one)
        server, gone = await rig.server(), await rig.server()
        await gone.stop()
        rig.pod(one, gone, "gone")
        client = await rig.client()
        waiting = asyncio.create_task(client.ask(request()))
        await asyncio.sleep(0.1)
        rig.pod(one, server, "there")
        assert (await waiting).status == 200
        assert {(await client.ask(request())).status for _ in range(30)} == {200}
        assert len(server.asked) == 31

    run(test)


def test_what_a_closed_connection_never_took_is_sent_again(run: Any) -> None:
    """A server that closes idle connections does so just when a request comes, sooner or later."""

    async def test(rig: Rig) -> None:
        server, one = await rig.server(), backend()
        rig.route(one)
        rig.pod(one, server)
        client = await rig.client()
        for _ in range(50):
            assert (await client.ask(request(body=b"a" * 5000))).status == 200
            # Without the gateway's loop being told before it writes.
            client.writer.write(request(body=b"b" * 5000))
            for writer in server.writers:
                writer.transport.abort()
            server.writers.clear()
            assert (await client.read()).status == 200
        assert all(len(asked.body) == 5000 for asked in server.asked)

    run(test)


def test_what_may_have_been_taken_is_not_sent_again(run: Any) -> None:
    async def test(rig: Rig) -> None:
        async def die(asked: Asked, writer: asyncio.StreamWriter) -> None:
            writer.transport.abort()

        one = backend()
        rig.route(one)
        bad, good = await rig.server(die), await rig.server()
        rig.pod(one, bad, "bad")
        client = await rig.client()
        answer = await client.ask(request())
        assert answer.status == 502
        rig.pod(one, good, "good")
        assert {(await client.ask(request())).status for _ in range(5)} <= {200, 502}
        assert len(bad.asked) + len(good.asked) == 6

    run(test)


def test_an_answer_that_breaks_off_is_cut_off(run: Any) -> None:
    async def test(rig: Rig) -> None:
        async def half(asked: Asked, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
            await writer.drain()
            writer.close()

        one = backend()
        rig.route(one)
        rig.pod(one, await rig.server(half))
        client = await rig.client()
        client.writer.write(request())
        try:
            got = await client.reader.read()
        except ConnectionResetError:
            got = b""
        assert not got.endswith(b"0\r\n\r\n")
        assert b"HTTP/1.1 502" not in got
        assert (await rig.noted(1))[0].status == 502

    run(test)


def test_a_pod_on_its_way_out_finishes_and_gets_nothing_new(run: Any) -> None:
    async def test(rig: Rig) -> None:
        going = asyncio.Event()

        async def slow(asked: Asked, writer: asyncio.StreamWriter) -> None:
            await going.wait()
            await say(writer, b"old")

        one = backend()
        rig.route(one)
        old = await rig.server(slow)
        rig.pod(one, old, "old")
        client, other = await rig.client(), await rig.client()
        first = asyncio.create_task(client.ask(request()))
        while not old.asked:
            await asyncio.sleep(0.01)
        rig.pod(one, old, "old", State.LEAVING)
        second = asyncio.create_task(other.ask(request()))
        await asyncio.sleep(0.05)
        rig.pod(one, await rig.server(), "new")
        assert (await second).body == b"ok"
        going.set()
        assert (await first).body == b"old"
        rig.core.pool(one).drop("old")

    run(test)


def test_a_slow_answer_is_given_up(run: Any) -> None:
    async def test(rig: Rig) -> None:
        async def never(asked: Asked, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(30)

        one = backend()
        rig.route(one, timeout_seconds=0.2)
        server = await rig.server(never)
        rig.pod(one, server)
        client = await rig.client()
        assert (await client.ask(request())).status == 504

    run(test)
