"""gRPC calls to models, by the authority of their connection; beside it the platform's own services."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest

from sampan.app.grpc_authority import SETTINGS, FirstFrames, NoHttp2Error
from sampan.app.grpc_port import GrpcPort
from sampan.app.intercepting import Interception
from sampan.components.serving.api.routing import Backend, Route, Rule
from sampan.components.serving.controller.gateway import grpc_passing
from sampan.components.serving.controller.gateway.grpc_passing import Passing
from sampan.components.serving.engine.gateway.places import Place, State
from sampan.testing import grpc_servers
from sampan.testing.gateways import HOST, Rig, backend, request, rig
from sampan.web.guards import GuardSettings
from sampan.web.interception import Head


class Model(grpc.GenericRpcHandler):
    """Answers any method with who it is and what it was told."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.metadata: list[dict[str, Any]] = []

    def service(self, handler_call_details: Any) -> Any:
        method = handler_call_details.method

        async def answered(requests: AsyncIterator[bytes], context: Any) -> None:
            self.metadata.append(dict(context.invocation_metadata()))
            if method.endswith("Fail"):
                # A call that ends before its request is read may break off while the client still sends it.
                async for _ in requests:
                    pass
                context.set_trailing_metadata((("why", "because"),))
                await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not loaded")
            await context.send_initial_metadata((("model", "iris"),))
            async for message in requests:
                await context.write(self.name + b":" + message)
            context.set_trailing_metadata((("end-bin", b"\x00\x01"),))

        return grpc.stream_stream_rpc_method_handler(answered)


@asynccontextmanager
async def port_of(rig: Rig, own: list[Any]) -> AsyncIterator[str]:
    async with speaking(rig, own) as (_, address):
        yield address


@asynccontextmanager
async def speaking(rig: Rig, own: list[Any]) -> AsyncIterator[tuple[GrpcPort, str]]:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(16)
    listener.setblocking(False)

    async def handlers() -> list[Any]:
        return own

    interception = Interception(rig.door, GuardSettings.bound_to("127.0.0.1"))
    port = GrpcPort(listener, [handlers], lambda: interception)
    await port.start()
    try:
        yield port, f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        await port.stop()
        listener.close()


@asynccontextmanager
async def model(name: bytes = b"iris") -> AsyncIterator[tuple[Model, int]]:
    found = Model(name)
    async with grpc_servers.serving(found) as number:
        yield found, number


def channel(address: str, authority: str = "") -> Any:
    options: list[tuple[str, Any]] = [("grpc.use_local_subchannel_pool", 1)]
    if authority:
        options.append(("grpc.default_authority", authority))
    return grpc.aio.insecure_channel(address, options=options)


def place(name: str, number: int) -> Place:
    return Place(name, name, "default", "127.0.0.1", 1, State.READY, number)


METHOD = "/inference.GRPCInferenceService/ModelInfer"


def test_calls_by_authority_reach_the_model_as_they_are(run: Any) -> None:
    async def test(rig: Rig) -> None:
        one = backend()
        rig.route(one)
        async with (
            model() as (found, number),
            model(b"ours") as (platform, _),
            port_of(rig, [platform]) as address,
        ):
            rig.core.pool(one).put(place("pod", number))
            async with channel(address, HOST) as made:
                told = (("x-a", "1"), ("tenant", "t"), ("b-bin", b"\x01"))
                spoofed = (("kubeflow-userid", "admin"), ("x-forwarded-for", "10.0.0.1"))
                call = made.unary_unary(METHOD)(b"\x00abc", metadata=(*told, *spoofed))
                assert await call == b"iris:\x00abc"
                assert dict(await call.initial_metadata()) == {"model": "iris"}
                assert dict(await call.trailing_metadata()) == {"end-bin": b"\x00\x01"}
                said = found.metadata[0]
                assert [said.get(key) for key, _ in told] == [value for _, value in told]
                assert not any(key in said for key, _ in spoofed)
                stream = made.stream_stream(METHOD)()
                for number in range(3):
                    await stream.write(b"%d" % number)
                    assert await stream.read() == b"iris:%d" % number
                await stream.done_writing()
                assert await stream.read() is grpc.aio.EOF
                with pytest.raises(grpc.aio.AioRpcError) as error:
                    await made.unary_unary("/x.Y/Fail")(b"")
                assert error.value.code() is grpc.StatusCode.FAILED_PRECONDITION
                assert error.value.details() == "not loaded"
                assert dict(error.value.trailing_metadata() or ()) == {"why": "because"}
            async with channel(address) as made:
                assert await made.unary_unary(METHOD)(b"x") == b"ours:x"
            assert platform.metadata != []
        assert [done.status for done in await rig.noted(3)] == [200, 200, 500]
        assert rig.core.meter.load(one.target, 60).requests_per_second > 0  # type: ignore[arg-type]

    run(test)


def test_a_call_outlasts_those_to_more_pods_than_are_kept_in_touch_with(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grpc_passing, "_MOST_CHANNELS", 1)

    async def test(rig: Rig) -> None:
        one = backend()
        rig.route(one)
        async with model(b"a") as (_, a), model(b"b") as (_, b), port_of(rig, []) as address:
            pool = rig.core.pool(one)
            pool.put(place("a", a))
            async with channel(address, HOST) as made:
                stream = made.stream_stream(METHOD)()
                await stream.write(b"1")
                assert await stream.read() == b"a:1"
                pool.drop("a")
                pool.put(place("b", b))
                assert await made.unary_unary(METHOD)(b"x") == b"b:x"
                await stream.write(b"2")
                assert await stream.read() == b"a:2"
                await stream.done_writing()
                assert await stream.read() is grpc.aio.EOF

    run(test)


def test_calls_wait_for_a_pod_and_are_told_why_none_comes(run: Any) -> None:
    async def test(rig: Rig) -> None:
        one = backend()
        rig.route(one)
        async with model() as (_, number), port_of(rig, []) as address, channel(address, HOST) as made:
            waiting = asyncio.ensure_future(made.unary_unary(METHOD)(b"x"))
            while not rig.core.pool(one).waiting:
                await asyncio.sleep(0.01)
            rig.core.pool(one).put(place("pod", number))
            assert await waiting == b"iris:x"
            rig.core.pool(one).drop("pod")
            rig.core.trouble = lambda _backend: "it crashes"
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await made.unary_unary(METHOD)(b"x")
            assert (error.value.code(), error.value.details()) == (grpc.StatusCode.UNAVAILABLE, "it crashes")
        assert rig.core.meter.waiting() == []

    run(test)


def test_a_call_that_waits_goes_where_the_route_leads_now(run: Any) -> None:
    async def test(rig: Rig) -> None:
        old, new = backend("iris-00001"), backend("iris-00002")
        rig.route(old)
        async with model() as (_, number), port_of(rig, []) as address, channel(address, HOST) as made:
            waiting = asyncio.ensure_future(made.unary_unary(METHOD)(b"x"))
            while not rig.core.pool(old).waiting:
                await asyncio.sleep(0.01)
            rig.route(new)
            rig.core.pool(new).put(place("pod", number))
            rig.core.pools.pop(("default", "iris-00001", 80)).close()
            assert await waiting == b"iris:x"
        assert [(done.name[3], done.status) for done in await rig.noted(1)] == [("iris-00002", 200)]
        loads = [rig.core.meter.load(each.target, 60) for each in (old, new)]  # type: ignore[arg-type]
        assert [(load.waiting, load.idle_seconds < 60) for load in loads] == [(0, True)] * 2

    run(test)


@pytest.mark.parametrize("leaves_first", [True, False])
def test_a_caller_that_leaves_just_when_its_turn_comes_takes_no_room(run: Any, leaves_first: bool) -> None:
    async def test(rig: Rig) -> None:
        one = backend(container_concurrency=1)
        rig.route(one)
        passing = Passing(rig.core, None, lambda _peer: HOST)
        head = Head(b"POST", METHOD.encode(), "1.1", [], HOST.encode(), "127.0.0.1", False, True)
        leased = asyncio.create_task(passing._leased(rig.core.work_of_call(head, b"1"), 10))
        pool = rig.core.pool(one)
        while not pool.waiting:
            await asyncio.sleep(0)
        steps: list[Callable[[], Any]] = [leased.cancel, lambda: pool.put(place("pod", 1))]
        for step in steps if leaves_first else reversed(steps):
            step()
        with pytest.raises(asyncio.CancelledError):
            await leased
        assert pool.members["pod"].in_flight == 0
        assert rig.core.meter.waiting() == []

    run(test)


def test_calls_on_one_connection_are_split_by_weight(run: Any) -> None:
    async def test(rig: Rig) -> None:
        new, old = backend("new", weight=20), backend("old", weight=80)
        rig.route(new, old)
        async with model(b"new") as (_, first), model(b"old") as (_, second), port_of(rig, []) as address:
            rig.core.pool(new).put(place("new", first))
            rig.core.pool(old).put(place("old", second))
            async with channel(address, HOST) as made:
                answers = [await made.unary_unary(METHOD)(b"") for _ in range(100)]
        assert answers.count(b"new:") == pytest.approx(20, abs=2)

    run(test)


def test_calls_come_through_the_main_port_too() -> None:
    async def main() -> None:
        async with asyncio.timeout(60), rig() as behind, speaking(behind, []) as (port, _):
            one = backend()
            behind.route(one)
            async with model() as (_, number), rig(adopt=port.adopt) as front:
                behind.core.pool(one).put(place("pod", number))
                async with channel(f"127.0.0.1:{front.port}", HOST) as made:
                    for _ in range(3):
                        assert await made.unary_unary(METHOD)(b"x" * 100_000) == b"iris:" + b"x" * 100_000
                client = await front.client()
                answer = await client.ask(request("/", b"", host="localhost", method="GET"))
                assert answer.body == b"platform"

    asyncio.run(main())


def test_names_that_nobody_has(run: Any) -> None:
    async def test(rig: Rig) -> None:
        rules = (Rule((Backend("default", "x"),)),)
        rig.publish(
            Route("InferenceService", "default", "x", ("x-default.localhost",), ("/inference.",), rules)
        )
        async with model(b"ours") as (platform, _), port_of(rig, [platform]) as address:
            async with channel(address, "nobody-default.localhost") as made:
                with pytest.raises(grpc.aio.AioRpcError) as error:
                    await made.unary_unary(METHOD)(b"x")
            assert error.value.code() is grpc.StatusCode.NOT_FOUND
        assert platform.metadata == []

    run(test)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff" * 100,
        b"\x00\x00\x05\x01\x08\x00\x00\x00\x01\xff\x00\x00\x00\x00",
        b"\x00\x00\x02\x01\x04\x00\x00\x00\x01\xff\xff",
        b"\x00\x00\x01\x01\x00\x00\x00\x00\x01\x82" + b"\x00\x00\x01\x00\x00\x00\x00\x00\x01a",
        b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" * 10_000,
    ],
)
def test_noise_is_no_http_2(data: bytes) -> None:
    with pytest.raises(NoHttp2Error):
        FirstFrames().feed(data)


def test_frames_that_come_in_pieces_are_passed_on_but_for_the_acknowledgement() -> None:
    block = b"\x82\x86\x84\x41\x0bexample.com"
    headers = b"\x00\x00" + bytes([len(block)]) + b"\x01\x04\x00\x00\x00\x01" + block
    acknowledged = b"\x00\x00\x00\x04\x01\x00\x00\x00\x00"
    rest = acknowledged + b"\x00\x00\x01\x00\x01\x00\x00\x00\x01x"
    data = SETTINGS + headers + acknowledged + rest
    for size in (1, 7, 1000):
        frames = FirstFrames()
        passed = b"".join(frames.feed(data[at : at + size]) for at in range(0, len(data), size))
        assert passed == SETTINGS + headers + rest
        assert (frames.authority, frames.is_done) == ("example.com", True)
