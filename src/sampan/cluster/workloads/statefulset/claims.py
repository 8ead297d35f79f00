"""The claims of a StatefulSet's pods: made before the pod, and owned by whoever takes them along when it goes.

Source: pkg/controller/statefulset/stateful_pod_control.go, stateful_set_utils.go (updateClaimOwnerRefForSetAndPod),
v1.33.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sampan.client.protocol import Client, Object
from sampan.cluster.workloads.statefulset.identity import claim_names, claims, ordinal_of
from sampan.cluster.workloads.statefulset.spec import StatefulSetSpec
from sampan.kube import meta, owners
from sampan.kube.errors import AlreadyExistsError, ApiError, ConflictError, NotFoundError
from sampan.kube.kinds import PERSISTENT_VOLUME_CLAIMS
from sampan.reconcile.cache import Cache
from sampan.reconcile.events import EventRecorder


class Claims:
    def __init__(self, client: Client, cache: Cache, recorder: EventRecorder) -> None:
        self._client = client
        self._cache = cache
        self._recorder = recorder

    async def ensure(self, stateful_set: Object, ordinal: int, pod: str) -> None:
        """Raises ApiError; ConflictError while a claim of that name is on its way out."""
        for claim in claims(stateful_set, ordinal):
            name = meta.name(claim)
            found = self._cache.get(meta.namespace(claim), name)
            if found is not None:
                if meta.is_deleting(found):
                    raise ConflictError(f"pvc {name} is being deleted")
                continue
            where = f"Claim {name} Pod {pod} in StatefulSet {meta.name(stateful_set)}"
            try:
                await self._client.create(PERSISTENT_VOLUME_CLAIMS, claim)
            except AlreadyExistsError:
                continue
            except ApiError as error:
                self._recorder.warning(
                    stateful_set, "FailedCreate", f"create {where} failed error: {error.message}"
                )
                raise
            self._recorder.normal(stateful_set, "SuccessfulCreate", f"create {where} success")

    async def keep_owners(self, stateful_set: Object, spec: StatefulSetSpec, pods: Sequence[Object]) -> None:
        """Owner references as the retention policy wants them."""
        if not meta.spec(stateful_set).get("volumeClaimTemplates"):
            return
        for pod in pods:
            ordinal = ordinal_of(stateful_set, pod)
            if ordinal is None:
                continue
            for name in claim_names(stateful_set, ordinal).values():
                claim = self._cache.get(meta.namespace(stateful_set), name)
                if claim is not None and not meta.is_deleting(claim):
                    await self._keep_owner(stateful_set, spec, pod, claim)

    async def _keep_owner(
        self, stateful_set: Object, spec: StatefulSetSpec, pod: Object, claim: Object
    ) -> None:
        held = owners.owner_references(claim)
        wanted = owner_references(stateful_set, spec, pod, held)
        if wanted == held:
            return
        metadata = {"resourceVersion": meta.resource_version(claim), "ownerReferences": wanted or None}
        try:
            written = await self._client.patch(
                PERSISTENT_VOLUME_CLAIMS, meta.name(claim), {"metadata": metadata}, meta.namespace(claim)
            )
        except NotFoundError:
            return
        await self._cache.reached(meta.resource_version(written))


def owner_references(
    stateful_set: Object, spec: StatefulSetSpec, pod: Object, held: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Of a claim: the set where it goes with the set, the pod where it goes with scaling down. Pure."""
    ordinal = ordinal_of(stateful_set, pod)
    leaves = spec.delete_claims_with_scale and ordinal is not None and ordinal not in spec.ordinals
    set_reference = owners.owner_reference(stateful_set)
    pod_reference = {"apiVersion": "v1", "kind": "Pod", "name": meta.name(pod), "uid": meta.uid(pod)}
    kept = [each for each in held if each.get("uid") not in (meta.uid(stateful_set), meta.uid(pod))]
    if leaves:
        return [*kept, pod_reference]
    return [*kept, set_reference] if spec.delete_claims_with_set else kept
