"""Requests that are answered below ASGI: by whoever passes them on, and has no use for a framework on the way.

The port's protocol (`app.intercepting`) asks an `Interceptor` for each request's head, before any route or guard sees
it; who takes one has to do the guards' work itself. Bytes flow both ways through an `Exchange` as they come. Everything
happens in the event loop, without tasks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Headers = list[tuple[bytes, bytes]]
"""Names in lower case."""


@dataclass(slots=True)
class Head:
    """Of a request, as it was sent."""

    method: bytes
    target: bytes
    """As sent: nothing is decoded or made shorter."""
    version: str
    """`1.1` or `1.0`."""
    headers: Headers
    host: bytes
    """Of the Host header: without the port, in lower case; empty where there is not exactly one."""
    peer: str
    """The address that it comes from."""
    is_secure: bool
    is_whole: bool
    """It has no body."""
    upgrade: bytes = b""
    """The protocol asked for, in lower case, where the connection can be given away."""
    _first: dict[bytes, bytes] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._first = dict(reversed(self.headers))

    def get(self, name: bytes) -> bytes:
        """The first header of this name, or empty."""
        return self._first.get(name, b"")

    def has(self, name: bytes) -> bool:
        return name in self._first


class Taken(Protocol):
    """What a connection is given to (beside being an asyncio.Protocol)."""

    def shutdown(self) -> None:
        """The server stops."""
        ...


Receiver = Callable[[asyncio.Transport, Callable[[Any], None]], Taken]
"""Given the transport, and what to call with itself when the connection is lost."""


class Wire(Protocol):
    """The client's connection, as the exchange sees it."""

    @property
    def is_kept(self) -> bool:
        """Whether another request may follow: if not, the answer has to say that it is the last."""
        ...

    def write(self, data: bytes) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def done(self, *, keep: bool = True) -> None:
        """The answer is complete. Called once."""
        ...

    def cut(self) -> None:
        """The answer cannot be completed, and the client is to see that. In place of `done`."""
        ...

    def give_away(self, receiver: Receiver) -> bytes:
        """The connection has another protocol from now on. Returns what had come for it already. In place of `done`,
        and only where `Head.upgrade` is set."""
        ...


class Exchange(Protocol):
    """One request and its answer."""

    def start(self) -> None:
        """It is its turn: requests that came before it on this connection are answered. The body may have come."""
        ...

    def take(self, data: bytes) -> None:
        """Of the body."""
        ...

    def end(self) -> None:
        """The request is complete."""
        ...

    def flush(self) -> None:
        """What came at once has been told."""
        ...

    def gone(self) -> None:
        """The client is. Nothing is called after that."""
        ...

    def pause_writing(self) -> None:
        """The client does not read as fast as it is written to."""
        ...

    def resume_writing(self) -> None: ...


class Interceptor(Protocol):
    def wants_path(self, target: bytes) -> bool:
        """On one of the server's own names."""
        ...

    def wants_host(self, host: bytes, peer: str) -> bool:
        """On any other name, asked for from an address."""
        ...

    def exchange(self, head: Head, wire: Wire) -> Exchange:
        """For a request that it wants. Must not raise."""
        ...

    async def grpc_handlers(self, authority_of: Callable[[str], str]) -> Sequence[Any]:
        """What answers gRPC calls on connections for a host that it wants: `grpc.GenericRpcHandler`s. Such a connection
        has one authority, which `authority_of` tells by the peer as gRPC names it."""
        ...
