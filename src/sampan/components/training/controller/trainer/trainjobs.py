"""The reconciler of TrainJobs: the thin edge around `engine.trainer`.

Source: kubeflow/trainer pkg/controller/trainjob_controller.go, pkg/runtime/core/trainingruntime.go, v2.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from sampan.client.protocol import Client
from sampan.components.training.api import labels
from sampan.components.training.api.kinds import CLUSTER_TRAINING_RUNTIMES, TRAIN_JOBS, TRAINING_RUNTIMES
from sampan.components.training.controller.trainer.children import Children
from sampan.components.training.controller.trainer.late import LateChildren
from sampan.components.training.controller.trainer.reporting import Reporters
from sampan.components.training.engine.trainer import plugins, snapshot, status
from sampan.components.training.engine.trainer.contract import UnbuildableError
from sampan.components.training.engine.trainer.info import info_of
from sampan.components.training.engine.trainer.status import Trouble
from sampan.components.training.engine.validation import trainjob as validation
from sampan.kube import meta, owners
from sampan.kube.errors import ApiError, ConflictError, InvalidError, NotFoundError, invalid
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import CONFIG_MAPS, JOB_SETS, Resource
from sampan.kube.meta import Object
from sampan.lib.clock import Clock
from sampan.reconcile.apply import delete_if_present, update_status
from sampan.reconcile.cache import Caches
from sampan.reconcile.controller import Controller, mapped, own
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result

MANAGER = "trainer.kubeflow.org/trainjob-controller"
_MESSAGE_LIMIT = 950
_BY_RUNTIME = "runtime"
_DEPRECATED = "is deprecated and will be removed in a future release: use another one"


class TrainJobReconciler:
    def __init__(self, client: Client, clock: Clock, caches: Caches, reporters: Reporters) -> None:
        self._client = client
        self._clock = clock
        self._jobs = caches.of(TRAIN_JOBS)
        self._jobs.add_index(_BY_RUNTIME, _runtime_key)
        self._runtimes = {each: caches.of(each) for each in (CLUSTER_TRAINING_RUNTIMES, TRAINING_RUNTIMES)}
        self._job_sets: LateChildren | None = None
        self._reporters = reporters
        self._recorder = EventRecorder(client, clock, "trainer-trainjob-controller")

    def controller(self) -> Controller[Request]:
        sources = [
            own(self._jobs),
            *(mapped(cache, self._waiting_for(kind)) for kind, cache in self._runtimes.items()),
        ]
        return Controller("trainjob", self.reconcile, sources, workers=4, close=self._recorder.close)

    def read_job_sets_from(self, job_sets: LateChildren) -> None:
        """Given late: they need the controller, whose queue they fill."""
        self._job_sets = job_sets

    async def reconcile(self, request: Request) -> Result:
        job = self._jobs.get(request.namespace, request.name)
        if job is None or meta.is_deleting(job):
            return DONE
        if (meta.spec(job).get("managedBy") or MANAGER) != MANAGER:
            return DONE
        trouble: Trouble | None = None
        failure: ApiError | None = None
        ended = self._job_sets.ended_of(job) if self._job_sets is not None else None
        if not status.is_finished(job) and ended is None:
            try:
                await self._ensure_children(job)
            except UnbuildableError as error:
                trouble = Trouble(str(error), status.REFUSED, is_final=True)
            except _TroubledError as error:
                trouble = error.trouble
            except ConflictError:
                raise
            except InvalidError as error:
                # Of the TrainJob or of what it comes to: it stays so until somebody changes that.
                trouble = Trouble(error.message, status.REFUSED, is_final=await self._job_set(job) is None)
            except ApiError as error:
                trouble, failure = Trouble(error.message), error
        job_set = ended or await self._job_set(job)
        verdict = status.judge(job, job_set, trouble, self._clock.now())
        after = await update_status(self._client, TRAIN_JOBS, job, verdict.status)
        if trouble is not None and after is not job:
            self._warn(after, trouble)
        for kind, message in verdict.news if trouble is None else ():
            self._tell(after, kind, message)
        if verdict.is_late and job_set is not None:
            await delete_if_present(self._client, JOB_SETS, job_set)
        await self._jobs.reached(meta.resource_version(after))
        if failure is not None:
            raise failure
        return Result(verdict.look_again) if verdict.look_again is not None else DONE

    async def _ensure_children(self, job: Object) -> None:
        """Raises UnbuildableError, ApiError, _TroubledError."""
        there = await self._job_set(job)
        suspended = bool(meta.spec(job).get("suspend"))
        children = Children(self._client, job)
        await children.look_up([(CONFIG_MAPS, snapshot.name_of(job))])
        runs = there is not None and not suspended and not meta.spec(there).get("suspend")
        if runs and children.present(CONFIG_MAPS, snapshot.name_of(job)) is not None:
            # Its Jobs run, and what they mount was made before it.
            return
        runtime, keep = await self._runtime(job, children)
        _validate(job, runtime)
        info = info_of(job, runtime, await self._reporters.for_namespace(meta.namespace(job)))
        plugins.enforce(info)
        await children.look_up(plugins.looked_up(info))
        objects = plugins.build(info, children.present)
        await children.rehearse(objects)
        # Not before it is known to make something: who mends a runtime need not make the TrainJob anew.
        await children.apply([*keep, *objects])

    async def _runtime(self, job: Object, children: Children) -> tuple[Object, Sequence[Object]]:
        """The runtime as it was when the TrainJob first found it, and the ConfigMap to make for that.

        `children` has looked for that ConfigMap.
        """
        resource = snapshot.resource_of(job)
        reference = meta.spec(job).get("runtimeRef") or {}
        if resource is None:
            kind = f"{reference.get('kind')}.{reference.get('apiGroup')}"
            message = f"unsupported runtime: {kind}"
            raise _TroubledError(Trouble(message, status.NOT_SUPPORTED, is_final=True))
        kept = children.present(CONFIG_MAPS, snapshot.name_of(job))
        if kept is not None:
            return snapshot.read(job, kept, resource), ()
        name, namespace = snapshot.runtime_name(job), meta.namespace(job) if resource.namespaced else None
        try:
            runtime = await self._client.get(resource, name, namespace)
        except NotFoundError as error:
            raise _TroubledError(
                Trouble(f'{resource.kind} "{name}" specified in TrainJob is not found: create it first')
            ) from error
        if meta.labels(runtime).get(labels.SUPPORT) == labels.DEPRECATED:
            self._recorder.warning(job, "RuntimeDeprecated", f'{resource.kind} "{name}" {_DEPRECATED}')
        return runtime, (snapshot.written(job, runtime, resource),)

    async def _job_set(self, job: Object) -> Object | None:
        """From the cache as a rule; asked for while that is not complete, as where the cluster has no JobSets."""
        late = self._job_sets
        found = late.cache.get(meta.namespace(job), meta.name(job)) if late is not None else None
        if found is None:
            try:
                found = await self._client.get(JOB_SETS, meta.name(job), meta.namespace(job))
            except NotFoundError:
                return None
        return found if owners.is_controlled_by(found, job) else None

    def _waiting_for(self, resource: Resource) -> Callable[[Object], Iterable[Request]]:
        """TrainJobs that have not been able to start from a runtime: it is there now, or another one."""

        def requests(runtime: Object) -> Iterable[Request]:
            key = f"{resource.kind}/{meta.namespace(runtime)}/{meta.name(runtime)}"
            for job in self._jobs.by_index(_BY_RUNTIME, key):
                if not meta.status(job).get("jobsStatus") and not status.is_finished(job):
                    yield Request(meta.namespace(job), meta.name(job))

        return requests

    def _warn(self, job: Object, trouble: Trouble) -> None:
        message = trouble.message
        if len(message) > _MESSAGE_LIMIT:
            message = f"{message[:_MESSAGE_LIMIT]} ..."
        self._recorder.warning(
            job, status.CREATION_FAILED, f"TrainJob resources reconciliation failed: {message}"
        )

    def _tell(self, job: Object, kind: str, message: str) -> None:
        tell = self._recorder.warning if kind == status.FAILED else self._recorder.normal
        tell(job, f"TrainJob{kind}", message or f"TrainJob is {kind}")


class _Known:
    """What a check of a TrainJob may ask for: its runtime. All else is told when it is made."""

    def __init__(self, runtime: Object) -> None:
        self._runtime = runtime

    def get(self, resource: Resource, _name: str, _namespace: str = "") -> Object | None:
        return self._runtime if resource in (CLUSTER_TRAINING_RUNTIMES, TRAINING_RUNTIMES) else {}


def _validate(job: Object, runtime: Object) -> None:
    """As admission does where it is ours; on other clusters nobody else looks. Raises InvalidError."""
    errors = FieldErrors()
    validation.check(job, None, _Known(runtime), errors)
    if errors:
        raise invalid(TRAIN_JOBS.group, TRAIN_JOBS.kind, meta.name(job), errors.causes)


class _TroubledError(Exception):
    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.message)
        self.trouble = trouble


def _runtime_key(job: Object) -> Iterable[str]:
    resource = snapshot.resource_of(job)
    if resource is not None:
        namespace = meta.namespace(job) if resource.namespaced else ""
        yield f"{resource.kind}/{namespace}/{snapshot.runtime_name(job)}"
