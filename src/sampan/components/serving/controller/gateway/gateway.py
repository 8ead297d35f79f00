"""The gateway as the manager runs it: put together, started with the caches, stopped with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sampan.client.protocol import Object
from sampan.components.serving.api.demand import Demand
from sampan.components.serving.controller.gateway.accesslog import AccessLog
from sampan.components.serving.controller.gateway.admission import Admission, Reviewer
from sampan.components.serving.controller.gateway.core import Core, Dialler
from sampan.components.serving.controller.gateway.exchange import Exchange
from sampan.components.serving.controller.gateway.pools import Member
from sampan.components.serving.controller.gateway.reach import PodPort
from sampan.components.serving.controller.gateway.watching import Source, Watching
from sampan.components.serving.engine.gateway.statistics import Statistics
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet
from sampan.reconcile.cache import Cache, Caches
from sampan.web.interception import Head, Wire

log = get_logger(__name__)

_TIDY_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Limits:
    """`ServingSettings` has them."""

    most_waiting: int = 1000
    most_bytes: int = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Surroundings:
    dialler: Dialler
    domain: str = "localhost"
    pod_port: PodPort | None = None
    """None where pods are not reached directly: gRPC is not passed on there."""
    reviewer: Reviewer | None = None
    logs: Path | None = None
    """Where access logs are written; None for none."""
    limits: Limits = Limits()


class Gateway:
    """A Runnable, and what `door.Door` leads to. For one event loop."""

    name = "gateway"

    def __init__(self, caches: Caches, sources: Sequence[Source], surroundings: Surroundings) -> None:
        self._admission = Admission(surroundings.reviewer, self._namespace_of, surroundings.domain)
        self._log = AccessLog(surroundings.logs) if surroundings.logs is not None else None
        limits = surroundings.limits
        self._core = Core(
            surroundings.dialler,
            self._admission,
            most_waiting=limits.most_waiting,
            most_bytes=limits.most_bytes,
            note=self._log.note if self._log is not None else _nowhere,
        )
        self._pod_port = surroundings.pod_port
        self._watching = Watching(self._core, caches, sources)
        self._tasks = TaskSet("gateway upkeep")
        self._stopped = asyncio.Event()

    @property
    def demand(self) -> Demand:
        return self._core.meter

    @property
    def statistics(self) -> Statistics:
        return self._core.statistics

    @property
    def caches(self) -> Sequence[Cache]:
        return self._watching.caches

    async def start(self) -> None:
        self._watching.start()
        self._core.is_ready.set()
        self._tasks.spawn(self._tidy(), name="tidy")
        log.info("gateway ready", routes=len(self._core.table))

    async def stop(self) -> None:
        self._stopped.set()
        await self._tasks.close()
        await self._core.stop()
        if self._log is not None:
            await self._log.close()

    def before_pod_ends(self, pod: Object) -> Coroutine[Any, Any, None] | None:
        """What it has to answer. None where it has nothing to."""
        members = self._watching.leaves(pod)
        return self._answered(members) if members else None

    async def _answered(self, members: Sequence[Member]) -> None:
        """Returns when no request is with any of them, or when the gateway stops."""
        stopped = asyncio.ensure_future(self._stopped.wait())
        try:
            for member in members:
                if member.in_flight:
                    done = asyncio.get_running_loop().create_future()
                    member.on_done.append(done)
                    await asyncio.wait((done, stopped), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()

    # door.Ready

    def has_path(self, target: bytes) -> bool:
        return self._core.table.has_path(target)

    def has_host(self, host: bytes, peer: str) -> bool:
        if self._core.table.has_host(host):
            return True
        inside = self._namespace_of(peer) if b"." not in host else ""
        return bool(inside) and self._core.table.has_host(host + b"." + inside.encode())

    def exchange(self, head: Head, wire: Wire) -> Exchange:
        return Exchange(self._core, head, wire)

    def call_handler(self, passing: Callable[..., Any], authority_of: Callable[[str], str]) -> Any:
        """`passing` is `grpc_passing.Passing`, whose library is loaded with the first call."""
        return passing(self._core, self._pod_port, authority_of)

    def _namespace_of(self, address: str) -> str:
        return self._watching.namespace_of(address)

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(_TIDY_SECONDS)
            for pool in list(self._core.pools.values()):
                pool.close_old()


def _nowhere(_done: object) -> None:
    return None
