"""Folders that a pod wants to itself where it sees the machine's files: empty ones, in place of the machine's.

A program that was written for an image makes folders such as /mnt/out, which is another container's business there. A
pod says so by an annotation; in an image, and without mount namespaces, that has no effect.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from sampan.client.protocol import Object
from sampan.cluster.node.runtimes.protocol import Mount
from sampan.kube import meta

ANNOTATION = "sampan.dev/private-folders"
_ROOT = "/.own"
"""Anything that is not there: to show it, the root becomes a folder of the pod's."""


def private_folders(pod: Object, folder: Path, others: Sequence[Mount]) -> list[Mount]:
    """The mounts for them, with sources in `folder`; a volume that is shown there or above comes first."""
    told = str((meta.metadata(pod).get("annotations") or {}).get(ANNOTATION) or "")
    found: list[Mount] = []
    for target in told.split(","):
        if not target.startswith("/") or os.path.normpath(target) != target:
            continue
        place = _ROOT if target == "/" else target
        taken = any(
            place == other.target or place.startswith(f"{other.target.rstrip('/')}/") for other in others
        )
        if not taken:
            found.append(Mount(folder / place.strip("/").replace("/", "@"), place))
    return found
