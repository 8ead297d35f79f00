"""Makes the objects that a TrainJob came to, by server-side apply, and never takes somebody else's.

For `trainjobs`. Source: kubeflow/trainer pkg/controller/trainjob_controller.go (reconcileObjects), v2.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from sampan.client.protocol import Client, PatchType, WriteOptions
from sampan.components.training.engine.trainer.contract import UnbuildableError
from sampan.kube import meta, owners
from sampan.kube.errors import AlreadyExistsError, ApiError, ConflictError, ForbiddenError, NotFoundError
from sampan.kube.kinds import CONFIG_MAPS, JOB_SETS, JOBS, POD_GROUPS, SECRETS, VOLCANO_POD_GROUPS, Resource
from sampan.kube.meta import Object

_KINDS = {
    (each.api_version, each.kind): each
    for each in (CONFIG_MAPS, SECRETS, JOB_SETS, POD_GROUPS, VOLCANO_POD_GROUPS)
}
_WRITE = WriteOptions(field_manager="trainer", force=True)
_REHEARSAL = WriteOptions(field_manager="trainer", dry_run=True)
_INSTALL = {
    JOB_SETS: "JobSet: https://jobset.sigs.k8s.io/docs/installation/",
    POD_GROUPS: "the coscheduling plugin of scheduler-plugins",
    VOLCANO_POD_GROUPS: "Volcano",
}


_SHORT = 40


class Children:
    """Of one TrainJob. `look_up` first; then `present` answers without asking again."""

    def __init__(self, client: Client, train_job: Object) -> None:
        self._client = client
        self._train_job = train_job
        self._found: dict[tuple[Resource, str], Object | None] = {}

    async def look_up(self, wanted: Sequence[tuple[Resource, str]]) -> None:
        """Raises ApiError."""
        for resource, name in wanted:
            await self._look_up(resource, name)

    def present(self, resource: Resource, name: str) -> Object | None:
        return self._found.get((resource, name))

    async def rehearse(self, objects: Sequence[Object]) -> None:
        """Asks the API whether it would take the Jobs of a JobSet that is about to be made. Raises InvalidError.

        JobSet itself tries for ever to make a Job that is refused, and tells nobody but the server's log and an Event.
        """
        for obj in objects:
            if obj["kind"] == JOB_SETS.kind and self.present(JOB_SETS, meta.name(obj)) is None:
                for replicated in meta.spec(obj).get("replicatedJobs") or ():
                    # All else that may come of it is not about what the Job says.
                    with suppress(ForbiddenError, NotFoundError, ConflictError, AlreadyExistsError):
                        await self._client.create(JOBS, self._job(obj, replicated), _REHEARSAL)

    def _job(self, job_set: Object, replicated: Object) -> Object:
        """As JobSet makes it, in what a Job must have: with the volumes of claims that the set makes."""
        template = replicated.get("template") or {}
        spec = {"completionMode": "Indexed", **(template.get("spec") or {})}
        pod = spec.get("template") or {}
        pod_spec = {"restartPolicy": "OnFailure", **(pod.get("spec") or {})}
        claims = [
            {"name": meta.name(each), "persistentVolumeClaim": {"claimName": "rehearsal"}}
            for policy in meta.spec(job_set).get("volumeClaimPolicies") or ()
            for each in policy.get("templates") or ()
        ]
        if claims:
            pod_spec["volumes"] = [*(pod_spec.get("volumes") or ()), *claims]
        spec["template"] = {**pod, "spec": pod_spec}
        # Short, as of long ones the JobSet's own check says it better; the same each time, as the answer is kept.
        name = f"{meta.name(job_set)}-{replicated.get('name')}"[:_SHORT].rstrip("-")
        metadata = {"name": name, "namespace": meta.namespace(self._train_job)}
        return {"apiVersion": JOBS.api_version, "kind": JOBS.kind, "metadata": metadata, "spec": spec}

    async def apply(self, objects: Sequence[Object]) -> None:
        """In this order. Raises ApiError, and UnbuildableError where somebody else's object is in the way."""
        for obj in objects:
            await self._apply(obj)

    async def _apply(self, obj: Object) -> None:
        resource = _KINDS[obj["apiVersion"], obj["kind"]]
        name, namespace = meta.name(obj), meta.namespace(self._train_job)
        there = await self._look_up(resource, name)
        if there is not None and not owners.is_controlled_by(there, self._train_job):
            raise UnbuildableError(
                f'{resource.kind} "{name}" exists and belongs to another: delete it, or rename the TrainJob'
            )
        metadata = {
            **meta.metadata(obj),
            "namespace": namespace,
            "ownerReferences": [owners.owner_reference(self._train_job)],
        }
        wanted = {**obj, "metadata": metadata}
        try:
            applied = await self._client.patch(
                resource, name, wanted, namespace, patch_type=PatchType.APPLY, options=_WRITE
            )
        except NotFoundError as error:
            raise self._not_served(resource, error) from error
        self._found[resource, name] = applied

    async def _look_up(self, resource: Resource, name: str) -> Object | None:
        if (resource, name) not in self._found:
            try:
                found = await self._client.get(resource, name, meta.namespace(self._train_job))
            except NotFoundError:
                # Of the object or of its kind: whoever applies one learns which.
                found = None
            self._found[resource, name] = found
        return self._found[resource, name]

    def _not_served(self, resource: Resource, error: NotFoundError) -> ApiError:
        """An object that is applied need not be there: what is missing is its kind, or the namespace."""
        if resource not in _INSTALL or meta.namespace(self._train_job) in error.message:
            return error
        return NotFoundError(
            f"the cluster does not know {resource.kind} of {resource.api_version}: install {_INSTALL[resource]}"
        )
