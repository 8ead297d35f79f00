"""What the trainer brings along: its runtimes, and the ConfigMap by which clients ask for its version.

A runtime that is not there is made; one of ours that nobody else has written to follows our newest; any other is its
owner's. For the component's door, before the server is ready. Source: kubeflow/trainer manifests/base/rbac,
manifests/overlays/{manager,kubeflow-platform}, v2.3.
"""

from __future__ import annotations

import asyncio
import hashlib
import json

from sampan.client.protocol import Client, PatchType, WriteOptions
from sampan.components.training.api.kinds import CLUSTER_TRAINING_RUNTIMES, TRAINER_GROUP
from sampan.components.training.api.runtimes import VERSION, shipped
from sampan.kube import meta
from sampan.kube.errors import ApiError, NotFoundError
from sampan.kube.kinds import CONFIG_MAPS, Resource
from sampan.kube.meta import Object
from sampan.kube.rbac import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES
from sampan.lib.log import get_logger

log = get_logger(__name__)

_MANAGER = "sampan-trainer"
_WRITE = WriteOptions(field_manager=_MANAGER, force=True)
_MARK = "sampan.dev/shipped"
"""Of a runtime of ours: which one it is, so that the next start sees whether there is a newer one."""
_NAMESPACE, _PUBLIC = "kubeflow-system", "kubeflow-trainer-public"
_EVERYBODY = {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "system:authenticated"}
_RBAC = "rbac.authorization.k8s.io"


async def ship(client: Client, *, with_public: bool) -> None:
    """What cannot be made is told of and left out.

    `with_public`: also what is for everybody to read, which on a cluster its administrator decides.
    """
    wanted = [(CLUSTER_TRAINING_RUNTIMES, each) for each in shipped()]
    if with_public:
        wanted += _public()
    await asyncio.gather(*(_try(client, resource, obj) for resource, obj in wanted))


async def _try(client: Client, resource: Resource, wanted: Object) -> None:
    try:
        await _ensure(client, resource, wanted)
    except ApiError as error:
        log.warning("cannot be shipped", kind=resource.kind, name=meta.name(wanted), error=error.message)


async def _ensure(client: Client, resource: Resource, wanted: Object) -> None:
    name, namespace = meta.name(wanted), meta.namespace(wanted) or None
    mark = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:16]
    try:
        there = await client.get(resource, name, namespace)
    except NotFoundError:
        there = None
    if there is not None and (meta.annotations(there).get(_MARK) == mark or not _is_untouched(there)):
        return
    marked = {**wanted, "metadata": {**meta.metadata(wanted), "annotations": {_MARK: mark}}}
    await client.patch(resource, name, marked, namespace, patch_type=PatchType.APPLY, options=_WRITE)


def _is_untouched(obj: Object) -> bool:
    """Of ours, and written to by nobody else."""
    managers = {each.get("manager") for each in meta.metadata(obj).get("managedFields") or ()}
    return _MARK in meta.annotations(obj) and managers <= {_MANAGER}


def _public() -> list[tuple[Resource, Object]]:
    """The version, and that everybody may read it and the runtimes of the cluster."""
    place = {"name": _PUBLIC, "namespace": _NAMESPACE}
    cluster = "kubeflow-trainer-view-cluster-runtimes"
    read = ["get", "list", "watch"]
    version = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [_PUBLIC], "verbs": read}
    runtimes = {"apiGroups": [TRAINER_GROUP], "resources": [CLUSTER_TRAINING_RUNTIMES.plural], "verbs": read}
    return [
        (
            CONFIG_MAPS,
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": place,
                "data": {"kubeflow_trainer_version": VERSION},
            },
        ),
        (ROLES, _rbac(ROLES, place, rules=[version])),
        (ROLE_BINDINGS, _rbac(ROLE_BINDINGS, place, **_bound(ROLES, _PUBLIC))),
        (CLUSTER_ROLES, _rbac(CLUSTER_ROLES, {"name": cluster}, rules=[runtimes])),
        (
            CLUSTER_ROLE_BINDINGS,
            _rbac(CLUSTER_ROLE_BINDINGS, {"name": cluster}, **_bound(CLUSTER_ROLES, cluster)),
        ),
    ]


def _rbac(resource: Resource, metadata: Object, **fields: object) -> Object:
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **fields}


def _bound(role: Resource, name: str) -> Object:
    return {"roleRef": {"apiGroup": _RBAC, "kind": role.kind, "name": name}, "subjects": [_EVERYBODY]}
