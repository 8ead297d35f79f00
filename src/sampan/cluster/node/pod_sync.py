"""One pod on this node, from the moment it is assigned until it is gone: the worker that keeps it as it should be.

Level-based: each turn looks at the pod as it was last seen and at the records of its containers, decides
(`decisions`, pure), acts, and writes the status (`status`, pure) if it differs from the one written last. `agent`
makes the workers and hands them what the watch sees.
"""

from __future__ import annotations

import asyncio
import math
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sampan.client.protocol import Client, DeleteOptions, Object
from sampan.cluster.network.pods import PodNetwork
from sampan.cluster.node import decisions
from sampan.cluster.node.adoption import adopt
from sampan.cluster.node.gpus import GpuAllocator
from sampan.cluster.node.layout import Layout, container_id
from sampan.cluster.node.pod_events import PodEvents
from sampan.cluster.node.records import ContainerRecord, crash_loops, ended, records_of, started
from sampan.cluster.node.runtimes.protocol import ContainerRuntime, Exit, RuntimeFailureError
from sampan.cluster.node.starting import Start, Starter, pull_backs_off
from sampan.cluster.node.status import PodState, Verdict, is_over, pod_status
from sampan.kube import meta, pods
from sampan.kube.errors import ApiError, ConflictError, NotFoundError
from sampan.kube.kinds import PODS
from sampan.lib.clock import Clock, parse_rfc3339, rfc3339
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet
from sampan.reconcile.events import EventRecorder

log = get_logger(__name__)

COALESCE_SECONDS = 0.05
"""How long a status that is only good news may wait: a container that is over by then costs one write, not two."""
_RETRY_SECONDS = 1.0
_PULL_ERROR_SECONDS = 5.0
"""How long ErrImagePull is shown before it becomes ImagePullBackOff."""


@dataclass(frozen=True, slots=True)
class NodeParts:
    """What all workers of the node share."""

    client: Client
    clock: Clock
    layout: Layout
    runtime: ContainerRuntime
    starter: Starter
    gpus: GpuAllocator
    recorder: EventRecorder
    network: PodNetwork


class PodWorker:
    """`run` ends when the pod's final status is written, or when the pod is gone."""

    def __init__(self, parts: NodeParts, pod: Object) -> None:
        self._parts = parts
        self._pod = pod
        self.uid = meta.uid(pod)
        self.name, self.namespace = meta.name(pod), meta.namespace(pod)
        self._events = PodEvents(parts.recorder, pod)
        self._state = PodState(
            policy=str(meta.spec(pod).get("restartPolicy") or "Always"),
            start_time=str(meta.status(pod).get("startTime") or rfc3339(parts.clock.now())),
            records=records_of(pod),
            address=parts.network.address(pod),
        )
        parts.network.attach(pod, self._state.address, parts.layout.pod(self.uid).network)
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._tasks = TaskSet(f"pod {self.namespace}/{self.name}")
        self._written: dict[str, Any] | None = None
        self._dirty_since: float | None = parts.clock.monotonic()
        self._is_urgent = False
        self._is_gone = False

    @property
    def is_running(self) -> bool:
        return any(record.is_running or record.is_starting for record in self._state.records.values())

    def adopt(self, running: Collection[str]) -> None:
        """Goes on with what an earlier server began. Before `run`."""
        folder = self._parts.layout.pod(self.uid)
        found = adopt(self.uid, folder, self._state.records, running, self._parts.clock)
        self._state.has_sandbox = folder.path.exists()
        for name in found:
            record = self._state.records[name]
            record.is_ready = record.is_started = True
            self._watch(record)
        for record in self._state.records.values():
            if record.end is not None and decisions.will_restart(self._state.policy, record):
                crash_loops(record, self._events.pod_name)

    def update(self, pod: Object) -> None:
        """The pod as the API has it now."""
        for record in self._state.records.values():
            # Of a container only the image may change.
            for container in meta.spec(pod).get("initContainers" if record.is_init else "containers") or ():
                if container["name"] == record.name and container.get("image") != record.spec.get("image"):
                    record.spec = container
                    record.retry_at = 0.0
        changed = meta.is_deleting(pod) != meta.is_deleting(self._pod) or meta.spec(pod) != meta.spec(
            self._pod
        )
        self._pod = pod
        if changed:
            # A status that comes back from the API is no reason to look again.
            self._wake.set()

    def gone(self) -> None:
        """The pod is no longer in the API."""
        self._is_gone = True
        self._stop(0.0)
        self._wake.set()

    def terminate(self, verdict: Verdict, grace_seconds: float) -> None:
        """Ends the pod with a failure that is not its own."""
        if self._state.verdict is None and not is_over(self._state):
            self._state.verdict = verdict
            self._stop(min(grace_seconds, self._grace()))
            self._changed(urgent=True)

    async def run(self) -> None:
        if self._parts.network.is_refused and any(each.get("ports") for each in pods.containers(self._pod)):
            self._events.shares_ports()
        try:
            while True:
                self._wake.clear()
                seconds = self._turn()
                if self._is_gone and not self.is_running:
                    return
                seconds = min(seconds, await self._write_status())
                if await self._is_finished():
                    return
                await self._sleep(seconds)
        finally:
            await self._tasks.close()

    def _turn(self) -> float:
        """Acts on what is; the seconds after which to look again, if nothing happens before."""
        now = self._parts.clock.monotonic()
        if meta.is_deleting(self._pod) and not self._stopping.is_set():
            if not is_over(self._state):
                self._state.verdict = self._state.verdict or Verdict("", "")
            self._stop(self._grace())
        deadline = self._check_deadline()
        if self._stopping.is_set():
            return math.inf
        decision = decisions.decide(self._state.policy, self._state.records, now)
        for name in decision.start:
            self._start(self._state.records[name])
        if decision.stop_sidecars and not decision.is_over:
            self._stop_sidecars()
        return min(decision.again_at - now, deadline)

    def _check_deadline(self) -> float:
        limit = meta.spec(self._pod).get("activeDeadlineSeconds")
        if limit is None or self._stopping.is_set() or is_over(self._state):
            return math.inf
        age = (self._parts.clock.now() - parse_rfc3339(self._state.start_time)).total_seconds()
        if age < int(limit):
            return int(limit) - age
        message = "Pod was active on the node longer than the specified deadline"
        self._events.deadline_exceeded(message)
        self.terminate(Verdict("DeadlineExceeded", message), self._grace())
        return math.inf

    def _grace(self) -> float:
        asked = meta.metadata(self._pod).get("deletionGracePeriodSeconds")
        own = meta.spec(self._pod).get("terminationGracePeriodSeconds")
        return float(asked if asked is not None else own if own is not None else 30)

    # Containers

    def _start(self, record: ContainerRecord) -> None:
        record.is_starting = True
        self._state.has_sandbox = True
        self._tasks.spawn(self._start_container(record), name=f"start {record.name}")

    async def _start_container(self, record: ContainerRecord) -> None:
        run = record.next_run
        started_at = await self._parts.starter.start(
            Start(self._addressed(), record, self._events, self._stopping)
        )
        record.is_starting = False
        if started_at is None:
            self._failed_to_start(record)
            return
        started(record, run, started_at, self._parts.clock.monotonic())
        record.is_ready = record.is_started = True
        self._events.started(record)
        self._watch(record)
        self._changed()
        if self._stopping.is_set():
            self._kill(record, self._grace())

    def _addressed(self) -> Object:
        """The pod as its containers see it: with its address, which may not be written yet."""
        address = {"podIP": self._state.address, "podIPs": [{"ip": self._state.address}]}
        return {**self._pod, "status": {**meta.status(self._pod), **address}}

    def _failed_to_start(self, record: ContainerRecord) -> None:
        self._changed(urgent=True)
        loop = asyncio.get_running_loop()
        loop.call_later(_PULL_ERROR_SECONDS, self._back_off_pull, record)

    def _back_off_pull(self, record: ContainerRecord) -> None:
        if not self._stopping.is_set() and not record.is_starting and pull_backs_off(record):
            self._events.pull_backs_off(record)
            self._changed()

    def _watch(self, record: ContainerRecord) -> None:
        container = container_id(self.uid, record.name, record.restart)
        self._tasks.spawn(self._await_end(record, container), name=f"end {record.name}")

    async def _await_end(self, record: ContainerRecord, container: str) -> None:
        end: Exit = await self._parts.runtime.wait(container)
        if end.reason == "StartError":
            self._events.start_failed(end.message)
        self._parts.gpus.release(container)
        ended(record, end, self._parts.clock.monotonic())
        if not self._stopping.is_set() and decisions.will_restart(self._state.policy, record):
            if record.crash_delay:
                self._events.restart_backs_off(record)
            crash_loops(record, self._events.pod_name)
        self._changed(urgent=True)

    def _stop(self, grace_seconds: float) -> None:
        """All containers, the sidecars after the others."""
        self._stopping.set()
        self._tasks.spawn(self._stop_all(grace_seconds), name="stop")

    async def _stop_all(self, grace_seconds: float) -> None:
        began = self._parts.clock.monotonic()
        records = list(self._state.records.values())
        for group in ([r for r in records if not r.is_sidecar], [r for r in records if r.is_sidecar]):
            left = max(grace_seconds - (self._parts.clock.monotonic() - began), 0.0)
            await asyncio.gather(*(self._stop_container(record, left) for record in group))
        self._changed(urgent=True)

    def _stop_sidecars(self) -> None:
        for record in self._state.records.values():
            if record.is_sidecar and record.is_running:
                self._kill(record, self._grace())

    def _kill(self, record: ContainerRecord, grace_seconds: float) -> None:
        self._tasks.spawn(self._stop_container(record, grace_seconds), name=f"stop {record.name}")

    async def _stop_container(self, record: ContainerRecord, grace_seconds: float) -> None:
        if not record.is_running:
            return
        self._events.killing(record)
        try:
            container = container_id(self.uid, record.name, record.restart)
            await self._parts.runtime.stop(container, grace_seconds)
        except RuntimeFailureError as error:
            log.warning("container not stopped", pod=self.name, container=record.name, why=error.message)

    # Status

    def _changed(self, *, urgent: bool = False) -> None:
        if self._dirty_since is None:
            self._dirty_since = self._parts.clock.monotonic()
        self._is_urgent = self._is_urgent or urgent
        self._wake.set()

    async def _write_status(self) -> float:
        """Writes what changed, or says in how many seconds to do so."""
        if self._dirty_since is None or self._is_gone:
            return math.inf
        waited = self._parts.clock.monotonic() - self._dirty_since
        if not self._is_urgent and waited < COALESCE_SECONDS:
            return COALESCE_SECONDS - waited
        self._dirty_since, self._is_urgent = None, False
        status = pod_status(self._pod, self._state, rfc3339(self._parts.clock.now()))
        if status == self._written:
            return math.inf
        patch = {"metadata": {"uid": self.uid}, "status": status}
        try:
            await self._parts.client.patch(PODS, self.name, patch, self.namespace, subresource="status")
        except (NotFoundError, ConflictError):
            # Deleted, or another pod of that name: the watch will say so too.
            self.gone()
            return 0.0
        except ApiError as error:
            log.warning("pod status not written", namespace=self.namespace, pod=self.name, why=error.message)
            self._dirty_since, self._is_urgent = self._parts.clock.monotonic(), True
            if is_over(self._state):
                # It may be this pod's own files that fill the disk, and nobody reads them any more.
                folder = self._parts.layout.pod(self.uid)
                await asyncio.to_thread(shutil.rmtree, folder.tmp, ignore_errors=True)
            await asyncio.sleep(_RETRY_SECONDS)
            return 0.0
        self._written = status
        return math.inf

    async def _is_finished(self) -> bool:
        """Whether nothing is left to do here; a pod that is being deleted is let go of."""
        if self.is_running or self._dirty_since is not None or not is_over(self._state):
            return False
        if not meta.is_deleting(self._pod):
            return True
        try:
            await self._parts.client.delete(
                PODS, self.name, self.namespace, DeleteOptions(grace_period_seconds=0, uid=self.uid)
            )
        except (NotFoundError, ConflictError):
            return True
        except ApiError as error:
            log.warning("pod not deleted", namespace=self.namespace, pod=self.name, why=error.message)
            await asyncio.sleep(_RETRY_SECONDS)
            return False
        return True

    async def _sleep(self, seconds: float) -> None:
        if self._wake.is_set():
            return
        timer = None
        if seconds != math.inf:
            timer = asyncio.get_running_loop().call_later(max(seconds, 0.0), self._wake.set)
        await self._wake.wait()
        if timer is not None:
            timer.cancel()
