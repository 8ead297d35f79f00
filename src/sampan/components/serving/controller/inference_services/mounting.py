"""Pods that wait for a volume, on clusters that others run: a kubelet says so in Events alone. For `children`.

The embedded cluster's node says it in the pod's own status. Events are watched beside the rest: where they may not be
read, nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sampan.client.protocol import Client, ListOptions
from sampan.components.serving.api.reading import child, mappings, text
from sampan.kube import meta, pods
from sampan.kube.kinds import EVENTS
from sampan.kube.meta import Object
from sampan.reconcile.cache import Cache

_REASON = "FailedMount"
_OF_POD = "pod"
_STATUSES = ("initContainerStatuses", "containerStatuses")


class FailedMounts:
    def __init__(self, client: Client) -> None:
        selector = ListOptions(field_selector=f"reason={_REASON},involvedObject.kind=Pod")
        self._events = Cache(client, EVENTS, selector=selector, keep=_kept)
        self._events.add_index(_OF_POD, lambda event: (text(child(event, "involvedObject").get("uid")),))

    def start(self, tell: Callable[[str, str], None]) -> None:
        """`tell` is called with the namespace and name of a pod of which there is news. Nobody waits for the first."""

        def on_change(_old: Object | None, new: Object | None) -> None:
            of = child(new or {}, "involvedObject")
            if name := text(of.get("name")):
                tell(text(of.get("namespace")), name)

        self._events.add_handler(on_change)
        self._events.start()

    async def stop(self) -> None:
        await self._events.stop()

    def told(self, found: Sequence[Object]) -> Sequence[Object]:
        """The pods, with what is said of them where their containers would say it."""
        return [self._told(pod) if pods.phase(pod) == "Pending" else pod for pod in found]

    def _told(self, pod: Object) -> Object:
        events = sorted(
            self._events.by_index(_OF_POD, meta.uid(pod)), key=lambda event: str(event.get("lastTimestamp"))
        )
        if not events:
            return pod
        status = meta.status(pod)
        changed = {
            key: [_with_message(each, text(events[-1].get("message"))) for each in mappings(status.get(key))]
            for key in _STATUSES
            if status.get(key)
        }
        return {**pod, "status": {**status, **changed}}


def _with_message(container: Object, message: str) -> Object:
    waiting = child(container, "state", "waiting")
    if not waiting or waiting.get("message"):
        return container
    return {**container, "state": {"waiting": {**waiting, "message": message}}}


def _kept(event: Object) -> Object:
    names = ("apiVersion", "kind", "metadata", "involvedObject", "message", "lastTimestamp")
    return {name: event[name] for name in names if name in event}
