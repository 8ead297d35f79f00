"""Follows Services and their endpoints, and tells pods: by the route files, the hosts files and variables.

What changes within a few hundredths of a second is told at once. Nothing here writes to the API.

A headless Service that publishes pods which are not ready names them as soon as the node has given them an address,
before endpoints say so: pods that start together find each other with their first look-up.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sampan.client.protocol import Object
from sampan.cluster.network import endpoints, links, names, routes
from sampan.cluster.network.controller import BY_SERVICE, by_service
from sampan.cluster.network.pods import PodNetwork
from sampan.cluster.network.routes import RouteFiles
from sampan.kube import meta
from sampan.kube.kinds import ENDPOINT_SLICES, SERVICES
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet
from sampan.reconcile.cache import Cache, Caches

log = get_logger(__name__)

_COALESCE_SECONDS = 0.02
_LOOKUP_SECONDS = 5.0
_PUBLISHING = "publishing"
_Key = tuple[str, str]
Listener = Callable[[Mapping[_Key, "View | None"]], None]


@dataclass(slots=True)
class View:
    """One Service as pods find it."""

    service: Object
    address: str = ""
    """Empty for a headless one, and for a name of something outside."""
    ports: dict[str, list[str]] = field(default_factory=dict)
    alias: bool = False
    """Stands for another Service of the cluster."""
    found: list[tuple[str, str]] = field(default_factory=list)
    """Of a headless one the endpoints that its name leads to: address, hostname."""
    texts: dict[bool, str] = field(default_factory=dict)
    """Its lines of hosts files: in its own namespace, and in others."""


class ServiceDirectory:
    """A Runnable, and the Directory of `network`."""

    name = "service directory"

    def __init__(self, caches: Caches, network: PodNetwork, files: RouteFiles) -> None:
        self._services = caches.of(SERVICES)
        self._slices = caches.of(ENDPOINT_SLICES)
        self._slices.add_index(BY_SERVICE, by_service)
        self._services.add_index(_PUBLISHING, _namespace_of_publishing)
        self._network = network
        self._files = files
        self._views: dict[_Key, View] = {}
        self._aliases: set[_Key] = set()
        self._early: dict[_Key, dict[str, tuple[str, str]]] = {}
        """Of a Service that publishes pods which are not ready: uids of this node's to address and hostname."""
        self._named: dict[str, list[_Key]] = {}
        """Of a pod the Services of `_early` that name it."""
        self._dirty: dict[_Key, None] = {}
        self._wake = asyncio.Event()
        self._tasks = TaskSet("service directory")
        self._texts: dict[str, str] = {}
        self._listeners: list[Listener] = []

    @property
    def caches(self) -> Sequence[Cache]:
        return (self._services, self._slices)

    def add_listener(self, listener: Listener) -> None:
        """Called with the Services that have changed, None for one that is gone. Must be quick."""
        self._listeners.append(listener)

    async def start(self) -> None:
        """Returns when the files say what is so now."""
        await asyncio.to_thread(self._files.begin)
        self._services.add_handler(self._service_changed)
        self._slices.add_handler(self._slice_changed)
        self._network.directory = self
        self._flush()
        self._files.keep_only([view.address for view in self._views.values()])
        self._tasks.spawn(self._run(), name="run")

    async def stop(self) -> None:
        await self._tasks.close()

    # The Directory of pods.

    def hosts(self, namespace: str) -> str:
        text = self._texts.get(namespace)
        if text is None:
            text = "".join([_lines(view, namespace) for view in self._views.values()])
            self._texts[namespace] = text
        return text

    def links(self, namespace: str, *, all_services: bool) -> dict[str, str]:
        found: dict[str, str] = {}
        for (where, name), view in self._views.items():
            if all_services and where == namespace and view.address and name != links.API_SERVICE:
                found.update(links.variables(view.service, view.address))
        return found

    def came(self, pod: Object, address: str) -> None:
        labels, uid = meta.labels(pod), meta.uid(pod)
        for service in self._services.by_index(_PUBLISHING, meta.namespace(pod)):
            if endpoints.selects(service, labels):
                key = (meta.namespace(service), meta.name(service))
                self._early.setdefault(key, {})[uid] = (address, endpoints.hostname(service, pod))
                self._named.setdefault(uid, []).append(key)
                self._update(key)
                self._mark(key)
        if uid in self._named:
            self._texts.clear()

    def went(self, uid: str) -> None:
        for key in self._named.pop(uid, ()):
            early = self._early.get(key, {})
            early.pop(uid, None)
            if not early:
                self._early.pop(key, None)
            self._mark(key)

    # Changes.

    def _service_changed(self, old: Object | None, new: Object | None) -> None:
        obj = new or old or {}
        self._mark((meta.namespace(obj), meta.name(obj)))

    def _slice_changed(self, old: Object | None, new: Object | None) -> None:
        for obj in (old, new):
            for key in by_service(obj) if obj is not None else ():
                namespace, _, name = key.partition("/")
                self._mark((namespace, name))

    def _mark(self, key: _Key) -> None:
        self._dirty[key] = None
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(_COALESCE_SECONDS)
            self._wake.clear()
            try:
                self._flush()
            except Exception as error:
                log.error("names were not told", exc=error)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, {}
        # Last those that stand for another Service, which may be among the changed ones.
        changed = [*sorted(dirty, key=self._is_external), *(self._aliases - dirty.keys())]
        for key in changed:
            try:
                self._update(key)
            except Exception as error:
                # One that nobody expected must not keep the others from being found.
                log.error("a service is not told", namespace=key[0], name=key[1], exc=error)
        if dirty:
            self._texts.clear()
            self._network.refresh()
            told = {key: self._views.get(key) for key in changed}
            for listener in self._listeners:
                listener(told)

    def _is_external(self, key: _Key) -> bool:
        service = self._services.get(*key)
        return service is not None and bool(meta.spec(service).get("type") == "ExternalName")

    def _update(self, key: _Key) -> None:
        service = self._services.get(*key)
        before = self._views.pop(key, None)
        self._aliases.discard(key)
        view = self._view(service, f"{key[0]}/{key[1]}") if service is not None else None
        if before is not None and before.address and (view is None or view.address != before.address):
            self._files.remove(before.address)
        if view is None:
            return
        self._views[key] = view
        if view.alias:
            self._aliases.add(key)
        if view.address:
            with contextlib.suppress(OSError):
                self._files.write(view.address, view.ports, routes.sticky_seconds(view.service))

    def _view(self, service: Object, key: str) -> View:
        if meta.spec(service).get("type") == "ExternalName":
            return self._external(service)
        slices = self._slices.by_index(BY_SERVICE, key)
        address = str(meta.spec(service).get("clusterIP") or "")
        if address != "None":
            return View(service, address, routes.ports(service, slices))
        found = {
            (str(address), str(endpoint.get("hostname") or "")): None
            for slice_ in slices
            for endpoint in slice_.get("endpoints") or ()
            if routes.is_ready(endpoint)
            for address in endpoint.get("addresses") or ()
        }
        namespace, _, name = key.partition("/")
        if endpoints.publishes(service):
            found |= dict.fromkeys(self._early.get((namespace, name), {}).values())
        return View(service, found=sorted(found))

    def _external(self, service: Object) -> View:
        """A hosts file knows addresses only, so the name is looked up now, and again when the Service changes."""
        name = str(meta.spec(service).get("externalName") or "").removesuffix(".")
        with contextlib.suppress(ValueError):
            return View(service, found=[(str(ipaddress.IPv4Address(name)), "")])
        parts = name.removesuffix(f".{names.CLUSTER_DOMAIN}").split(".")
        if len(parts) == 3 and parts[2] == "svc":
            target = self._views.get((parts[1], parts[0])) or View(service)
            found = [(target.address, "")] if target.address else target.found
            return View(service, alias=True, found=found)
        view = View(service)
        self._tasks.spawn(self._look_up(view, name), name="look-up")
        return view

    async def _look_up(self, view: View, name: str) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_LOOKUP_SECONDS):
                found = await loop.getaddrinfo(name, None, family=socket.AF_INET, type=socket.SOCK_STREAM)
        except (OSError, TimeoutError):
            return
        view.found = [(str(each[4][0]), "") for each in found]
        view.texts.clear()
        self._texts.clear()
        self._network.refresh()


def _namespace_of_publishing(service: Object) -> tuple[str, ...]:
    return (meta.namespace(service),) if endpoints.publishes(service) else ()


def _lines(view: View, namespace: str) -> str:
    local = meta.namespace(view.service) == namespace
    text = view.texts.get(local)
    if text is None:
        lines = names.service_lines(view.service, view.address, view.found, local=local)
        text = view.texts[local] = "".join(f"{line}\n" for line in lines)
    return text
