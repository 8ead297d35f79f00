"""A bounded queue of events, and who sends them as CloudEvents.

Source: kserve 0.20 pkg/logger/dispatcher.go, worker.go. There a full queue holds requests up, and an event that cannot
be sent is lost; here a full queue loses events, which is counted, and what could not be sent is tried again.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
import time
from collections.abc import Awaitable, Callable

from sampan.components.serving.engine.programs.agent.arguments import LoggerOptions
from sampan.components.serving.engine.programs.agent.events import Event, headers
from sampan.components.serving.engine.programs.wire.client import Pool, TooLargeError, origin_of
from sampan.components.serving.engine.programs.wire.heads import HeadError

CA_FOLDER = "/etc/tls/logger"
_MOST_EVENTS = 1000
_MOST_BYTES = 64 * 1024 * 1024
_MOST_ANSWER_BYTES = 1024 * 1024
_PAUSES = (0.5, 1.0, 2.0)
"""Before each further try."""
_TIMEOUT_SECONDS = 30.0
_COMPLAINT_SECONDS = 10.0

Deliver = Callable[[Event], Awaitable[None]]


class Queue:
    """For one event loop. `deliver` is called by as many workers at a time; it must not raise."""

    def __init__(self, deliver: Deliver, workers: int) -> None:
        self._deliver, self._workers = deliver, workers
        self._waiting: asyncio.Queue[Event] = asyncio.Queue(_MOST_EVENTS)
        self._bytes = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._lost = 0
        self._complained_at = 0.0

    def start(self) -> None:
        self._tasks = [asyncio.get_running_loop().create_task(self._work()) for _ in range(self._workers)]

    def put(self, event: Event) -> None:
        if self._waiting.full() or self._bytes + len(event.data) > _MOST_BYTES:
            self._lose()
            return
        self._bytes += len(event.data)
        self._waiting.put_nowait(event)

    async def close(self, seconds: float = 5.0) -> None:
        """What waits is sent, as far as that time allows."""
        try:
            async with asyncio.timeout(seconds):
                await self._waiting.join()
        except TimeoutError:
            print(f"{self._waiting.qsize()} events are lost at the end", file=sys.stderr, flush=True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            event = await self._waiting.get()
            try:
                await self._deliver(event)
            except Exception as error:
                print(f"an event was not delivered: {error!r}", file=sys.stderr, flush=True)
            finally:
                self._bytes -= len(event.data)
                self._waiting.task_done()

    def _lose(self) -> None:
        self._lost += 1
        if time.monotonic() - self._complained_at > _COMPLAINT_SECONDS:
            self._complained_at = time.monotonic()
            print(
                f"{self._lost} events are lost so far: they come faster than they go",
                file=sys.stderr,
                flush=True,
            )


class CloudEvents:
    """Sends each event to the logger's URL. For one event loop."""

    def __init__(self, options: LoggerOptions) -> None:
        """Raises ValueError for a URL that is none."""
        self._options = options
        self._origin, self._target = origin_of(options.url)
        self._pool = Pool(context=_context(options) if self._origin.tls else None)

    async def deliver(self, event: Event) -> None:
        problem = ""
        for pause in (0.0, *_PAUSES):
            await asyncio.sleep(pause)
            problem, may_help = await self._try(event)
            if not may_help:
                break
        if problem:
            print(
                f"the event {event.id} was not sent to {self._origin.authority}: {problem}",
                file=sys.stderr,
                flush=True,
            )

    async def close(self) -> None:
        await self._pool.close()

    async def _try(self, event: Event) -> tuple[str, bool]:
        """What went wrong, and whether trying again may help."""
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                sent = headers(event, self._options)
                answer = await self._pool.request("POST", self._origin, self._target, sent, event.data)
                await answer.read(_MOST_ANSWER_BYTES)
        except (OSError, HeadError, TimeoutError, TooLargeError) as error:
            return str(error) or type(error).__name__, True
        if 200 <= answer.status < 300:
            return "", False
        return f"it was answered with {answer.status}", answer.status in (408, 429) or answer.status >= 500


def _context(options: LoggerOptions) -> ssl.SSLContext:
    context = ssl.create_default_context()
    path = os.path.join(CA_FOLDER, os.path.basename(options.ca_cert_file))
    if os.path.isfile(path):
        context.load_verify_locations(path)
    if options.skips_tls_verification:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
