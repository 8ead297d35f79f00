"""Another server's API on the same ports, asked before the server's own routes. Made with the repository."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sampan.components.serving.engine.programs.modelserver.http.messages import Reply, Request

Metrics = Callable[[Reply], object]


class Extension(Protocol):
    def bind(self, metrics: Metrics) -> None:
        """Before all else: `metrics` answers with the server's."""

    async def start(self) -> None:
        """In the event loop, before the first request."""

    def route(self, request: Request, reply: Reply) -> bool:
        """Whether the request is its own. May raise what `failures.answer_of` understands."""
        ...

    def services(self) -> Sequence[Any]:
        """Handlers for grpc.aio."""
        ...

    def close(self) -> None: ...
