"""What all exchanges share: routes, pools, counts, the log; and how a request finds its way.

For one event loop. What changes the routes and the pods is in `watching`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from time import monotonic
from typing import Protocol

from sampan.components.serving.api.routing import Backend, Private, plain
from sampan.components.serving.controller.gateway.admission import (
    Admission,
    RefusalError,
    UnknownNameError,
)
from sampan.components.serving.controller.gateway.exchange import Exchange, Work
from sampan.components.serving.controller.gateway.pools import Member, Parting, Pool
from sampan.components.serving.controller.gateway.rules import Ways
from sampan.components.serving.engine.gateway import heads
from sampan.components.serving.engine.gateway.heads import Passed
from sampan.components.serving.engine.gateway.meter import Meter
from sampan.components.serving.engine.gateway.places import Place
from sampan.components.serving.engine.gateway.statistics import Name, Statistics
from sampan.components.serving.engine.gateway.table import Entry, Found, Key, Table
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet
from sampan.web.interception import Head, Receiver
from sampan.web.upstream import Upstream

log = get_logger(__name__)

PoolKey = tuple[str, str, int]
"""Namespace and name of a Service, and its port."""
_CONNECT_SECONDS = 5.0
_UNKNOWN_SECONDS = 0.25
_COMING_SECONDS = 10.0
_PUBLISHERS = b"/publishers/"
_MODEL_HEADER = b"x-gateway-model-name"
"""How long a name is looked for that nobody has; and while an object may be about to get it."""


class Waits(Protocol):
    """An exchange, or a call."""

    def refuse(self, status: int, why: str) -> None: ...

    def waits(self, pool: Pool) -> None: ...


class Dialler(Protocol):
    async def __call__(self, place: Place, factory: Callable[[], Upstream]) -> Upstream:
        """A connection to a pod. Raises OSError."""
        ...


@dataclass(slots=True)
class Done:
    """One line of the access log."""

    name: Name
    head: Head
    request_id: bytes
    status: int
    seconds: float
    sizes: tuple[int, int]
    """Of the body, in and out."""
    pod: str
    why: str


class Core:
    def __init__(
        self,
        dialler: Dialler,
        admission: Admission,
        *,
        most_waiting: int,
        most_bytes: int,
        note: Callable[[Done], None] = lambda _done: None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        # Not the loop's: uvloop counts in milliseconds.
        self.now = monotonic
        self.table = Table()
        self.ways: dict[Key, Ways] = {}
        self.pools: dict[PoolKey, Pool] = {}
        self.parting = Parting()
        self.meter = Meter(self.now)
        self.statistics = Statistics(self.now)
        self.admission = admission
        self.is_ready = asyncio.Event()
        """Set when the routes are known."""
        self.trouble: Callable[[Backend], str] = lambda _backend: ""
        """Why a backend's pods will not come; set by `watching`."""
        self.waits_for: Callable[[Backend], str] = lambda _backend: ""
        self.has_coming: Callable[[], bool] = lambda: False
        """Whether there are objects that may be about to get routes; set by `watching`."""
        self._held: list[Exchange] = []
        self._dialler = dialler
        self._most_waiting = most_waiting
        self._most_bytes = most_bytes
        self._note = note
        self._tasks = TaskSet("gateway")
        self._numbers = count(1)
        self._origin = f"{id(self):x}{int(self.now() * 1e6):x}"

    async def stop(self) -> None:
        await self._tasks.close()
        for pool in self.pools.values():
            pool.refuse(503, "the server stops")
            pool.close()

    # A request begins.

    def begin(self, exchange: Exchange) -> None:
        exchange.request_id = exchange.request_id or heads.request_id(exchange.head, self.new_id())
        if not self.is_ready.is_set():
            self._tasks.spawn(self._begin_later(exchange), name="begin")
            return
        try:
            work = self._find(exchange)
        except RefusalError as refusal:
            exchange.refuse(refusal.status, str(refusal), refusal.headers, is_last=refusal.is_last)
            return
        except UnknownNameError:
            self._hold(exchange)
            return
        except Exception as error:
            log.error("a request failed", host=exchange.head.host.decode("latin-1"), exc=error)
            exchange.refuse(500, "the gateway failed at this request; the server's log says why")
            return
        if work is None:
            return
        before, exchange.work = exchange.work, work
        if work.target is not None:
            self.meter.came(work.target)
        if before is not None and before.target is not None:
            self.meter.went(before.target)
        exchange.seek()

    def begin_anew(self, exchange: Exchange) -> None:
        """Where it was to go is nothing any more, and it has not been sent."""
        if exchange.work is not None and exchange.work.is_shadow:
            exchange.gone()
        else:
            self.begin(exchange)
            exchange.flush()

    async def _begin_later(self, exchange: Exchange) -> None:
        """Just after the start: nobody is told that there is no route before the routes were read."""
        await self.is_ready.wait()
        if not exchange.is_over:
            self.begin(exchange)
            exchange.flush()

    def routes_changed(self) -> None:
        """Those that were for names unknown so far look again."""
        held, self._held = self._held, []
        for exchange in held:
            if not exchange.is_over:
                self.begin(exchange)
                exchange.flush()

    def _hold(self, exchange: Exchange) -> None:
        """Who has just made an endpoint may ask it before its controller has seen it."""
        left = exchange.started + self.unknown_seconds() - self.now()
        if left <= 0 or len(self._held) >= self._most_waiting:
            exchange.refuse(404, "no endpoint has this name: see `sampan endpoints`")
            return
        self._held.append(exchange)
        self.loop.call_later(min(left, _UNKNOWN_SECONDS) + 0.001, self._look_again, exchange)

    def unknown_seconds(self) -> float:
        """For how long a name is looked for."""
        return _COMING_SECONDS if self.has_coming() else _UNKNOWN_SECONDS

    def _look_again(self, exchange: Exchange) -> None:
        if exchange in self._held:
            self._held.remove(exchange)
            if not exchange.is_over:
                self.begin(exchange)
                exchange.flush()

    def _find(self, exchange: Exchange) -> Work | None:
        """Raises RefusalError, UnknownNameError. None: it is answered."""
        head = exchange.head
        self.admission.check_form(head)
        found = self._found(head)
        if found is None:
            raise self.admission.unknown(head)
        if self.admission.is_preflight(head, found.entry):
            exchange.answer(204, self.admission.preflight_headers(head, found.entry))
            return None
        work, shadows = self._way(head, found, exchange.request_id)
        if exchange.work is not None:
            # It began before, and its copies are on their way.
            work.shadows, shadows = exchange.work.shadows, ()
        for shadow in shadows:
            made = Work(work.entry, shadow, self.pool(shadow), work.passed, work.most_bytes, is_shadow=True)
            self._copy(exchange, made, work)
        return work

    def work_of_call(self, head: Head, request_id: bytes) -> Work:
        """Of gRPC. Raises RefusalError, UnknownNameError."""
        self.admission.check_form(head)
        found = self._told(head) or self._found(head)
        if found is None or found.by_path:
            raise self.admission.unknown(head)
        return self._way(head, found, request_id)[0]

    def _told(self, head: Head) -> Found | None:
        """By the metadata that Seldon's clients send with calls, whatever host they ask."""
        name, namespace = head.get(b"seldon"), head.get(b"namespace")
        if not name or not namespace:
            return None
        found = self.table.by_path(b"/seldon/" + namespace + b"/" + name)
        return replace(found, target=head.target, by_path=False) if found is not None else None

    def _way(self, head: Head, found: Found, request_id: bytes) -> tuple[Work, tuple[Backend, ...]]:
        """And whom to send copies. Raises RefusalError."""
        entry = found.entry
        hides_token = self.admission.admit(head, entry)
        route = entry.route
        if route.refusal:
            raise RefusalError(503, self.told(route.refusal, head, entry))
        chosen = self.ways[entry.key].choose(found.target, found.tag)
        if chosen is None:
            raise RefusalError(404, "the endpoint does not serve this path")
        most = entry.limits.most_bytes or self._most_bytes
        self.admission.check_length(head, most)
        backend = chosen.backend
        passed = Passed(chosen.target, request_id, chosen.headers, hides_token, by_path=found.by_path)
        return Work(entry, backend, self.pool(backend), passed, most), chosen.shadows

    def _found(self, head: Head) -> Found | None:
        found = self.table.by_host(head.host, head.target)
        if found is None and b"." not in head.host and (inside := self.admission.namespace_of(head.peer)):
            # A pod says the name of a Service of its own namespace.
            found = self.table.by_host(head.host + b"." + inside.encode(), head.target)
        return found or self.table.by_path(head.target) or self._by_model(head)

    def _by_model(self, head: Head) -> Found | None:
        """Below `/publishers`, where a header names the model and the path does not."""
        model = head.get(_MODEL_HEADER)
        if not model.startswith(_PUBLISHERS[1:]) or not head.target.startswith(_PUBLISHERS):
            return None
        return self.table.by_path(b"/" + model + head.target[len(_PUBLISHERS) - 1 :])

    def _copy(self, exchange: Exchange, work: Work, of: Work) -> None:
        copy = Exchange(self, exchange.head, Nowhere())
        copy.request_id = exchange.request_id
        copy.work = work
        exchange.copied_by(copy)
        of.shadows.append(copy)
        if work.target is not None:
            self.meter.came(work.target)
        # After what it is a copy of.
        self.loop.call_soon(copy.seek)

    def pool(self, backend: Backend) -> Pool:
        """Raises RefusalError for a backend that has none: it is in another namespace than its object."""
        found = self.pools.get((backend.namespace, backend.service, backend.port))
        if found is None:
            raise RefusalError(503, "the endpoint leads to another namespace")
        return found

    # A request waits.

    def wait(self, exchange: Waits, work: Work) -> None:
        """For a pod with room."""
        pool, backend = work.pool, work.backend
        if work.target is None and not pool.has_coming:
            exchange.refuse(503, "no server of the model runs")
            return
        if not pool.ready and (trouble := self.trouble(backend)):
            exchange.refuse(503, trouble)
            return
        if len(pool.waiting) >= self._most_waiting:
            exchange.refuse(503, "too many requests wait for this model already")
            return
        exchange.waits(pool)
        if work.target is not None:
            self.meter.begins_to_wait(work.target)

    def waits_no_longer(self, work: Work) -> None:
        if work.target is not None:
            self.meter.waits_no_longer(work.target)

    def why_none(self, work: Work) -> str:
        why = self.trouble(work.backend) or self.waits_for(work.backend)
        what = "no server of the model was ready in time"
        return Private(f"{what}: {why}", what) if why else ""

    def told(self, why: str, head: Head, entry: Entry) -> str:
        """What is said to whoever sends `head`: what containers said last is not for everybody."""
        is_for_all = not isinstance(why, Private) or self.admission.may_read(head, entry)
        return str(why) if is_for_all else plain(why)

    # A connection.

    def dial(self, exchange: Exchange, member: Member) -> None:
        self._tasks.spawn(self._dial(exchange, member), name="connect")

    async def _dial(self, exchange: Exchange, member: Member) -> None:
        work = exchange.work
        assert work is not None, "it was leased to"
        connection, why = None, ""
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                connection = await self._dialler(member.place, lambda: Upstream(work.pool.lost))
        except (OSError, TimeoutError) as error:
            why = str(error) or "it did not answer in time"
        exchange.dialled(member, connection, why)

    def log_failure(self, exchange: Exchange, member: Member, why: str) -> None:
        log.debug("a pod took no connection", pod=member.place.pod, port=member.place.port, why=why)

    # A request has ended.

    def new_id(self) -> bytes:
        return f"{self._origin}-{next(self._numbers)}".encode()

    def note(self, done: Done) -> None:
        """Counts it, and writes it into the log."""
        self.statistics.note(done.name, done.status, done.seconds)
        self._note(done)

    def added(self, exchange: Exchange) -> list[tuple[bytes, bytes]]:
        """Headers of every answer."""
        found = [(b"x-request-id", exchange.request_id)]
        if exchange.work is not None and exchange.work.entry.limits.origins:
            found += self.admission.shared_headers(exchange.head, exchange.work.entry)
        return found

    def finished(self, exchange: Exchange, status: int, why: str) -> None:
        work = exchange.work
        if work is None:
            return
        if work.target is not None:
            self.meter.went(work.target)
        seconds = self.now() - exchange.started
        route = work.entry.route
        name = route.kind, route.namespace, route.name, work.backend.service
        if work.is_shadow:
            self.statistics.note(name, status, seconds)
            return
        pod = exchange.member.place.pod if exchange.member is not None else ""
        sizes = exchange.bytes_in, exchange.bytes_out
        self.note(Done(name, exchange.head, exchange.request_id, status, seconds, sizes, pod, why))


class Nowhere:
    """The wire of a copy, whose answer nobody gets."""

    is_kept = True

    def write(self, data: bytes) -> None:
        return None

    def pause_reading(self) -> None:
        return None

    def resume_reading(self) -> None:
        return None

    def done(self, *, keep: bool = True) -> None:
        return None

    def cut(self) -> None:
        return None

    def give_away(self, receiver: Receiver) -> bytes:
        raise AssertionError("a copy is never upgraded")
