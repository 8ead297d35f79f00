"""The engine's door: takes runs up, stops them, tries them again, and continues all of them after a restart.

Made and called by the component. REST has put the run's row there before `submit`; the engine owns its tasks,
artifacts and state from then on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sampan.client.protocol import Client, DeleteOptions, ListOptions, Object
from sampan.components.pipelines.api.argo.tags import as_text
from sampan.components.pipelines.api.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
)
from sampan.components.pipelines.api.ir_cache import Documents
from sampan.components.pipelines.api.settings import PipelineSettings, read_weights
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.engine import ir_language
from sampan.components.pipelines.engine.argo import language as argo_language
from sampan.components.pipelines.engine.argo.locks import Locks
from sampan.components.pipelines.engine.changes import Change, Changes
from sampan.components.pipelines.engine.context import RunContext
from sampan.components.pipelines.engine.debug_sessions import DebugSessions, remove_all
from sampan.components.pipelines.engine.driver import Event, RunDriver, Services
from sampan.components.pipelines.engine.engine_threads import EngineThreads
from sampan.components.pipelines.engine.failure import End, pod_end
from sampan.components.pipelines.engine.ir_language import Ended, Surroundings
from sampan.components.pipelines.engine.language import Machine, Prepared
from sampan.components.pipelines.engine.late_measures import LateMeasures
from sampan.components.pipelines.engine.light.crews import Crews
from sampan.components.pipelines.engine.light.marking import WORKER_LABEL
from sampan.components.pipelines.engine.log_keeping import LogKeeping
from sampan.components.pipelines.engine.lookups import StoredLookups
from sampan.components.pipelines.engine.node import Node
from sampan.components.pipelines.engine.pods import Pods
from sampan.components.pipelines.engine.podspec import RUN_LABEL, TASK_ID_LABEL
from sampan.components.pipelines.engine.preparing import prepare_run
from sampan.components.pipelines.engine.restoring import restored
from sampan.components.pipelines.engine.resumption import DebugPod, Resumable, Resumption
from sampan.components.pipelines.engine.retry import check_retriable, proceed
from sampan.components.pipelines.engine.run_locks import RunLocks
from sampan.components.pipelines.engine.slots import Slots
from sampan.components.pipelines.engine.step_files import LocalStepFiles, StepFiles
from sampan.components.pipelines.engine.sweeping import Sweeper
from sampan.components.pipelines.store import artifacts, runs, tasks, transitions
from sampan.components.pipelines.store.artifacts import ArtifactRow
from sampan.components.pipelines.store.runs import RunRow
from sampan.components.pipelines.store.tasks import TaskRow
from sampan.components.pipelines.store.transitions import RunState, Transition
from sampan.kube.errors import ApiError
from sampan.kube.kinds import PODS
from sampan.lib.clock import Clock, to_micros
from sampan.lib.ids import new_uid
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet
from sampan.store.database import Database, StorageError

log = get_logger(__name__)

_LOOK_SECONDS = 5.0


@dataclass(slots=True)
class _Running:
    driver: RunDriver
    task: asyncio.Task[None]


class Engine:
    """For one event loop. `start` before anything else, `stop` at the end; runs go on from there next time."""

    def __init__(
        self,
        client: Client,
        database: Database,
        clock: Clock,
        home: Path,
        settings: PipelineSettings,
        files: StepFiles | None = None,
    ) -> None:
        self._client = client
        self._database = database
        self._clock = clock
        self._settings = settings
        self._files = files or LocalStepFiles(home)
        self._pods = Pods(client, clock, self._files.owner)
        self._changes = Changes()
        self._documents = Documents()
        self._measures = LateMeasures(database)
        self._threads = EngineThreads()
        self._sweeper = Sweeper(database, clock, self._files, self._threads.asking)
        # Workers are reached over sockets in folders that pods and this process share.
        is_local, workers = not self._files.owner, settings.light_workers
        self._crews = Crews(self._pods, clock, home, workers) if is_local and workers > 0 else None
        self._services = Services(
            client,
            database,
            clock,
            self._pods,
            Slots(settings.max_parallel_pods, read_weights(settings.namespace_weights)),
            self._changes,
            self._measures,
            # Where files are moved, the pods are on other machines, and their logs too.
            LogKeeping(client, home, is_needed=bool(self._files.owner)),
            self._threads,
            self._crews,
        )
        self._run_locks = RunLocks(client)
        self._admit = asyncio.Event()
        self._admitted: dict[str, str] = {}
        """Runs that have their locks and are about to begin; or why one can never begin."""
        self._locks = Locks(is_open=False)
        self._tasks = TaskSet("pipelines")
        self._debugging = DebugSessions(client, self._threads.transfers)
        self._running: dict[str, _Running] = {}
        self._starting: dict[str, bool] = {}
        """Runs that are being read, and whether somebody asked to stop them meanwhile."""
        self._existing: dict[str, Object] | None = None
        """While starting: every pod by its name, kept up to date, for the runs that are being taken up."""

    async def start(self) -> None:
        """Takes up every run that is not final. Raises ApiError when the API server cannot be asked."""
        items, resource_version = await self._pods.list_all()
        self._existing = {pod["metadata"]["name"]: pod for pod in items}
        # The watch begins where the list ended; what happens meanwhile is not missed.
        self._tasks.spawn(self._pods.watch(resource_version, self._on_pod, self._on_list), name="watch")
        self._tasks.spawn(self._admit_forever(), name="locks")
        unfinished = await self._database.read(runs.unfinished)
        # Those that had begun first: they have their locks.
        for run in sorted(unfinished, key=lambda run: run.runtime_state is RuntimeState.PENDING):
            await self._take_up(run.run_id, run)
        self._measures.start()
        self._sweeper.start()
        self._remove_orphans(self._existing, {run.run_id for run in unfinished})
        self._existing = None
        self._locks.open()
        if unfinished:
            log.info("unfinished runs taken up", runs=len(unfinished))

    async def stop(self) -> None:
        """Lets go of everything where it stands. Pods go on running."""
        await self._tasks.close()
        await self._measures.stop()
        await self._sweeper.stop()
        if self._crews is not None:
            await self._crews.close()
        for running in list(self._running.values()):
            await running.driver.close()
        self._running.clear()
        self._threads.close()

    async def submit(self, run_id: str) -> None:
        """Begins a run whose row is there. A run that cannot begin fails with the reason; NotFoundError if unknown."""
        await self._take_up(run_id)

    async def terminate(self, run_id: str) -> None:
        """Stops a run: its pods are deleted, nothing begins any more. Nothing happens when it is over."""
        if await self._stop_live(run_id):
            return
        self._release(run_id)
        run = await self._row(run_id)
        if not run.runtime_state.is_final:
            await self._set_state(run_id, RuntimeState.CANCELED)
            await self._stop_live(run_id)  # it began in between, by its row of before

    async def _stop_live(self, run_id: str) -> bool:
        """Whether the run is under way or about to be, and was told to stop."""
        running = self._running.get(run_id)
        if running is not None and await running.driver.perform(_stop):
            return True
        # Its driver may have been let go of before it heard of this, for the run to be continued.
        if run_id in self._starting:
            self._starting[run_id] = True
            return True
        return running is not None

    async def retry(self, run_id: str) -> None:
        """Runs what failed or was stopped again and keeps the rest. FailedPreconditionError unless it is over."""
        if (running := self._running.get(run_id)) is not None and running.driver.is_over:
            await asyncio.wait([running.task])  # its pods and its workspace are just being removed
        run = await self._row(run_id)
        prepared = await self._prepare(run)
        lost = await self._lost(prepared, run_id)
        now = self._now()
        state = RuntimeState.PENDING if prepared.facts.locks else RuntimeState.RUNNING

        def again(connection: Any) -> None:
            # Within the transaction: of two who ask at once, one is told that the run is under way.
            check_retriable(runs.get(connection, run_id), run_id)
            plan = prepared.retry(tasks.executed(connection, run_id), now, lost)
            transition = Transition(
                run_id,
                updated=plan.updated,
                deleted=plan.deleted,
                unlinked=plan.unlinked,
                run=[RunState(state, now)],
            )
            transitions.apply(connection, transition)

        await self._database.write(again)
        await self._take_up(run_id)

    async def _lost(self, prepared: Prepared, run_id: str) -> Mapping[str, str]:
        """By task id, why what a finished step gave cannot be used any more."""
        rows, recorded = await self._recorded(run_id)
        return await self._threads.asking.run(prepared.lost, rows, recorded)

    async def _recorded(self, run_id: str) -> tuple[list[TaskRow], dict[str, ArtifactRow]]:
        def read(connection: Any) -> tuple[list[TaskRow], dict[str, ArtifactRow]]:
            return tasks.executed(connection, run_id), artifacts.of_run(connection, run_id)

        return await self._database.read(read)

    def remote_files(self, uri: str, namespace: str, most: int) -> list[tuple[str, int]] | None:
        """Names and sizes of the objects below a URI in an object store; None for what is kept elsewhere. Blocks."""
        return self._files.remote_files(uri, namespace, most)

    def remote_content(self, uri: str, namespace: str, limit: int | None) -> Iterator[bytes] | None:
        """The bytes of an artifact in an object store, at most `limit`; None for what is kept elsewhere. Blocks."""
        return self._files.remote_content(uri, namespace, limit)

    async def shut_down(self, run_id: str, strategy: str) -> None:
        """Of an Argo Workflow: `Stop` lets exit handlers run, `Terminate` does not. Nothing happens when it is over."""
        await self._tell(run_id, lambda machine: machine.shut_down(strategy))

    async def suspend(self, run_id: str, *, suspended: bool) -> None:
        """Of an Argo Workflow: nothing new begins while it is suspended."""
        await self._tell(run_id, lambda machine: machine.suspend(suspended=suspended))

    async def resume(
        self, run_id: str, task_id: str, *, parameters: Mapping[str, Any], failure: str | None = None
    ) -> None:
        """A suspended node of an Argo Workflow goes on, with outputs supplied, or fails."""
        texts = {name: as_text(value) for name, value in parameters.items()}
        await self._tell(run_id, lambda machine: machine.approve(task_id, texts, failure or ""))

    async def _tell(self, run_id: str, event: argo_language.Event) -> None:
        if (running := self._running.get(run_id)) is not None:
            await running.driver.perform(argo_language.event_of(event))

    async def proceed(self, wanted: Resumption) -> None:
        """A paused run goes on: the steps that have failed run again, as `wanted` changes them.

        It is let go of, rewritten in one transaction, and taken up as after a restart: a crash finds either the one
        or the other. Raises FailedPreconditionError unless it is paused; InvalidArgumentError.
        """
        run_id = wanted.run_id
        run = await self._row(run_id)
        if run.runtime_state is not RuntimeState.PAUSED:
            raise FailedPreconditionError(
                f"run {run_id} is {run.state}; only a PAUSED run waits to be continued"
            )
        rows = await self._database.read(lambda connection: tasks.list_by_run(connection, run_id))
        spec = await asyncio.to_thread(ir_language.continued, run, rows, wanted)
        if run_id in self._starting:
            raise FailedPreconditionError(f"run {run_id} is being continued already")
        self._starting[run_id] = False
        try:
            if (await self._row(run_id)).runtime_state is not RuntimeState.PAUSED:
                # Somebody was faster, and waits for the driver that would be let go of.
                raise FailedPreconditionError(f"run {run_id} is not PAUSED any more")
            await self._let_go(run_id)
            await self._database.write(lambda connection: self._proceed(connection, run_id, spec))
        finally:
            is_unwanted = self._starting.pop(run_id)
            await self._take_up(run_id)
            if is_unwanted:
                await self.terminate(run_id)

    def _proceed(self, connection: Any, run_id: str, spec: Mapping[str, Any] | None) -> None:
        run = runs.get(connection, run_id)
        if run is None or run.runtime_state is not RuntimeState.PAUSED:
            raise FailedPreconditionError(f"run {run_id} is not PAUSED any more")
        now = self._now()
        plan = proceed(tasks.list_by_run(connection, run_id), now)
        transition = Transition(
            run_id,
            updated=plan.updated,
            deleted=plan.deleted,
            unlinked=plan.unlinked,
            run=[RunState(RuntimeState.RUNNING, now)],
            spec=json.dumps(spec) if spec is not None else "",
        )
        transitions.apply(connection, transition)

    async def _let_go(self, run_id: str) -> None:
        """The run's driver ends where it stands; what it had begun to store is stored."""
        if (running := self._running.get(run_id)) is not None:
            await running.driver.removals_done()
            running.task.cancel()
            await asyncio.wait([running.task])

    async def resumable(self, wanted: Resumption) -> Resumable:
        """What a run that goes on from an ended one would be and do. Nothing is stored.

        Raises NotFoundError, FailedPreconditionError, and InvalidArgumentError for what cannot be.
        """
        source = await self._row(wanted.run_id)
        if not source.runtime_state.is_final:
            raise FailedPreconditionError(
                f"run {source.run_id} is {source.state}; only a run that has ended can be resumed: "
                "wait for it, or stop it"
            )
        spec, config = await asyncio.to_thread(ir_language.resumed, source, wanted)
        row = replace(
            source,
            run_id=new_uid(),
            spec=json.dumps(spec),
            runtime_config=json.dumps(config),
            created_at=self._now(),
            resumed_from=source.run_id,
        )
        prepared = await self._prepare(row)
        assert isinstance(prepared, ir_language.PreparedIr)
        return Resumable(spec, config, await self._threads.asking.run(prepared.plan))

    async def debug(self, run_id: str, task_id: str, attempt: int, *, is_new: bool) -> DebugPod:
        """A pod in which to look around where the step ran: its own while it runs, unless `is_new`, else another."""
        context, nodes = await self._debugged(run_id)
        return await self._debugging.open(context, nodes, task_id, attempt, is_new=is_new)

    async def debug_state(self, run_id: str, pod: str) -> Mapping[str, Any]:
        run = await self._row(run_id)
        return await self._debugging.state(run_id, pod, run.namespace)

    async def end_debug(self, run_id: str, pod: str) -> None:
        context, nodes = await self._debugged(run_id)
        await self._debugging.close(context, nodes, pod)

    async def _debugged(self, run_id: str) -> tuple[RunContext, list[Node]]:
        run = await self._row(run_id)
        prepared = await self._prepare(replace(run, resumed_from=""))
        if not isinstance(prepared, ir_language.PreparedIr):
            raise FailedPreconditionError(
                f"run {run_id} is a Workflow of Argo's: only steps of KFP's are debugged"
            )
        rows, recorded = await self._recorded(run_id)
        return prepared.context, restored(prepared.context.pipeline, rows, recorded)

    async def forget(self, run_id: str, namespace: str) -> None:
        """Before or after a run's row is deleted: stops it, removes its pods and working files. Artifacts follow."""
        running = self._running.pop(run_id, None)
        if running is not None:
            running.task.cancel()
            await running.driver.forsake()
        self._release(run_id)
        await self._remove_pods(run_id, namespace)
        await remove_all(self._client, run_id, namespace)
        await asyncio.to_thread(self._files.forget, run_id)
        self._sweeper.wake()
        self._changes.publish(Change(run_id, frozenset(), is_over=True))

    def sweep(self) -> None:
        """Files of what was deleted are looked for, and removed where nothing needs them."""
        self._sweeper.wake()

    def trouble(self, run_id: str) -> str:
        """Why a run does not go on, where its rows cannot say it; empty while nothing is known."""
        running = self._running.get(run_id)
        own = running.driver.trouble if running is not None else self._run_locks.why(run_id)
        # Its pods' states are not stored either: whatever the run waits for, it is this.
        return own or (f"it waits: {self._database.trouble}" if self._database.trouble else "")

    async def changes(self, run_id: str) -> AsyncIterator[Change]:
        """Every change of the run from now on; ends with the last one, at once for a run that is over."""
        running = self._running.get(run_id)
        is_waiting = run_id in self._starting or run_id in self._admitted or self._run_locks.waits(run_id)
        if not is_waiting and (running is None or running.driver.is_over):
            yield Change(run_id, frozenset(), is_over=True)
            return
        async for change in self._changes.of(run_id):
            yield change

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Calls `listener` for every change of every run; it must be quick."""
        self._changes.listen(listener)

    # Taking up

    async def _take_up(self, run_id: str, run: RunRow | None = None, *, is_admitted: bool = False) -> None:
        """Starts a new run or continues one. What is wrong with it becomes its error. NotFoundError if unknown.

        A run with locks waits until it is admitted, unless it had begun. `run` is given where its row is known.
        """
        if run_id in self._running or run_id in self._starting:
            return
        event: Event | None = None
        self._starting[run_id] = False
        try:
            # Read now: whoever stops it later finds it here, whoever did so before has written it.
            run = run or await self._row(run_id)
            if run.runtime_state.is_final:
                return
            prepared = await self._prepare(run)
            if prepared.facts.locks and not is_admitted and run.runtime_state is RuntimeState.PENDING:
                self._run_locks.join(run_id, run.created_at, prepared.facts.locks)
                self._admit.set()
            else:
                self._run_locks.hold(run_id, prepared.facts.locks)
                event = await self._first_event(run, prepared)
        except InvalidArgumentError as error:
            await self._set_state(run_id, RuntimeState.FAILED, error.message)
            return
        finally:
            is_unwanted = self._starting.pop(run_id)
        if event is None:
            if is_unwanted:
                await self.terminate(run_id)
            return
        driver = RunDriver(prepared.machine(), prepared.facts, self._services, self._existing_pod)
        prepared.connect(driver.post)
        self._running[run_id] = _Running(driver, self._tasks.spawn(self._drive(driver), name=run_id))
        if is_unwanted:
            driver.post(event)
            event = _stop
        await driver.perform(event)

    async def _first_event(self, run: RunRow, prepared: Prepared) -> Event:
        """What starts or continues the run's machine."""
        run_id = run.run_id
        rows, recorded = await self._recorded(run_id)
        if run.runtime_state is RuntimeState.CANCELING:
            pods = {
                pod["metadata"]["labels"].get(TASK_ID_LABEL, ""): name
                for name, pod in (self._existing or {}).items()
                if pod["metadata"]["labels"].get(RUN_LABEL) == run_id and pod_end(pod) is None
            }
            return lambda machine: machine.resume_canceling(rows, recorded, pods)
        if rows:
            return lambda machine: machine.resume(rows, recorded)
        return prepared.begin

    async def _drive(self, driver: RunDriver) -> None:
        kept = True
        try:
            kept = await driver.run()
        finally:
            self._running.pop(driver.run_id, None)
            self._locks.forget(driver.run_id)
            if self._crews is not None:
                self._crews.close_run(driver.run_id)
            await driver.close()
            # Not where this engine only lets go: the run still has its locks, for the next one.
            if driver.is_over or not kept:
                self._release(driver.run_id)
            if not kept:
                self._tasks.spawn(self._remove_pods(driver.run_id, driver.namespace), name="removal")

    # Locks

    def _release(self, run_id: str) -> None:
        self._run_locks.leave(run_id)
        self._admit.set()

    async def _admit_forever(self) -> None:
        """Begins runs that waited for locks. Semaphores' sizes are looked at now and then: they may have grown."""
        while True:
            # Not wait_for, which may lose a cancellation that comes together with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS if self._run_locks.is_waited_for else None):
                    await self._admit.wait()
            self._admit.clear()
            try:
                # With those that could not begin the last time: they have their locks.
                self._admitted.update(await self._run_locks.admitted())
                for run_id, problem in list(self._admitted.items()):
                    await self._begin_admitted(run_id, problem)
                    del self._admitted[run_id]
            except (ApiError, StorageError) as error:
                log.warning("runs that wait for locks cannot begin, trying again", error=str(error))
                self._tasks.spawn(self._look_again(), name="locks/again")

    async def _begin_admitted(self, run_id: str, problem: str) -> None:
        try:
            run = await self._row(run_id)
            if problem:
                await self._set_state(run_id, RuntimeState.FAILED, problem)
                return
            has_begun = bool((await self._recorded(run_id))[0])
            if has_begun and run.runtime_state is RuntimeState.PENDING:
                # It is tried again: this is where it goes on.
                await self._set_state(run_id, RuntimeState.RUNNING)
            await self._take_up(run_id, is_admitted=True)
        except NotFoundError:
            # It was deleted, before this or in the midst of it.
            self._release(run_id)

    async def _look_again(self) -> None:
        await asyncio.sleep(_LOOK_SECONDS)
        self._admit.set()

    async def _prepare(self, run: RunRow) -> Prepared:
        """In a thread: a large spec takes a while to read. Raises InvalidArgumentError."""
        await self._files.learn(self._client, run.namespace)
        around = Surroundings(
            files=self._files,
            lookups=StoredLookups(self._database, run.namespace, self._cached_since),
            now=self._now,
            settings=self._settings,
            documents=self._documents,
            resumed=await self._ended(run.resumed_from) if run.resumed_from else None,
        )
        return await asyncio.to_thread(prepare_run, run, around, self._locks)

    async def _ended(self, run_id: str) -> Ended | None:
        """The run that another one goes on from, or None if it was deleted: then nothing is reused."""
        run = await self._database.read(lambda connection: runs.get(connection, run_id))
        return Ended(run, *await self._recorded(run_id)) if run is not None else None

    # Pods

    def _remove_orphans(self, pods: Mapping[str, Object], unfinished: Set[str]) -> None:
        """Pods that still run or wait though their run is over or gone: a former engine did not come to it."""
        for name, pod in pods.items():
            metadata, end = pod["metadata"], pod_end(pod)
            is_live = end is None or end.end is End.HOPELESS
            if WORKER_LABEL in metadata["labels"] or (
                is_live and metadata["labels"].get(RUN_LABEL, "") not in unfinished
            ):
                log.info("removing a pod whose run is over", pod=name)
                self._tasks.spawn(self._pods.delete(name, metadata["namespace"]), name=f"removal/{name}")

    async def _remove_pods(self, run_id: str, namespace: str) -> None:
        try:
            selector = ListOptions(label_selector=f"{RUN_LABEL}={run_id}")
            await self._client.delete_collection(PODS, namespace, selector, DeleteOptions())
        except ApiError as error:
            log.warning("pods of a deleted run remain", run=run_id, error=error.message)

    def _existing_pod(self, name: str) -> Object | None:
        return self._existing.get(name) if self._existing is not None else None

    def _on_pod(self, pod: Object, deleted: bool) -> None:
        if self._crews is not None and self._crews.on_pod(pod, deleted):
            return
        if self._existing is not None:
            # A run that is being taken up cannot be told yet: it will look here.
            if deleted:
                self._existing.pop(pod["metadata"]["name"], None)
            else:
                self._existing[pod["metadata"]["name"]] = pod
        running = self._running.get((pod["metadata"].get("labels") or {}).get(RUN_LABEL, ""))
        if running is not None:
            running.driver.on_pod(pod, deleted=deleted)

    def _on_list(self, pods: list[Object], began: float) -> None:
        names: dict[str, set[str]] = {}
        for pod in pods:
            names.setdefault(pod["metadata"]["labels"].get(RUN_LABEL, ""), set()).add(pod["metadata"]["name"])
            self._on_pod(pod, False)
        if self._crews is not None:
            self._crews.on_list(frozenset(name for found in names.values() for name in found), began)
        for run_id, running in list(self._running.items()):
            running.driver.on_list(frozenset(names.get(run_id, ())), began)

    # Rows

    async def _row(self, run_id: str) -> RunRow:
        row = await self._database.read(lambda connection: runs.get(connection, run_id))
        if row is None:
            raise NotFoundError(f"run {run_id} not found")
        return row

    async def _set_state(self, run_id: str, state: RuntimeState, error: str = "") -> None:
        """Of a run that is not under way; one that was stopped meanwhile stays so."""
        transition = Transition(run_id, run=[RunState(state, self._now(), error)])

        def write(connection: Any) -> None:
            run = runs.get(connection, run_id)
            if run is not None and not run.runtime_state.is_final:
                transitions.apply(connection, transition)

        await self._database.write(write)
        self._changes.publish(Change(run_id, frozenset(), is_over=state.is_final))

    def _cached_since(self) -> int:
        hours = self._settings.cache_max_age_hours
        return self._now() - hours * 3_600_000_000 if hours else 0

    def _now(self) -> int:
        return to_micros(self._clock.now())


def _stop(machine: Machine) -> None:
    machine.cancel("the run was stopped")
