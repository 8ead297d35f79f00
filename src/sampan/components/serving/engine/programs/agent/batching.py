"""V1 predict requests joined: their instances go to the model server as one, its predictions come back to each.

Source: kserve 0.20 pkg/batcher/handler.go: a batch goes when it has `size` instances or more, or when its first has
waited for `latency`; the answer has `message`, `batchId` and `predictions`, with code 200 whatever has become of it.
Not so here: requests of one path only are joined (there a batch goes to the path of whichever came last), while one
batch is being answered others may go, and a batch that fails is asked for again request by request, so that nobody
pays for another's input.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.components.serving.engine.programs.agent.arguments import BatcherOptions
from sampan.components.serving.engine.programs.agent.proxy import Body, Next, Proxy
from sampan.components.serving.engine.programs.wire import server
from sampan.components.serving.engine.programs.wire.client import TooLargeError
from sampan.components.serving.engine.programs.wire.heads import HeadError, Headers
from sampan.components.serving.engine.programs.wire.server import Request, Response, Tunnel, text

_PREDICT = ":predict"
_MOST_BYTES = 256 * 1024 * 1024
_JSON: Headers = [("Content-Type", "application/json")]
_SIZES_DIFFER = "size of prediction is not equal to the size of instances"


@dataclass(slots=True)
class _Waiting:
    instances: list[Any]
    answer: asyncio.Future[dict[str, Any]]


class _Batch:
    def __init__(self) -> None:
        self.waiting: list[_Waiting] = []
        self.size = 0
        self.timer: asyncio.TimerHandle | None = None


class Batcher:
    """For one event loop."""

    def __init__(self, options: BatcherOptions, proxy: Proxy, following: Next) -> None:
        self._options, self._proxy, self._following = options, proxy, following
        self._batches: dict[str, _Batch] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, request: Request, body: Body) -> Response | Tunnel:
        if not request.path.endswith(_PREDICT):
            return await self._following(request, body)
        data = body if isinstance(body, bytes) else await _whole(body)
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            return text(400, "can't Unmarshal body")
        instances = value.get("instances") if isinstance(value, dict) else None
        if not isinstance(value, dict) or not isinstance(instances, list | None):
            return text(400, "can't Unmarshal body")
        if not instances:
            return text(400, "no instances in the request")
        answer = await self._joined(request.path, instances)
        return Response(200, list(_JSON), json.dumps(answer, separators=(",", ":")).encode())

    async def close(self) -> None:
        """What waits goes at once."""
        for path in list(self._batches):
            self._go(path)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _joined(self, path: str, instances: list[Any]) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        batch = self._batches.get(path)
        if batch is None:
            batch = self._batches[path] = _Batch()
            batch.timer = loop.call_later(self._options.latency_seconds, self._go, path)
        mine = _Waiting(instances, loop.create_future())
        batch.waiting.append(mine)
        batch.size += len(instances)
        if batch.size >= self._options.size:
            self._go(path)
        return await mine.answer

    def _go(self, path: str) -> None:
        batch = self._batches.pop(path, None)
        if batch is None:
            return
        if batch.timer is not None:
            batch.timer.cancel()
        # Whoever has gone meanwhile needs no answer.
        waiting = [each for each in batch.waiting if not each.answer.done()]
        if waiting:
            task = asyncio.get_running_loop().create_task(self._answer(path, waiting))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, path: str, waiting: Sequence[_Waiting]) -> None:
        message, batch_id, predictions = await self._ask(path, waiting)
        if message and len(waiting) > 1:
            await asyncio.gather(*(self._answer(path, [each]) for each in waiting))
            return
        start = 0
        for each in waiting:
            end = start + len(each.instances)
            own = None if predictions is None else predictions[start:end]
            start = end
            if not each.answer.done():
                each.answer.set_result({"message": message, "batchId": batch_id, "predictions": own})

    async def _ask(self, path: str, waiting: Sequence[_Waiting]) -> tuple[str, str, list[Any] | None]:
        """The message, empty when all went well; the batch's id; what was predicted."""
        joined = [instance for each in waiting for instance in each.instances]
        body = json.dumps({"instances": joined}, separators=(",", ":")).encode()
        try:
            status, data = await self._proxy.post(path, list(_JSON), body, _MOST_BYTES)
        except (OSError, HeadError, TooLargeError) as error:
            return f"the model server has not answered: {error}", "", None
        if status != 200:
            return data.decode("utf-8", "replace") or f"the model server has answered with {status}", "", None
        batch_id = str(uuid.uuid4())
        try:
            value = json.loads(data)
            predictions = value.get("predictions")
        except (ValueError, RecursionError, AttributeError):
            return "the model server's answer is no JSON object", batch_id, None
        if not isinstance(predictions, list) or len(predictions) != len(joined):
            return _SIZES_DIFFER, batch_id, None
        return "", batch_id, predictions


async def _whole(body: AsyncIterator[bytes]) -> bytes:
    """Raises wire.server.TooLargeError."""
    parts, size = [], 0
    async for part in body:
        size += len(part)
        if size > _MOST_BYTES:
            raise server.TooLargeError
        parts.append(part)
    return b"".join(parts)
