"""The port's protocol where some requests are answered below ASGI (`web.interception`): by the gateway to models.

Such a request has a `_Turn` at the place of uvicorn's own cycle, so that keep-alive, pipelines and the orderly end of
the server are uvicorn's for both.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from sampan.app.connections import BoundedProtocol
from sampan.app.settings import ServerSettings
from sampan.components import Component
from sampan.web.guards import GuardSettings, hostname
from sampan.web.interception import Exchange, Head, Interceptor, Receiver

_LINGER_SECONDS = 2.0
"""In which a client that was answered early may end its request: closed at once, it might never see the answer."""
_UPGRADES = frozenset({b"websocket"})


@dataclass(frozen=True, slots=True)
class Interception:
    interceptor: Interceptor
    own: GuardSettings
    """Which names are the server's own."""
    reserved: frozenset[bytes] = frozenset()
    """Names that are never given to it."""
    spoken: frozenset[str] = frozenset()
    """Names by which pods ask the services that the server itself has for gRPC."""

    @classmethod
    def of(
        cls, components: Iterable[Component], server: ServerSettings, spoken: Iterable[str] = ()
    ) -> Interception | None:
        """`server.allowed_hosts` are all names that it has."""
        found = [each.interceptor for each in components if each.interceptor is not None]
        if not found:
            return None
        assert len(found) == 1, "one component answers below HTTP"
        content = hostname(server.content_host).encode("latin-1")
        own = GuardSettings.bound_to(server.host, server.allowed_hosts)
        return cls(found[0], own, frozenset({content}), frozenset(spoken))

    def wants_authority(self, authority: str, peer: str) -> bool:
        """Of gRPC: there are no paths to tell by."""
        host = hostname(authority)
        name = host.encode("latin-1")
        return (
            not self.own.is_ours(host)
            and host not in self.spoken
            and name not in self.reserved
            and self.interceptor.wants_host(name, peer)
        )

    def wants(self, host: bytes, target: bytes, peer: str) -> bool:
        if host in self.reserved:
            return False
        if self.own.is_ours(host.decode("latin-1")):
            return self.interceptor.wants_path(target)
        return self.interceptor.wants_host(host, peer)


class _Nobody:
    """At the place of an event that nobody waits for."""

    def set(self) -> None:
        return None


class _Turn:
    """One request. Implements `web.interception.Wire`, and of uvicorn's RequestResponseCycle what its protocol uses."""

    message_event = _Nobody()
    body = b""

    def __init__(self, protocol: InterceptingProtocol, *, keep_alive: bool, is_whole: bool) -> None:
        self._protocol = protocol
        self.keep_alive = keep_alive
        self.response_complete = False
        self.disconnected = False
        self.more_body = not is_whole
        self._is_paused = False
        self.exchange: Exchange

    # Of the connection.

    def start(self) -> None:
        self._protocol.active = self
        self.exchange.start()

    def gone(self) -> None:
        if not self.response_complete:
            self.response_complete = True
            self.exchange.gone()
            del self.exchange

    # Wire.

    @property
    def is_kept(self) -> bool:
        return self.keep_alive

    def write(self, data: bytes) -> None:
        self._protocol.transport.write(data)

    def pause_reading(self) -> None:
        if not self._is_paused and not self.response_complete:
            self._is_paused = True
            self._protocol.flow.pause_reading()

    def resume_reading(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._protocol.flow.resume_reading()

    def done(self, *, keep: bool = True) -> None:
        self.response_complete = True
        # The two know each other: whoever collects garbage would have to find out that nobody else does.
        del self.exchange
        protocol = self._protocol
        protocol.active = None
        if self.more_body:
            protocol.linger()
            return
        if not (keep and self.keep_alive):
            protocol.transport.close()
        protocol.on_response_complete()

    def cut(self) -> None:
        self.response_complete = True
        del self.exchange
        self._protocol.active = None
        self._protocol.transport.abort()

    def give_away(self, receiver: Receiver) -> bytes:
        self.response_complete = True
        return self._protocol.give_away(receiver)


class InterceptingProtocol(BoundedProtocol):
    """One connection."""

    active: _Turn | None = None
    """The request that is being answered, where it is an exchange."""

    _next: _Turn | None = None
    """The request whose turn it is, but whose first read is not over."""

    def __init__(self, *args: Any, interception: Interception, **named: Any) -> None:
        super().__init__(*args, **named)
        self._interception = interception

    # From the parser.

    def on_headers_complete(self) -> None:
        target = self.url
        host = _host(self.headers)
        peer = self.client[0] if self.client else ""
        if not self._interception.wants(host, target, peer):
            super().on_headers_complete()
            return
        self._end_head()
        parser = self.parser
        # Of a request that asks for something else the rest is taken as it is, so it must have no body.
        upgrade = (self._get_upgrade() or b"") if parser.should_upgrade() else b""
        is_whole = not _has_body(self.headers)
        version = parser.get_http_version()
        head = Head(
            parser.get_method(),
            target,
            version,
            self.headers,
            host,
            peer,
            self.scheme == "https",
            is_whole,
            upgrade if upgrade in _UPGRADES and is_whole and not self.pipeline else b"",
        )
        turn = _Turn(self, keep_alive=version == "1.1" and parser.should_keep_alive(), is_whole=is_whole)
        turn.exchange = self._interception.interceptor.exchange(head, turn)
        before = self.cycle
        self.cycle = turn  # type: ignore[assignment]
        if before is None or before.response_complete:
            self._next = turn
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((turn, self.app))  # type: ignore[arg-type]

    def on_body(self, body: bytes) -> None:
        turn: Any = self.cycle
        if type(turn) is not _Turn:
            super().on_body(body)
        elif not turn.response_complete:
            turn.exchange.take(body)

    def on_message_complete(self) -> None:
        turn: Any = self.cycle
        if type(turn) is not _Turn:
            super().on_message_complete()
            return
        was_answered = turn.response_complete and turn.more_body
        turn.more_body = False
        if was_answered:
            self.transport.close()
        elif not turn.response_complete:
            turn.exchange.end()
            self._start_next()

    # From the connection.

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._start_next()
        turn: Any = self.cycle
        if type(turn) is _Turn and not turn.response_complete:
            turn.exchange.flush()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.active is not None:
            self.active.exchange.pause_writing()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.active is not None:
            self.active.exchange.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._end_all()

    def send_400_response(self, msg: str) -> None:
        """What comes is no HTTP. An answer that has begun already is cut off."""
        turn = self.active
        self._end_all()
        if turn is not None:
            self.transport.abort()
        else:
            super().send_400_response(msg)

    def _start_next(self) -> None:
        """As late as that: a small request is whole then, and the connection can go on whatever the answer is."""
        turn, self._next = self._next, None
        if turn is not None:
            turn.start()

    def linger(self) -> None:
        """The answer is complete, the request is not: what still comes of it is dropped, for a while."""
        self.flow.resume_reading()
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)

    def give_away(self, receiver: Receiver) -> bytes:
        self.active = None
        surplus, self._asked = self._asked or b"", None
        taken: Any = receiver(self.transport, self.connections.discard)
        self.connections.discard(self)
        self.connections.add(taken)
        self.transport.set_protocol(taken)
        self.flow.resume_reading()
        return surplus

    # uvicorn's own steps.

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        if type(cycle) is _Turn:
            cycle.start()
            if not cycle.more_body and not cycle.response_complete:
                cycle.exchange.flush()
        else:
            super()._start_asgi_task(cycle, app)

    def _unsupported_upgrade_warning(self) -> None:
        turn: Any = self.cycle
        if type(turn) is not _Turn:
            super()._unsupported_upgrade_warning()
            return
        error = sys.exc_info()[1]
        if error is not None and not turn.response_complete and self._get_upgrade() in _UPGRADES:
            self._asked = self._latest[int(error.args[0]) :]

    def _end_all(self) -> None:
        turns = [self.active, self._next, *(cast(Any, cycle) for cycle, _ in self.pipeline)]
        self.active = self._next = None
        self.pipeline.clear()
        for turn in turns:
            if type(turn) is _Turn:
                turn.gone()


def _host(headers: list[tuple[bytes, bytes]]) -> bytes:
    found = [value for key, value in headers if key == b"host"]
    return _name_in(found[0]) if len(found) == 1 else b""


@functools.lru_cache(maxsize=1024)
def _name_in(value: bytes) -> bytes:
    """Of a Host header: most requests have one of a few."""
    return hostname(value.decode("latin-1").strip()).encode("latin-1")


def _has_body(headers: list[tuple[bytes, bytes]]) -> bool:
    for key, value in headers:
        if (key == b"content-length" and value.strip() != b"0") or key == b"transfer-encoding":
            return True
    return False
