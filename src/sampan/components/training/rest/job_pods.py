"""A job as it is now, with all pods that it has or has had."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from sampan.client.protocol import Client, ListOptions
from sampan.components.training.api.kinds import JOB_KINDS
from sampan.components.training.api.summary import pod_selector, summarise
from sampan.components.training.rest.access import JobPlace
from sampan.components.training.store.job_pods import JobKey, JobPod, JobPods, job_pod, ranks
from sampan.kube import conditions, meta, owners, pods
from sampan.kube.errors import NotFoundError, not_found
from sampan.kube.kinds import JOBS, PODS
from sampan.kube.meta import Object

_BATCH_JOB_NAME = "batch.kubernetes.io/job-name"
_KINDS = frozenset(kind.kind for kind in JOB_KINDS)


@dataclass(frozen=True, slots=True)
class FoundJob:
    place: JobPlace
    job: Object | None
    """None once it is deleted."""
    ranks: Mapping[str, list[JobPod]]
    """Pods by rank, the oldest first."""
    live: Mapping[str, Object]
    """By uid: those that the API still has."""

    @property
    def is_over(self) -> bool:
        """Nothing more will be said."""
        if any(not pods.is_terminal(pod) for pod in self.live.values()):
            return False
        return self.job is None or _has_ended(self.place, self.job)


async def find_job(client: Client, remembered: JobPods | None, place: JobPlace) -> FoundJob:
    """Raises NotFoundError for a job that there is not, and of which nothing is remembered."""
    job = await _get(client, place)
    selector = (
        f"{_BATCH_JOB_NAME}={place.name}"
        if place.resource is JOBS
        else pod_selector(place.resource.kind, place.name)
    )
    listed = await client.list(PODS, place.namespace, ListOptions(label_selector=selector))
    live = {meta.uid(pod): pod for pod in listed.items if _is_of(pod, job)}
    known: dict[str, JobPod] = {}
    if remembered is not None:
        key = JobKey(place.namespace, place.resource.plural, place.name)
        found = await asyncio.to_thread(remembered.of, key, meta.uid(job) if job is not None else "")
        known = {each.uid: each for each in found}
    for uid, pod in live.items():
        known.setdefault(uid, job_pod(pod, place.resource.kind, meta.uid(job) if job is not None else ""))
    if job is None and not known:
        raise not_found(place.resource.group, place.resource.plural, place.name)
    return FoundJob(place, job, ranks(known.values()), live)


async def _get(client: Client, place: JobPlace) -> Object | None:
    try:
        job = await client.get(place.resource, place.name, place.namespace)
    except NotFoundError:
        return None
    return {**job, "kind": place.resource.kind}


def _is_of(pod: Object, job: Object | None) -> bool:
    """Jobs of two kinds may have the same name, and so the same labels on their pods."""
    owner = owners.controller_of(pod)
    if job is None or owner is None or owner.get("kind") not in _KINDS:
        return True
    return owner.get("uid") == meta.uid(job)


def _has_ended(place: JobPlace, job: Object) -> bool:
    if place.resource is JOBS:
        return any(
            (conditions.find(job, type_) or {}).get("status") == "True" for type_ in ("Complete", "Failed")
        )
    return summarise(job).state.is_finished
