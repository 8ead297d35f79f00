"""Training jobs of one cluster: submitted, found, followed, changed. Blocking.

For commands, and for `sampan.sdk.remote`. A job is named by its kind and name, or by its name alone where one job only
has it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec

from sampan.client.session import Session
from sampan.components.training.api.contracts import CONTRACTS
from sampan.components.training.api.kinds import (
    ALL_JOB_KINDS,
    CLUSTER_TRAINING_RUNTIMES,
    TRAIN_JOBS,
    TRAINING_RUNTIMES,
)
from sampan.components.training.api.labels import TRAINER_FRAMEWORK
from sampan.components.training.api.summary import State, Summary, pod_selector, resource_of, summarise
from sampan.components.training.sdk import objects
from sampan.components.training.sdk.choosing import kind_names, resource_by_kind
from sampan.components.training.sdk.plan import Plan, PlanError
from sampan.kube import conditions, meta, owners
from sampan.kube.errors import ApiError, NotFoundError
from sampan.kube.kinds import CONFIG_MAPS, EVENTS, JOBS, PODS, Resource
from sampan.kube.meta import Object

_BATCH_JOB_NAME = "batch.kubernetes.io/job-name"
_POLL_SECONDS = 0.3
_RUNTIMES_SECONDS = 15.0


class NoSuchJobError(LookupError):
    """The message says what there is instead."""


@dataclass(frozen=True, slots=True)
class JobRef:
    resource: Resource
    namespace: str
    name: str

    @property
    def kind(self) -> str:
        return self.resource.kind

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def path(self) -> str:
        """Below Sampan's own routes."""
        return f"/training/v1/namespaces/{self.namespace}/{self.resource.plural}/{self.name}"


@dataclass(frozen=True, slots=True)
class LogLine:
    time: str
    rank: str
    pod: str
    run: int
    text: str


class Jobs:
    """All methods raise ApiError beside what they say."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def submit(self, plan: Plan) -> JobRef:
        """Creates the job and what belongs to it. Raises PlanError; leaves nothing behind when it fails."""
        resource = resource_by_kind(plan.kind)
        if plan.kind == TRAIN_JOBS.kind:
            plan = self.with_runtime(plan)
        job = objects.job_object(plan)
        maps = [self.session.create(CONFIG_MAPS, each) for each in objects.code_maps(plan)]
        try:
            made = self.session.create(resource, job)
        except BaseException:
            self._remove(maps)
            raise
        # What belongs to the job goes with it.
        owner = owners.owner_reference({**job, **made, "kind": plan.kind}, controller=False)
        for each in maps:
            self.session.patch(
                CONFIG_MAPS, meta.name(each), {"metadata": {"ownerReferences": [owner]}}, plan.namespace
            )
        return JobRef(resource, plan.namespace, plan.name)

    def find(self, text: str, namespace: str) -> JobRef:
        """`NAME` or `KIND/NAME`. Raises NoSuchJobError."""
        kind, slash, name = text.rpartition("/")
        if slash:
            resource = resource_of(kind) or (JOBS if kind.lower() in ("job", "jobs") else None)
            if resource is None:
                raise NoSuchJobError(f"{kind!r} is no kind of job; these are: {', '.join(kind_names())}")
            return JobRef(resource, namespace, name)
        found = [
            JobRef(each, namespace, text) for each in ALL_JOB_KINDS if self._exists(each, text, namespace)
        ]
        if len(found) == 1:
            return found[0]
        if found:
            named = " or ".join(f"{each.resource.singular}/{text}" for each in found)
            raise NoSuchJobError(f"several jobs are called {text!r}: say which, {named}")
        if self._exists(JOBS, text, namespace):
            return JobRef(JOBS, namespace, text)
        raise NoSuchJobError(f"no training job in namespace {namespace} is called {text!r}")

    def find_with_log(self, text: str, namespace: str) -> JobRef:
        """As `find`; also a job that is deleted and has left a log, which is asked for by kind. NoSuchJobError."""
        try:
            return self.find(text, namespace)
        except NoSuchJobError:
            if "/" in text:
                raise
            for resource in ALL_JOB_KINDS:
                ref = JobRef(resource, namespace, text)
                try:
                    next(iter(self.log(ref, tail=1)), None)
                except ApiError:
                    continue
                return ref
            raise

    def newest(self, namespace: str | None, kinds: Sequence[Resource] = ALL_JOB_KINDS) -> list[Summary]:
        """Of all kinds, the newest first. A kind that the cluster does not have has no jobs."""
        found: list[Summary] = []
        for resource in kinds:
            try:
                items = self.session.list(resource, namespace)
            except NotFoundError:
                continue
            found += [summarise({**each, "kind": resource.kind}) for each in items]
        return sorted(found, key=lambda each: (each.created, each.name), reverse=True)

    def get(self, ref: JobRef) -> Object:
        return {**self.session.get(ref.resource, ref.name, ref.namespace), "kind": ref.kind}

    def summary(self, ref: JobRef) -> Summary:
        return summary_of(self.get(ref))

    def pods(self, ref: JobRef) -> list[Object]:
        selector = (
            f"{_BATCH_JOB_NAME}={ref.name}" if ref.resource is JOBS else pod_selector(ref.kind, ref.name)
        )
        return self.session.list(PODS, ref.namespace, selector)

    def events(self, ref: JobRef) -> list[Object]:
        """Of the job, its pods and what stands between, the oldest first."""
        names = {ref.name, *(meta.name(pod) for pod in self.pods(ref))}
        found = [
            each
            for each in self.session.list(EVENTS, ref.namespace)
            if _is_about(str((each.get("involvedObject") or {}).get("name") or ""), names, ref.name)
        ]
        return sorted(found, key=lambda each: str(each.get("lastTimestamp") or each.get("eventTime") or ""))

    def log(
        self,
        ref: JobRef,
        *,
        ranks: Sequence[str] = (),
        follow: bool = False,
        tail: int | None = None,
        since: str = "",
        previous: bool = False,
    ) -> Iterator[LogLine]:
        """All ranks' lines in the order of time."""
        query = {
            "ranks": ",".join(ranks),
            "follow": "true" if follow else "",
            "tail": "" if tail is None else str(tail),
            "since": since,
            "previous": "true" if previous else "",
        }
        asked = {name: value for name, value in query.items() if value}
        decode = msgspec.json.Decoder(LogLine).decode
        for line in self.session.stream_lines(f"{ref.path}/log", asked, "application/x-ndjson"):
            if line:
                yield decode(line)

    def wait(self, ref: JobRef, timeout_seconds: float | None = None) -> Summary:
        """Until it has ended. Raises TimeoutError, NotFoundError once it is deleted."""
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while not (found := self.summary(ref)).state.is_finished:
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"{ref} is still {found.state} after {timeout_seconds:.0f} s")
            time.sleep(_POLL_SECONDS)
        return found

    def delete(self, ref: JobRef) -> None:
        self.session.delete(ref.resource, ref.name, ref.namespace)

    def end_pods(self, found: Sequence[Object]) -> None:
        """Of a job that has ended: nobody makes them anew."""
        for pod in found:
            with contextlib.suppress(NotFoundError):
                self.session.delete(PODS, meta.name(pod), meta.namespace(pod))

    def suspend(self, ref: JobRef, suspend: bool) -> None:
        """Or lets it go on."""
        spec: Object = {"suspend": suspend}
        if ref.resource not in (TRAIN_JOBS, JOBS):
            spec = {"runPolicy": spec}
        self.session.patch(ref.resource, ref.name, {"spec": spec}, ref.namespace)

    def scale(self, ref: JobRef, nodes: int) -> None:
        if ref.resource is TRAIN_JOBS:
            patch = {"spec": {"trainer": {"numNodes": nodes}}}
            self.session.patch(ref.resource, ref.name, patch, ref.namespace)
        elif ref.resource is JOBS:
            self.session.patch(ref.resource, ref.name, {"spec": {"parallelism": nodes}}, ref.namespace)
        elif "scale" in ref.resource.subresources:
            self.session.patch(ref.resource, ref.name, {"spec": {"replicas": nodes}}, ref.namespace, "scale")
        else:
            field = CONTRACTS[ref.resource.kind].replica_specs
            spec = {field: {"Worker": {"replicas": nodes}}}
            self.session.patch(ref.resource, ref.name, {"spec": spec}, ref.namespace)

    def runtimes(self, namespace: str) -> list[Object]:
        """The cluster's and the namespace's own; none where there is no Trainer."""
        found: list[Object] = []
        for resource, place in ((CLUSTER_TRAINING_RUNTIMES, None), (TRAINING_RUNTIMES, namespace)):
            try:
                items = self.session.list(resource, place)
            except NotFoundError:
                continue
            found += [{**each, "kind": resource.kind} for each in items]
        return found

    def with_runtime(self, plan: Plan) -> Plan:
        """The runtime, made if need be: one in which a failure ends the job. Raises PlanError."""
        known = self._known_runtimes(plan.namespace)
        wanted = plan.runtime.removesuffix(objects.ONCE)
        runtime = known.get(wanted)
        if runtime is None:
            there = ", ".join(sorted(name for name in known if not name.endswith(objects.ONCE))) or "none"
            raise PlanError(f"there is no runtime {wanted!r}; there are: {there}. Without Trainer use --kind")
        if not plan.runtime.endswith(objects.ONCE):
            return plan
        if runtime["kind"] != CLUSTER_TRAINING_RUNTIMES.kind:
            # The namespace's own are as their owner has made them.
            return replace(plan, runtime=wanted)
        own = objects.once_runtime(runtime, plan.namespace)
        self.session.apply(TRAINING_RUNTIMES, own, objects.MANAGER)
        return plan

    def _known_runtimes(self, namespace: str) -> dict[str, Object]:
        """By name. A server that has just begun makes its own a moment later."""
        deadline = time.monotonic() + _RUNTIMES_SECONDS
        while True:
            known = {meta.name(each): each for each in self.runtimes(namespace)}
            if known or time.monotonic() > deadline or not self._has_trainer():
                return known
            time.sleep(_POLL_SECONDS)

    def _has_trainer(self) -> bool:
        try:
            self.session.list(CLUSTER_TRAINING_RUNTIMES, None)
        except NotFoundError:
            return False
        return True

    def runtime_of(self, plan: Plan) -> Object | None:
        """The runtime that `submit` would make for it."""
        if not plan.runtime.endswith(objects.ONCE):
            return None
        wanted = plan.runtime.removesuffix(objects.ONCE)
        found = self._known_runtimes(plan.namespace).get(wanted)
        if found is None or found["kind"] != CLUSTER_TRAINING_RUNTIMES.kind:
            return None
        return objects.once_runtime(found, plan.namespace)

    def framework_label(self, runtime: str, namespace: str) -> str:
        """What a runtime trains with, as its label says; empty where it does not."""
        found = self._known_runtimes(namespace).get(runtime)
        return str(meta.labels(found).get(TRAINER_FRAMEWORK) or "") if found is not None else ""

    def _exists(self, resource: Resource, name: str, namespace: str) -> bool:
        try:
            self.session.get(resource, name, namespace)
        except NotFoundError:
            return False
        return True

    def _remove(self, maps: Sequence[Object]) -> None:
        for each in maps:
            try:
                self.session.delete(CONFIG_MAPS, meta.name(each), meta.namespace(each))
            except ApiError:
                continue


def summary_of(job: Object) -> Summary:
    """Plain Jobs too."""
    if job.get("kind") != JOBS.kind:
        return summarise(job)
    found = summarise(job)
    for type_, state in (
        ("Complete", State.SUCCEEDED),
        ("Failed", State.FAILED),
        ("Suspended", State.SUSPENDED),
    ):
        condition = conditions.find(job, type_)
        if condition is not None and condition.get("status") == "True":
            words = (str(condition.get(key) or "") for key in ("reason", "message", "lastTransitionTime"))
            reason, message, since = words
            return replace(found, state=state, reason=reason, message=message, ended=found.ended or since)
    active = int(meta.status(job).get("active") or 0)
    return replace(found, state=State.RUNNING if active else State.PENDING)


def _is_about(name: str, names: set[str], job: str) -> bool:
    return name in names or name.startswith(f"{job}-")
