"""The service account of steps, `pipeline-runner`, and what it may do in the namespace of runs. Embedded cluster only.

A step that uses an official client (kubeflow's TrainerClient, kubernetes) acts as this account, as in upstream's
installation: on a cluster its administrator has made it. Source: kubeflow/pipelines 2.17
manifests/kustomize/base/pipeline/pipeline-runner-{sa,role,rolebinding}.yaml, with groups of Trainer, JobSet, KServe.
"""

from __future__ import annotations

from sampan.client.protocol import Client, PatchType, WriteOptions
from sampan.kube.errors import AlreadyExistsError, ApiError
from sampan.kube.kinds import SERVICE_ACCOUNTS
from sampan.kube.meta import Object
from sampan.kube.rbac import GROUP, ROLE_BINDINGS, ROLES
from sampan.lib.log import get_logger

log = get_logger(__name__)

RUNNER = "pipeline-runner"
_WRITE = WriteOptions(field_manager="sampan-pipelines", force=True)
_READ = ["get", "list", "watch"]
_RULES: list[Object] = [
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]},
    # Code that is sent travels in ConfigMaps.
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": [*_READ, "create", "patch"]},
    {
        "apiGroups": ["", "snapshot.storage.k8s.io"],
        "resources": ["persistentvolumeclaims", "volumesnapshots"],
        "verbs": ["*"],
    },
    {"apiGroups": ["argoproj.io"], "resources": ["workflows"], "verbs": [*_READ, "update", "patch"]},
    {"apiGroups": [""], "resources": ["pods", "pods/exec", "pods/log", "services"], "verbs": ["*"]},
    {"apiGroups": ["", "apps", "extensions"], "resources": ["deployments", "replicasets"], "verbs": ["*"]},
    {"apiGroups": ["kubeflow.org", "trainer.kubeflow.org"], "resources": ["*"], "verbs": ["*"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["*"]},
    {"apiGroups": ["jobset.x-k8s.io"], "resources": ["jobsets"], "verbs": _READ},
    {"apiGroups": ["serving.kserve.io"], "resources": ["*"], "verbs": ["*"]},
    {"apiGroups": ["machinelearning.seldon.io"], "resources": ["seldondeployments"], "verbs": ["*"]},
]


async def ensure_runner(client: Client, namespace: str) -> None:
    """What cannot be made is told of and left out."""
    place = {"name": RUNNER, "namespace": namespace}
    try:
        await client.create(SERVICE_ACCOUNTS, {"metadata": place})
    except AlreadyExistsError:
        pass
    except ApiError as error:
        log.warning("the service account of pipelines cannot be made", name=RUNNER, error=error.message)
        return
    role: Object = {"apiVersion": ROLES.api_version, "kind": ROLES.kind, "metadata": place, "rules": _RULES}
    binding: Object = {
        "apiVersion": ROLE_BINDINGS.api_version,
        "kind": ROLE_BINDINGS.kind,
        "metadata": place,
        "roleRef": {"apiGroup": GROUP, "kind": ROLES.kind, "name": RUNNER},
        "subjects": [{"kind": "ServiceAccount", **place}],
    }
    for resource, obj in ((ROLES, role), (ROLE_BINDINGS, binding)):
        try:
            await client.patch(resource, RUNNER, obj, namespace, patch_type=PatchType.APPLY, options=_WRITE)
        except ApiError as error:
            log.warning("the rights of steps cannot be made", kind=resource.kind, error=error.message)
