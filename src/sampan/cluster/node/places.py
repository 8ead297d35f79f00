"""Where on this machine the files lie that a container of a pod sees at a path of its own.

Built by the agent, handed to components by `app`: what a step left in its pod's /tmp or in one of its volumes is looked
for there once the step has ended. Answers nothing about files that only a container's image has.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sampan.client.protocol import Object, Reader
from sampan.cluster.node import references
from sampan.cluster.node.layout import Layout, PodFolder
from sampan.kube import meta

_TMP = "/tmp"  # noqa: S108  a name in the container
_MOST_LINKS = 40

Seen = Callable[[str], str]
"""From a container's path to this machine's; empty for what cannot be seen from here."""


class Places:
    """`has_own_tmp` tells whether pods that are processes have a /tmp of their own."""

    def __init__(self, client: Reader, layout: Layout, has_own_tmp: Callable[[], bool]) -> None:
        self._client = client
        self._layout = layout
        self._has_own_tmp = has_own_tmp

    async def of(self, pod: Object) -> Seen:
        """For the pod's first container. Raises ApiError."""
        found = await references.claimed_volumes(self._client, pod)
        claims = {name: _path_of(volume) for name, volume in found.items()}
        return seen(pod, self._layout.pod(meta.uid(pod)), claims, has_own_tmp=self._has_own_tmp())


def seen(pod: Object, folder: PodFolder, claims: Mapping[str, str], *, has_own_tmp: bool) -> Seen:
    """Links are followed as the container would follow them. `claims` are the folders of its claims, by name."""
    mounts = _mounts(pod, folder, claims)
    # A container of an image has its files in layers of podman's; one that is a process always got this folder.
    is_process = folder.tmp.exists()

    def once(path: str) -> str:
        for target, source in mounts:
            if path == target or path.startswith(f"{target}/"):
                return source + path[len(target) :] if source else ""
        if not is_process:
            return ""
        if has_own_tmp and (path == _TMP or path.startswith(f"{_TMP}/")):
            return str(folder.tmp) + path[len(_TMP) :]
        return path

    def is_way_to_mount(path: str) -> bool:
        return any(target == path or target.startswith(f"{path}/") for target, _ in mounts)

    def follow(path: str) -> str:
        # One after the other, as the kernel does it there: any of them may be a link.
        parts, links, reached = path.split("/")[::-1], 0, ""
        while parts:
            part = parts.pop()
            if part == "..":
                reached = reached.rpartition("/")[0]
            elif part not in ("", "."):
                at = f"{reached}/{part}"
                place = once(at)
                if place and not is_way_to_mount(at) and os.path.islink(place):
                    links += 1
                    if links > _MOST_LINKS:
                        return ""
                    leads = os.readlink(place)
                    reached = "" if leads.startswith("/") else reached
                    parts += leads.split("/")[::-1]
                else:
                    reached = at
        return once(reached or "/")

    return follow


def _mounts(pod: Object, folder: PodFolder, claims: Mapping[str, str]) -> list[tuple[str, str]]:
    """The container's mount points and what is there, the innermost first."""
    spec = meta.spec(pod)
    volumes = {volume["name"]: _source(pod, volume, folder, claims) for volume in spec.get("volumes") or ()}
    containers = spec.get("containers") or [{}]
    found = []
    for mount in containers[0].get("volumeMounts") or ():
        source = volumes.get(mount["name"], "")
        if source and mount.get("subPath"):
            source = _within(source, os.path.join(source, mount["subPath"]))
        found.append((os.path.normpath(str(mount["mountPath"])), "" if mount.get("subPathExpr") else source))
    return sorted(found, key=lambda mount: -len(mount[0]))


def _within(volume: str, path: str) -> str:
    """`path` without links; empty where they lead out of the volume, as nothing of that is mounted."""
    whole, real = os.path.realpath(volume), os.path.realpath(path)
    return real if real == whole or real.startswith(f"{whole}/") else ""


def _source(pod: Object, volume: Mapping[str, Any], folder: PodFolder, claims: Mapping[str, str]) -> str:
    if "hostPath" in volume:
        return str(volume["hostPath"].get("path", ""))
    if "persistentVolumeClaim" in volume or "ephemeral" in volume:
        name = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        return claims.get(str(name or f"{meta.name(pod)}-{volume['name']}"), "")
    return str(folder.volume(volume["name"]))


def _path_of(volume: Object) -> str:
    spec = meta.spec(volume)
    path = (spec.get("hostPath") or spec.get("local") or {}).get("path")
    return str(Path(path)) if path else ""
