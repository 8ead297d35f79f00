"""Requests and answers told of as CloudEvents, to whom a unit's `logger` names. Nobody waits for it.

Source: seldon-core 1.18.2 executor/logger/{worker,dispatcher}.go, executor/predictor/predictor_process.go (logPayload).
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from sampan.components.serving.engine.programs.seldon_executor.execution import FEEDBACK, REQUEST
from sampan.components.serving.engine.programs.wire.client import Pool, origin_of
from sampan.components.serving.engine.programs.wire.heads import HeadError

_TYPES = {
    REQUEST: "io.seldon.serving.inference.request",
    FEEDBACK: "io.seldon.serving.feedback",
}
_RESPONSE = "io.seldon.serving.inference.response"
_WORKERS = 5
_SEND_SECONDS = 60.0
_MOST_ANSWER = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Event:
    url: str
    kind: str
    """REQUEST, RESPONSE or FEEDBACK."""
    unit: str
    request_id: str
    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose requests they are."""

    deployment: str
    namespace: str
    predictor: str
    protocol: str
    source: str


class Events:
    """For one event loop. What no longer fits into the queue is dropped, and said so."""

    def __init__(self, pool: Pool, sender: Sender, most: int = 10_000) -> None:
        self._pool, self._sender = pool, sender
        self._queue: asyncio.Queue[Event] = asyncio.Queue(most)
        self._tasks: list[asyncio.Task[None]] = []
        self._dropped = 0

    def put(self, event: Event) -> None:
        if not self._tasks:
            self._tasks = [asyncio.ensure_future(self._work()) for _ in range(_WORKERS)]
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self._dropped += 1
            if self._dropped % 1000 == 1:
                print(f"failed to log request: the queue is full ({self._dropped} so far)", file=sys.stderr)

    async def close(self, seconds: float = 5.0) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._queue.join()
        except TimeoutError:
            print(f"{self._queue.qsize()} events were not sent", file=sys.stderr, flush=True)
        for task in self._tasks:
            task.cancel()

    async def _work(self) -> None:
        while True:
            event = await self._queue.get()
            try:
                await self._send(event)
            except (OSError, ValueError, TimeoutError, HeadError) as error:
                print(f"failed to send cloudevent log to {event.url}: {error!r}", file=sys.stderr, flush=True)
            finally:
                self._queue.task_done()

    async def _send(self, event: Event) -> None:
        sender = self._sender
        headers = [
            ("Ce-Id", str(uuid.uuid4())),
            ("Ce-Specversion", "1.0"),
            ("Ce-Type", _TYPES.get(event.kind, _RESPONSE)),
            ("Ce-Source", sender.source),
            ("Ce-Time", datetime.now(UTC).isoformat().replace("+00:00", "Z")),
            ("Ce-Requestid", event.request_id),
            ("Ce-Modelid", event.unit),
            ("Ce-Inferenceservicename", sender.deployment),
            ("Ce-Namespace", sender.namespace),
            ("Ce-Endpoint", sender.predictor),
            ("Ce-Protocol", sender.protocol),
            ("Content-Type", event.content_type or "application/json"),
        ]
        origin, target = origin_of(event.url)
        async with asyncio.timeout(_SEND_SECONDS):
            answer = await self._pool.request("POST", origin, target, headers, event.body)
            await answer.read(_MOST_ANSWER)
        if answer.status >= 300:
            raise ValueError(f"answered {answer.status}")
