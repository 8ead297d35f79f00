"""Routes and pods, as the caches tell of them: keeps the core's table and pools current."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from sampan.client.protocol import Object
from sampan.components.serving.api.routing import Backend, Private, Route, plain
from sampan.components.serving.controller.gateway.behind import Behind
from sampan.components.serving.controller.gateway.core import Core, PoolKey
from sampan.components.serving.controller.gateway.pools import Member, Pool
from sampan.components.serving.controller.gateway.rules import Ways
from sampan.components.serving.engine.gateway import troubles
from sampan.components.serving.engine.gateway.limits import LimitError, limits_of
from sampan.components.serving.engine.gateway.places import Place, State, place, selects
from sampan.components.serving.engine.gateway.table import Entry, Key, Limits
from sampan.kube import meta
from sampan.kube.kinds import DEPLOYMENTS, PODS, SERVICES
from sampan.lib.log import get_logger
from sampan.reconcile.cache import Cache, Caches

log = get_logger(__name__)

_ADDRESS = "gateway-address"
_NEW_SECONDS = 10.0
"""In which an object that has no routes may be about to get them."""


@dataclass(frozen=True, slots=True)
class Source:
    """A kind whose objects have routes."""

    cache: Cache
    routes: Callable[[Object], Sequence[Route]]
    also: Sequence[Cache] = ()
    """Where all its routes follow from something else as well, such as a ConfigMap."""


class Watching:
    def __init__(self, core: Core, caches: Caches, sources: Sequence[Source]) -> None:
        self._core = core
        self._sources = sources
        self._services = caches.of(SERVICES)
        self._pods = caches.of(PODS)
        self._deployments = caches.of(DEPLOYMENTS)
        self._pods.add_index(_ADDRESS, _addresses)
        self._behind = Behind(self._services, self._pods)
        self._backends: dict[PoolKey, Backend] = {}
        self._users: dict[PoolKey, set[Key]] = {}
        """The routes that lead to a pool."""
        self._unused: set[PoolKey] = set()
        """Pools to which perhaps no route leads any more."""
        self._leaving: set[str] = set()
        """Uids of pods that are about to end."""
        self._targets: dict[tuple[str, str], set[PoolKey]] = {}
        """By the namespace and name of the Deployment behind them."""
        self._routeless: dict[tuple[str, str, str], float] = {}
        """Objects that have no routes, or none yet, and since when."""

    @property
    def caches(self) -> Sequence[Cache]:
        own = [self._services, self._pods, self._deployments]
        more = [cache for source in self._sources for cache in (source.cache, *source.also)]
        return list(dict.fromkeys([*own, *more]))

    def start(self) -> None:
        self._core.trouble = self.trouble
        self._core.waits_for = self.waits_for
        self._core.has_coming = self._has_coming
        self._services.add_handler(self._service_changed)
        self._pods.add_handler(self._pod_changed)
        self._deployments.add_handler(self._deployment_changed)
        for source in self._sources:
            source.cache.add_handler(self._changed(source))
            for cache in source.also:
                cache.add_handler(self._all_changed(source))

    def _has_coming(self) -> bool:
        """One that gets none for good keeps nobody waiting."""
        latest = max(self._routeless.values(), default=float("-inf"))
        return self._core.now() - latest < _NEW_SECONDS

    def namespace_of(self, address: str) -> str:
        """Of the pod that has this address; empty where there is none."""
        found = self._pods.by_index(_ADDRESS, address)
        return meta.namespace(found[0]) if len(found) == 1 else ""

    # Routes.

    def _changed(self, source: Source) -> Callable[[Object | None, Object | None], None]:
        def changed(old: Object | None, new: Object | None) -> None:
            if new is not None:
                self._put(source, new)
            else:
                gone = old or {}
                self._remove(source, gone, 0)
                self._routeless.pop((source.cache.resource.kind, meta.namespace(gone), meta.name(gone)), None)
            self._settle()

        return changed

    def _all_changed(self, source: Source) -> Callable[[Object | None, Object | None], None]:
        def changed(_old: Object | None, _new: Object | None) -> None:
            for obj in source.cache.list():
                self._put(source, obj)
            self._settle()

        return changed

    def _put(self, source: Source, obj: Object) -> None:
        try:
            found = source.routes(obj)
        except Exception as error:
            # One object's nonsense is its own.
            log.error(
                "an object has no routes", kind=source.cache.resource.kind, name=meta.name(obj), exc=error
            )
            found = ()
        limits = _limits(obj)
        metadata = meta.metadata(obj)
        age = str(metadata.get("creationTimestamp") or "~"), meta.uid(obj)
        for number, route in enumerate(found):
            entry = Entry(route, age, limits, number)
            before = self._core.table.get(entry.key)
            if before == entry:
                continue
            self._make_pools(entry, before)
            self._core.table.put(entry)
            self._core.ways[entry.key] = Ways(route, self._core.ways.get(entry.key))
            if taken := self._core.table.shadowed(entry):
                log.warning(
                    "an older object has the same host",
                    kind=route.kind,
                    namespace=route.namespace,
                    name=route.name,
                    hosts=", ".join(taken),
                )
            if route.refusal:
                self._refuse(entry)
        self._remove(source, obj, len(found))
        key = source.cache.resource.kind, meta.namespace(obj), meta.name(obj)
        if found or meta.is_deleting(obj):
            self._routeless.pop(key, None)
        else:
            self._routeless.setdefault(key, self._core.now())

    def _remove(self, source: Source, obj: Object, first: int) -> None:
        """From the route of that number on."""
        kind, namespace, name = source.cache.resource.kind, meta.namespace(obj), meta.name(obj)
        while (entry := self._core.table.get((kind, namespace, name, first))) is not None:
            self._core.table.remove(entry.key)
            self._core.ways.pop(entry.key, None)
            self._leave(entry, _keys_of(entry.route))
            first += 1
        if self._core.table.get((kind, namespace, name, 0)) is None:
            self._core.statistics.forget(namespace, name, kind)

    def _refuse(self, entry: Entry) -> None:
        """Those who wait already."""
        for backend in _backends_of(entry.route):
            self._core.pool(backend).refuse(503, entry.route.refusal)

    # Pools.

    def _make_pools(self, entry: Entry, before: Entry | None) -> None:
        """Before the route leads to them."""
        keys = _keys_of(entry.route)
        for key, backend in keys.items():
            self._users.setdefault(key, set()).add(entry.key)
            self._lead(key, backend)
            pool = self._core.pools.get(key)
            if pool is not None:
                pool.most = backend.container_concurrency
                continue
            pool = Pool(self._core.now, backend.container_concurrency, self._core.parting)
            self._core.pools[key] = pool
            self._behind.follow(key)
            self._fill(key)
        if before is not None:
            self._leave(entry, _keys_of(before.route).keys() - keys.keys())

    def _lead(self, key: PoolKey, backend: Backend | None) -> None:
        """Pods behind this pool are `backend`'s from now on, or nobody's."""
        before = self._backends.pop(key, None)
        if before is not None and before.target is not None:
            where = before.target.namespace, before.target.name
            self._targets[where].discard(key)
            if not self._targets[where]:
                del self._targets[where]
        if backend is not None:
            self._backends[key] = backend
            if backend.target is not None:
                self._targets.setdefault((backend.target.namespace, backend.target.name), set()).add(key)

    def _leave(self, entry: Entry, keys: Iterable[PoolKey]) -> None:
        for key in keys:
            self._users[key].discard(entry.key)
            self._unused.add(key)

    def _settle(self) -> None:
        """Pools to which no route leads any more are closed."""
        unused, self._unused = self._unused, set()
        for key in unused:
            if self._users.get(key):
                continue
            self._users.pop(key, None)
            pool, backend = self._core.pools.pop(key), self._backends[key]
            self._lead(key, None)
            self._behind.leave(key)
            pool.close()
            if backend.target is not None:
                self._core.meter.forget(backend.target)
        self._core.routes_changed()

    def _fill(self, key: PoolKey) -> None:
        """From the Service and the pods as they are."""
        pool, (namespace, name, port) = self._core.pools[key], key
        service = self._services.get(namespace, name)
        left = set(pool.members)
        for pod in self._behind.pods(namespace, name):
            found = self._place(service, port, pod) if service is not None else None
            if found is not None:
                left.discard(found.uid)
                pool.put(found)
        for uid in left:
            pool.drop(uid)

    def _service_changed(self, old: Object | None, new: Object | None) -> None:
        service = new or old or {}
        where = meta.namespace(service), meta.name(service)
        self._behind.service_changed(*where)
        for key in self._behind.of_service(*where):
            self._fill(key)

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        pod = new or old or {}
        for key in self._behind.keys(old, new):
            pool = self._core.pools[key]
            service = self._services.get(key[0], key[1])
            if service is None:
                continue
            is_one = new is not None and selects(service, pod)
            found = self._place(service, key[2], pod) if is_one else None
            if found is not None:
                pool.put(found)
            else:
                pool.drop(meta.uid(pod))
            self._reconsider(key, pool)
        if new is None:
            self._leaving.discard(meta.uid(pod))

    def _place(self, service: Object, port: int, pod: Object) -> Place | None:
        """A pod that ends does, even if what is known of it here is older."""
        found = place(service, port, pod)
        if found is not None and found.uid in self._leaving:
            return replace(found, state=State.LEAVING)
        return found

    def leaves(self, pod: Object) -> list[Member]:
        """Before a pod ends: it gets nothing more. Those that still have requests to answer."""
        uid = meta.uid(pod)
        if self._pods.get(meta.namespace(pod), meta.name(pod)) is not None:
            self._leaving.add(uid)
        found = list(self._core.parting.members.get(uid, ()))
        for key in self._behind.keys(pod):
            pool = self._core.pools[key]
            member = pool.members.get(uid)
            if member is not None:
                pool.put(replace(member.place, state=State.LEAVING))
                found.append(member)
        return [member for member in found if member.in_flight]

    def _deployment_changed(self, _old: Object | None, new: Object | None) -> None:
        if new is not None and troubles.of_deployment(new):
            for key in list(self._targets.get((meta.namespace(new), meta.name(new)), ())):
                self._reconsider(key, self._core.pools[key])

    def _reconsider(self, key: PoolKey, pool: Pool) -> None:
        """Whether those who wait still have something to wait for."""
        if not pool.waiting or pool.ready:
            return
        backend = self._backends[key]
        if why := self.trouble(backend):
            pool.refuse(503, why)
        elif backend.target is None and not pool.has_coming:
            pool.refuse(503, "no server of the model runs")

    # Why nothing is ready.

    def trouble(self, backend: Backend) -> str:
        """Of a backend all of whose pods are stuck; empty while one may come."""
        pods = self._members(backend)
        found = [troubles.of_pod(pod) for pod in pods]
        if found:
            return _because("no server of the model can start", found[0]) if all(found) else ""
        target = backend.target
        deployment = self._deployments.get(target.namespace, target.name) if target is not None else None
        why = troubles.of_deployment(deployment) if deployment is not None else ""
        return _because("no server of the model can be made", why) if why else ""

    def waits_for(self, backend: Backend) -> str:
        return next((found for pod in self._members(backend) if (found := troubles.waits(pod))), "")

    def _members(self, backend: Backend) -> list[Object]:
        return [
            pod for pod in self._behind.pods(backend.namespace, backend.service) if not meta.is_deleting(pod)
        ]


def _because(what: str, why: str) -> str:
    return Private(f"{what}: {why}", f"{what}: {plain(why)}")


def _keys_of(route: Route) -> dict[PoolKey, Backend]:
    return {(each.namespace, each.service, each.port): each for each in _backends_of(route)}


def _backends_of(route: Route) -> Iterable[Backend]:
    for rule in route.rules:
        for backend in (*rule.backends, *rule.shadows):
            # Nobody's pods but those of the object's own namespace.
            if backend.namespace == route.namespace:
                yield backend


def _limits(obj: Object) -> Limits:
    try:
        return limits_of(obj)
    except LimitError as error:
        log.warning(
            "an annotation is not read", namespace=meta.namespace(obj), name=meta.name(obj), why=str(error)
        )
        return Limits()


def _addresses(pod: Object) -> Sequence[str]:
    status = meta.status(pod)
    address = str(status.get("podIP") or "")
    # A pod in the network of the host has the machine's, which is everybody's.
    if not address or address == status.get("hostIP") or status.get("phase") in ("Succeeded", "Failed"):
        return ()
    return (address,)
