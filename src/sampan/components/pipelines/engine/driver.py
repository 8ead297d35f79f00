"""Drives one run: feeds events to its machine, commits each turn, then acts on it.

One asyncio task a run. Events that arrive while a turn is committed are taken together in the next, so a burst of
ended steps costs one transaction. A commit that fails, because the disk is full say, is tried until it succeeds: the
machine is then ahead of the rows, but nothing is done that the rows do not say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from sampan.client.protocol import Client, Object
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.engine.changes import Change, Changes
from sampan.components.pipelines.engine.engine_threads import EngineThreads
from sampan.components.pipelines.engine.errors import StepError, is_disk_full
from sampan.components.pipelines.engine.failure import (
    End,
    PodEnd,
    address,
    has_started,
    pod_end,
    vanished,
    waits_for,
)
from sampan.components.pipelines.engine.fetching import fetch_if_wanted
from sampan.components.pipelines.engine.language import Machine, RunFacts
from sampan.components.pipelines.engine.late_measures import LateMeasures
from sampan.components.pipelines.engine.light.crews import Crews, StoppedError
from sampan.components.pipelines.engine.light.marking import light_call
from sampan.components.pipelines.engine.log_keeping import LogKeeping
from sampan.components.pipelines.engine.outputs import FailedStepError, StepResult
from sampan.components.pipelines.engine.pods import PodRejectedError, Pods
from sampan.components.pipelines.engine.podspec import ATTEMPT_LABEL, TASK_ID_LABEL
from sampan.components.pipelines.engine.slots import Slots
from sampan.components.pipelines.engine.step_files import StepPaths
from sampan.components.pipelines.engine.turn import Launch, Operation, Removal, Timer, Turn
from sampan.components.pipelines.store import transitions
from sampan.components.pipelines.store.transitions import RunState, Transition
from sampan.kube.errors import ApiError
from sampan.lib.clock import Clock
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet
from sampan.store.artifacts.protocol import StoreUnavailableError
from sampan.store.database import Database, StorageError

log = get_logger(__name__)

_COMMIT_PAUSE_SECONDS = 2.0
_TELL_SECONDS = 2.0
"""A pod that waits no longer than this is not news: most only wait for their turn."""
_FIRST_STORE_PAUSE_SECONDS, _LONGEST_STORE_PAUSE_SECONDS = 0.5, 30.0
_LOG_LINES = 20
"""Of a failed step, in its error."""

T = TypeVar("T")
Event = Callable[[Machine], None]
ExistingPod = Callable[[str], Object | None]
"""A pod of a former engine by its name, as it is now; None for one that must be created."""


@dataclass(frozen=True, slots=True)
class Services:
    """What all drivers share."""

    client: Client
    database: Database
    clock: Clock
    pods: Pods
    slots: Slots
    changes: Changes
    measures: LateMeasures
    logs: LogKeeping
    threads: EngineThreads
    crews: Crews | None = None
    """Who calls light steps; None where each has a pod of its own."""


@dataclass(slots=True)
class _Flight:
    """One attempt under way."""

    launch: Launch
    created_at: float | None = None
    """Monotonic; None until the pod is known to exist."""
    is_collected: bool = False
    seen: int = 0
    """The resourceVersion of the newest of what was seen of the pod."""
    waits_for: str = ""
    told: str = ""
    """What the task's row says that it waits for."""
    telling: asyncio.TimerHandle | None = None
    is_told_started: bool = False
    is_fetching: bool = False
    is_unwanted: bool = False
    """Stopped: where there is no pod yet, none is to be made, and what is fetched for it goes."""
    notes: Sequence[str] = ()
    """What was said when its inputs were fetched."""


class RunDriver:
    """`run` is the task; everything else posts to it. For one event loop."""

    def __init__(self, machine: Machine, facts: RunFacts, services: Services, existing: ExistingPod) -> None:
        self._machine = machine
        self._facts = facts
        self._services = services
        self._existing = existing
        self._inbox: list[Event] = []
        self._acknowledged: list[asyncio.Future[bool]] = []
        self._wake = asyncio.Event()
        self._flights: dict[str, _Flight] = {}
        self._launching: dict[str, asyncio.Task[None]] = {}
        self._removing: set[asyncio.Task[None]] = set()
        self._tasks = TaskSet(f"run/{facts.run_id}")
        self._leaving: dict[str, str] = {}
        """Pods of a former engine that are on their way out, by the ids of their tasks."""
        self._timers: set[asyncio.TimerHandle] = set()
        self._untidy: list[StepPaths] = []
        """Of attempts whose end is in the turn under way."""
        self.is_over = False
        """Whether the run's end is committed. What it leaves in the cluster may still be on its way out."""
        self.trouble = ""
        """Why the run does not go on, where its rows cannot say it."""

    @property
    def run_id(self) -> str:
        return self._facts.run_id

    @property
    def namespace(self) -> str:
        return self._facts.namespace

    def post(self, event: Event) -> None:
        """Hands an event to the machine, soon."""
        self._inbox.append(event)
        self._wake.set()

    async def perform(self, event: Event) -> bool:
        """As `post`, and returns once what it changed is committed, or the run is over.

        False where the run was let go of before.
        """
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._acknowledged.append(done)
        self.post(event)
        return await done

    async def run(self) -> bool:
        """Until the run is over. False when its row was deleted meanwhile."""
        try:
            while not self._machine.is_over:
                await self._wake.wait()
                self._wake.clear()
                acknowledged, self._acknowledged = self._acknowledged, []
                try:
                    turn = self._turn()
                    kept = await self._commit(turn)
                    self.is_over = self._machine.is_over
                finally:
                    # Also where the run is let go of: what it had begun to store is stored, unless it had to wait.
                    _settle(acknowledged, heard=not self.trouble)
                if not kept:
                    log.info("run was deleted", run=self.run_id)
                    return False
                self._act(turn)
                self._tidy()
            if self._removing:
                await asyncio.wait(self._removing)
            await self._facts.files.end(self.run_id)
            for claim in self._facts.claims:
                await self._services.pods.delete_claim(claim, self.namespace)
            return True
        finally:
            _settle(self._acknowledged, heard=self.is_over)
            self._services.slots.forget(self.run_id)

    async def removals_done(self) -> None:
        """Pods that were to go are gone, or on their way."""
        while self._removing:
            await asyncio.wait(self._removing)

    async def close(self) -> None:
        """Lets go of the run where it stands."""
        for timer in self._timers:
            timer.cancel()
        # Whoever waits for a run that was let go of before it had begun.
        _settle(self._acknowledged, heard=False)
        await self._tasks.close()

    async def forsake(self) -> None:
        """The same of a run that is deleted."""
        for flight in self._flights.values():
            flight.is_unwanted = True
        await self.close()

    # Turns

    def _turn(self) -> Turn:
        events, self._inbox = self._inbox, []
        machine, slots = self._machine, self._services.slots
        for event in events:
            try:
                event(machine)
                machine.settle()
            except Exception as error:
                # Our own fault, never a user's: the run must end with a word rather than hang.
                log.error("the engine failed on an event", run=self.run_id, exc=error)
                why = f"internal error of the engine: {error!r}"
                machine.cancel(why, RuntimeState.FAILED, is_forced=True)
        share = slots.share(self.run_id, self.namespace)
        while share > 0 and machine.steps.waiting:
            machine.steps.launch_next()
            machine.settle()
            share -= 1
        slots.report(
            self.run_id,
            machine.steps.flying,
            waits=machine.steps.waiting > 0,
            wake=self._wake.set,
            namespace=self.namespace,
        )
        return machine.take()

    async def _commit(self, turn: Turn) -> bool:
        """False when the run is gone."""
        if not turn.has_rows:
            return True
        transition = Transition(
            run_id=self.run_id,
            inserted=turn.inserted,
            updated=turn.updated,
            artifacts=turn.artifacts,
            links=turn.links,
            run=[RunState(change.state, change.at, change.error) for change in turn.run],
            begun=self._facts.begun,
        )
        while True:
            try:
                kept = await self._services.database.write(
                    lambda connection: transitions.apply(connection, transition)
                )
                self.trouble = ""
                break
            except StorageError as error:
                self.trouble = f"it waits, as its progress cannot be stored: {error}"
                log.error(
                    "a run's progress cannot be stored, trying again", run=self.run_id, error=str(error)
                )
            await asyncio.sleep(_COMMIT_PAUSE_SECONDS)
        if kept:
            self._services.measures.add(turn.artifacts)
        changed = frozenset(row.task_id for rows in (turn.inserted, turn.updated) for row in rows)
        self._services.changes.publish(Change(self.run_id, changed, self._machine.is_over or not kept))
        return kept

    def _act(self, turn: Turn) -> None:
        for launch in turn.launches:
            self._flights[launch.task_id] = _Flight(launch)
            # Asked for now: from here on, what happens to the pod comes to `on_pod`.
            found = self._existing(launch.pod_name)
            task = self._tasks.spawn(self._launch(launch, found), name=launch.pod_name)
            self._launching[launch.task_id] = task
        for removal in turn.removals:
            task = self._tasks.spawn(self._remove(removal), name=removal.pod)
            self._removing.add(task)
            task.add_done_callback(self._removing.discard)
        for operation in turn.operations:
            self._tasks.spawn(self._operate(operation), name=operation.name)
        for timer in turn.timers:
            self._start_timer(timer)

    def _tidy(self) -> None:
        untidy, self._untidy = self._untidy, []
        for paths in untidy:
            task = self._tasks.spawn(asyncio.to_thread(self._facts.files.tidy, paths), name="tidying")
            self._removing.add(task)
            task.add_done_callback(self._removing.discard)

    def _start_timer(self, timer: Timer) -> None:
        def due() -> None:
            self._timers.discard(handle)
            if timer.task_id:
                self.post(lambda machine: machine.steps.retry_due(timer.task_id))
            else:
                self.post(lambda machine: machine.deadline_passed())

        handle = asyncio.get_running_loop().call_later(timer.delay_seconds, due)
        self._timers.add(handle)

    # Pods

    async def _launch(self, launch: Launch, pod: Object | None) -> None:
        try:
            if pod is None:
                await self._once_possible(partial(self._fetch, launch))
                await self._once_possible(partial(self._prepare, launch))
                if launch.workspace is not None:
                    await self._services.pods.ensure_claim(launch.workspace)
                if (flight := self._flights.get(launch.task_id)) is not None and flight.is_unwanted:
                    return
                pod = await self._run_light(launch) or await self._services.pods.create(launch.pod)
        except StoppedError:
            return
        except (PodRejectedError, StepError, OSError) as error:
            message = f"its folders: {error}" if isinstance(error, OSError) else error.message
            self.post(lambda machine: machine.steps.rejected(launch.task_id, launch.attempt, message))
            return
        finally:
            if self._launching.get(launch.task_id) is asyncio.current_task():
                del self._launching[launch.task_id]
        flight = self._flights.get(launch.task_id)
        if flight is not None and flight.launch is launch:
            flight.created_at = self._services.clock.monotonic()
        # No turn of its own: only what is written next should say it.
        self._machine.steps.created(launch.task_id, launch.attempt, str(pod["metadata"].get("uid") or ""))
        self.on_pod(pod, deleted=False)

    async def _fetch(self, launch: Launch) -> None:
        """Raises StepError, OSError."""
        if not launch.inputs:
            return
        files, flight = self._facts.files, self._flights[launch.task_id]
        fetch = partial(
            fetch_if_wanted,
            files,
            launch.paths,
            self.namespace,
            launch.inputs,
            lambda: not flight.is_unwanted,
        )
        flight.is_fetching = True
        flight.notes = await self._patiently(launch, fetch)
        flight.is_fetching = False
        if flight.notes and launch.requires_inputs:
            raise StepError("; ".join(flight.notes))

    async def _patiently(self, launch: Launch, act: Callable[[], T]) -> T:
        """What `act` gives, in a thread; while a store is away, the step says so and waits for it."""
        pause, told = _FIRST_STORE_PAUSE_SECONDS, False
        while True:
            try:
                found = await self._services.threads.transfers.run(act)
                break
            except StoreUnavailableError as error:
                why = f"waits for an artifact store: {error.message}"
                log.warning(
                    "an artifact store is away", run=self.run_id, pod=launch.pod_name, why=error.message
                )
            told = True
            self._tell_waiting(launch, why)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_STORE_PAUSE_SECONDS)
        if told:
            self._tell_waiting(launch, "")
        return found

    def _tell_waiting(self, launch: Launch, why: str) -> None:
        self.post(lambda machine: machine.steps.waits(launch.task_id, launch.attempt, why))

    async def _once_possible(self, act: Callable[[], Awaitable[T]]) -> T:
        """What `act` gives. Where the disk is full or the API is away it waits: the step has done nothing wrong."""
        while True:
            try:
                result = await act()
                self.trouble = ""
                return result
            except (OSError, ApiError) as error:
                if isinstance(error, OSError) and not is_disk_full(error):
                    raise
                self.trouble = f"it waits for this to pass: {error}"
                log.error("a step's files cannot be handled, trying again", run=self.run_id, error=str(error))
            await asyncio.sleep(_COMMIT_PAUSE_SECONDS)

    async def _run_light(self, launch: Launch) -> Object | None:
        """The end of a light step, called by a worker; None for one that needs a pod of its own."""
        crews = self._services.crews
        call = light_call(launch.pod) if crews is not None and launch.workspace is None else None
        if crews is None or call is None:
            return None

        def tell(pod: Object) -> None:
            self.on_pod(pod, deleted=False)

        # The run's working files: the last of the folders that a step sees.
        folder = Path(launch.paths.roots[-1])
        return await crews.run(self.run_id, launch.pod, call, folder, tell)

    async def _remove(self, removal: Removal) -> None:
        if self._services.crews is not None and self._services.crews.stop(removal.pod):
            if removal.awaited:
                self.post(lambda machine: machine.pod_gone(removal.task_id))
            return
        # A pod that is just being created would come to be after its removal, and stay.
        launching = self._launching.get(removal.task_id)
        if launching is not None:
            flight = self._flights.get(removal.task_id)
            if flight is not None and flight.launch.pod_name == removal.pod:
                flight.is_unwanted = True
                if flight.is_fetching:
                    launching.cancel()  # there is no pod yet, and a store may be away for long
            await asyncio.wait([launching])
        if removal.awaited and removal.task_id not in self._flights:
            self._leaving[removal.task_id] = removal.pod
        await self._services.logs.keep_named(removal.pod, self._facts.namespace, removal.uid)
        existed = await self._services.pods.delete(removal.pod, self._facts.namespace)
        if removal.awaited and not existed:
            self.post(lambda machine: machine.pod_gone(removal.task_id))

    def on_pod(self, pod: Object, *, deleted: bool) -> None:
        """A pod of this run as it is now. May be called any number of times for the same state."""
        labels = pod["metadata"].get("labels") or {}
        task_id = labels.get(TASK_ID_LABEL, "")
        end = pod_end(pod) or (vanished(str(pod["metadata"].get("uid", ""))) if deleted else None)
        if end is None:
            self._note_waiting(pod, labels)
            self._note_started(pod, labels)
            return
        if self._machine.is_leaving(task_id):
            flight = self._flights.get(task_id)
            if flight is not None and labels.get(ATTEMPT_LABEL) != str(flight.launch.attempt):
                return  # a former attempt's, which may go at any time
            self._flights.pop(task_id, None)
            self.post(lambda machine: machine.pod_gone(task_id))
            return
        flight = self._flight(labels)
        if flight is None:
            return
        flight.is_collected = True
        self._tasks.spawn(self._collect(flight.launch, pod, end), name=f"collect/{flight.launch.pod_name}")

    def _flight(self, labels: Mapping[str, str]) -> _Flight | None:
        """That of a pod by its labels, unless it is a former attempt's or has ended already."""
        flight = self._flights.get(labels.get(TASK_ID_LABEL, ""))
        if flight is None or labels.get(ATTEMPT_LABEL) != str(flight.launch.attempt) or flight.is_collected:
            return None
        return flight

    def _note_waiting(self, pod: Object, labels: Mapping[str, str]) -> None:
        flight = self._flight(labels)
        if flight is None:
            return
        version = str(pod["metadata"].get("resourceVersion", ""))
        if version.isdecimal():
            if int(version) < flight.seen:
                return  # the answer to its creation, which came after what the watch told
            flight.seen = int(version)
        flight.waits_for = waits_for(pod)
        if flight.waits_for == flight.told or flight.telling is not None:
            return

        def tell() -> None:
            flight.telling = None
            self._timers.discard(handle)
            if flight.is_collected or flight.waits_for == flight.told:
                return
            why, launch = flight.waits_for, flight.launch
            flight.told = why
            self.post(lambda machine: machine.steps.waits(launch.task_id, launch.attempt, why))

        # What is no longer so is corrected at once.
        delay = _TELL_SECONDS if flight.waits_for else 0.0
        flight.telling = handle = asyncio.get_running_loop().call_later(delay, tell)
        self._timers.add(handle)

    def _note_started(self, pod: Object, labels: Mapping[str, str]) -> None:
        flight = self._flight(labels)
        if flight is None or not flight.launch.tells_start or flight.is_told_started:
            return
        if found := address(pod):
            flight.is_told_started = True
            launch = flight.launch
            self.post(lambda machine: machine.steps.started(launch.task_id, launch.attempt, found))

    def on_list(self, names: frozenset[str], began: float) -> None:
        """After a gap in the watch: pods that should be among `names` and are not have vanished."""
        for task_id, flight in list(self._flights.items()):
            launch = flight.launch
            existed = flight.created_at is not None and flight.created_at < began
            if existed and not flight.is_collected and launch.pod_name not in names:
                flight.is_collected = True
                outcome = StepError(vanished().message)
                self._post_end(task_id, launch, vanished(), outcome)
        for task_id in [task_id for task_id, pod in self._leaving.items() if pod not in names]:
            del self._leaving[task_id]
            self._post_gone(task_id)

    def _post_gone(self, task_id: str) -> None:
        self.post(lambda machine: machine.pod_gone(task_id))

    async def _collect(self, launch: Launch, pod: Object, end: PodEnd) -> None:
        outcome: StepResult | StepError
        await self._services.logs.keep(pod)
        if end.end is End.SUCCEEDED:
            try:
                outcome = await self._once_possible(partial(self._outputs, launch, pod))
            except StepError as error:
                outcome = error
        else:
            outcome = StepError(await self._explanation(launch, pod, end))
            if end.end is End.FAILED and launch.outputs.reads_failures:
                outcome = await self._with_outputs(outcome, launch)
        self._post_end(launch.task_id, launch, end, outcome)

    async def _deliver(self, launch: Launch, result: StepResult) -> StepResult:
        """Raises StepError."""
        if not launch.paths.is_staged:
            return result
        deliver = partial(self._facts.files.deliver, launch.paths, self.namespace, result)
        try:
            return await self._patiently(launch, deliver)
        except OSError as error:
            if is_disk_full(error):
                raise
            raise StepError(f"the step's outputs cannot be read: {error}") from error

    async def _prepare(self, launch: Launch) -> None:
        if launch.paths.copies or launch.paths.contents:
            await asyncio.to_thread(self._facts.files.prepare, launch.paths)
        else:
            self._facts.files.prepare(launch.paths)

    async def _outputs(self, launch: Launch, pod: Object) -> StepResult:
        files = await self._facts.files.of_pod(pod)
        return await self._deliver(launch, await asyncio.to_thread(launch.outputs.collect, files))

    def _post_end(self, task_id: str, launch: Launch, end: PodEnd, outcome: StepResult | StepError) -> None:
        def event(machine: Machine) -> None:
            machine.steps.ended(task_id, launch.attempt, end, outcome)
            # What it says is committed with this turn, and only then what it came from may go.
            if launch.paths.is_staged or launch.inputs:
                self._untidy.append(launch.paths)

        if (flight := self._flights.get(task_id)) is not None and flight.launch is launch:
            del self._flights[task_id]
        self.post(event)

    async def _explanation(self, launch: Launch, pod: Object, end: PodEnd) -> str:
        """What the user reads: how it ended, and the end of its log."""
        if end.end is not End.FAILED or not has_started(pod):
            return end.explanation
        flight = self._flights.get(launch.task_id)
        explanation = "; ".join([end.explanation, *(flight.notes if flight is not None else ())])
        name, namespace = launch.pod_name, self._facts.namespace
        lines = await self._services.logs.kept_lines(name, namespace, _LOG_LINES)
        lines = lines or await self._services.pods.last_lines(name, namespace, _LOG_LINES)
        return f"{explanation}; the end of its log:\n{lines}" if lines else explanation

    async def _with_outputs(self, failure: StepError, launch: Launch) -> StepError:
        try:
            left = await asyncio.to_thread(launch.outputs.collect, self._facts.files)
        except StepError:
            return failure
        return FailedStepError(failure.message, left)

    async def _operate(self, operation: Operation) -> None:
        message, parameters = "", None
        try:
            services = self._services
            parameters = await operation.perform(
                services.client, self._facts.namespace, services.threads.asking
            )
        except StepError as error:
            message = error.message
        self.post(lambda machine: machine.steps.operation_ended(operation.task_id, parameters, message))


def _settle(futures: list[asyncio.Future[bool]], *, heard: bool) -> None:
    for future in futures:
        if not future.done():
            future.set_result(heard)
