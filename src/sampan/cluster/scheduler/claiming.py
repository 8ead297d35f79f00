"""The scheduler's view of claims and volumes, kept from the watches: the thin edge around `claims`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sampan.client.protocol import Client, Object
from sampan.cluster.scheduler import claims
from sampan.cluster.scheduler.constraints import Term
from sampan.cluster.scheduler.demand import Demand
from sampan.cluster.scheduler.world import ClaimKey
from sampan.kube import meta
from sampan.kube.errors import ApiError
from sampan.kube.kinds import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, STORAGE_CLASSES
from sampan.lib.log import get_logger
from sampan.reconcile.cache import Cache, Caches

log = get_logger(__name__)

_LOOK_SECONDS = 0.05
_LOOKS = 100
"""How often to look whether the claims of a pod that has its node are bound."""
_BAD_SPEC = (KeyError, TypeError, ValueError, AttributeError)


class Claims:
    """Keeps `pins`, and calls `changed` when another pod may find its place."""

    def __init__(
        self,
        client: Client,
        caches: Caches,
        pins: dict[ClaimKey, tuple[Term, ...]],
        changed: Callable[[], None],
    ) -> None:
        self._client = client
        self._claims = caches.of(PERSISTENT_VOLUME_CLAIMS)
        self._volumes = caches.of(PERSISTENT_VOLUMES)
        self._classes = caches.of(STORAGE_CLASSES)
        self._pins = pins
        self._changed = changed

    @property
    def caches(self) -> tuple[Cache, ...]:
        return (self._classes, self._volumes, self._claims)

    def start(self) -> None:
        self._claims.add_handler(self._on_claim)
        self._volumes.add_handler(self._on_volume)
        self._classes.add_handler(self._on_class)

    def obstacle(self, demand: Demand) -> claims.Obstacle | None:
        """Why a pod with these claims cannot have any node; None when they are no obstacle."""
        for namespace, name in demand.claims:
            claim = self._claims.get(namespace, name)
            waits = claim is not None and claims.waits_for_consumer(claim, self._classes.list())
            if found := claims.obstacle(namespace, name, claim, waits=waits):
                return found
        return None

    async def bound(self, demand: Demand, node: str) -> bool:
        """Names the node on claims that wait for their first consumer. Whether all claims are bound in time."""
        for _ in range(_LOOKS):
            found = [self._claims.get(*key) for key in demand.claims]
            unbound = [claim for claim in found if claim is not None and not claims.is_bound(claim)]
            if not unbound:
                return True
            for claim in unbound:
                await self._name_node(claim, node)
            await asyncio.sleep(_LOOK_SECONDS)
        return False

    async def _name_node(self, claim: Object, node: str) -> None:
        if meta.annotations(claim).get(claims.SELECTED_NODE) == node:
            return
        patch = {"metadata": {"annotations": {claims.SELECTED_NODE: node}}}
        try:
            await self._client.patch(PERSISTENT_VOLUME_CLAIMS, meta.name(claim), patch, meta.namespace(claim))
        except ApiError as error:
            log.warning("node not selected", claim=meta.name(claim), error=error.message)

    def _on_claim(self, old: Object | None, new: Object | None) -> None:
        self._pin(new or old or {}, new)
        self._changed()

    def _on_volume(self, old: Object | None, new: Object | None) -> None:
        reference = meta.spec(new or old or {}).get("claimRef") or {}
        claim = self._claims.get(str(reference.get("namespace")), str(reference.get("name")))
        if claim is not None:
            self._pin(claim, claim)
        self._pin_choosers()
        self._changed()

    def _on_class(self, _old: Object | None, _new: Object | None) -> None:
        self._pin_choosers()
        self._changed()

    def _pin_choosers(self) -> None:
        if not any(each.get("provisioner") == claims.NO_PROVISIONER for each in self._classes.list()):
            return
        for claim in self._claims.list():
            if self._takes_what_there_is(claim):
                self._pin(claim, claim)

    def _takes_what_there_is(self, claim: Object) -> bool:
        """Whether the claim waits for one of the volumes that there are: its class makes none."""
        if meta.spec(claim).get("volumeName"):
            return False
        found = claims.class_of(claim, self._classes.list())
        return found is not None and found.get("provisioner") == claims.NO_PROVISIONER

    def _pin(self, about: Object, claim: Object | None) -> None:
        """Remembers where a claim's volume is, or may be."""
        key = (meta.namespace(about), meta.name(about))
        self._pins.pop(key, None)
        if claim is None:
            return
        name = str(meta.spec(claim).get("volumeName") or "")
        terms: tuple[Term, ...] | None = None
        try:
            if name:
                terms = claims.pinned_to(self._volumes.get("", name))
            elif self._takes_what_there_is(claim):
                terms = claims.pinned_to_free(claim, self._volumes.list())
        except _BAD_SPEC as error:
            log.warning("volume cannot be used", claim=key[1], error=str(error))
            terms = ()
        if terms is not None:
            self._pins[key] = terms
