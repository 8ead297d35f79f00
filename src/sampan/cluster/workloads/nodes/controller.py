"""Taints a cordoned node, and evicts pods that do not tolerate a NoExecute taint.

One controller for both: a request with a namespace is about a pod, one without about a node.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import timedelta

from sampan.client.protocol import Client, DeleteOptions, Object
from sampan.cluster.workloads.nodes.taints import stays_for, with_cordon
from sampan.kube import conditions, meta, pods
from sampan.kube.errors import NotFoundError
from sampan.kube.kinds import NODES, PODS
from sampan.lib.clock import Clock, rfc3339
from sampan.reconcile.apply import update_status
from sampan.reconcile.cache import Caches
from sampan.reconcile.controller import Controller, Source, own
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result, request_for

_BY_NODE = "node"


class NodeReconciler:
    def __init__(self, client: Client, clock: Clock, caches: Caches) -> None:
        self._client = client
        self._clock = clock
        self._nodes = caches.of(NODES)
        self._pods = caches.of(PODS)
        self._pods.add_index(_BY_NODE, lambda pod: filter(None, (pods.node_name(pod),)))
        self._condemned: dict[str, float] = {}
        """Uid of a pod that may stay for a while, and since when it is told to go."""
        self._recorder = EventRecorder(client, clock, "taint-eviction-controller")

    def controller(self) -> Controller[Request]:
        sources = [own(self._nodes), Source(self._nodes, self._of_node), Source(self._pods, self._of_pod)]
        return Controller("nodes", self.reconcile, sources, workers=2, close=self._recorder.close)

    async def reconcile(self, request: Request) -> Result:
        if not request.namespace:
            await self._cordon(request.name)
            return DONE
        pod = self._pods.get(request.namespace, request.name)
        if pod is None or meta.is_deleting(pod) or pods.is_terminal(pod):
            return DONE
        return await self._judge(pod)

    async def _cordon(self, name: str) -> None:
        node = self._nodes.get("", name)
        taints = with_cordon(node, rfc3339(self._clock.now())) if node is not None else None
        if node is not None and taints is not None:
            # The whole list, hence only if nobody else has changed it.
            patch = {
                "metadata": {"resourceVersion": meta.resource_version(node)},
                "spec": {"taints": taints or None},
            }
            await self._client.patch(NODES, name, patch)

    async def _judge(self, pod: Object) -> Result:
        node, uid, now = self._nodes.get("", pods.node_name(pod)), meta.uid(pod), self._clock.monotonic()
        stays = stays_for(pod, node) if node is not None else math.inf
        name = f"{meta.namespace(pod)}/{meta.name(pod)}"
        if stays == math.inf:
            if self._condemned.pop(uid, None) is not None:
                self._recorder.normal(pod, "TaintManagerEviction", f"Cancelling deletion of Pod {name}")
            return DONE
        since = self._condemned.setdefault(uid, now)
        if since + stays > now:
            return Result(timedelta(seconds=since + stays - now))
        self._condemned.pop(uid, None)
        self._recorder.normal(pod, "TaintManagerEviction", f"Marking for deletion Pod {name}")
        await self._evict(pod)
        return DONE

    async def _evict(self, pod: Object) -> None:
        changed = {"status": {**meta.status(pod)}}
        changed["status"]["conditions"] = [dict(each) for each in meta.status(pod).get("conditions") or ()]
        conditions.put(
            changed,
            "DisruptionTarget",
            "True",
            now=rfc3339(self._clock.now()),
            reason="DeletionByTaintManager",
            message="Taint manager: deleting due to NoExecute taint",
        )
        try:
            await update_status(self._client, PODS, pod, changed["status"])
            options = DeleteOptions(uid=meta.uid(pod))
            await self._client.delete(PODS, meta.name(pod), meta.namespace(pod), options)
        except NotFoundError:
            return

    def _of_node(self, old: Object | None, new: Object | None) -> Iterable[Request]:
        """A change of the taints concerns all pods that run there, a heartbeat nobody."""
        if new is None or (old is not None and meta.spec(old).get("taints") == meta.spec(new).get("taints")):
            return ()
        return map(request_for, self._pods.by_index(_BY_NODE, meta.name(new)))

    def _of_pod(self, old: Object | None, new: Object | None) -> Iterable[Request]:
        """When it comes to a node that has such taints, or when its tolerations change; and when it goes."""
        if new is None:
            self._condemned.pop(meta.uid(old or {}), None)
            return ()
        node = self._nodes.get("", pods.node_name(new))
        if node is None or not meta.spec(node).get("taints"):
            return ()
        if old is not None and meta.spec(old) == meta.spec(new):
            return ()
        return (request_for(new),)
