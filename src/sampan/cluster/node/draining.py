"""What a pod's containers still have to do for others before they are asked to end.

On a cluster Knative's proxy in the pod holds the signal back until its requests are answered (knative/serving 1.15
pkg/queue/drain.go, pkg/reconciler/revision/resources/deploy.go: a preStop hook of the user's container). Here whoever
passes requests on says it (docs/decisions/0081). Called by `pod_sync`; others register by `components.Services`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from sampan.kube.meta import Object
from sampan.lib.log import get_logger

log = get_logger(__name__)

Waiting = Coroutine[Any, Any, None]
Party = Callable[[Object], Waiting | None]
"""Told that a pod is about to end, which gets nothing more from it; what the pod has to wait for, if anything."""


class Draining:
    """For one event loop."""

    def __init__(self) -> None:
        self._parties: dict[object, Party] = {}

    def register(self, party: Party) -> Callable[[], None]:
        """Returns what takes it away again."""
        key = object()
        self._parties[key] = party

        def leave() -> None:
            self._parties.pop(key, None)

        return leave

    def begin(self, pod: Object) -> list[Waiting]:
        """What has to be waited for, by whoever knows for how long at most."""
        found = []
        for party in self._parties.values():
            try:
                waiting = party(pod)
            except Exception as error:
                log.error("what a pod still has to do is not known", exc=error)
                continue
            if waiting is not None:
                found.append(waiting)
        return found
