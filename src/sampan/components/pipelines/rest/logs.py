"""Logs of steps, as streams of text: of running pods, of ended ones, and of those that are gone; of every attempt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from starlette.responses import Response, StreamingResponse

from sampan.client.protocol import LogOptions
from sampan.components.pipelines.api.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
)
from sampan.components.pipelines.rest.dispatch import Call
from sampan.components.pipelines.rest.nodes import find_task
from sampan.components.pipelines.store import tasks
from sampan.components.pipelines.store.step_logs import MAIN_CONTAINER, KeptLog, StepLogs
from sampan.components.pipelines.store.tasks import AttemptRow, TaskRow
from sampan.kube.errors import NotFoundError as NoSuchPodError
from sampan.lib.clock import parse_rfc3339, rfc3339
from sampan.lib.logview import LogView
from sampan.lib.threads import to_end

_POLL_SECONDS = 0.2
_OVER_SECONDS = 1.0
"""Between two questions to the database whether a step has ended."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One attempt of a task, and what of its log to give."""

    task: TaskRow
    attempt: int
    options: LogOptions
    since: datetime | None

    @property
    def row(self) -> AttemptRow:
        return self.task.attempts[self.attempt - 1]

    def view(self) -> LogView:
        return LogView(timestamps=self.options.timestamps, since=self.since)


async def read_log(call: Call) -> Response:
    """The log of a step's last attempt, or of the one whose pod is named, or whose number is `attempt`.

    `follow`, `timestamps`, `tail_lines`, `since_seconds` and `since_time` mean what they do to `kubectl logs`.
    """
    return await _stream(call, call.params["node_id"])


async def read_pod_log(call: Call) -> Response:
    """The same at the UI server's path, where the query names the pod."""
    pod = call.query.get("podname", "")
    if not pod:
        raise InvalidArgumentError("podname must name a pod of the run")
    return await _stream(call, pod)


async def _stream(call: Call, node: str) -> Response:
    wanted = _wanted(call, await find_task(call, node), node)
    chunks = _chunks(call, wanted)
    # The first chunk before the status line: a log that is gone must be an error, not an empty log.
    first = await anext(chunks, b"")
    return StreamingResponse(
        _joined(first, chunks),
        media_type="text/plain; charset=utf-8",
        headers={"Cache-Control": "no-cache, private", "X-Content-Type-Options": "nosniff"},
    )


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


async def _chunks(call: Call, wanted: _Wanted) -> AsyncIterator[bytes]:
    """From the files where the attempt has left some, else from its pod."""
    logs, row = StepLogs(call.backend.home), wanted.row
    kept = await asyncio.to_thread(logs.find, call.namespace, row)
    if kept and (row.finished_at or not row.uid):
        async for chunk in _kept(call, wanted, kept):
            yield chunk
        return
    try:
        async for chunk in call.backend.client.log(row.pod, call.namespace, wanted.options):
            yield chunk
    except NoSuchPodError as error:
        kept = await asyncio.to_thread(logs.find, call.namespace, row)
        if not kept:
            message = f"attempt {wanted.attempt} of step {wanted.task.display_name!r} has left no log: {error.message}"
            raise NotFoundError(message) from error
        async for chunk in _kept(call, wanted, kept):
            yield chunk


async def _kept(call: Call, wanted: _Wanted, paths: list[Path]) -> AsyncIterator[bytes]:
    log = await to_end(KeptLog, paths, wanted.view(), wanted.options.tail_lines, undo=KeptLog.close)
    asked, is_over = 0.0, not wanted.options.follow or bool(wanted.row.finished_at)
    try:
        while True:
            piece = await to_end(log.read)
            if piece:
                yield piece
            elif is_over:
                return
            else:
                await asyncio.sleep(_POLL_SECONDS)
                asked += _POLL_SECONDS
                if asked >= _OVER_SECONDS:
                    # Asked before the next look: what was written before the end is then surely read.
                    asked, is_over = 0.0, await call.backend.database.read(_has_ended(wanted))
    finally:
        log.close()


def _has_ended(wanted: _Wanted) -> Callable[[Any], bool]:
    def read(connection: Any) -> bool:
        row = tasks.get(connection, wanted.task.task_id)
        return row is None or all(attempt.finished_at for attempt in row.attempts[: wanted.attempt])

    return read


def _wanted(call: Call, task: TaskRow, node: str) -> _Wanted:
    pods = [attempt.pod for attempt in task.attempts]
    if not pods:
        raise FailedPreconditionError(
            f"step {task.display_name!r} is {task.state} and has no log: it did not start, or needed no pod"
        )
    number = call.query_int("attempt")
    if not 0 <= number <= len(pods):
        raise InvalidArgumentError(f"attempt must be between 1 and {len(pods)}, or left out for the last")
    if node in pods:
        number = pods.index(node) + 1
    options = LogOptions(
        container=MAIN_CONTAINER,
        follow=call.query_flag("follow"),
        timestamps=call.query_flag("timestamps"),
        tail_lines=_tail(call),
    )
    since = since_time(call)
    if since is not None:
        options = replace(options, since_time=rfc3339(since, micro=True))
    return _Wanted(task, number or len(pods), options, since)


def _tail(call: Call) -> int | None:
    if not call.query.get("tail_lines", ""):
        return None
    count = call.query_int("tail_lines")
    if count < 0:
        raise InvalidArgumentError(f"tail_lines must not be negative, but is {count}")
    return count


def since_time(call: Call) -> datetime | None:
    """The moment that `since_seconds` or `since_time` names. Raises InvalidArgumentError."""
    if seconds := call.query_int("since_seconds"):
        if seconds < 0:
            raise InvalidArgumentError(f"since_seconds must not be negative, but is {seconds}")
        return call.backend.clock.now() - timedelta(seconds=seconds)
    text = call.query.get("since_time", "")
    if not text:
        return None
    try:
        return parse_rfc3339(text)
    except ValueError as error:
        raise InvalidArgumentError(f"since_time: {error}") from error
