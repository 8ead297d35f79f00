"""What the trainer brings along: its runtimes, and the ConfigMap by which clients ask for its version.

How ours and others' are told apart: `reconcile.shipping`. For the component's door, before the server is ready.
Source: kubeflow/trainer manifests/base/rbac, manifests/overlays/{manager,kubeflow-platform}, v2.3.
"""

from __future__ import annotations

from sampan.client.protocol import Client
from sampan.components.training.api.kinds import CLUSTER_TRAINING_RUNTIMES, TRAINER_GROUP
from sampan.components.training.api.runtimes import VERSION, shipped
from sampan.kube.kinds import CONFIG_MAPS, Resource
from sampan.kube.meta import Object
from sampan.kube.rbac import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES
from sampan.reconcile import shipping

_MANAGER = "sampan-trainer"
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
    await shipping.ship(client, _MANAGER, wanted)


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
