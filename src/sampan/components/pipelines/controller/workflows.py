"""The Workflow reconciler: makes an object's run, does to it what the object asks, and writes its status.

A run has its object's uid as its id, so that an object never has two, whatever crashes in between. The rows are the
truth: the status is rendered from them, and written when it differs, not more often than its size allows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sampan.client.protocol import Client, DeleteOptions, ListOptions, Object
from sampan.components.pipelines.api.errors import FailedPreconditionError, InvalidArgumentError
from sampan.components.pipelines.api.workflow_kinds import (
    COMPLETED_LABEL,
    INSTANCE_LABEL,
    PHASE_LABEL,
    WORKFLOWS,
)
from sampan.components.pipelines.controller import ending, signals
from sampan.components.pipelines.controller.ports import Language, WorkflowEngine
from sampan.components.pipelines.controller.rows import new_run, store_run
from sampan.components.pipelines.controller.templates import load_templates
from sampan.components.pipelines.engine.changes import Change
from sampan.components.pipelines.store import runs, tasks
from sampan.components.pipelines.store.runs import RunRow
from sampan.components.pipelines.store.tasks import TaskRow
from sampan.kube import meta
from sampan.kube.errors import ApiError, NotFoundError
from sampan.kube.kinds import PODS
from sampan.lib.clock import Clock, rfc3339, to_micros
from sampan.lib.log import get_logger
from sampan.reconcile.apply import delete_if_present, merge_difference
from sampan.reconcile.cache import Cache
from sampan.reconcile.controller import Controller, own
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result
from sampan.store.database import Database

log = get_logger(__name__)

_SOON_SECONDS = 0.1
"""After a change, others are likely to follow: they share a write."""
_SHARE = 20
"""How much longer to wait than the last look took: telling costs a twentieth of the time at most."""
_LONGEST_SECONDS = 20.0
_TOLD = {
    "Running": (False, "WorkflowRunning", "Workflow Running"),
    "Succeeded": (False, "WorkflowSucceeded", "Workflow completed"),
    "Failed": (True, "WorkflowFailed", ""),
    "Error": (True, "WorkflowFailed", ""),
}


@dataclass(slots=True)
class _Seen:
    """One Workflow since this process knows it."""

    key: Request
    is_dirty: bool = True
    """Whether rows have changed since the status was rendered."""
    cost: float = 0.0
    """Seconds that the last look took."""
    looked_at: float = 0.0
    status: dict[str, Any] | None = None
    """As rendered last."""
    waiting: dict[str, Any] = field(default_factory=dict)
    """Of its nodes: those that are suspended."""
    tasks: dict[str, str] = field(default_factory=dict)
    """The tasks of these."""
    is_suspended: bool | None = None
    """What the engine was told; None when it was told nothing yet."""


@dataclass(frozen=True, slots=True)
class Around:
    """What all its parts share."""

    client: Client
    database: Database
    clock: Clock
    engine: WorkflowEngine
    language: Language


class WorkflowReconciler:
    def __init__(self, around: Around, cache: Cache) -> None:
        self._around = around
        self._client = around.client
        self._database = around.database
        self._engine = around.engine
        self._cache = cache
        self._seen: dict[str, _Seen] = {}
        self._named: dict[Request, str] = {}
        """The newest uid of each name."""
        self._recorder = EventRecorder(around.client, around.clock, "workflow-controller")
        self._controller: Controller[Request] | None = None

    def controller(self) -> Controller[Request]:
        self._controller = Controller(
            "workflow", self.reconcile, [own(self._cache)], workers=8, close=self._recorder.close
        )
        self._engine.listen(self._on_change)
        return self._controller

    async def start(self) -> None:
        """After the controller: looks after runs whose objects went while nobody looked."""
        assert self._controller is not None
        for namespace, name, run_id in await self._database.read(runs.unfinished_workflows):
            request = Request(namespace, name)
            self._seen.setdefault(run_id, _Seen(request)).is_dirty = True
            self._controller.queue.add(request)

    def _on_change(self, change: Change) -> None:
        seen = self._seen.get(change.run_id)
        if seen is not None and self._controller is not None:
            seen.is_dirty = True
            self._controller.queue.add_after(seen.key, 0.0 if change.is_over else _SOON_SECONDS)

    async def reconcile(self, request: Request) -> Result:
        workflow = self._cache.get(request.namespace, request.name)
        uid = meta.uid(workflow) if workflow is not None else ""
        if uid not in self._seen:
            await self._stop_others(request, uid)
        if workflow is None or meta.labels(workflow).get(INSTANCE_LABEL):
            return DONE
        self._named[request] = uid
        seen = self._seen.setdefault(uid, _Seen(request, is_dirty=not _is_told(workflow)))
        if _is_told(workflow) and not seen.is_dirty:
            return await self._expire(workflow)
        row = await self._database.read(lambda connection: runs.get(connection, uid))
        if row is None:
            return await self._without_run(workflow)
        if meta.is_deleting(workflow):
            await self._engine.terminate(uid)
            return DONE
        if await self._obey(workflow, row, seen):
            return Result(timedelta(0))
        again = await self._tell(workflow, row, seen)
        return DONE if again is None else Result(timedelta(seconds=again))

    # Beginning

    async def _stop_others(self, request: Request, uid: str) -> None:
        """Runs of objects of this name that are gone. Their pods go with their owner."""
        self._seen.pop(self._named.pop(request, ""), None)
        found = await self._database.read(
            lambda connection: runs.unfinished_of_workflow(connection, request.namespace, request.name)
        )
        for run_id in found:
            if run_id != uid:
                log.info("a workflow is gone, its run is stopped", workflow=str(request), run=run_id)
                await self._engine.terminate(run_id)

    async def _without_run(self, workflow: Object) -> Result:
        status = meta.status(workflow)
        if status.get("finishedAt"):
            return await self._expire(workflow)
        if meta.is_deleting(workflow):
            return DONE
        if meta.annotations(workflow).get(signals.RUN_ANNOTATION) == meta.uid(workflow):
            await self._refuse(workflow, "Error", "the run of this workflow was deleted")
            return DONE
        try:
            templates = await load_templates(self._client, meta.namespace(workflow), workflow)
            spec = await asyncio.to_thread(self._around.language.prepare, workflow, templates)
        except InvalidArgumentError as error:
            await self._refuse(workflow, "Failed", f"invalid spec: {error.message}")
            return DONE
        row = new_run(workflow, spec, to_micros(self._around.clock.now()))
        await self._database.write(lambda connection: store_run(connection, row, workflow))
        await self._engine.submit(row.run_id)
        return Result(timedelta(0))

    async def _refuse(self, workflow: Object, phase: str, message: str) -> None:
        now = rfc3339(self._around.clock.now())
        status = {
            **meta.status(workflow),
            "phase": phase,
            "message": message,
            "startedAt": meta.status(workflow).get("startedAt") or now,
            "finishedAt": now,
            "conditions": [{"type": "Completed", "status": "True"}],
        }
        await self._write(workflow, status, {})

    # What the object asks for

    async def _obey(self, workflow: Object, row: RunRow, seen: _Seen) -> bool:
        """Whether something was done, and the rows are to be read anew."""
        uid = row.run_id
        if row.runtime_state.is_final:
            if not signals.asks_for_retry(workflow, row.finished_at):
                return False
            try:
                await self._engine.retry(uid)
            except FailedPreconditionError as error:
                # It succeeded: the status becomes again what it was.
                self._recorder.warning(workflow, "WorkflowNotRetried", error.message)
                return False
            return True
        if strategy := signals.shutdown(workflow):
            await self._engine.shut_down(uid, strategy)
        elif seen.is_suspended is not (wanted := signals.is_suspended(workflow)):
            await self._engine.suspend(uid, suspended=wanted)
            seen.is_suspended = wanted
        return False

    async def _resume(self, workflow: Object, seen: _Seen) -> None:
        for each in signals.resumed(workflow, seen.waiting):
            failure = None if each.phase == "Succeeded" else each.message or "failed by hand"
            task_id = seen.tasks[each.node_id]
            await self._engine.resume(
                meta.uid(workflow), task_id, parameters=each.parameters, failure=failure
            )

    # Telling

    async def _tell(self, workflow: Object, row: RunRow, seen: _Seen) -> float | None:
        """Renders and writes the status. Seconds until that is to be done again, None when it is done."""
        is_over = row.runtime_state.is_final
        # The row of an ended run may be read before it is told that it has ended.
        if seen.status is None or seen.is_dirty or is_over:
            now = self._around.clock.monotonic()
            pause = min(seen.cost * _SHARE, _LONGEST_SECONDS) - (now - seen.looked_at)
            if pause > 0 and not is_over:
                await self._resume(workflow, seen)
                return pause
            await self._look(row, seen)
        await self._resume(workflow, seen)
        assert seen.status is not None
        marks = {signals.RUN_ANNOTATION: row.run_id}
        if is_over:
            marks[signals.FINISHED_ANNOTATION] = str(row.finished_at)
            await self._collect_pods(workflow, seen.status, row)
        await self._write(workflow, seen.status, marks)
        if is_over:
            # It may be large, and will hardly be needed again.
            self._seen[row.run_id] = _Seen(seen.key, is_dirty=seen.is_dirty)
        return _SOON_SECONDS if seen.is_dirty else None

    async def _look(self, row: RunRow, seen: _Seen) -> None:
        clock = self._around.clock
        began = clock.monotonic()
        seen.is_dirty = False
        status, by_node = await self._rendered(row)
        nodes = status.get("nodes") or {}
        seen.waiting = {key: node for key, node in nodes.items() if signals.is_waiting(node)}
        seen.tasks = {key: by_node[key] for key in seen.waiting}
        seen.status = await asyncio.to_thread(ending.packed, status)
        seen.looked_at = clock.monotonic()
        seen.cost = seen.looked_at - began

    async def _rendered(self, row: RunRow) -> tuple[dict[str, Any], dict[str, str]]:
        rows: Sequence[TaskRow] = await self._database.read(
            lambda connection: tasks.list_by_run(connection, row.run_id)
        )
        return await asyncio.to_thread(self._around.language.status, row, rows)

    async def _write(self, workflow: Object, status: dict[str, Any], marks: dict[str, str]) -> None:
        """Raises ConflictError when the object has changed: it is looked at again then."""
        before = meta.status(workflow)
        phase = str(status.get("phase") or "")
        labels = {PHASE_LABEL: phase, COMPLETED_LABEL: "true" if status.get("finishedAt") else "false"}
        change = merge_difference(before, status)
        labelled = all(meta.labels(workflow).get(key) == value for key, value in labels.items())
        marked = all(meta.annotations(workflow).get(key) == value for key, value in marks.items())
        if not change and labelled and marked:
            return
        metadata = {
            "resourceVersion": meta.resource_version(workflow),
            "uid": meta.uid(workflow),
            "labels": labels,
            "annotations": marks,
        }
        patch = {"metadata": metadata, "status": change}
        try:
            after = await self._client.patch(WORKFLOWS, meta.name(workflow), patch, meta.namespace(workflow))
        except NotFoundError:
            return  # it went meanwhile
        if phase != before.get("phase") and phase in _TOLD:
            warns, reason, words = _TOLD[phase]
            tell = self._recorder.warning if warns else self._recorder.normal
            tell(after, reason, words or str(status.get("message") or phase))
        await self._cache.reached(meta.resource_version(after))

    # After the end

    async def _collect_pods(self, workflow: Object, status: dict[str, Any], row: RunRow) -> None:
        """Before the end is told: whatever crashes in between, it is done again."""
        ended = {**workflow, "status": status}
        if not ending.pods_go(ended):
            return
        options = ListOptions(label_selector=ending.pods_selector(ended))
        try:
            await self._client.delete_collection(PODS, row.namespace, options, DeleteOptions())
        except ApiError as error:
            log.warning("pods of an ended workflow remain", run=row.run_id, error=error.message)

    async def _expire(self, workflow: Object) -> Result:
        left = ending.seconds_to_live(workflow, self._around.clock.now())
        if left is None or meta.is_deleting(workflow):
            return DONE
        if left > 0:
            return Result(timedelta(seconds=left))
        await delete_if_present(self._client, WORKFLOWS, workflow)
        return DONE


def _is_told(workflow: Object) -> bool:
    """Whether the object says all that there is to say of its run, which is over."""
    status = meta.status(workflow)
    return bool(
        meta.labels(workflow).get(COMPLETED_LABEL) == "true"
        and status.get("finishedAt")
        and status.get("phase") != "Running"
    )
