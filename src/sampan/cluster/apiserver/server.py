"""The embedded API server: its parts put together, its start and its end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import ClassVar

import sqlalchemy as sa
from starlette.types import ASGIApp

from sampan.client.calls import NoPoster, Poster, Resolve
from sampan.client.protocol import Client
from sampan.cluster.apiserver import bootstrap, scale, storage
from sampan.cluster.apiserver.access.accounts import AccountTokens
from sampan.cluster.apiserver.access.authorizer import Authorizer
from sampan.cluster.apiserver.access.gate import Gate
from sampan.cluster.apiserver.access.index import RbacIndex
from sampan.cluster.apiserver.access.reviews import Reviews
from sampan.cluster.apiserver.access.signing import Signer
from sampan.cluster.apiserver.admission.dynamic.service import DynamicAdmission
from sampan.cluster.apiserver.admission.judging import Judge
from sampan.cluster.apiserver.admission.pipeline import Pipeline
from sampan.cluster.apiserver.allocation import ServiceAllocator
from sampan.cluster.apiserver.custom.converting import Converter
from sampan.cluster.apiserver.custom.finalizing import Finalizing
from sampan.cluster.apiserver.custom.registration import Definitions
from sampan.cluster.apiserver.examining import examine
from sampan.cluster.apiserver.http import HttpFace
from sampan.cluster.apiserver.inprocess import InProcessClient
from sampan.cluster.apiserver.kinds import BUILT_IN, built_in_schema
from sampan.cluster.apiserver.metrics import NODE_METRICS, POD_METRICS, MetricsApi
from sampan.cluster.apiserver.podlogs import PodLogs
from sampan.cluster.apiserver.podstreams import PodStreams
from sampan.cluster.apiserver.policyparams import PolicyParams
from sampan.cluster.apiserver.servicereach import ServiceReach
from sampan.cluster.apiserver.strategy import Strategies
from sampan.cluster.apiserver.verbs import Verbs
from sampan.kube.kinds import EVENTS, SERVICES, KindRegistry
from sampan.lib.clock import Clock
from sampan.lib.tasks import TaskSet
from sampan.store.database import Database

_COMPACT_EVERY_SECONDS = 60
_KEPT_MINUTES = 10
_EVENT_MINUTES = 60
"""kube-apiserver's --event-ttl by default."""


class ApiServer:
    """Kubernetes' API over one database, for one event loop.

    Make `tables`, add the components' kinds to `registry`, then `start`.
    """

    tables: ClassVar[sa.MetaData] = storage.tables

    def __init__(  # noqa: PLR0913  what the composition root knows
        self,
        database: Database,
        clock: Clock,
        registry: KindRegistry | None = None,
        *,
        pod_logs: PodLogs | None = None,
        token: str = "",
        signing_key: Path | None = None,
        converters: Mapping[tuple[str, str], Converter] | None = None,
        poster: Callable[[Resolve], Poster] | None = None,
    ) -> None:
        """`token` is the single user's; `signing_key` the file with the key of service accounts' tokens.

        `converters`: by group and kind, of custom kinds that a component of ours serves in several versions.
        `poster`: makes what webhooks are called with, when the first one is called.
        """
        self.registry = registry or KindRegistry()
        for strategy in BUILT_IN:
            self.registry.add(strategy.resource)
        for resource in (NODE_METRICS, POD_METRICS):
            self.registry.add(resource)
        self.storage = storage.Storage(database)
        self.tokens = AccountTokens(self.storage, Signer(signing_key), clock)
        self._index = RbacIndex()
        self.gate = Gate(token, self.tokens, Authorizer(self._index))
        self.admission = Pipeline(self.gate.authorizer)
        answers = Reviews(self.gate).answers()
        for resource in answers:
            self.registry.add(resource)
        strategies = Strategies((*BUILT_IN, scale.STRATEGY), built_in_schema())
        self.admission.judge = Judge(self.registry, strategies, clock)
        self.service_allocator = ServiceAllocator()
        """Of the addresses and ports that Services are given."""
        allocators = {SERVICES: self.service_allocator}
        self._verbs = Verbs(self.storage, strategies, clock, self.admission, answers, allocators)
        self._make_poster = poster
        self._made_poster: Poster | None = None
        params = PolicyParams(self._verbs, self.registry)
        self._dynamic = DynamicAdmission(
            self.registry, strategies, self.storage, params, self.gate.authorizer
        )
        self._dynamic.poster = self._poster
        self._definitions = Definitions(
            self.registry, strategies, self.storage, clock, converters, self._poster
        )
        self._finalizing = Finalizing(self._verbs, self._definitions)
        self._client = InProcessClient(self._verbs, pod_logs, self.tokens)
        self._http = HttpFace(self._verbs, self.registry, self.gate, pod_logs=pod_logs)
        self._tasks = TaskSet("apiserver")

    @property
    def metrics(self) -> MetricsApi:
        """Its `provider` is to be set once there is a node."""
        return self._http.metrics

    def begin_start(self) -> None:
        """Until `end_start` no webhook is asked about what the platform itself writes, but for pods."""
        self._dynamic.starting = True

    def end_start(self) -> None:
        self._dynamic.starting = False

    @property
    def client(self) -> Client:
        return self._client

    def serve_streams(self, pod_streams: PodStreams) -> None:
        """From now on exec, attach and port-forward reach the pods; before, they are answered with 503."""
        self._http.pod_streams = pod_streams
        self._client.pod_streams = pod_streams

    @property
    def asgi(self) -> ASGIApp:
        """Serves /api, /apis, /version, /openapi, /healthz, /livez and /readyz, by their full paths."""
        return self._http

    async def start(self) -> None:
        self.storage.start()
        self._index.follow(self.storage)
        self.admission.follow(self.storage, partial(examine, self._verbs.strategies))
        self._dynamic.follow(self.storage)
        # Nobody is asked about our own first objects: a webhook that is gone must not keep the server from starting.
        await bootstrap.create_missing(self._verbs)
        self._verbs.dynamic = self._dynamic
        await self._definitions.start()
        self._definitions.on_change = self._finalizing.look_at
        self._tasks.spawn(self._finalizing.run(), name="custom resources")
        self._tasks.spawn(self._compact_forever(), name="compaction")

    def close_streams(self) -> None:
        """Ends open watches and logs: an HTTP server that waits for its answers to end can then stop."""
        self._http.close()

    async def stop(self) -> None:
        self.close_streams()
        await self._tasks.close()
        if self._made_poster is not None:
            await self._made_poster.close()

    def _poster(self) -> Poster:
        if self._made_poster is None:
            make = self._make_poster
            self._made_poster = NoPoster() if make is None else make(ServiceReach(self.storage))
        return self._made_poster

    async def _compact_forever(self) -> None:
        """Keeps ten minutes of history, as kube-apiserver keeps five to ten, and Events for an hour, as it does."""
        # One entry a minute: the revision that was the newest then.
        revisions = deque([self.storage.revision], maxlen=_EVENT_MINUTES + 1)
        while True:
            await asyncio.sleep(_COMPACT_EVERY_SECONDS)
            revisions.append(self.storage.revision)
            # In small slices: no write of a user waits long behind one.
            if len(revisions) > _KEPT_MINUTES:
                while await self.storage.compact(revisions[-1 - _KEPT_MINUTES]):
                    pass
            if len(revisions) > _EVENT_MINUTES:
                while await self.storage.expire(EVENTS.key, revisions[0]):
                    pass
