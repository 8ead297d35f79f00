"""What the node knows about the containers of one pod: the memory that decisions and statuses are made from. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sampan.client.protocol import Object
from sampan.cluster.node.runtimes.protocol import Exit
from sampan.kube import meta, pods

BACK_OFF_INITIAL_SECONDS = 10.0
BACK_OFF_MAX_SECONDS = 300.0
BACK_OFF_RESET_SECONDS = 600.0
"""A container that ran so long starts its back-off anew. Source: pkg/kubelet/kubelet.go, v1.31."""


@dataclass(slots=True)
class Waiting:
    reason: str = "ContainerCreating"
    message: str = ""


@dataclass(slots=True)
class Running:
    started_at: str


@dataclass(slots=True)
class Terminated:
    exit: Exit


State = Waiting | Running | Terminated


@dataclass(slots=True)
class ContainerRecord:
    """One container. `restart` numbers the run that goes on, or the last one that there was."""

    spec: dict[str, Any]
    is_init: bool
    is_sidecar: bool
    is_ephemeral: bool = False
    """Added to a running pod, by `kubectl debug`: it runs once and counts for nothing."""
    state: State = field(default_factory=Waiting)
    last: Exit | None = None
    restart: int = 0
    is_starting: bool = False
    """A start is under way: preparing the environment, or waiting for the runtime."""
    has_run: bool = False
    is_ready: bool = False
    is_started: bool = False
    image_id: str = ""
    crash_delay: float = 0.0
    image_delay: float = 0.0
    retry_at: float = 0.0
    """Monotonic time before which nothing is tried again."""
    ran_since: float = 0.0
    must_restart: bool = False
    """Ended by the node because its definition has changed: it runs again whatever the policy."""
    is_stopping: bool = False
    is_attendant: bool = False
    """It has no process: see `attendants`."""
    is_follower: bool = False
    """It ends a while after the others, and its end counts for nothing."""
    is_lingering: bool = False
    """The others have ended, and how long it may go on is counted."""

    @property
    def is_main(self) -> bool:
        """Whether it is one of the pod's regular containers."""
        return not self.is_init and not self.is_ephemeral

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def is_running(self) -> bool:
        return isinstance(self.state, Running)

    @property
    def end(self) -> Exit | None:
        return self.state.exit if isinstance(self.state, Terminated) else None

    @property
    def next_run(self) -> int:
        """The number of the run that a start would begin."""
        return self.restart + 1 if self.has_run else self.restart


def records_of(pod: Object) -> dict[str, ContainerRecord]:
    """Fresh records for a pod's containers, init containers first."""
    spec = meta.spec(pod)
    found: dict[str, ContainerRecord] = {}
    for container in spec.get("initContainers") or ():
        found[container["name"]] = ContainerRecord(container, True, pods.is_sidecar(container))
    for container in spec.get("containers") or ():
        found[container["name"]] = ContainerRecord(container, False, False)
    for container in spec.get("ephemeralContainers") or ():
        found[container["name"]] = ContainerRecord(container, False, False, is_ephemeral=True)
    for names, mark in ((pods.ATTENDANTS, "is_attendant"), (pods.FOLLOWERS, "is_follower")):
        for name in pods.named_in(pod, names):
            if (record := found.get(name)) is not None and record.is_main:
                setattr(record, mark, True)
    has_init = any(record.is_init for record in found.values())
    for record in found.values():
        if has_init and record.is_main:
            record.state = Waiting("PodInitializing")
    return found


def started(record: ContainerRecord, run: int, started_at: str, now: float) -> None:
    """The run numbered `run` goes on since `started_at`, seen at the monotonic time `now`."""
    record.last = record.end or record.last
    record.restart = run
    record.state = Running(started_at)
    record.has_run = True
    record.is_starting = record.must_restart = False
    record.ran_since = now
    record.image_delay = 0.0


def ended(record: ContainerRecord, end: Exit, now: float) -> None:
    """The run is over; how long the next one must wait is settled here."""
    record.state = Terminated(end)
    record.has_run = True
    record.is_started = record.is_starting = record.is_stopping = False
    # An init container that has done its work is ready for good.
    record.is_ready = record.is_init and not record.is_sidecar and end.exit_code == 0
    if now - record.ran_since > BACK_OFF_RESET_SECONDS:
        record.crash_delay = 0.0
    record.retry_at = now + record.crash_delay


def crash_loops(record: ContainerRecord, pod: str) -> None:
    """Shows a container that ended and must wait for its restart as the kubelet does."""
    record.last = record.end
    if record.crash_delay:
        message = (
            f"back-off {_go_duration(record.crash_delay)} restarting failed container={record.name} pod={pod}"
        )
        record.state = Waiting("CrashLoopBackOff", message)
    record.crash_delay = next_delay(record.crash_delay)


def _go_duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def next_delay(delay: float) -> float:
    return min(max(delay * 2, BACK_OFF_INITIAL_SECONDS), BACK_OFF_MAX_SECONDS)
