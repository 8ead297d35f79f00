"""How long a Job waits before it replaces a failed pod: doubling with each failure since a success. Pure.

Source: pkg/controller/job/backoff_utils.go, v1.33.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sampan.client.protocol import Object
from sampan.cluster.workloads.job.spec import index_of
from sampan.kube import meta, pods
from sampan.lib.clock import parse_rfc3339


@dataclass(frozen=True, slots=True)
class Backoff:
    """`first` after one failure, then twice as long each time, up to `most`."""

    first: timedelta = timedelta(seconds=10)
    most: timedelta = timedelta(minutes=10)

    def delay(self, failures: int) -> timedelta:
        if not failures:
            return timedelta()
        return min(self.first * 2.0 ** min(failures - 1, 30), self.most)


@dataclass(frozen=True, slots=True)
class Failures:
    """`count` of them since the last success, the latest at `last`."""

    count: int = 0
    last: datetime | None = None
    last_by_index: Mapping[int, datetime] = field(default_factory=dict)

    def wait(self, backoff: Backoff, now: datetime) -> timedelta:
        """How much longer to wait; zero when the time has come."""
        if self.last is None:
            return timedelta()
        return max(self.last + backoff.delay(self.count) - now, timedelta())

    def with_ends(self, candidates: Iterable[Object]) -> Failures:
        """After the ends of further pods. One that was deleted on purpose delays nothing."""
        ends = [
            (ended, pods.phase(pod) == pods.SUCCEEDED, index_of(pod))
            for pod in candidates
            if pods.is_terminal(pod) and not meta.is_deleting(pod) and (ended := finish_time(pod)) is not None
        ]
        count, last, by_index = self.count, self.last, dict(self.last_by_index)
        for ended, succeeded, index in sorted(ends, key=lambda end: end[0]):
            count, last = (0, None) if succeeded else (count + 1, ended)
            if index is not None and not succeeded:
                by_index[index] = ended
        return Failures(count, last, by_index)


def finish_time(pod: Object) -> datetime | None:
    """When the last container ended, or else when the pod was last heard of."""
    status = meta.status(pod)
    times = [
        terminated.get("finishedAt")
        for each in status.get("containerStatuses") or ()
        if (terminated := (each.get("state") or {}).get("terminated"))
    ]
    if not any(times):
        times = [each.get("lastTransitionTime") for each in status.get("conditions") or ()]
    if not any(times):
        times = [meta.metadata(pod).get("creationTimestamp")]
    return max((parse_rfc3339(text) for text in times if text), default=None)
