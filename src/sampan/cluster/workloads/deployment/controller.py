"""The Deployment reconciler: the thin edge around `plan` and `status`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sampan.client.protocol import Client, Object
from sampan.cluster.workloads.children import Children, controlled_by, index_by_controller
from sampan.cluster.workloads.deployment import revisions
from sampan.cluster.workloads.deployment.plan import Plan, Situation, first_size, plan, wants_new
from sampan.cluster.workloads.deployment.spec import REVISION, read_spec, size
from sampan.cluster.workloads.deployment.status import News, look_again, status
from sampan.cluster.workloads.podcontrol import is_namespace_ending
from sampan.kube import conditions, meta, owners
from sampan.kube.errors import AlreadyExistsError, ApiError
from sampan.kube.kinds import DEPLOYMENTS, PODS, REPLICA_SETS
from sampan.lib.clock import Clock
from sampan.reconcile.apply import delete_if_present, merge_difference
from sampan.reconcile.cache import Caches
from sampan.reconcile.controller import Controller, mapped, own
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result


class DeploymentReconciler:
    def __init__(self, client: Client, clock: Clock, caches: Caches) -> None:
        self._client = client
        self._clock = clock
        self._deployments = caches.of(DEPLOYMENTS)
        self._sets = caches.of(REPLICA_SETS)
        self._pods = caches.of(PODS)
        self._children = Children(client, self._deployments, self._sets)
        index_by_controller(self._pods)
        self._recorder = EventRecorder(client, clock, "deployment-controller")

    def controller(self) -> Controller[Request]:
        sources = [
            own(self._deployments),
            mapped(self._sets, self._children.requests),
            mapped(self._pods, self._waiting_for),
        ]
        return Controller("deployment", self.reconcile, sources, workers=4, close=self._recorder.close)

    async def reconcile(self, request: Request) -> Result:
        deployment = self._deployments.get(request.namespace, request.name)
        if deployment is None:
            return DONE
        situation = self._look(deployment, await self._children.claimed(deployment))
        if meta.is_deleting(deployment):
            return await self._finish(situation, Plan(), None)
        news = None
        if wants_new(situation):
            situation, news = await self._create_new(situation)
        elif situation.new is not None:
            situation, news = await self._renew(situation)
        planned = plan(situation)
        situation = await self._carry_out(situation, planned)
        return await self._finish(situation, planned, news)

    def _look(self, deployment: Object, sets: Iterable[Object]) -> Situation:
        found = [each for each in sets if not meta.is_deleting(each)]
        new, old = revisions.split(deployment, found)
        spec = read_spec(deployment)
        pods = (
            ()
            if spec.rolling
            else [pod for each in found for pod in controlled_by(self._pods, meta.uid(each))]
        )
        return Situation(deployment, spec, new, old, pods, self._clock.now())

    def _waiting_for(self, pod: Object) -> Iterable[Request]:
        """Recreate waits for the end of old pods, which changes nothing about their ReplicaSet."""
        reference = owners.controller_of(pod)
        if reference is None or reference.get("kind") != REPLICA_SETS.kind:
            return
        replica_set = self._sets.get(meta.namespace(pod), str(reference.get("name")))
        for request in self._children.requests(replica_set) if replica_set is not None else ():
            deployment = self._deployments.get(request.namespace, request.name)
            if deployment is not None and not read_spec(deployment).rolling:
                yield request

    # The ReplicaSet of the template as it is now.

    async def _create_new(self, situation: Situation) -> tuple[Situation, News | None]:
        """Raises ApiError, after having said so in the status."""
        deployment = situation.deployment
        wanted = revisions.desired(deployment, situation.spec, situation.old, first_size(situation))
        name = meta.name(wanted)
        try:
            new = await self._client.create(REPLICA_SETS, wanted)
        except AlreadyExistsError:
            new = await self._client.get(REPLICA_SETS, name, meta.namespace(deployment))
            template = meta.spec(deployment).get("template") or {}
            ours = owners.is_controlled_by(new, deployment)
            if not ours or not revisions.same_template(meta.spec(new).get("template") or {}, template):
                await self._count_collision(deployment)
                raise
        except ApiError as error:
            if not is_namespace_ending(error):
                await self._tell_failure(situation, name, error)
                raise
            return situation, None
        else:
            if size(new):
                text = f"Scaled up replica set {name} from 0 to {size(new)}"
                self._recorder.normal(deployment, "ScalingReplicaSet", text)
        await self._sets.reached(meta.resource_version(new))
        news = News("True", "NewReplicaSetCreated", f'Created new replica set "{name}"')
        return replace(situation, new=new), news

    async def _count_collision(self, deployment: Object) -> None:
        """Another template has this hash: the next try makes another."""
        count = int(meta.status(deployment).get("collisionCount") or 0) + 1
        await self._write(deployment, {**meta.status(deployment), "collisionCount": count}, {})

    async def _tell_failure(self, situation: Situation, name: str, error: ApiError) -> None:
        message = f'Failed to create new replica set "{name}": {error.message}'
        self._recorder.warning(situation.deployment, "ReplicaSetCreateError", message)
        news = News("False", "ReplicaSetCreateError", message)
        wanted = status(situation, resting=True, news=news)
        await self._write(situation.deployment, wanted, {})

    async def _renew(self, situation: Situation) -> tuple[Situation, News | None]:
        """Keeps the new ReplicaSet's annotations and minReadySeconds as the Deployment has them."""
        new, deployment = situation.new, situation.deployment
        assert new is not None
        change: dict[str, Any] = {}
        annotations = revisions.renewed_annotations(deployment, new, situation.old)
        if annotations != meta.annotations(new):
            change["metadata"] = {"annotations": annotations}
        seconds = situation.spec.min_ready_seconds
        if int(meta.spec(new).get("minReadySeconds") or 0) != seconds:
            change["spec"] = {"minReadySeconds": seconds or None}
        if change:
            situation = replace(situation, new=await self._patch(new, change))
        if conditions.find(deployment, "Progressing") is None:
            return situation, News("True", "FoundNewReplicaSet", f'Found new replica set "{meta.name(new)}"')
        return situation, None

    # Changing ReplicaSets.

    async def _carry_out(self, situation: Situation, planned: Plan) -> Situation:
        new = situation.new
        if new is not None:
            new = await self._resize(situation, new, planned.sizes)
        old = [await self._resize(situation, each, planned.sizes) for each in situation.old]
        for each in planned.delete:
            await delete_if_present(self._client, REPLICA_SETS, each)
        gone = set(map(meta.uid, planned.delete))
        return replace(situation, new=new, old=[each for each in old if meta.uid(each) not in gone])

    async def _resize(self, situation: Situation, replica_set: Object, sizes: Mapping[str, int]) -> Object:
        name = meta.name(replica_set)
        if name not in sizes:
            return replica_set
        before, after = size(replica_set), sizes[name]
        change: dict[str, Any] = {}
        annotations = revisions.size_annotations(situation.spec)
        if after != before:
            change["spec"] = {"replicas": after}
        elif not after:
            return replica_set  # at rest: what it is told about sizes does not matter
        if not annotations.items() <= meta.annotations(replica_set).items():
            change["metadata"] = {"annotations": annotations}
        if not change:
            return replica_set
        written = await self._patch(replica_set, change)
        if after != before:
            way = "up" if after > before else "down"
            text = f"Scaled {way} replica set {name} from {before} to {after}"
            self._recorder.normal(situation.deployment, "ScalingReplicaSet", text)
        return written

    async def _patch(self, replica_set: Object, change: dict[str, Any]) -> Object:
        version = {"uid": meta.uid(replica_set), "resourceVersion": meta.resource_version(replica_set)}
        patch = {**change, "metadata": {**change.get("metadata", {}), **version}}
        name, namespace = meta.name(replica_set), meta.namespace(replica_set)
        written = await self._client.patch(REPLICA_SETS, name, patch, namespace)
        await self._sets.reached(meta.resource_version(written))
        return written

    # The status.

    async def _finish(self, situation: Situation, planned: Plan, news: News | None) -> Result:
        wanted = status(situation, resting=planned.scaling, news=news)
        annotations = {}
        if situation.new is not None and not meta.is_deleting(situation.deployment):
            revision = meta.annotations(situation.new).get(REVISION)
            if revision and meta.annotations(situation.deployment).get(REVISION) != revision:
                annotations[REVISION] = revision
        await self._write(situation.deployment, wanted, annotations)
        return Result(look_again(situation, wanted))

    async def _write(
        self, deployment: Object, wanted: Mapping[str, Any], annotations: Mapping[str, str]
    ) -> None:
        """The status, and the revision that the Deployment is at, in one write."""
        change = merge_difference(meta.status(deployment), wanted)
        if not change and not annotations:
            return
        metadata: dict[str, Any] = {
            "uid": meta.uid(deployment),
            "resourceVersion": meta.resource_version(deployment),
        }
        if annotations:
            metadata["annotations"] = dict(annotations)
        patch = {"metadata": metadata, "status": change}
        name, namespace = meta.name(deployment), meta.namespace(deployment)
        written = await self._client.patch(DEPLOYMENTS, name, patch, namespace, subresource="status")
        await self._deployments.reached(meta.resource_version(written))
