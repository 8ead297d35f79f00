"""Events that start runs: what one is, and the seam through which other components tell of theirs.

A trigger listens to a kind of event (`trigger_sources`). Whoever has something to tell, a webhook, a folder, a run that
ends, the model registry of a later release, makes an `Event` and hands it to an `EventSink`: nothing else is needed for
a new source of a known kind. No I/O here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class EventKind(StrEnum):
    """By the name of the field of a trigger that listens to it."""

    WEBHOOK = "webhook"
    FILE = "file"
    OBJECT = "object"
    ARTIFACT = "artifact"
    """A new artifact; of type `system.Model`, a new version of a model."""
    RUN = "run"
    """A run has ended."""


@dataclass(frozen=True, slots=True)
class Event:
    kind: EventKind
    namespace: str
    identity: str
    """Of this event among all of its kind: told a second time, it starts no second run."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """What `{{event.…}}` in parameters stands for."""
    run_id: str = ""
    """The run whose doing it is, by which circles are found."""

    @property
    def key(self) -> str:
        return hashlib.sha256(f"{self.kind}\0{self.identity}".encode()).hexdigest()


class EventSink(Protocol):
    """Takes events in. For the event loop it was made in."""

    async def publish(self, event: Event) -> int:
        """Returns once it is stored for every trigger that listens: how many there are. Raises StorageError,
        StorageFullError; told again, it is the same event."""
        ...
