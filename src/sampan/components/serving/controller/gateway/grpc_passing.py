"""gRPC calls to models: bytes in, bytes out, whatever the service. Loaded with the first connection.

The host is the connection's authority. Messages are never read; metadata, status and its details go through. A call is
one request as far as traffic, waiting and scaling are concerned.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio

from sampan.components.serving.controller.gateway.admission import RefusalError, UnknownNameError
from sampan.components.serving.controller.gateway.core import Core, Done
from sampan.components.serving.controller.gateway.exchange import Work
from sampan.components.serving.controller.gateway.pools import Member, Pool
from sampan.components.serving.controller.gateway.reach import PodPort
from sampan.components.serving.engine.gateway import heads
from sampan.lib.log import get_logger
from sampan.web.guards import hostname
from sampan.web.interception import Head

log = get_logger(__name__)

_CONNECT_SECONDS = 5.0
_MOST_CHANNELS = 256
_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)
_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
}
_STATUSES = {
    grpc.StatusCode.OK: 200,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
}
_OF_THE_CONNECTION = frozenset(("user-agent", "te", "content-type", "accept-encoding"))
Context = grpc.aio.ServicerContext[Any, Any]


class _MovedError(Exception):
    """Where the call was to go is nothing any more."""


class _Lease:
    """Implements `pools.Waiter` and `core.Waits`."""

    def __init__(self) -> None:
        self.member: asyncio.Future[Member] = asyncio.get_running_loop().create_future()
        self.pool: Pool | None = None

    def leased(self, member: Member) -> None:
        pool, self.pool = self.pool, None
        if not self.member.done():
            self.member.set_result(member)
        elif pool is not None:
            # The caller has left, and has not come to say so yet.
            pool.release(member)

    def refused(self, status: int, why: str) -> None:
        self._fail(RefusalError(status, why))

    refuse = refused

    def moved(self) -> None:
        self._fail(_MovedError())

    def _fail(self, error: Exception) -> None:
        self.pool = None
        if not self.member.done():
            self.member.set_exception(error)

    def waits(self, pool: Pool) -> None:
        self.pool = pool
        pool.join(self)

    def leave(self, pool: Pool) -> None:
        """Nobody takes what it may have got already."""
        if self.pool is not None:
            self.pool.waiting.remove(self)
            self.pool = None
        if self.member.done() and not self.member.cancelled() and self.member.exception() is None:
            pool.release(self.member.result())


class _Kept:
    """A channel to a pod. While calls go over it, it stays."""

    def __init__(self, channel: Any) -> None:
        self.channel = channel
        self.calls = 0


class Passing(grpc.GenericRpcHandler):
    """For one event loop."""

    def __init__(self, core: Core, pod_port: PodPort | None, authority_of: Callable[[str], str]) -> None:
        self._core = core
        self._pod_port = pod_port
        self._authority_of = authority_of
        self._channels: dict[tuple[str, int], _Kept] = {}

    def service(self, handler_call_details: Any) -> Any:
        method = handler_call_details.method

        async def passed(requests: AsyncIterator[bytes], context: Context) -> None:
            await self._pass(method, requests, context)

        return grpc.stream_stream_rpc_method_handler(passed)

    async def _pass(self, method: str, requests: AsyncIterator[bytes], context: Context) -> None:
        metadata = list(context.invocation_metadata() or ())
        head = _head(method, metadata, self._authority_of(context.peer()), context.peer())
        request_id = heads.request_id(head, self._core.new_id())
        call = _Call(method, metadata, request_id, requests, context)
        try:
            while True:
                work = await self._find(head, request_id)
                with contextlib.suppress(_MovedError):
                    return await self._pass_to(work, call, head)
        except RefusalError as refusal:
            await context.abort(_CODES.get(refusal.status, grpc.StatusCode.UNAVAILABLE), str(refusal))

    async def _pass_to(self, work: Work, call: _Call, head: Head) -> None:
        """Raises RefusalError, _MovedError."""
        began, core = self._core.now(), self._core
        status, pod, why = 499, "", ""
        if work.target is not None:
            core.meter.came(work.target)
        try:
            member, kept = await self._connected(work)
            pod = member.place.pod
            try:
                status = _STATUSES.get(await call.run(kept.channel, work), 500)
            finally:
                kept.calls -= 1
                work.pool.release(member)
        except RefusalError as refusal:
            status, why = refusal.status, str(refusal.why)
            raise RefusalError(status, core.told(refusal.why, head, work.entry)) from refusal
        except _MovedError:
            status = 0
            raise
        finally:
            if work.target is not None:
                core.meter.went(work.target)
            if status:
                route = work.entry.route
                name = route.kind, route.namespace, route.name, work.backend.service
                seconds = core.now() - began
                core.note(Done(name, head, call.request_id, status, seconds, call.sizes, pod, why))

    async def _find(self, head: Head, request_id: bytes) -> Work:
        """Raises RefusalError."""
        began = self._core.now()
        while True:
            try:
                return self._core.work_of_call(head, request_id)
            except UnknownNameError as error:
                if self._core.now() - began > self._core.unknown_seconds():
                    raise RefusalError(404, "no endpoint has this name: see `sampan endpoints`") from error
            await asyncio.sleep(0.05)

    async def _connected(self, work: Work) -> tuple[Member, _Kept]:
        """A pod and a channel to it that is open. Both are to be given back. Raises RefusalError, _MovedError."""
        deadline = self._core.now() + work.timeout_seconds
        while True:
            if work.pool.is_closed:
                raise _MovedError
            member = await self._leased(work, deadline - self._core.now())
            try:
                kept = await self._ready(member)
            except (OSError, TimeoutError):
                work.pool.failed(member)
                work.pool.release(member)
            except BaseException:
                work.pool.release(member)
                raise
            else:
                return member, kept

    async def _leased(self, work: Work, seconds: float) -> Member:
        found = work.pool.acquire()
        if found is not None:
            return found
        lease = _Lease()
        self._core.wait(lease, work)
        is_counted = lease.pool is not None
        try:
            async with asyncio.timeout(max(seconds, 0.001)):
                return await lease.member
        except TimeoutError as error:
            lease.leave(work.pool)
            why = self._core.why_none(work) or "no server of the model was ready in time"
            raise RefusalError(503, why) from error
        except BaseException:
            lease.leave(work.pool)
            raise
        finally:
            if is_counted:
                self._core.waits_no_longer(work)

    async def _ready(self, member: Member) -> _Kept:
        """With one call more. Raises OSError, TimeoutError, RefusalError."""
        kept = self._channel(member)
        kept.calls += 1
        try:
            await self._close_unused()
            async with asyncio.timeout(_CONNECT_SECONDS):
                await kept.channel.channel_ready()
        except BaseException:
            kept.calls -= 1
            raise
        return kept

    def _channel(self, member: Member) -> _Kept:
        """Raises OSError, RefusalError."""
        if self._pod_port is None:
            raise RefusalError(503, "gRPC is not passed on to pods of another cluster")
        place = member.place
        where = self._pod_port(place.address, place.grpc_port or place.port)
        kept = self._channels.pop(where, None)
        if kept is None:
            kept = _Kept(grpc.aio.insecure_channel(f"{where[0]}:{where[1]}", options=_OPTIONS))
        # The last is the one that was used last.
        self._channels[where] = kept
        return kept

    async def _close_unused(self) -> None:
        """Of those that are too many: a call may last longer than any number of others."""
        unused = [where for where, kept in self._channels.items() if not kept.calls]
        too_many = max(len(self._channels) - _MOST_CHANNELS, 0)
        # None of them can be taken while another is closed.
        for kept in [self._channels.pop(where) for where in unused[:too_many]]:
            await kept.channel.close(None)


class Named(grpc.GenericRpcHandler):
    """Calls that say by their metadata which SeldonDeployment they are for, whatever host they ask, as Seldon's clients
    do. All others are somebody else's."""

    def __init__(self, passing: Passing) -> None:
        self._passing = passing

    def service(self, handler_call_details: Any) -> Any:
        metadata = dict(handler_call_details.invocation_metadata or ())
        is_one = metadata.get("seldon") and metadata.get("namespace")
        return self._passing.service(handler_call_details) if is_one else None


class _Call:
    """One call, from both sides."""

    def __init__(
        self,
        method: str,
        metadata: list[Any],
        request_id: bytes,
        requests: AsyncIterator[bytes],
        context: Context,
    ) -> None:
        self.request_id = request_id
        self._method = method
        self._metadata = metadata
        self._requests = requests
        self._context = context
        self._bytes_in = self._bytes_out = 0

    @property
    def sizes(self) -> tuple[int, int]:
        return self._bytes_in, self._bytes_out

    async def run(self, channel: Any, work: Work) -> grpc.StatusCode:
        context = self._context
        metadata = _passed_on(self._metadata, work, self.request_id)
        far = channel.stream_stream(self._method)(metadata=metadata, timeout=context.time_remaining())
        sending = asyncio.create_task(self._send(far))
        try:
            await context.send_initial_metadata(_visible(await far.initial_metadata()))
            while (answer := await far.read()) is not grpc.aio.EOF:
                self._bytes_out += len(answer)
                await context.write(answer)
            code: grpc.StatusCode = await far.code()
            context.set_trailing_metadata(_visible(await far.trailing_metadata()))
            context.set_code(code)
            context.set_details(await far.details() or "")
        except grpc.aio.AioRpcError as error:
            context.set_trailing_metadata(_visible(error.trailing_metadata()))
            context.set_code(error.code())
            context.set_details(error.details() or "")
            return error.code()
        finally:
            far.cancel()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        return code

    async def _send(self, far: Any) -> None:
        async for message in self._requests:
            self._bytes_in += len(message)
            await far.write(message)
        await far.done_writing()


def _head(method: str, metadata: list[Any], authority: str, peer: str) -> Head:
    """The call as a request, for admission and the log."""
    address = peer.partition(":")[2].rpartition(":")[0]
    headers = [
        (str(key).encode(), value.encode() if isinstance(value, str) else bytes(value))
        for key, value in metadata
        if key != "host"
    ]
    host = hostname(authority).encode("latin-1")
    headers.append((b"host", authority.encode("latin-1")))
    return Head(b"POST", method.encode("latin-1"), "1.1", headers, host, address, False, True)


def _passed_on(metadata: list[Any], work: Work, request_id: bytes) -> list[tuple[str, Any]]:
    fixed = {key.decode("latin-1"): value.decode("latin-1") for key, value in work.passed.headers.items()}
    hidden = {*fixed, *(("authorization",) if work.passed.hides_token else ())}
    kept = [
        (key, value)
        for key, value in metadata
        if not (key in _OF_THE_CONNECTION or key.startswith("grpc-") or key in hidden)
        and not heads.is_for_us_to_say(key.encode())
    ]
    return [*kept, *fixed.items(), ("x-request-id", request_id.decode("latin-1"))]


def _visible(metadata: Any) -> tuple[Any, ...]:
    return tuple((key, value) for key, value in metadata or () if not key.startswith("grpc-"))
