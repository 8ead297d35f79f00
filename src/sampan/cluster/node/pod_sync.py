"""One pod on this node, from the moment it is assigned until it is gone: the worker that keeps it as it should be.

Level-based: each turn looks at the pod as it was last seen and at the records of its containers, decides
(`decisions`, pure), acts, and writes the status (`status`, pure) if it differs from the one written last. `agent`
makes the workers and hands them what the watch sees.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sampan.client.protocol import Client, DeleteOptions, Object, PatchType
from sampan.cluster.network.pods import PodNetwork
from sampan.cluster.node import (
    attendants,
    changes,
    decisions,
    hooks,
    probes,
    references,
    storage_use,
    termination,
)
from sampan.cluster.node.adoption import adopt
from sampan.cluster.node.draining import Draining
from sampan.cluster.node.gpus import GpuAllocator, remembered
from sampan.cluster.node.handlers import Executor, HandlerError, Target
from sampan.cluster.node.layout import Layout, container_id
from sampan.cluster.node.pod_events import PodEvents
from sampan.cluster.node.probes import Answer, Outcome, Probe
from sampan.cluster.node.probing import Prober
from sampan.cluster.node.records import ContainerRecord, crash_loops, ended, records_of, started
from sampan.cluster.node.runtimes.protocol import ContainerRuntime, Exit, RuntimeFailureError, read_started
from sampan.cluster.node.starting import Start, Starter, pull_backs_off
from sampan.cluster.node.stats import Watched
from sampan.cluster.node.status import OWN_CONDITIONS, PodState, Verdict, is_over, pod_status
from sampan.cluster.node.watching import Reference
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
STORAGE_SECONDS = 10.0
"""Between two looks at what a pod with a limit keeps on disk. Source: pkg/kubelet/kubelet.go, v1.31."""
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
    execute: Executor
    draining: Draining


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
        self._stop_grace = math.inf
        self._shown = references.shown(pod)
        self._shows_itself = references.shows_itself(pod)
        self._storage = storage_use.limits_of(pod)
        self._refreshing: asyncio.Task[None] | None = None
        self._sessions: dict[tuple[str, int], int] = {}
        self._is_stale = False
        self._prober: Prober | None = None
        if any(probes.has_probes(record.spec) for record in self._state.records.values()):
            title = f"{self.namespace}/{self.name}"
            self._prober = Prober(
                title, parts.execute, self._probed, self._answered, self._events.probe_errored
            )

    @property
    def is_running(self) -> bool:
        return any(record.is_running or record.is_starting for record in self._state.records.values())

    @property
    def pod(self) -> Object:
        return self._pod

    @property
    def is_owed_release(self) -> bool:
        """Whether the pod was deleted when `run` had looked for that the last time."""
        return meta.is_deleting(self._pod) and not self._is_gone

    def sessions(self) -> list[Watched]:
        """The containers that run, for who counts what they use."""
        found: list[Watched] = []
        folder = self._parts.layout.pod(self.uid)
        for record in self._state.records.values():
            if record.is_running:
                run = record.name, record.restart
                if run not in self._sessions and (began := read_started(folder.container(*run))):
                    self._sessions[run] = began[0]
                if run in self._sessions:
                    found.append(Watched(record.name, self._sessions[run]))
        return found

    def adopt(self, running: Collection[str]) -> None:
        """Goes on with what an earlier server began. Before `run`."""
        folder = self._parts.layout.pod(self.uid)
        found = adopt(self.uid, folder, self._state.records, running, self._parts.clock, self._log_of)
        self._state.has_sandbox = folder.path.exists()
        statuses = {str(each.get("name")): each for each in pods.container_statuses(self._pod)}
        for name in found:
            record = self._state.records[name]
            self._runs(record, statuses.get(name) or {})
            self._watch(record)
            self._parts.gpus.take(
                container_id(self.uid, name, record.restart),
                remembered(folder.container(name, record.restart)),
            )
            if hooks.is_pending(folder.container(name, record.restart)):
                self._tasks.spawn(self._owed_post_start(record), name=f"postStart {name}")
        for record in self._state.records.values():
            if record.end is not None and decisions.will_restart(self._state.policy, record):
                crash_loops(record, self._events.pod_name)

    def update(self, pod: Object) -> None:
        """The pod as the API has it now."""
        before, self._pod = self._pod, pod
        if self._shows_itself and changes.told(pod) != changes.told(before):
            self.refresh()
        if meta.spec(pod) != meta.spec(before):
            self._take_over_spec()
            changed = True
        else:
            changed = changes.deletion(pod) != changes.deletion(before)
        if attendants.completes(pod) and not attendants.completes(before):
            self._complete()
        if changes.gates(pod) != changes.gates(before):
            self._changed()
        if changed:
            # A status that comes back from the API is no reason to look again.
            self._wake.set()

    @property
    def shows_references(self) -> bool:
        """Whether volumes show ConfigMaps or Secrets, which may change."""
        return bool(self._shown)

    def reference_changed(self, reference: Reference | None) -> None:
        if self._shown and (reference is None or reference in self._shown):
            self.refresh()

    def refresh(self) -> None:
        """Brings the files of volumes up to date, now or after what is under way."""
        self._is_stale = True
        busy = self._refreshing is not None and not self._refreshing.done()
        if (
            not busy
            and not self._is_gone
            and not any(each.is_starting for each in self._state.records.values())
        ):
            self._refreshing = self._tasks.spawn(self._refresh(), name="refresh")

    async def _refresh(self) -> None:
        while self._is_stale:
            self._is_stale = False
            try:
                await self._parts.starter.refresh(self._addressed())
            except ApiError as error:
                log.warning("volumes not refreshed", pod=self.name, why=error.message)

    def _take_over_spec(self) -> None:
        """Of a container only the image may change; ephemeral ones may come."""
        for record in records_of(self._pod).values():
            known = self._state.records.get(record.name)
            if known is None:
                if record.is_ephemeral:
                    self._state.records[record.name] = record
            elif known.spec.get("image") != record.spec.get("image"):
                known.spec = record.spec
                known.retry_at = 0.0
                self._restart(known)

    def _restart(self, record: ContainerRecord) -> None:
        if record.is_running and (record.is_main or record.is_sidecar):
            record.must_restart = True
            message = f"Container {record.name} definition changed, will be restarted"
            self._kill(record, self._grace(), message)

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
        if self._storage:
            self._tasks.spawn(self._watch_storage(), name="storage")
        if self._parts.network.is_refused and any(each.get("ports") for each in pods.containers(self._pod)):
            self._events.shares_ports()
        if attendants.completes(self._pod):
            self._complete()
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
            if self._prober is not None:
                await self._prober.close()
            await self._tasks.close()

    def _turn(self) -> float:
        """Acts on what is; the seconds after which to look again, if nothing happens before."""
        now = self._parts.clock.monotonic()
        if meta.is_deleting(self._pod) and self._grace() < self._stop_grace:
            if not is_over(self._state):
                self._state.verdict = self._state.verdict or Verdict("", "")
            self._stop(self._grace())
        deadline = self._check_deadline()
        wall = rfc3339(self._parts.clock.now())
        if attendants.turn(self._state, self._pod, wall, now, stopping=self._stopping.is_set()):
            self._changed()
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

    async def _watch_storage(self) -> None:
        """Evicts the pod when it keeps more on disk than it may."""
        folder = self._parts.layout.pod(self.uid)
        logs = self._log_of("", 0).parent
        while not self._stopping.is_set():
            await asyncio.sleep(STORAGE_SECONDS)
            use = await asyncio.to_thread(storage_use.measure, self._pod, folder, logs)
            if message := storage_use.exceeded(self._storage, use):
                if not self._stopping.is_set():
                    self._events.evicted(message)
                    self.terminate(Verdict("Evicted", message), 0.0)
                return

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
        hook, image = hooks.hook_of(record.spec, "postStart"), record.spec.get("image")
        started_at = await self._parts.starter.start(
            Start(self._addressed(), record, self._events, self._stopping)
        )
        if started_at is None:
            record.is_starting = False
            self._failed_to_start(record)
            return
        self._events.started(record)
        # As on any node: the container counts as running when its hook is done.
        failed = hook is not None and not await self._post_start(record, run, hook)
        started(record, run, started_at, self._parts.clock.monotonic())
        self._runs(record)
        self._watch(record)
        self._changed()
        if self._is_stale:
            # It changed while the volumes were being made.
            self.refresh()
        if self._stopping.is_set():
            self._kill(record, self._stop_grace)
        elif record.spec.get("image") != image:
            self._restart(record)  # it changed while this one was being started
        elif failed:
            self._kill(record, self._grace(), "FailedPostStartHook")

    def _runs(self, record: ContainerRecord, seen: Mapping[str, Any] | None = None) -> None:
        """Whether it is ready from now on; `seen` is what its status said before a restart of the server."""
        counts = record.is_main or record.is_sidecar
        record.is_started = not record.is_ephemeral
        record.is_ready = counts
        if self._prober is None or not (found := probes.probes_of(record.spec)):
            return
        seen = seen or {}
        record.is_started = probes.STARTUP not in found or bool(seen.get("started"))
        record.is_ready = record.is_started and (probes.READINESS not in found or bool(seen.get("ready")))
        age = self._parts.clock.monotonic() - record.ran_since
        self._prober.begin(
            record.name, self._target(record, record.restart), is_started=record.is_started, age=age
        )

    def _target(self, record: ContainerRecord, run: int) -> Target:
        return Target(container_id(self.uid, record.name, run), record.spec, self._state.address)

    async def _post_start(self, record: ContainerRecord, run: int, hook: Mapping[str, Any]) -> bool:
        """False when the hook has failed. A pod that is to end does not wait for it."""
        task = asyncio.ensure_future(hooks.run(hook, self._target(record, run), self._parts.execute))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
        except HandlerError as error:
            log.info("postStart failed", pod=self.name, container=record.name, why=error.message)
            self._events.hook_failed("PostStart")
            return False
        finally:
            task.cancel()
            stopping.cancel()
        hooks.mark_done(self._parts.layout.pod(self.uid).container(record.name, run))
        return True

    async def _owed_post_start(self, record: ContainerRecord) -> None:
        """The hook of a container whose server went away before it was done: at least once is the promise."""
        hook = hooks.hook_of(record.spec, "postStart")
        if hook is not None and not await self._post_start(record, record.restart, hook):
            self._kill(record, self._grace(), "FailedPostStartHook")

    # Probes

    def _probed(self, name: str, probe: Probe, good: bool) -> None:
        record = self._state.records.get(name)
        if record is None or not record.is_running:
            return
        if probe.kind == probes.READINESS:
            record.is_ready = good and record.is_started
        elif good and probe.kind == probes.STARTUP:
            record.is_started = True
            record.is_ready = probes.READINESS not in probes.probes_of(record.spec)
        elif not good:
            restarts = decisions.restarts_after_kill(self._state.policy, record)
            grace = self._grace() if probe.grace_seconds is None else probe.grace_seconds
            self._kill(record, grace, probes.killing(name, probe.kind, restarts=restarts))
        self._changed()

    def _answered(self, name: str, kind: str, answer: Answer) -> None:
        self._events.unhealthy(probes.unhealthy(kind, answer), is_warning=answer.outcome is Outcome.WARNING)

    def _addressed(self) -> Object:
        """The pod as its containers see it: with its address, which may not be written yet."""
        address = {"podIP": self._state.address, "podIPs": [{"ip": self._state.address}]}
        return {**self._pod, "status": {**meta.status(self._pod), **address}}

    def _failed_to_start(self, record: ContainerRecord) -> None:
        self._changed(urgent=True)
        asyncio.get_running_loop().call_later(_PULL_ERROR_SECONDS, self._back_off_pull, record)

    def _back_off_pull(self, record: ContainerRecord) -> None:
        if not self._stopping.is_set() and not record.is_starting and pull_backs_off(record):
            self._events.pull_backs_off(record)
            self._changed()

    def _watch(self, record: ContainerRecord) -> None:
        container = container_id(self.uid, record.name, record.restart)
        self._tasks.spawn(self._await_end(record, container), name=f"end {record.name}")

    async def _await_end(self, record: ContainerRecord, container: str) -> None:
        end: Exit = await self._parts.runtime.wait(container)
        if self._prober is not None:
            self._prober.end(record.name)
        end = await self._with_message(record, end)
        if attendants.completes(self._pod):
            end = attendants.as_completed(end)
        if end.reason == "StartError":
            self._events.start_failed(end.message)
        self._parts.gpus.release(container)
        ended(record, end, self._parts.clock.monotonic())
        if not self._stopping.is_set() and decisions.will_restart(self._state.policy, record):
            if record.crash_delay:
                self._events.restart_backs_off(record)
            crash_loops(record, self._events.pod_name)
        self._changed(urgent=True)

    def _log_of(self, name: str, run: int) -> Path:
        return self._parts.layout.log(self.namespace, self.uid, name, run)

    async def _with_message(self, record: ContainerRecord, end: Exit) -> Exit:
        folder = self._parts.layout.pod(self.uid).container(record.name, record.restart)
        written = self._log_of(record.name, record.restart)
        if record.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
            return await asyncio.to_thread(termination.with_message, end, record.spec, folder, written)
        return termination.with_message(end, record.spec, folder, written)

    def _stop(self, grace_seconds: float) -> None:
        """All containers, the sidecars after the others. A second time only to be quicker."""
        self._stopping.set()
        self._stop_grace = min(self._stop_grace, grace_seconds)
        if self._prober is not None:
            self._prober.terminating()
        self._tasks.spawn(self._stop_all(grace_seconds), name="stop")

    async def _stop_all(self, grace_seconds: float) -> None:
        began = self._parts.clock.monotonic()
        records = list(self._state.records.values())
        others = [record for record in records if not record.is_sidecar]
        # Sidecars one by one, the last one first: an earlier one may serve a later one.
        for group in (others, *([record] for record in reversed(records) if record.is_sidecar)):
            left = max(grace_seconds - (self._parts.clock.monotonic() - began), 0.0)
            await asyncio.gather(*(self._stop_container(record, left) for record in group))
        self._changed(urgent=True)

    def _complete(self) -> None:
        """It is to end now, and to have succeeded."""
        for record in attendants.complete(self._state):
            self._kill(record, self._grace())

    async def _linger(self, record: ContainerRecord) -> None:
        await asyncio.sleep(self._grace())
        self._kill(record, self._grace())

    def _stop_sidecars(self) -> None:
        for record in self._state.records.values():
            if record.is_follower and record.is_running and not record.is_lingering:
                record.is_lingering = True
                self._tasks.spawn(self._linger(record), name=f"linger {record.name}")
            if (record.is_sidecar or record.is_ephemeral) and record.is_running and not record.is_stopping:
                self._kill(record, self._grace())

    def _kill(self, record: ContainerRecord, grace_seconds: float, message: str = "") -> None:
        stop = self._stop_container(record, grace_seconds, message)
        self._tasks.spawn(stop, name=f"stop {record.name}")

    async def _stop_container(self, record: ContainerRecord, grace_seconds: float, message: str = "") -> None:
        if not record.is_running or record.is_attendant:
            return
        container = container_id(self.uid, record.name, record.restart)
        if not record.is_stopping:
            record.is_stopping = True
            self._events.killing(record, message)
            if grace_seconds > 0:
                grace_seconds = await self._pre_stop(record, container, grace_seconds)
        try:
            await self._parts.runtime.stop(container, grace_seconds, hooks.stop_signal(record.spec))
        except RuntimeFailureError as error:
            log.warning("container not stopped", pod=self.name, container=record.name, why=error.message)

    async def _pre_stop(self, record: ContainerRecord, container: str, grace_seconds: float) -> float:
        """The grace that is left when its hook is done and, where all of the pod ends, what it does for others.

        A container that ends by itself is waited for no longer.
        """
        hook = hooks.hook_of(record.spec, "preStop")
        before = self._parts.draining.begin(self._pod) if self._stopping.is_set() else []
        if hook is not None:
            before.append(hooks.run(hook, self._target(record, record.restart), self._parts.execute))
        if not before:
            return grace_seconds
        task = asyncio.ensure_future(hooks.pre_stop(before, container, grace_seconds, self._parts.clock))
        end = asyncio.ensure_future(self._parts.runtime.wait(container))
        try:
            await asyncio.wait({task, end}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                return 0.0
            left, failure = task.result()
        finally:
            task.cancel()
            end.cancel()
        if failure:
            log.info("preStop failed", pod=self.name, container=record.name, why=failure)
            self._events.hook_failed("PreStop")
        return left

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
        kind, sent = PatchType.MERGE, status
        if any(each["type"] not in OWN_CONDITIONS for each in status["conditions"]):
            # Conditions of others are theirs alone: what is known of them here may be old.
            kind = PatchType.STRATEGIC
            own = [each for each in status["conditions"] if each["type"] in OWN_CONDITIONS]
            sent = {**status, "conditions": own}
        patch = {"metadata": {"uid": self.uid}, "status": sent}
        try:
            await self._parts.client.patch(
                PODS, self.name, patch, self.namespace, patch_type=kind, subresource="status"
            )
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
            pass
        except ApiError as error:
            log.warning("pod not deleted", namespace=self.namespace, pod=self.name, why=error.message)
            await asyncio.sleep(_RETRY_SECONDS)
            return False
        self._is_gone = True
        return True

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if seconds == math.inf else max(seconds, 0.0)):
                await self._wake.wait()
