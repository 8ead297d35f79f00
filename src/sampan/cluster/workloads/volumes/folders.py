"""The folders behind volumes. Removing one deletes a user's data, so this file trusts no object.

A folder is only ever removed if it lies directly below the root, under the name that follows from its volume,
and is a real folder. What a PersistentVolume's `hostPath` says is compared, never followed.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from pathlib import Path

from sampan.client.protocol import Object
from sampan.cluster.workloads.volumes.matching import PROVISIONED_BY, PROVISIONER
from sampan.kube import meta

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


class NotOursError(Exception):
    """The volume does not name a folder that we made; the message says why."""


def folder_for(root: Path, volume: str, namespace: str, claim: str) -> Path:
    """Where the volume's data lies: readable for people, and unambiguous, as names have no underscore."""
    for part in (volume, namespace, claim):
        if not _NAME.fullmatch(part):
            raise NotOursError(f"{part!r} is not a Kubernetes name")
    return root / f"{volume}_{namespace}_{claim}"


def make(folder: Path) -> None:
    """Makes the folder, and the root; fine if it is there. OSError."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o777, exist_ok=True)


def folder_of(root: Path, volume: Object) -> Path:
    """The folder that we made for `volume`. NotOursError."""
    spec = meta.spec(volume)
    if meta.annotations(volume).get(PROVISIONED_BY) != PROVISIONER:
        raise NotOursError("the volume was not provisioned here")
    claim = spec.get("claimRef") or {}
    folder = folder_for(root, meta.name(volume), str(claim.get("namespace")), str(claim.get("name")))
    if (spec.get("hostPath") or {}).get("path") != str(folder):
        raise NotOursError(f"spec.hostPath.path is not {folder}")
    return folder


def remove(folder: Path) -> None:
    """Removes the folder and all below it, following no link. NotOursError, OSError. Blocks: call in a thread."""
    try:
        mode = folder.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(mode):
        raise NotOursError(f"{folder} is no folder")
    try:
        shutil.rmtree(folder)
    except PermissionError:
        # A workload may have made its folders read-only; they are ours all the same.
        for path, _, _ in os.walk(folder):
            Path(path).chmod(0o700)
        shutil.rmtree(folder)
