"""Brings the log of a pod on another machine into the home, where it outlives the pod (`store.step_logs`).

Called by the driver when a pod has ended, and before one is deleted. Where this machine's own node runs the pods, their
logs are there already and nothing is done.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from io import BufferedWriter
from pathlib import Path

from sampan.client.protocol import Client, LogOptions, Object
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.store.step_logs import MAIN_CONTAINER, KeptLog, StepLogs
from sampan.components.pipelines.store.tasks import AttemptRow
from sampan.kube.errors import ApiError
from sampan.lib.files import staged
from sampan.lib.log import get_logger
from sampan.lib.logview import LogView

log = get_logger(__name__)

_MOST_BYTES = 1024 * 1024 * 1024
_TAIL_BYTES = 64 * 1024


class LogKeeping:
    """For one event loop."""

    def __init__(self, client: Client, home: Path, *, is_needed: bool) -> None:
        self._client = client
        self._logs = StepLogs(home)
        self._is_needed = is_needed

    async def keep(self, pod: Object) -> None:
        """Copies what the pod has printed so far, in place of an earlier copy. A failure is told in the log."""
        statuses = (pod.get("status") or {}).get("containerStatuses") or ()
        has_run = any(
            (each.get("state") or {}).keys() & {"running", "terminated"}
            for each in statuses
            if each.get("name") == MAIN_CONTAINER
        )
        if self._is_needed and has_run:
            metadata = pod["metadata"]
            await self._copy(metadata["name"], metadata["namespace"], metadata["uid"])

    async def keep_named(self, name: str, namespace: str, uid: str) -> None:
        """The same for a pod that is known by name: one that is about to be deleted."""
        if self._is_needed and uid:
            await self._copy(name, namespace, uid)

    async def kept_lines(self, key: str, namespace: str, count: int) -> str:
        """The end of a log that is kept under `key`; empty when there is none."""
        return await asyncio.to_thread(
            self._last_lines, AttemptRow(key, RuntimeState.FAILED), namespace, count
        )

    def _last_lines(self, attempt: AttemptRow, namespace: str, count: int) -> str:
        paths = self._logs.find(namespace, attempt)
        if not paths:
            return ""
        with contextlib.closing(KeptLog(paths, LogView(limit_bytes=_TAIL_BYTES), count)) as kept:
            return kept.read().decode(errors="replace").rstrip()

    async def _copy(self, name: str, namespace: str, uid: str) -> None:
        try:
            target = self._logs.path(namespace, uid)
            options = LogOptions(container=MAIN_CONTAINER, timestamps=True, limit_bytes=_MOST_BYTES)
            await _write(self._client.log(name, namespace, options), target)
        except (ApiError, OSError, ValueError) as error:
            log.warning("the log of a step was not kept", pod=name, why=str(error))


async def _write(chunks: AsyncIterator[bytes], target: Path) -> None:
    """`TIME TEXT` lines as records of a log file. Whole or not at all."""
    await asyncio.to_thread(target.parent.mkdir, parents=True, exist_ok=True)
    with staged(target) as partial, partial.open("wb") as file:
        rest = b""
        async for chunk in chunks:
            *lines, rest = (rest + chunk).split(b"\n")
            await asyncio.to_thread(_write_lines, file, lines)
        if rest:
            await asyncio.to_thread(_write_lines, file, [rest])


def _write_lines(file: BufferedWriter, lines: list[bytes]) -> None:
    for line in lines:
        time, _, text = line.partition(b" ")
        # Which stream a line came by, the API does not say.
        file.write(time + b" stdout F " + text + b"\n")
