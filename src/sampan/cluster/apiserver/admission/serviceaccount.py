"""ServiceAccount: which account a pod runs as, and the volume in which its token comes.

Source: plugin/pkg/admission/serviceaccount/admission.go, v1.33.
"""

from __future__ import annotations

from sampan.cluster.apiserver.admission.refusal import refused
from sampan.kube import meta
from sampan.kube.admission import AdmissionRequest, Reader
from sampan.kube.kinds import SERVICE_ACCOUNTS
from sampan.kube.meta import Object
from sampan.lib import ids

MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_MIRROR = "kubernetes.io/config.mirror"
_DEFAULT = "default"
_VOLUME_PREFIX = "kube-api-access-"
_SECONDS = 3607


def admit(request: AdmissionRequest, pod: Object, reader: Reader) -> None:
    """Raises ForbiddenError for an account that does not exist."""
    spec = pod["spec"]
    if _MIRROR in meta.annotations(pod):
        return
    name = spec.get("serviceAccountName") or spec.get("serviceAccount") or _DEFAULT
    spec["serviceAccountName"] = name
    account = reader.get(SERVICE_ACCOUNTS, name, request.namespace)
    if account is None:
        # The default one is made a moment after its namespace: the pod's token waits for it, the pod need not.
        if name != _DEFAULT:
            raise refused(
                request,
                f"error looking up service account {request.namespace}/{name}: "
                f'serviceaccount "{name}" not found',
            )
        account = {}
    if _wants_token(spec, account):
        _mount_token(spec)
    if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
        spec["imagePullSecrets"] = account["imagePullSecrets"]


def _wants_token(spec: Object, account: Object) -> bool:
    """The pod's own word counts more than its account's."""
    for said in (spec.get("automountServiceAccountToken"), account.get("automountServiceAccountToken")):
        if said is not None:
            return bool(said)
    return True


def _mount_token(spec: Object) -> None:
    name = ""
    for volume in spec.get("volumes") or ():
        if str(volume.get("name", "")).startswith(_VOLUME_PREFIX):
            name = volume["name"]
    made = bool(name)
    name = name or f"{_VOLUME_PREFIX}{ids.random_suffix()}"
    mounted = False
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        mounts = container.get("volumeMounts") or []
        if any(mount.get("mountPath") == MOUNT_PATH for mount in mounts):
            continue
        container["volumeMounts"] = [*mounts, {"name": name, "readOnly": True, "mountPath": MOUNT_PATH}]
        mounted = True
    if mounted and not made:
        spec["volumes"] = [*(spec.get("volumes") or ()), _volume(name)]


def _volume(name: str) -> Object:
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    sources: list[Object] = [
        {"serviceAccountToken": {"expirationSeconds": _SECONDS, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [namespace]}},
    ]
    return {"name": name, "projected": {"defaultMode": 0o644, "sources": sources}}
