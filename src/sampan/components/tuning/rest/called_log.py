"""What a trial in-process has printed: a file in its experiment's folder. For `trial_log` and Katib's own route.

That folder is the workers' too, so whatever lies there under the name is opened only if it is a plain file.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

from sampan.components.tuning.api import labels
from sampan.components.tuning.api.kinds import TRIALS
from sampan.components.tuning.engine.inprocess.places import folder_of, log_of
from sampan.components.tuning.engine.inprocess.workers import is_in_process
from sampan.components.tuning.rest.sources import Sources
from sampan.kube import meta
from sampan.kube.errors import NotFoundError
from sampan.kube.meta import Object

_PIECE_BYTES = 256 * 1024
_POLL_SECONDS = 0.3


def is_called(sources: Sources, trial: Object) -> bool:
    """Whether it is a call, and has no pod of its own."""
    return sources.is_local and is_in_process(trial)


async def printed(
    sources: Sources, trial: Object, tail: int | None = None, *, follow: bool = False
) -> AsyncIterator[bytes]:
    """As it comes. Nothing before it has begun; raises NotFoundError once its log is no file."""
    name, experiment = meta.name(trial), str(meta.labels(trial).get(labels.EXPERIMENT) or "")
    if not experiment or "/" in experiment:
        return
    path = log_of(folder_of(sources.home, meta.namespace(trial), experiment), name)
    place = -1
    while True:
        is_over = not follow or await _is_over(sources, trial)
        while True:
            data, place = await asyncio.to_thread(_read, path, place, tail)
            if not data:
                break
            yield data
        if is_over:
            return
        await asyncio.sleep(_POLL_SECONDS)


def _read(path: Path, place: int, tail: int | None) -> tuple[bytes, int]:
    """What there is from `place` on, and where it ends; from the last `tail` lines on where `place` is -1."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return b"", place
    except OSError as error:
        raise NotFoundError("the trial's log is not there any more") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotFoundError("the trial's log is not there any more")
        if place < 0:
            place = 0 if tail is None else _start_of_tail(descriptor, tail)
        data = os.pread(descriptor, _PIECE_BYTES, place)
    finally:
        os.close(descriptor)
    return data, place + len(data)


def _start_of_tail(descriptor: int, tail: int) -> int:
    """Looks back through the file, a piece at a time."""
    end = place = os.fstat(descriptor).st_size
    wanted = tail
    while place > 0 and tail:
        size = min(_PIECE_BYTES, place)
        place -= size
        piece = os.pread(descriptor, size, place)
        at = len(piece)
        if place + size == end and piece.endswith(b"\n"):
            at -= 1
        while (at := piece.rfind(b"\n", 0, at)) >= 0:
            wanted -= 1
            if wanted <= 0:
                return place + at + 1
    return 0 if wanted > 0 else end


async def _is_over(sources: Sources, trial: Object) -> bool:
    try:
        found = await sources.client.get(TRIALS, meta.name(trial), meta.namespace(trial))
    except NotFoundError:
        return True
    return meta.uid(found) != meta.uid(trial) or bool(meta.status(found).get("completionTime"))
