"""Logs of steps, as streams of text: of running pods and of ended ones, of every attempt."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.responses import Response, StreamingResponse

from sampan.client.protocol import LogOptions
from sampan.components.pipelines.api.errors import FailedPreconditionError, InvalidArgumentError
from sampan.components.pipelines.rest.dispatch import Call
from sampan.components.pipelines.rest.nodes import find_task
from sampan.components.pipelines.store.tasks import TaskRow

_CONTAINER = "main"


async def read_log(call: Call) -> Response:
    """The log of a step's last attempt, or of the one whose pod is named, or whose number is `attempt`."""
    return await _stream(call, call.params["node_id"])


async def read_pod_log(call: Call) -> Response:
    """The same at the UI server's path, where the query names the pod."""
    pod = call.query.get("podname", "")
    if not pod:
        raise InvalidArgumentError("podname must name a pod of the run")
    return await _stream(call, pod)


async def _stream(call: Call, node: str) -> Response:
    task = await find_task(call, node)
    pod = _pod(call, task, node)
    options = LogOptions(container=_CONTAINER, follow=call.query_flag("follow"))
    chunks = call.backend.client.log(pod, call.namespace, options)
    # The first chunk before the status line: a pod whose log is gone must be an error, not an empty log.
    first = await anext(chunks, b"")
    return StreamingResponse(
        _chunks(first, chunks),
        media_type="text/plain; charset=utf-8",
        headers={"Cache-Control": "no-cache, private", "X-Content-Type-Options": "nosniff"},
    )


async def _chunks(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


def _pod(call: Call, task: TaskRow, node: str) -> str:
    pods = [attempt.pod for attempt in task.attempts]
    if node in pods:
        return node
    if not pods:
        raise FailedPreconditionError(
            f"step {task.display_name!r} is {task.state} and has no log: it did not start, or needed no pod"
        )
    number = call.query_int("attempt")
    if not 0 <= number <= len(pods):
        raise InvalidArgumentError(f"attempt must be between 1 and {len(pods)}, or left out for the last")
    return pods[number - 1]
