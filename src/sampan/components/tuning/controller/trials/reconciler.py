"""The reconciler of trials: the thin edge around `engine.trial`.

Source: kubeflow/katib 0.19 pkg/controller.v1beta1/trial (trial_controller.go, trial_controller_util.go): finalizer,
run object, its end by GJSON conditions, observation, conditions, events, and the run object deleted once the trial
has ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sampan.client.protocol import ListOptions
from sampan.components.tuning.api import labels
from sampan.components.tuning.api.conditions import EARLY_STOPPED, METRICS_UNAVAILABLE, RUNNING
from sampan.components.tuning.api.kinds import TRIALS
from sampan.components.tuning.controller.around import Around
from sampan.components.tuning.controller.collecting.collector import Collector
from sampan.components.tuning.controller.trials.measuring import Measuring, NotYetError
from sampan.components.tuning.controller.trials.run_objects import RunObjects
from sampan.components.tuning.controller.trials.trial_pods import TrialPods
from sampan.components.tuning.engine.inprocess.workers import is_in_process
from sampan.components.tuning.engine.trial import judging, marking, running, status
from sampan.components.tuning.engine.trial.judging import RunState
from sampan.components.tuning.engine.trial.status import Status
from sampan.components.tuning.engine.trial.waiting import (
    Wait,
    has_begun,
    no_pods,
    why_failed,
    why_unjudged,
    why_waiting,
)
from sampan.kube import meta, owners
from sampan.kube.errors import (
    AlreadyExistsError,
    ApiError,
    ConflictError,
    NotFoundError,
)
from sampan.kube.kinds import EVENTS, Resource
from sampan.kube.meta import Object
from sampan.kube.pods import is_terminal
from sampan.lib.clock import rfc3339
from sampan.reconcile.apply import add_finalizer, remove_finalizer, update_status
from sampan.reconcile.controller import Controller, Source
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result, request_for

_SOON, _LATER = timedelta(seconds=2), timedelta(seconds=10)
_MAY_PASS = (401, 403, 404, 408, 409, 425, 429)
"""Of the refusals of a client, those that have their reason elsewhere than in the object."""
_PATIENCE_SECONDS = 2.0
"""A wait that is shorter is not worth a word."""


@dataclass(frozen=True, slots=True)
class _Run:
    """The run object of a trial, as it is or was last."""

    resource: Resource
    obj: Object


class _WaitError(Exception):
    """Nothing can be done now, for that reason."""

    def __init__(self, wait: Wait) -> None:
        super().__init__(wait.message)
        self.wait = wait


class TrialReconciler:
    def __init__(self, around: Around, collector: Collector, pods: TrialPods, runs: RunObjects) -> None:
        self._client = around.client
        self._clock = around.clock
        self._is_embedded = around.pod_files is None
        self._trials = around.caches.of(TRIALS)
        self._observations = around.observations
        self._collector = collector
        self._pods = pods
        self._runs = runs
        self._measuring = Measuring(around, collector, pods)
        self._since: dict[str, float] = {}
        """By a trial's uid: when its run object was seen first, on the monotonic clock."""
        self._recorder = EventRecorder(around.client, around.clock, "trial-controller")

    def controller(self) -> Controller[Request]:
        sources = [Source(self._trials, self._concerned), self._pods.source()]
        return Controller("trial", self.reconcile, sources, workers=8, close=self._recorder.close)

    def _concerned(self, old: Object | None, new: Object | None) -> tuple[Request, ...]:
        """Not one in process, of which there may be hundreds a second, until it is deleted."""
        trial = new or old or {}
        if new is not None and not meta.is_deleting(new) and self._is_embedded and is_in_process(new):
            return ()
        return (request_for(trial),)

    async def reconcile(self, request: Request) -> Result:
        trial = self._trials.get(request.namespace, request.name)
        if trial is None:
            self._forget(request, "")
            return DONE
        if meta.is_deleting(trial):
            return await self._clean(trial)
        if self._is_embedded and is_in_process(trial):
            # A worker of `controller.inprocess` calls its function, and that one says how it goes.
            return DONE
        trial = await add_finalizer(self._client, TRIALS, trial, labels.CLEAN_METRICS)
        if status.ended_as(trial):
            return await self._after_end(trial)
        try:
            return await self._go_on(trial)
        except (ConflictError, NotFoundError):
            raise
        except ApiError as error:
            self._recorder.warning(trial, "ReconcileError", f"Failed to reconcile: {error.message}")
            raise

    async def _go_on(self, trial: Object) -> Result:
        now = rfc3339(self._clock.now())
        begun = status.created(meta.status(trial), now)
        try:
            running.check(trial)
            run = await self._ensure_run(trial)
        except running.ImpossibleError as error:
            return await self._write(trial, status.refused(begun, str(error), now), "JobFailed", str(error))
        except _WaitError as error:
            waits = status.waiting(begun, error.wait.reason, error.wait.message, now)
            return await self._write(trial, waits, look_again=_LATER)
        state = _judged(trial, run.obj)
        if state.condition == judging.FAILED:
            return await self._failed(trial, begun, run, state)
        if state.condition == judging.SUCCEEDED:
            return await self._succeeded(trial, begun, run, state)
        return await self._running(trial, begun, run, state)

    # What it runs.

    async def _ensure_run(self, trial: Object) -> _Run:
        """Raises ImpossibleError, _WaitError, ApiError."""
        wanted = running.run_object(trial)
        if not self._is_embedded:
            marking.mark(wanted, trial)
        resource = await self._resource(wanted)
        found = await self._runs.get(resource, wanted)
        if found is None:
            # One that went before it had ended is made anew, as upstream does.
            last = self._runs.last_of(trial)
            found = last if last is not None and _judged(trial, last).condition != judging.RUNNING else None
        if found is None:
            return _Run(resource, await self._create(trial, resource, wanted))
        if not owners.is_controlled_by(found, trial):
            raise running.ImpossibleError(
                f"{resource.kind} {meta.name(wanted)} is there already and is not the trial's: delete it, or give "
                "the trial another name"
            )
        return _Run(resource, found)

    async def _resource(self, run: Object) -> Resource:
        resource = await self._runs.resource(run)
        kind, version = run["kind"], run["apiVersion"]
        if resource is None:
            message = f"the cluster does not serve the kind {kind} of {version}: install what defines it"
            raise _WaitError(Wait("UnknownKind", message))
        if not resource.is_stored:
            raise running.ImpossibleError(f"spec.runSpec is a {kind}, of which there are no objects")
        if not resource.namespaced:
            raise running.ImpossibleError(
                f"spec.runSpec is a {kind}, which lives in no namespace as trials do"
            )
        return resource

    async def _create(self, trial: Object, resource: Resource, wanted: Object) -> Object:
        try:
            made = await self._client.create(resource, wanted)
        except AlreadyExistsError:
            return await self._client.get(resource, meta.name(wanted), meta.namespace(wanted))
        except ApiError as error:
            if _is_final(error):
                raise running.ImpossibleError(
                    f"{resource.kind} cannot be created: {error.message}"
                ) from error
            raise _WaitError(Wait(error.reason, error.message)) from error
        self._recorder.normal(trial, "JobCreated", f"Job {meta.name(made)} has been created")
        return made

    # While it runs.

    async def _running(self, trial: Object, begun: Status, run: _Run, state: RunState) -> Result:
        request, now = request_for(trial), rfc3339(self._clock.now())
        pods = self._pods.of(request)
        following = self._collector.attend(trial, pods)
        if why := self._collector.stops((request.namespace, request.name)):
            observation = (await self._collector.so_far(following)).observation
            stopped = status.stopped_early({**begun, "observation": observation}, why, now)
            return await self._write(
                trial, stopped, status.TRIAL_EARLY_STOPPED, f"Trial is early stopped: {why}"
            )
        wait = await self._wait(trial, run, pods)
        if wait is not None:
            return await self._write(
                trial, status.waiting(begun, wait.reason, wait.message, now), look_again=_LATER
            )
        if self._patience_ends(trial) or not status.is_known(begun, RUNNING) or has_begun(pods):
            begun = status.running(begun, state.note, now)
        was = status.is_true(trial, RUNNING)
        event = "" if was else f"Job {meta.name(run.obj)} is running"
        is_going_on = any(not is_terminal(pod) for pod in pods) and has_begun(pods)
        look_again = None if is_going_on else _SOON if not self._patience_ends(trial) else _LATER
        return await self._write(trial, begun, "JobRunning" if event else "", event, look_again=look_again)

    async def _wait(self, trial: Object, run: _Run, pods: list[Object]) -> Wait | None:
        """Once it is worth a word."""
        if not self._patience_ends(trial):
            return None
        wait = why_waiting(run.obj, pods) or why_unjudged(run.obj, pods, self._clock.now())
        if wait is None and not pods and (warning := await self._warning_about(run.obj)):
            wait = no_pods(run.obj, warning)
        return wait

    async def _warning_about(self, run: Object) -> str:
        """The last of the Events that warn of it."""
        options = ListOptions(field_selector=f"involvedObject.uid={meta.uid(run)},type=Warning")
        found = (await self._client.list(EVENTS, meta.namespace(run), options)).items
        last = max(found, key=lambda event: str(event.get("lastTimestamp") or ""), default={})
        return str(last.get("message") or "")

    def _patience_ends(self, trial: Object) -> bool:
        since = self._since.setdefault(meta.uid(trial), self._clock.monotonic())
        return self._clock.monotonic() - since >= _PATIENCE_SECONDS

    # When it has ended.

    async def _failed(self, trial: Object, begun: Status, run: _Run, state: RunState) -> Result:
        now = rfc3339(self._clock.now())
        await self._measuring.keep(trial)
        said = " ".join(each for each in (state.message, state.reason) if each)
        event = f"Job {meta.name(run.obj)} has failed{f'. {said}' if said else ''}"
        ended = status.failed(begun, state, why_failed(self._pods.of(request_for(trial))), now)
        return await self._write(trial, ended, "JobFailed", event)

    async def _succeeded(self, trial: Object, begun: Status, run: _Run, state: RunState) -> Result:
        now = rfc3339(self._clock.now())
        try:
            measured = await self._measuring.measure(trial)
        except NotYetError as error:
            if error.is_worth_a_word:
                begun = status.waiting(begun, "CollectingMetrics", str(error), now)
            return await self._write(trial, begun, look_again=timedelta(seconds=error.seconds))
        if measured.problem:
            ended = status.unmeasured(begun, state, measured.observation, measured.problem, now)
            event = f"Metrics are not available for Job {meta.name(run.obj)}"
            return await self._write(trial, ended, METRICS_UNAVAILABLE, event)
        ended = status.succeeded(begun, state, measured.observation, measured.note, now)
        return await self._write(trial, ended, "JobSucceeded", f"Job {meta.name(run.obj)} has succeeded")

    async def _after_end(self, trial: Object) -> Result:
        """What it ran goes, unless it is to be retained."""
        request = request_for(trial)
        if status.is_true(trial, EARLY_STOPPED) and "observation" not in meta.status(trial):
            # Somebody else has stopped it, who knows nothing of its metrics.
            found = await self._collector.so_far(self._collector.attend(trial, self._pods.of(request)))
            return await self._write(trial, {**meta.status(trial), "observation": found.observation})
        if not meta.spec(trial).get("retainRun"):
            await self._delete_run(trial)
        elif status.is_true(trial, EARLY_STOPPED):
            await self._pods.complete(request)
        self._forget(request, meta.uid(trial))
        return DONE

    async def _delete_run(self, trial: Object) -> None:
        try:
            wanted = running.run_object(trial)
        except running.ImpossibleError:
            return
        resource = await self._runs.resource(wanted)
        found = await self._runs.known(resource, wanted) if resource is not None else None
        if resource is None or found is None or not owners.is_controlled_by(found, trial):
            return
        if await self._runs.delete(resource, found):
            self._recorder.normal(trial, "JobDeleted", f"Job {meta.name(found)} has been deleted")

    async def _clean(self, trial: Object) -> Result:
        """It is being deleted: its values go first. What it runs is its own, and goes with it."""
        if labels.CLEAN_METRICS in meta.finalizers(trial):
            self._forget(request_for(trial), meta.uid(trial))
            await self._observations.delete(meta.namespace(trial), meta.name(trial))
            await remove_finalizer(self._client, TRIALS, trial, labels.CLEAN_METRICS)
        return DONE

    # Around.

    async def _write(
        self,
        trial: Object,
        wanted: Status,
        event: str = "",
        message: str = "",
        *,
        look_again: timedelta | None = None,
    ) -> Result:
        """The status, if it has changed; then the event tells of it."""
        after = await update_status(self._client, TRIALS, trial, wanted)
        if after is not trial:
            if event:
                warns = event == METRICS_UNAVAILABLE
                (self._recorder.warning if warns else self._recorder.normal)(trial, event, message)
            await self._trials.reached(meta.resource_version(after))
        return Result(look_again) if look_again is not None else DONE

    def _forget(self, request: Request, uid: str) -> None:
        self._collector.forget((request.namespace, request.name))
        self._pods.forget(request)
        self._runs.forget(uid)
        self._measuring.forget(uid)
        self._since.pop(uid, None)


def _is_final(error: ApiError) -> bool:
    """Whether the same object would be refused again, however often it is tried."""
    return 400 <= error.code < 500 and error.code not in _MAY_PASS


def _judged(trial: Object, run: Object) -> RunState:
    spec = meta.spec(trial)
    return judging.judge(
        run, str(spec.get("successCondition") or ""), str(spec.get("failureCondition") or "")
    )
