"""What a container with an image may do, from the security contexts of pod and container. Pure; called by `factory`.

Source: kubernetes/pkg/kubelet/kuberuntime/security_context.go and pkg/securitycontext/util.go, v1.31.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sampan.client.protocol import Object
from sampan.cluster.node.images import ContainerImage
from sampan.cluster.node.references import ContainerConfigError
from sampan.cluster.node.runtimes.protocol import ImageRun
from sampan.kube import meta

_GPU_DEVICE = "nvidia.com/gpu"


def image_run(
    pod: Object,
    container: Mapping[str, Any],
    image: ContainerImage,
    gpus: Sequence[str],
    *,
    allow_privileged: bool,
) -> ImageRun:
    """Raises ContainerConfigError for what the pod asks and must not have."""
    spec = meta.spec(pod)
    shared, own = spec.get("securityContext") or {}, container.get("securityContext") or {}
    if own.get("privileged") and not allow_privileged:
        raise ContainerConfigError(
            "privileged containers are not allowed here: set node.allow_privileged to true if every user of this "
            "server may be root on this machine",
            "CreateContainerError",
        )
    user = own.get("runAsUser", shared.get("runAsUser"))
    group = own.get("runAsGroup", shared.get("runAsGroup"))
    if own.get("runAsNonRoot", shared.get("runAsNonRoot")):
        _check_non_root(pod, container, image, user)
    capabilities = own.get("capabilities") or {}
    groups = [*(shared.get("supplementalGroups") or ())]
    if shared.get("fsGroup") is not None:
        groups.append(shared["fsGroup"])
    profile = own.get("seccompProfile") or shared.get("seccompProfile") or {}
    return ImageRun(
        image=image.id,
        workdir=str(container.get("workingDir") or ""),
        user=_user(user, group, image),
        groups=tuple(int(each) for each in groups),
        read_only=bool(own.get("readOnlyRootFilesystem")),
        privileged=bool(own.get("privileged")),
        no_new_privileges=own.get("allowPrivilegeEscalation") is False,
        unconfined=profile.get("type") == "Unconfined",
        add_capabilities=tuple(str(each) for each in capabilities.get("add") or ()),
        drop_capabilities=tuple(str(each) for each in capabilities.get("drop") or ()),
        devices=tuple(f"{_GPU_DEVICE}={gpu}" for gpu in gpus),
        host_pid=bool(spec.get("hostPID")),
        host_ipc=bool(spec.get("hostIPC")),
    )


def argv(container: Mapping[str, Any], image: ContainerImage) -> list[str]:
    """`command` takes the place of the entry point and of the image's arguments, `args` of the arguments alone.

    Raises ContainerConfigError when nothing is left to run.
    """
    command, args = container.get("command") or (), container.get("args") or ()
    words = [*command, *args] if command else [*image.entrypoint, *(args or image.command)]
    if not words:
        raise ContainerConfigError("no command specified", "CreateContainerError")
    return [str(word) for word in words]


def _user(user: Any, group: Any, image: ContainerImage) -> str:
    if user is None and group is None:
        return ""
    name = str(user) if user is not None else image.user.partition(":")[0] or "0"
    return name if group is None else f"{name}:{group}"


def _check_non_root(pod: Object, container: Mapping[str, Any], image: ContainerImage, user: Any) -> None:
    where = f'(pod: "{meta.name(pod)}_{meta.namespace(pod)}({meta.uid(pod)})", container: {container.get("name")})'
    if user is not None:
        if int(user) == 0:
            raise ContainerConfigError(f"container's runAsUser breaks non-root policy {where}")
        return
    name = image.user.partition(":")[0]
    if not name or name == "0":
        raise ContainerConfigError(f"container has runAsNonRoot and image will run as root {where}")
    if not name.isdigit():
        raise ContainerConfigError(
            f"container has runAsNonRoot and image has non-numeric user ({name}), "
            f"cannot verify user is non-root {where}"
        )
