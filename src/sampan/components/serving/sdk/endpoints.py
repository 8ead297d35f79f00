"""InferenceServices in a cluster, for commands and handles: made, read, waited for, changed, ended. Blocking.

LLMInferenceServices are looked at, stopped, started and deleted too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sampan.client.session import Session
from sampan.components.serving.api import labels, language_summary
from sampan.components.serving.api.kinds import INFERENCE_SERVICES, LLM_INFERENCE_SERVICES
from sampan.components.serving.api.reading import mapping, mappings
from sampan.components.serving.api.summary import State, Summary, summarise
from sampan.components.serving.sdk.errors import ServingError
from sampan.kube import meta, owners
from sampan.kube.errors import ApiError, NotFoundError
from sampan.kube.kinds import CONFIG_MAPS, DEPLOYMENTS, EVENTS, PODS, Resource
from sampan.kube.meta import Object

MANAGER = "sampan.dev/serve"
_CANARY = "canaryTrafficPercent"
_COMPONENTS = (labels.PREDICTOR, labels.TRANSFORMER, labels.EXPLAINER)
_POLL_SECONDS = 0.2
_PATIENCE_SECONDS, _SHORT_PATIENCE_SECONDS = 15.0, 2.0
"""How long something is broken before it counts as that: a pod for which there is no room may get it yet."""


@dataclass(frozen=True, slots=True)
class Ref:
    namespace: str
    name: str
    resource: Resource = INFERENCE_SERVICES

    def __str__(self) -> str:
        return f"{self.resource.singular}/{self.name}"

    @classmethod
    def of(cls, summary: Summary) -> Ref:
        kinds = {each.kind: each for each in (INFERENCE_SERVICES, LLM_INFERENCE_SERVICES)}
        return cls(summary.namespace, summary.name, kinds[summary.kind])


@dataclass(frozen=True, slots=True)
class Revision:
    name: str
    created: str
    percent: int
    tags: tuple[str, ...]
    ready: int
    wanted: int
    source: str


class Endpoints:
    """For any thread. Methods raise ApiError."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def apply(self, obj: Object, code: Sequence[Object] = ()) -> tuple[Ref, bool]:
        """Makes it, or changes the one of that name, with ConfigMaps that go with it. Whether it is new.

        One that has a canary keeps its percentage until `take_over`: without it all requests would go to that canary
        while the new model is being loaded.
        """
        ref = Ref(meta.namespace(obj), meta.name(obj))
        before = self._found(ref)
        is_new = before is None
        held = summarise(before).canary_percent if before is not None else None
        predictor = meta.spec(obj)["predictor"]
        if held is not None and _CANARY not in predictor:
            obj = {**obj, "spec": {**meta.spec(obj), "predictor": {**predictor, _CANARY: held}}}
        made = [self.session.apply(CONFIG_MAPS, each, MANAGER) for each in code]
        try:
            applied = self.session.apply(INFERENCE_SERVICES, obj, MANAGER)
        except ApiError:
            for each in made if is_new else ():
                self._forget(CONFIG_MAPS, meta.name(each), ref.namespace)
            raise
        whole = {**applied, "apiVersion": INFERENCE_SERVICES.api_version, "kind": INFERENCE_SERVICES.kind}
        owner = owners.owner_reference(whole, controller=False)
        for each in made:
            change = {"metadata": {"ownerReferences": [owner]}}
            self.session.patch(CONFIG_MAPS, meta.name(each), change, ref.namespace)
        return ref, is_new

    def take_over(self, ref: Ref, canary: int | None) -> bool:
        """Gives what was applied without a canary all requests, if it does not have them. Whether it was to be done."""
        if canary is not None or self.summary(ref).canary_percent is None:
            return False
        self._patch(ref, {"spec": {"predictor": {_CANARY: None}}})
        return True

    def check(self, obj: Object) -> None:
        """Refuses what cannot be changed so before anything of it is."""
        ref = Ref(meta.namespace(obj), meta.name(obj))
        if _CANARY in meta.spec(obj)["predictor"] and not self.exists(ref):
            raise ServingError(
                f"{ref.name} is not there yet, so there is nothing beside which it could be a canary: serve it without "
                "a canary first"
            )

    def get(self, ref: Ref) -> Object:
        found = self.session.get(ref.resource, ref.name, ref.namespace)
        return {**found, "apiVersion": ref.resource.api_version, "kind": ref.resource.kind}

    def summary(self, ref: Ref) -> Summary:
        is_language_model = ref.resource == LLM_INFERENCE_SERVICES
        return (language_summary.summarise if is_language_model else summarise)(self.get(ref))

    def newest(self, namespace: str | None) -> list[Summary]:
        """The newest first; of all namespaces for None."""
        found = [summarise(each) for each in self.session.list(INFERENCE_SERVICES, namespace)]
        # An older cluster does not serve them.
        with suppress(NotFoundError):
            listed = self.session.list(LLM_INFERENCE_SERVICES, namespace)
            found += [language_summary.summarise(each) for each in listed]
        return sorted(found, key=lambda each: (each.created, each.name), reverse=True)

    def exists(self, ref: Ref) -> bool:
        return self._found(ref) is not None

    def wait(
        self, ref: Ref, timeout_seconds: float | None = None, tell: Callable[[Summary], None] | None = None
    ) -> Summary:
        """Until what its spec says answers. `tell` is called with what it is at, again and again.

        Raises ServingError with the reason if it fails or is stopped, TimeoutError with what it waits for.
        """
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        broken_since: float | None = None
        while True:
            found, now = self.summary(ref), time.monotonic()
            if tell is not None:
                tell(found)
            if found.is_settled:
                return found
            if found.state in (State.STOPPED, State.DELETING):
                raise ServingError(f"{ref.name} is {_GONE[found.state]}")
            broken_since = (broken_since or now) if found.is_broken else None
            patience = _SHORT_PATIENCE_SECONDS if found.ended else _PATIENCE_SECONDS
            if broken_since is not None and now - broken_since >= patience:
                raise ServingError(f"{ref.name} does not start: {found.why or 'its status does not say why'}")
            if deadline is not None and now > deadline:
                said = f": {found.why}" if found.why else ""
                raise TimeoutError(f"{ref.name} is not ready after {timeout_seconds:.0f} s{said}")
            time.sleep(_POLL_SECONDS)

    # Changing it

    def set_traffic(self, ref: Ref, percent: int | None) -> None:
        """What the newest revision gets beside the one before; None for all, for good. Raises ServingError."""
        _check_kind(ref, "it has no revisions")
        found = self.summary(ref)
        if found.mode == labels.STANDARD:
            raise ServingError(
                f"{ref.name} runs in mode Standard, which has no revisions: its variants stand in spec.canary"
            )
        self._patch(ref, {"spec": {"predictor": {_CANARY: percent}}})

    def rollback(self, ref: Ref) -> str:
        """All requests go to the revision before; its name. Raises ServingError where there is none."""
        _check_kind(ref, "it has no revisions")
        status = meta.status(self.get(ref))
        part = ((status.get("components") or {}).get(labels.PREDICTOR)) or {}
        latest, rolled = part.get("latestReadyRevision"), part.get("latestRolledoutRevision")
        before = rolled if rolled and rolled != latest else part.get("previousRolledoutRevision")
        if not before or before == latest:
            raise ServingError(
                f"{ref.name} has no revision before {latest or 'this one'} that it could go back to"
            )
        self.set_traffic(ref, 0)
        return str(before)

    def stop(self, ref: Ref) -> None:
        """Its pods go, and it answers nobody."""
        self._patch(ref, {"metadata": {"annotations": {labels.STOP: "true"}}})

    def start(self, ref: Ref) -> None:
        self._patch(ref, {"metadata": {"annotations": {labels.STOP: "false"}}})

    def scale(self, ref: Ref, minimum: int | None, maximum: int | None) -> None:
        """Bounds of how many pods there are; None leaves one as it is."""
        _check_kind(ref, "how many pods it has stands in spec.replicas, or spec.scaling")
        counts = {"minReplicas": minimum, "maxReplicas": maximum}
        given = {key: value for key, value in counts.items() if value is not None}
        self._patch(ref, {"spec": {"predictor": given}})

    def delete(self, ref: Ref) -> None:
        self.session.delete(ref.resource, ref.name, ref.namespace)

    # Looking into it

    def revisions(self, ref: Ref) -> list[Revision]:
        """Of its predictor, the newest first. In mode Standard there is one, the Deployment."""
        summary = self.summary(ref)
        found = self.session.list(DEPLOYMENTS, ref.namespace, _selector(ref, labels.PREDICTOR))
        made = [_revision(each, summary) for each in found]
        return sorted(made, key=lambda each: (each.created, each.name), reverse=True)

    def pods(self, ref: Ref, component: str = "") -> list[Object]:
        found = self.session.list(PODS, ref.namespace, _selector(ref, component))
        return sorted(
            found, key=lambda pod: (str(meta.metadata(pod).get("creationTimestamp")), meta.name(pod))
        )

    def log(self, pod: Object, container: str, query: dict[str, str]) -> Iterator[str]:
        """Lines, for as long as the server sends."""
        path = f"/api/v1/namespaces/{meta.namespace(pod)}/pods/{meta.name(pod)}/log"
        for line in self.session.stream_lines(path, {"container": container, **query}, "*/*", own=False):
            yield line.decode("utf-8", "replace")

    def gone(self, ref: Ref, component: str = "") -> list[Object]:
        """Pods that are no more and of whose output something is left, the oldest first: `uid`, `name`, `runs`. Of
        InferenceServices whose pods run on the machine of the server; else empty."""
        if ref.resource != INFERENCE_SERVICES:
            return []
        try:
            found = mappings(mapping(self.session.read(_kept(ref), own=True)).get("items"))
        except NotFoundError:
            return []
        there = {meta.uid(pod) for pod in self.pods(ref)}
        return [
            each
            for each in found
            if each["uid"] not in there and each["runs"] and component in ("", each.get("component"))
        ]

    def gone_log(self, ref: Ref, pod: Object, run: Object, tail: int = 0) -> Iterator[str]:
        """Of one of the pod's `runs`."""
        query = {"container": str(run["container"]), "restart": str(run["restart"])}
        query |= {"tailLines": str(tail)} if tail else {}
        path = f"{_kept(ref)}/{pod['uid']}/log"
        for line in self.session.stream_lines(path, query, "*/*"):
            yield line.decode("utf-8", "replace")

    def events(self, ref: Ref) -> list[Object]:
        """Of it and of what was made for it, the oldest first."""
        parts = ("kserve",) if ref.resource == LLM_INFERENCE_SERVICES else _COMPONENTS
        mine = tuple(f"{ref.name}-{part}" for part in parts)
        found = [
            each
            for each in self.session.list(EVENTS, ref.namespace)
            if (
                (about := each.get("involvedObject") or {}).get("name") == ref.name
                and about.get("kind") == ref.resource.kind
            )
            or str(about.get("name") or "").startswith(mine)
        ]
        return sorted(found, key=event_time)

    def _found(self, ref: Ref) -> Object | None:
        try:
            return self.session.get(ref.resource, ref.name, ref.namespace)
        except NotFoundError:
            return None

    def _patch(self, ref: Ref, change: Any) -> None:
        self.session.patch(ref.resource, ref.name, change, ref.namespace)

    def _forget(self, resource: Any, name: str, namespace: str) -> None:
        try:
            self.session.delete(resource, name, namespace)
        except ApiError:
            return


_GONE = {State.STOPPED: "stopped: start it first", State.DELETING: "being deleted"}


def event_time(event: Object) -> str:
    return str(
        event.get("lastTimestamp")
        or event.get("eventTime")
        or meta.metadata(event).get("creationTimestamp")
        or ""
    )


def _kept(ref: Ref) -> str:
    return f"/apis/logs.serving.sampan.dev/v1/namespaces/{ref.namespace}/inferenceservices/{ref.name}/pods"


def _check_kind(ref: Ref, why: str) -> None:
    """Raises ServingError."""
    if ref.resource != INFERENCE_SERVICES:
        raise ServingError(f"{ref.name} is an {ref.resource.kind}: {why}")


def _selector(ref: Ref, component: str) -> str:
    if ref.resource == LLM_INFERENCE_SERVICES:
        # All of it is of one component.
        return f"{labels.LLM_INFERENCE_SERVICE}={ref.name}"
    chosen = f"{labels.INFERENCE_SERVICE}={ref.name}"
    return f"{chosen},{labels.COMPONENT}={component}" if component else chosen


def _revision(deployment: Object, summary: Summary) -> Revision:
    name = meta.labels(deployment).get(labels.REVISION) or meta.name(deployment)
    shares = [each for each in summary.traffic if each.revision == name]
    spec, status = meta.spec(deployment), meta.status(deployment)
    template = (spec.get("template") or {}).get("spec") or {}
    brought = [
        str((each.get("args") or [""])[0])
        for each in template.get("initContainers") or ()
        if each.get("name") == labels.STORAGE_INITIALIZER
    ]
    return Revision(
        name,
        str(meta.metadata(deployment).get("creationTimestamp") or ""),
        sum(each.percent for each in shares) if summary.traffic else 100,
        tuple(each.tag for each in shares if each.tag),
        int(status.get("readyReplicas") or 0),
        int(spec.get("replicas") or 0),
        brought[0] if brought else "",
    )
