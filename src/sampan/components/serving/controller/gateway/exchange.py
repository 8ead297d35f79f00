"""One request that is passed on to a pod, and its answer: the states in between, without a task.

    found → its pod, or waiting for one → connected → sent → answered

What can be done again: nothing was sent yet; or the connection turned out to be closed before the other side had taken
any of it. Everything else may have had an effect, and is answered 502.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from sampan.components.serving.api.routing import Backend, Target
from sampan.components.serving.controller.gateway.pools import Member, Pool
from sampan.components.serving.engine.gateway import heads
from sampan.components.serving.engine.gateway.heads import Passed
from sampan.components.serving.engine.gateway.table import Entry
from sampan.web.interception import Head, Wire
from sampan.web.splice import Side, join
from sampan.web.upstream import AnswerHead, Upstream

_HELD_BYTES = 256 * 1024
"""Of a body, while nobody takes it: then the client is not read any more. So much is also kept to be sent again."""
_COPY_BYTES = 1024 * 1024
"""Of a shadow's copy of a body, while nobody takes it."""
_BODY_SECONDS = 60.0
"""In which some of a body has to come."""
_IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS"})
_LEFT = 499
"""In the log, for a client that did not wait for its answer."""


@dataclass(slots=True)
class Work:
    """Where one request goes."""

    entry: Entry
    backend: Backend
    pool: Pool
    passed: Passed
    most_bytes: int
    shadows: list[Exchange] = field(default_factory=list)
    is_shadow: bool = False

    @property
    def timeout_seconds(self) -> float:
        return self.entry.route.timeout_seconds

    @property
    def target(self) -> Target | None:
        return self.backend.target


class Core(Protocol):
    """What all exchanges share: `core.Core`."""

    loop: asyncio.AbstractEventLoop
    now: Callable[[], float]

    def begin(self, exchange: Exchange) -> None: ...
    def begin_anew(self, exchange: Exchange) -> None: ...
    def wait(self, exchange: Exchange, work: Work) -> None: ...
    def waits_no_longer(self, work: Work) -> None: ...
    def why_none(self, work: Work) -> str: ...
    def told(self, why: str, head: Head, entry: Entry) -> str: ...
    def dial(self, exchange: Exchange, member: Member) -> None: ...
    def log_failure(self, exchange: Exchange, member: Member, why: str) -> None: ...
    def added(self, exchange: Exchange) -> list[tuple[bytes, bytes]]: ...
    def finished(self, exchange: Exchange, status: int, why: str) -> None: ...


@dataclass(slots=True)
class _Sent:
    """What was written, as long as it may have to be written again."""

    pieces: list[bytes] = field(default_factory=list)
    size: int = 0
    is_whole: bool = True

    def add(self, pieces: list[bytes], size: int) -> None:
        if self.is_whole:
            self.size += size
            self.pieces += pieces
            if self.size > _HELD_BYTES:
                self.is_whole = False
                self.pieces = []


class Exchange:
    """Implements `web.interception.Exchange`, `web.upstream.Receiver` and `pools.Waiter`."""

    def __init__(self, core: Core, head: Head, wire: Wire) -> None:
        self.head = head
        self.wire = wire
        self.started = core.now()
        self.request_id = b""
        self.work: Work | None = None
        """Set when it is known where it goes."""
        self.bytes_in = self.bytes_out = 0
        self.member: Member | None = None
        self._core = core
        self._connection: Upstream | None = None
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._sent = _Sent()
        self._out: list[bytes] = []
        self._is_complete = head.is_whole
        self._is_chunked = not head.is_whole and not head.get(b"content-length")
        self._has_begun = self.is_over = self._is_waiting = False
        self._rechunks = False
        self._status = 0
        self._timer: asyncio.TimerHandle | None = None
        self._body_timer: asyncio.TimerHandle | None = None
        self._heard = self.started
        self._closes = self._is_paused = self._was_repeated = False

    # web.interception.Exchange

    def start(self) -> None:
        if not self._is_complete:
            self._body_timer = self._core.loop.call_later(_BODY_SECONDS, self._look_at_body)
        self._core.begin(self)

    def take(self, data: bytes) -> None:
        if self.is_over or not data:
            return
        self.bytes_in += len(data)
        work = self.work
        if work is not None and self.bytes_in > work.most_bytes:
            self.refuse(413, f"the body is larger than {work.most_bytes} bytes")
            return
        if self._is_chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self.push(data)
        self._heard = self._core.now()

    def end(self) -> None:
        self.complete()
        if self._is_chunked:
            self.push(b"0\r\n\r\n")
        if self._body_timer is not None:
            self._body_timer.cancel()
            self._body_timer = None

    def flush(self) -> None:
        if self.is_over:
            return
        if self._connection is not None:
            self._send()
        elif self._pending_bytes > _HELD_BYTES:
            self.pause_sending()
        if self.work is not None:
            if self.work.is_shadow and self._pending_bytes > _COPY_BYTES:
                # It is not slowed down for a copy.
                self.gone()
                return
            for copy in self.work.shadows:
                copy.flush()

    def gone(self) -> None:
        self._finish(_LEFT)

    def pause_writing(self) -> None:
        if self._connection is not None:
            self._connection.pause_reading()

    def resume_writing(self) -> None:
        if self._connection is not None:
            self._connection.resume_reading()

    # As they are sent, to the copies as well.

    def push(self, data: bytes) -> None:
        if self.is_over:
            return
        self._pending.append(data)
        self._pending_bytes += len(data)
        if self.work is not None:
            for copy in self.work.shadows:
                copy.push(data)

    def complete(self) -> None:
        self._is_complete = True
        if self.work is not None:
            for copy in self.work.shadows:
                copy.complete()

    def copied_by(self, copy: Exchange) -> None:
        """`copy` gets what there is of the body, and from now on what comes."""
        for data in self._pending:
            copy.push(data)
        if self._is_complete:
            copy.complete()

    # Where it goes: called by the core, which has set `work`.

    def seek(self) -> None:
        """A pod."""
        work = self.work
        assert work is not None, "the core has found where it goes"
        if self.is_over:
            # A copy, of a request that was refused before its turn came.
            return
        if self.bytes_in > work.most_bytes:
            self.refuse(413, f"the body is larger than {work.most_bytes} bytes")
            return
        if work.pool.is_closed:
            self._core.begin_anew(self)
            return
        if self._timer is None:
            self._timer = self._core.loop.call_later(work.timeout_seconds, self._too_late)
        member = work.pool.acquire()
        if member is not None:
            self.leased(member)
        else:
            self._core.wait(self, work)

    def waits(self, pool: Pool) -> None:
        self._is_waiting = True
        pool.join(self)

    def leased(self, member: Member) -> None:
        assert self.work is not None, "only who seeks is leased to"
        if self._is_waiting:
            self._is_waiting = False
            self._core.waits_no_longer(self.work)
        self.member = member
        # What was sent already goes to nobody else, unless a whole copy of it is here.
        connection = self.work.pool.idle_connection(member)
        if connection is not None:
            self._connected(connection)
        else:
            self._core.dial(self, member)

    def refused(self, status: int, why: str) -> None:
        """While it waited."""
        self._is_waiting = False
        if self.work is not None:
            self._core.waits_no_longer(self.work)
        self.refuse(status, why)

    def moved(self) -> None:
        """While it waited."""
        self._is_waiting = False
        if self.work is not None:
            self._core.waits_no_longer(self.work)
        self._core.begin_anew(self)

    def refuse(
        self,
        status: int,
        why: str,
        added: list[tuple[bytes, bytes]] | None = None,
        *,
        is_last: bool = False,
    ) -> None:
        """An answer of our own, behind which no other comes if it is the last."""
        if self.is_over:
            return
        if self._has_begun:
            self._cut(status)
            return
        keep = self._is_complete and self.wire.is_kept and not self.head.upgrade and not is_last
        more = [*(added or ()), *self._core.added(self)]
        if status == 503:
            more.append((b"retry-after", b"1"))
        is_head = self.head.method == b"HEAD"
        told = self._core.told(why, self.head, self.work.entry) if self.work is not None else why
        data = heads.refusal_bytes(status, told, more, is_head=is_head, keep=keep)
        self.wire.write(data)
        self._finish(status, why)
        self.wire.done(keep=keep)

    def answer(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """An answer of our own without a body, such as to a browser that asks whether it may."""
        data = heads.answer_bytes(status, b"", [], headers, by_path=False, framing=b"content-length: 0\r\n")
        self.wire.write(data)
        self._finish(status)
        self.wire.done()

    # The connection to the pod.

    def dialled(self, member: Member, connection: Upstream | None, why: str) -> None:
        """The core's answer to `dial`."""
        work = self.work
        assert work is not None, "it was leased to"
        if connection is not None and not connection.is_open:
            # Since it was made.
            connection, why = None, "it closed the connection"
        if connection is None:
            work.pool.failed(member)
            if self.member is member:
                self.member = None
                work.pool.release(member)
                self._core.log_failure(self, member, why)
                self.seek()
            return
        if self.is_over or self.member is not member:
            connection.can_be_reused = True
            work.pool.keep(member, connection)
            return
        self._connected(connection)

    def _connected(self, connection: Upstream) -> None:
        work = self.work
        assert work is not None, "it was leased to"
        self._connection = connection
        connection.begin(self, is_head=self.head.method == b"HEAD")
        first = heads.request_bytes(self.head, work.passed)
        if self._sent.pieces:
            # The second time: what went the first time.
            self._pending[:0] = self._sent.pieces[1:]
            self._sent = _Sent()
        self._pending.insert(0, first)
        if self.head.get(b"expect") and not self._is_complete:
            self.wire.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # However little of the body there is: while the client is paused, nothing else would bring it on its way.
        self._send()

    def _send(self) -> None:
        connection, pending = self._connection, self._pending
        if not pending or connection is None:
            return
        data = pending[0] if len(pending) == 1 else b"".join(pending)
        self._sent.add(pending, len(data))
        self._pending = []
        self._pending_bytes = 0
        if self._is_paused:
            self.resume_sending()
        connection.write(data)

    def pause_sending(self) -> None:
        self._is_paused = True
        self.wire.pause_reading()

    def resume_sending(self) -> None:
        self._is_paused = False
        self._heard = self._core.now()
        self.wire.resume_reading()

    # web.upstream.Receiver

    def answer_begins(self, head: AnswerHead) -> None:
        self._has_begun = True
        if self._timer is not None:
            self._timer.cancel()
        self._status = head.status
        framing = b""
        if head.length:
            framing = b"content-length: " + head.length + b"\r\n"
        elif head.has_body:
            self._rechunks = self.head.version == "1.1"
            self._closes = not self._rechunks
            framing = b"transfer-encoding: chunked\r\n" if self._rechunks else b""
        if self._closes or not self.wire.is_kept or self.head.upgrade or not self._is_complete:
            self._closes = True
            framing += b"connection: close\r\n"
        work = self.work
        by_path = work is not None and work.passed.by_path
        added = self._core.added(self)
        self._out.append(
            heads.answer_bytes(
                head.status, head.reason, head.headers, added, by_path=by_path, framing=framing
            )
        )

    def answer_data(self, data: bytes) -> None:
        self.bytes_out += len(data)
        if self._rechunks:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self._out.append(data)

    def answer_flush(self) -> None:
        if self._out:
            out, self._out = self._out, []
            self.wire.write(out[0] if len(out) == 1 else b"".join(out))

    def answer_ends(self) -> None:
        if self.is_over:
            return
        if self._rechunks:
            self._out.append(b"0\r\n\r\n")
        self.answer_flush()
        connection, self._connection = self._connection, None
        if connection is not None and self.work is not None and self.member is not None:
            connection.can_be_reused = connection.can_be_reused and self._is_complete
            self.work.pool.worked(self.member)
            # The client may have been slow to the last.
            connection.resume_reading()
            self.work.pool.keep(self.member, connection)
        self._finish(self._status)
        self.wire.done(keep=not self._closes)

    def answer_switches(self, head: AnswerHead, surplus: bytes) -> None:
        connection = self._connection
        if not self.head.upgrade or connection is None:
            self._fail("the server switched to a protocol that nobody asked for")
            return
        if self._timer is not None:
            self._timer.cancel()
        self._has_begun = True
        self._connection = None
        self.wire.write(heads.switching_bytes(head.headers, self.head.upgrade))
        far = Side()
        near = _give_away(self.wire, far)
        far.transport = connection.give_away(far)
        if surplus and near.transport is not None:
            near.transport.write(surplus)
        join(near, far, lambda: self._finish(101))
        if near.early and far.transport is not None:
            far.transport.write(near.early)

    def answer_lost(self, *, was_taken: bool) -> None:
        connection, self._connection = self._connection, None
        if self.is_over:
            return
        work, member = self.work, self.member
        if self._has_begun or work is None or member is None:
            self._cut(502)
            return
        is_idempotent = self.head.method in _IDEMPOTENT and connection is not None and connection.used > 1
        if self._sent.is_whole and (not was_taken or (is_idempotent and not self._was_repeated)):
            self._was_repeated = True
            if connection is not None and connection.used == 1:
                # Not one that had grown old.
                work.pool.failed(member)
            self.member = None
            work.pool.release(member)
            self.seek()
            return
        work.pool.failed(member)
        self._fail("the model's server closed the connection before it had answered")

    # The end.

    def _fail(self, why: str) -> None:
        if self._has_begun:
            self._cut(502)
        else:
            self.refuse(502, why)

    def _too_late(self) -> None:
        why = self._core.why_none(self.work) if self._connection is None and self.work is not None else ""
        if self._connection is None:
            self.refuse(503, why or "no server of the model was ready in time")
        else:
            self.refuse(504, "the model's server did not answer in time")

    def _look_at_body(self) -> None:
        left = self._heard + _BODY_SECONDS - self._core.now()
        if self._connection is None or self._is_paused:
            # It is us who do not read.
            left = max(left, 1.0)
        if left <= 0:
            self._body_timer = None
            self.refuse(408, "the body of the request did not come in time")
        else:
            self._body_timer = self._core.loop.call_later(left, self._look_at_body)

    def _cut(self, status: int) -> None:
        self.answer_flush()
        self._finish(status)
        self.wire.cut()

    def _finish(self, status: int, why: str = "") -> None:
        """Whatever became of it: everything is given back, and it is counted."""
        if self.is_over:
            return
        self.is_over = True
        for timer in (self._timer, self._body_timer):
            if timer is not None:
                timer.cancel()
        work = self.work
        if self._is_waiting and work is not None:
            self._is_waiting = False
            work.pool.waiting.remove(self)
            self._core.waits_no_longer(work)
        if self._connection is not None:
            # Its answer is not complete, and whoever computes it may as well stop.
            self._connection.close()
            self._connection = None
        self._pending = []
        if work is not None and not self._is_complete:
            for copy in work.shadows:
                copy.gone()
        self._core.finished(self, status, why)
        member, self.member = self.member, None
        if member is not None and work is not None:
            work.pool.release(member)


class _Near(Side):
    early = b""


def _give_away(wire: Wire, far: Side) -> _Near:
    made: list[_Near] = []

    def receive(transport: asyncio.Transport, on_lost: object) -> _Near:
        made.append(_Near(transport, on_lost))  # type: ignore[arg-type]
        return made[0]

    early = wire.give_away(receive)
    made[0].early = early
    return made[0]
