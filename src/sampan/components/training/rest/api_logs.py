"""The ranks' logs as one where only the API has them: on a cluster whose nodes write files elsewhere.

A log that is read to its end is merged in the order of time; of logs that are followed each line is handed on when it
comes. Each rank is read no faster than its lines are taken.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import aclosing

from sampan.client.protocol import Client, LogOptions
from sampan.components.training.rest.job_pods import FoundJob, find_job
from sampan.components.training.rest.queries import LogQuery
from sampan.components.training.store.job_pods import JobPod
from sampan.components.training.store.rank_logs import MOST_LINE_BYTES, Line
from sampan.kube.errors import ApiError, BadRequestError, NotFoundError
from sampan.lib.tasks import TaskSet

_AT_ONCE = 200
"""Lines that are handed on together, and that wait for a reader at most."""
_LOOK_SECONDS = 2.0


class ApiLogs:
    """One reading. For one event loop."""

    def __init__(self, client: Client, found: FoundJob, query: LogQuery) -> None:
        self._client = client
        self._found = found
        self._query = query

    def lines(self) -> AsyncIterator[list[Line]]:
        return self._followed() if self._query.follow else self._merged()

    async def _merged(self) -> AsyncIterator[list[Line]]:
        streams = [self._of(pod, number) for pod, number in self._wanted(self._found)]
        heads: list[tuple[str, int, Line]] = []
        kept: list[Line] = []
        try:
            for at, stream in enumerate(streams):
                if (line := await anext(stream, None)) is not None:
                    heads.append((line.time, at, line))
            heapq.heapify(heads)
            if self._query.previous and not heads:
                raise BadRequestError("no rank of the job has a run before its last: nothing was restarted")
            while heads:
                _, at, line = heapq.heappop(heads)
                kept.append(line)
                if (following := await anext(streams[at], None)) is not None:
                    heapq.heappush(heads, (following.time, at, following))
                if self._query.tail is not None:
                    # Each rank gave so many at most.
                    continue
                if len(kept) >= _AT_ONCE:
                    yield kept
                    kept = []
            if self._query.tail is not None:
                kept = kept[-self._query.tail :] if self._query.tail else []
            if kept:
                yield kept
        finally:
            for stream in streams:
                await stream.aclose()  # type: ignore[attr-defined]  # an async generator

    async def _followed(self) -> AsyncIterator[list[Line]]:
        queue: asyncio.Queue[Line] = asyncio.Queue(_AT_ONCE)
        tasks = TaskSet("training logs")
        open_: dict[str, asyncio.Task[None]] = {}
        found = self._found
        try:
            while True:
                for pod, number in self._wanted(found):
                    if pod.uid not in open_ and pod.uid in found.live:
                        open_[pod.uid] = tasks.spawn(self._pump(pod, number, queue), name=pod.name)
                if found.is_over and all(task.done() for task in open_.values()) and queue.empty():
                    return
                if some := await _taken(queue):
                    yield some
                    continue
                found = await find_job(self._client, None, self._found.place)
        except NotFoundError:
            # Deleted with all its pods: what was said last may still be here.
            while not queue.empty():
                yield [queue.get_nowait()]
        finally:
            await tasks.close()

    async def _pump(self, pod: JobPod, number: int, queue: asyncio.Queue[Line]) -> None:
        """Until the pod is gone or has ended: a container that starts again begins a log of its own."""
        seen, since = 0, ""
        while True:
            async with aclosing(self._of(pod, number, since)) as lines:  # type: ignore[type-var]
                async for line in lines:
                    if since and line.time <= since:
                        continue
                    since, seen = line.time, seen + 1
                    await queue.put(line)
            found = await find_job(self._client, None, self._found.place)
            live = found.live.get(pod.uid)
            if (
                live is None
                or found.is_over
                or (live.get("status") or {}).get("phase") in ("Succeeded", "Failed")
            ):
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def _of(self, pod: JobPod, number: int, since: str = "") -> AsyncIterator[Line]:
        options = LogOptions(
            container=pod.container,
            follow=self._query.follow,
            previous=self._query.previous,
            timestamps=True,
            tail_lines=None if since else self._query.tail,
            since_time=since or self._query.since,
        )
        rest = b""
        try:
            async with aclosing(self._client.log(pod.name, self._found.place.namespace, options)) as chunks:  # type: ignore[type-var]
                async for chunk in chunks:
                    *whole, rest = (rest + chunk).split(b"\n")
                    for text in whole:
                        yield _line(pod, number, text)
                    if len(rest) > MOST_LINE_BYTES:
                        yield _line(pod, number, rest)
                        rest = b""
        except (NotFoundError, BadRequestError):
            # Gone, or not begun.
            return
        except ApiError as error:
            yield Line("", pod.rank, pod.name, number, f"(the log of {pod.name} broke off: {error.message})")
            return
        if rest:
            yield _line(pod, number, rest)

    def _wanted(self, found: FoundJob) -> list[tuple[JobPod, int]]:
        """With the number that each pod has among those of its rank."""
        return [
            (pod, number)
            for rank, pods in found.ranks.items()
            if self._query.wants(rank)
            for number, pod in enumerate(pods)
        ]


async def _taken(queue: asyncio.Queue[Line]) -> list[Line]:
    """What is there, or comes soon."""
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            some = [await queue.get()]
    except TimeoutError:
        return []
    while not queue.empty() and len(some) < _AT_ONCE:
        some.append(queue.get_nowait())
    return some


def _line(pod: JobPod, number: int, text: bytes) -> Line:
    time, _, said = text.partition(b" ")
    return Line(time.decode("ascii", "replace"), pod.rank, pod.name, number, said.decode("utf-8", "replace"))
