"""What the REST layer needs from the rest of the platform, as one object that the component's door fills in.

The engine and the IR's checks are behind protocols because they load late, after the API answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from sampan.client.protocol import Client
from sampan.components.pipelines.api.errors import UnavailableError
from sampan.components.pipelines.api.settings import PipelineSettings
from sampan.components.pipelines.api.triggers import read_zone
from sampan.components.pipelines.engine.creation import Prepare, RunCreator
from sampan.components.pipelines.engine.notifications.service import Notifications, Rules
from sampan.components.pipelines.engine.resumption import DebugPod, Resumable, Resumption
from sampan.components.pipelines.engine.retention import Retention
from sampan.components.pipelines.engine.schedules import Schedules
from sampan.components.pipelines.engine.triggers.places import Buckets, NoBuckets, Places
from sampan.components.pipelines.engine.triggers.service import Loops, Triggers
from sampan.components.pipelines.store.notices import NotificationRow
from sampan.lib.clock import Clock, to_micros
from sampan.lib.threads import Threads
from sampan.store.database import Database


class RunEngine(Protocol):
    """What executes runs. Every method returns once the change is durable."""

    async def submit(self, run_id: str) -> None:
        """Starts a run whose row is there."""
        ...

    async def terminate(self, run_id: str) -> None:
        """Stops a run: its steps end, its exit tasks run, and it is CANCELED. A second time those end too."""
        ...

    async def retry(self, run_id: str) -> None:
        """Executes a finished run's failed steps again and keeps the rest."""
        ...

    async def debug(self, run_id: str, task_id: str, attempt: int, *, is_new: bool) -> DebugPod:
        """A pod in which to look around where the step ran."""
        ...

    async def debug_state(self, run_id: str, pod: str) -> Mapping[str, Any]:
        """`state` is WAITING, RUNNING or ENDED, and `message` says why."""
        ...

    async def end_debug(self, run_id: str, pod: str) -> None: ...

    def remote_files(self, uri: str, namespace: str, most: int) -> list[tuple[str, int]] | None:
        """Names and sizes of objects below a URI in an object store, or of it alone with an empty name; not all where
        there are more. None and errors as of `remote_content`. Blocks.
        """
        ...

    def remote_content(self, uri: str, namespace: str, limit: int | None) -> Iterator[bytes] | None:
        """The bytes of an artifact in an object store, at most `limit`; None for what is kept elsewhere.

        Blocks, and so does the iterator. Raises NotFoundError, PermissionDeniedError, UnavailableError.
        """
        ...

    async def proceed(self, wanted: Resumption) -> None:
        """A paused run goes on."""
        ...

    async def resumable(self, wanted: Resumption) -> Resumable:
        """What a run that goes on from an ended one would be and do. Nothing is stored."""
        ...

    def sweep(self) -> None:
        """There are files of deleted runs or artifacts to be removed: soon, in the background."""
        ...

    async def forget(self, run_id: str, namespace: str) -> None:
        """Stops a run whose row is gone, and removes its pods and working files."""
        ...


async def _no_sender(notification: NotificationRow) -> None:
    raise UnavailableError("nothing is sent from here")


@dataclass(frozen=True, slots=True)
class Backend:
    """Shared by all requests."""

    database: Database
    client: Client
    clock: Clock
    home: Path
    settings: PipelineSettings
    namespace: str
    """Where everything of the one user lives; with many users, where rights to shared pipelines are given."""
    engine: Callable[[], Awaitable[RunEngine]]
    prepare: Callable[[], Awaitable[Prepare]]
    trouble: Callable[[str], str] = lambda _run_id: ""
    """Why a run does not go on, where its rows cannot say it: the disk is full, say."""
    retention: Retention | None = None
    wake_schedules: Callable[[], None] = lambda: None
    """Tells the scheduler that recurring runs have changed."""
    notification_rules: Rules = field(default_factory=Rules)
    wake_sender: Callable[[], None] = lambda: None
    """Tells the sender that notifications have changed."""
    send_test: Callable[[NotificationRow], Awaitable[None]] = _no_sender
    """Sends a sample of a notification now. Raises UnavailableError."""
    trigger_loops: Loops = field(default_factory=Loops)
    buckets: Buckets = field(default_factory=NoBuckets)
    """Where triggers find what lies below a URI."""
    asking: Threads = field(default_factory=partial(Threads, "api-asking", 16))
    """For what waits for stores and other servers."""

    @property
    def multi_user(self) -> bool:
        """Whether there are users, each with rights in namespaces of their own."""
        return self.settings.multi_user

    def now_micros(self) -> int:
        return to_micros(self.clock.now())

    @property
    def creator(self) -> RunCreator:
        """What makes runs, for requests and for whatever else starts them."""
        return RunCreator(self.database, self.clock, self.prepare, self._submit)

    @property
    def schedules(self) -> Schedules:
        zone = read_zone(self.settings.schedule_time_zone)
        return Schedules(self.database, self.clock, self.creator, zone, self.wake_schedules)

    @property
    def places(self) -> Places:
        return Places(self.settings.watch_roots, self.buckets, self.asking, everywhere=not self.multi_user)

    @property
    def triggers(self) -> Triggers:
        return Triggers(self.database, self.clock, self.creator, self.places, self.trigger_loops)

    @property
    def notifications(self) -> Notifications:
        return Notifications(self.database, self.clock, self.notification_rules, self.wake_sender)

    async def _submit(self, run_id: str) -> None:
        await (await self.engine()).submit(run_id)
