"""The folders in which models lie on this machine. Removing one deletes data, so little of what objects say is trusted.

Only a real folder goes, that lies right in a folder for models and is called by a model's key. All of it blocks: to be
called in a thread.
Source: kserve/kserve v0.20.0 pkg/controller/v1alpha1/localmodelnode/file_utils.go, where anything goes.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
from collections.abc import Collection, Iterable

_KEY = re.compile(r"[0-9a-f]{16}")


def make(root: str) -> None:
    """Raises OSError."""
    os.makedirs(root, exist_ok=True)


def has(root: str, key: str) -> bool:
    return os.path.isdir(os.path.join(root, key))


def evict(roots: Iterable[str], wanted: Collection[tuple[str, str]]) -> list[str]:
    """Removes models that no pair of `wanted` (root and key) names; returns what went. Raises OSError.

    Roots that are the same folder by two names are one.
    """
    kept = {(os.path.realpath(root), key) for root, key in wanted}
    gone = []
    for root in {os.path.realpath(each) for each in roots}:
        for key in _keys(root):
            if (root, key) not in kept:
                path = os.path.join(root, key)
                shutil.rmtree(path)
                gone.append(path)
    return gone


def inside(path: str) -> list[str]:
    """The names of the folders in one."""
    with contextlib.suppress(OSError):
        return [each.name for each in os.scandir(path) if each.is_dir(follow_symlinks=False)]
    return []


def _keys(root: str) -> list[str]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return [name for name in os.listdir(root) if _KEY.fullmatch(name) and _is_folder(root, name)]
    return []


def _is_folder(root: str, name: str) -> bool:
    return stat.S_ISDIR(os.lstat(os.path.join(root, name)).st_mode)
