"""The downloads of models that pods of this machine share: how much is kept, and what goes.

The initializer (`engine/programs/initializer/cache.py`) writes and uses them, in pods of the embedded cluster. Here is
said how much it may keep, and what was not used for longest is removed. What a pod was given stays with it: files are
linked.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sampan.components.serving.controller.around import Around
from sampan.components.serving.controller.storage import cache_folder
from sampan.lib.files import replace_text
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet
from sampan.reconcile.cache import Cache

log = get_logger(__name__)

RULES = "rules.json"
_GIB = 1024**3
_TRIM_SECONDS = 300.0
_TRIMMED_TO = 0.9
"""Of what is allowed, so that not every download trims."""
_ABANDONED_SECONDS = 24 * 3600.0
_HELPERS = (".part", ".lock")


class ModelCache:
    """Implements `reconcile.manager.Runnable`."""

    name = "model cache"
    caches: Sequence[Cache] = ()

    def __init__(self, around: Around) -> None:
        self._folder = cache_folder(around.home)
        self._most_bytes = around.settings.model_cache_gib * _GIB
        self._most_model_bytes = around.settings.max_model_gib * _GIB
        self._tasks = TaskSet("model cache")

    async def start(self) -> None:
        await asyncio.to_thread(self._write_rules)
        self._tasks.spawn(self._trim(), name="trim")

    async def stop(self) -> None:
        await self._tasks.close()

    def _write_rules(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        rules = {"most_bytes": self._most_bytes, "most_model_bytes": self._most_model_bytes}
        replace_text(self._folder / RULES, json.dumps(rules))

    async def _trim(self) -> None:
        while True:
            try:
                removed = await asyncio.to_thread(trim, self._folder, self._most_bytes, time.time())
                if removed:
                    log.info("downloads of models removed", bytes=removed)
            except OSError as error:
                log.warning("downloads of models cannot be trimmed", why=str(error))
            await asyncio.sleep(_TRIM_SECONDS)


@dataclass(frozen=True, slots=True, order=True)
class _Kept:
    used_at: float
    path: Path
    size: int


def trim(folder: Path, most_bytes: int, now: float) -> int:
    """Removes what was not used for longest until the rest fits, and what was begun long ago. Bytes; OSError."""
    for path in _helpers(folder):
        with contextlib.suppress(FileNotFoundError):
            if now - path.stat().st_mtime > _ABANDONED_SECONDS:
                _remove(path)
    kept = sorted(_kept(folder))
    total = sum(each.size for each in kept)
    if total <= most_bytes:
        return 0
    removed = 0
    for each in kept:
        if total - removed <= most_bytes * _TRIMMED_TO:
            break
        _remove(each.path)
        removed += each.size
    return removed


def _kept(folder: Path) -> Iterator[_Kept]:
    for path in [*folder.glob("files/*/*"), *folder.glob("trees/*")]:
        if path.suffix in _HELPERS:
            continue
        with contextlib.suppress(FileNotFoundError):
            found = path.stat()
            yield _Kept(found.st_mtime, path, _size(path) if path.is_dir() else found.st_size)


def _helpers(folder: Path) -> Iterator[Path]:
    for suffix in _HELPERS:
        yield from folder.glob(f"files/*/*{suffix}")
        yield from folder.glob(f"trees/*{suffix}")


def _size(folder: Path) -> int:
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(where, name)).st_size
    return total


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
