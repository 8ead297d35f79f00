"""Which runtime runs a pod: processes of this machine, or containers of podman. Pure; called by `starting`.

A pod is run whole by one. A pod may say it itself, by `runtimeClassName` or by an annotation, which is for clients
that cannot set the class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sampan.client.protocol import Object
from sampan.cluster.node.settings import AUTO, PODMAN, PROCESS, RUNTIMES
from sampan.kube import meta, pods

ANNOTATION = "sampan.dev/runtime"


def wants_container(pod: Object, setting: str, *, has_podman: bool, is_known: Callable[[str], bool]) -> bool:
    """`is_known` tells of an image whether the catalogue of environments has it."""
    asked = (meta.spec(pod).get("runtimeClassName"), meta.annotations(pod).get(ANNOTATION), setting)
    wanted = next((each for each in asked if each in RUNTIMES), PROCESS)
    if wanted != AUTO:
        return wanted == PODMAN
    attending = pods.named_in(pod, pods.ATTENDANTS)
    own = [each for each in _containers(pod) if each.get("name") not in attending]
    return has_podman and any(_needs_files(each, is_known) for each in own)


def _containers(pod: Object) -> list[dict[str, Any]]:
    # An ephemeral container comes later, and must not change what the others are.
    spec = meta.spec(pod)
    return [*(spec.get("initContainers") or ()), *pods.containers(pod)]


def _needs_files(container: Mapping[str, Any], is_known: Callable[[str], bool]) -> bool:
    has_command = bool(container.get("command") or container.get("args"))
    return not has_command or not is_known(str(container.get("image") or ""))
