"""Which ReplicaSet stands for the template as it is now, and how revisions are kept. Pure.

Source: pkg/controller/deployment/util/deployment_util.go and sync.go (getNewReplicaSet, cleanupDeployment), v1.33.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any

from sampan.client.protocol import Object
from sampan.cluster.workloads.deployment.spec import (
    DESIRED_REPLICAS,
    HASH,
    MAX_REPLICAS,
    REVISION,
    REVISION_HISTORY,
    DeploymentSpec,
    age_key,
    number,
    revision,
    size,
)
from sampan.kube import meta, owners
from sampan.lib.ids import short_hash

_HISTORY_LIMIT = 2000
_NOT_COPIED = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        "deprecated.deployment.rollback.to",
        REVISION,
        REVISION_HISTORY,
        DESIRED_REPLICAS,
        MAX_REPLICAS,
    }
)


def normal(value: Any) -> Any:
    """A template without what is empty: null and missing mean the same."""
    if isinstance(value, dict):
        return {key: normal(inner) for key, inner in value.items() if inner not in (None, {}, [])}
    return [normal(inner) for inner in value] if isinstance(value, list) else value


def same_template(one: Object, other: Object) -> bool:
    """Whether both make the same pods, whatever hash they are labelled with."""
    return bool(_unlabelled(one) == _unlabelled(other))


def _unlabelled(template: Object) -> Any:
    labels = {key: value for key, value in meta.labels(template).items() if key != HASH}
    return normal({**template, "metadata": {**meta.metadata(template), "labels": labels}})


def split(deployment: Object, replica_sets: Iterable[Object]) -> tuple[Object | None, list[Object]]:
    """The ReplicaSet of the template as it is now, if there is one, and the others; the oldest first."""
    ordered = sorted(replica_sets, key=age_key)
    template = meta.spec(deployment).get("template") or {}
    new = next((each for each in ordered if same_template(_template(each), template)), None)
    return new, [each for each in ordered if each is not new]


def _template(replica_set: Object) -> Object:
    return meta.spec(replica_set).get("template") or {}


def next_revision(old: Iterable[Object]) -> int:
    return max(map(revision, old), default=0) + 1


def desired(deployment: Object, spec: DeploymentSpec, old: Sequence[Object], replicas: int) -> Object:
    """The ReplicaSet to create for the template as it is now."""
    template = deepcopy(meta.spec(deployment).get("template") or {})
    collisions = int(meta.status(deployment).get("collisionCount") or 0)
    canonical = json.dumps(normal(template), sort_keys=True, separators=(",", ":"))
    digest = short_hash(canonical, str(collisions), length=10)
    metadata = template.setdefault("metadata", {})
    metadata["labels"] = {**meta.labels(template), HASH: digest}
    selector = deepcopy(meta.spec(deployment).get("selector") or {})
    selector.setdefault("matchLabels", {})[HASH] = digest
    fields: dict[str, Any] = {"replicas": replicas, "selector": selector, "template": template}
    if spec.min_ready_seconds:
        fields["minReadySeconds"] = spec.min_ready_seconds
    annotations = {**_copied(deployment), REVISION: str(next_revision(old)), **size_annotations(spec)}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{meta.name(deployment)}-{digest}",
            "namespace": meta.namespace(deployment),
            "labels": dict(metadata["labels"]),
            "annotations": annotations,
            "ownerReferences": [owners.owner_reference(deployment)],
        },
        "spec": fields,
    }


def size_annotations(spec: DeploymentSpec) -> dict[str, str]:
    return {DESIRED_REPLICAS: str(spec.replicas), MAX_REPLICAS: str(spec.max_replicas)}


def renewed_annotations(deployment: Object, new: Object, old: Sequence[Object]) -> dict[str, str]:
    """What the new ReplicaSet's annotations should be: those of the Deployment, and the newest revision.

    A template that is gone back to becomes the newest revision again; the numbers it had stay on record.
    """
    held = dict(meta.annotations(new))
    result = {**held, **_copied(deployment)}
    before, after = number(new, REVISION), next_revision(old)
    if before < after:
        result[REVISION] = str(after)
        if before:
            history = [each for each in str(held.get(REVISION_HISTORY) or "").split(",") if each]
            result[REVISION_HISTORY] = _within_limit([*history, str(before)])
    return result


def _within_limit(history: list[str]) -> str:
    while len(",".join(history)) > _HISTORY_LIMIT:
        history = history[1:]
    return ",".join(history)


def _copied(deployment: Object) -> dict[str, str]:
    return {key: value for key, value in meta.annotations(deployment).items() if key not in _NOT_COPIED}


def outdated(old: Iterable[Object], limit: int | None) -> list[Object]:
    """Old ReplicaSets beyond the history limit that have come to rest, of the lowest revision first."""
    if limit is None:
        return []
    alive = sorted(
        (each for each in old if not meta.is_deleting(each)), key=lambda each: (revision(each), age_key(each))
    )
    return [each for each in alive[: max(len(alive) - limit, 0)] if _at_rest(each)]


def _at_rest(replica_set: Object) -> bool:
    status = meta.status(replica_set)
    observed = int(status.get("observedGeneration") or 0)
    return not size(replica_set) and not status.get("replicas") and meta.generation(replica_set) <= observed
