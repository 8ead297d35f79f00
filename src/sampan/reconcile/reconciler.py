"""The contract of a reconciler: what it is asked, and what it may answer.

A reconciler brings the world closer to one object's spec. It is told a name only, never what happened: it
reads the object and its children as they are now, so that lost, repeated and reordered events do not matter.
It answers with

* a `Result`: done, and when to look again, if ever;
* a TerminalError: this object cannot be helped until it changes, do not try again;
* any other exception: something went wrong, try again with back-off.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from sampan.client.protocol import Object


@dataclass(frozen=True, slots=True, order=True)
class Request:
    """The object to reconcile. `namespace` is empty for kinds of the cluster."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class Result:
    """`requeue_after` None: nothing to do until an event comes."""

    requeue_after: timedelta | None = None


DONE = Result()


class TerminalError(Exception):
    """The object cannot be reconciled as it is; trying again is useless. Logged, not retried."""


Reconcile = Callable[[Request], Awaitable[Result]]


def request_for(obj: Object) -> Request:
    """The request that names `obj`."""
    metadata = obj["metadata"]
    return Request(metadata.get("namespace") or "", metadata["name"])
