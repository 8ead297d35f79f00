"""The workers of one experiment: pods that take one trial after another, over a socket each.

A worker's pod is the trial's own in all but what it is told (`engine.inprocess.workers`), so whatever a function does,
it does as its user, in its image, within its limits. A worker connects to a socket in the experiment's folder; JSON
objects a line go both ways (`tuning.sdk.program`). The end of the connection is the end of the process: a server that
is killed leaves nothing running. What ends a worker ends the one trial in it. Nothing here is stored.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sampan.client.protocol import Client, DeleteOptions, LogOptions
from sampan.components.tuning.api.observing import MetricLog
from sampan.components.tuning.engine.inprocess.places import log_name, log_of, logs_of
from sampan.components.tuning.engine.inprocess.workers import end_of_worker
from sampan.kube import meta, pods
from sampan.kube.errors import ApiError, NotFoundError
from sampan.kube.kinds import PODS
from sampan.kube.meta import Object
from sampan.lib.clock import Clock, rfc3339
from sampan.lib.ids import new_uid
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet

log = get_logger(__name__)

_END_SECONDS = 5.0
"""How long the end of a worker's pod is waited for once its connection has ended."""
_MOST_LINE_BYTES = 1024 * 1024
_MOST_LAST_WORDS = 1000

OnReport = Callable[[Sequence[MetricLog]], Awaitable[str]]
"""Keeps what was reported; why the trial is to stop, empty to let it go on."""


class WorkerError(Exception):
    """No worker can be had. The message says why."""


@dataclass(frozen=True, slots=True)
class Task:
    trial: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class End:
    """How a call ended: `Succeeded`, `EarlyStopped` or `Failed`, and what it measured last."""

    state: str
    message: str = ""
    metrics: Sequence[MetricLog] = ()


@dataclass(eq=False)
class _Worker:
    name: str
    address: Path
    connected: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
    ended: asyncio.Future[Object]
    """Its pod, once that has ended or is gone."""
    pod: Object = field(default_factory=dict)
    calls: int = 0

    @property
    def streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return self.connected.result()


class Crew:
    """For one event loop. `folder` exists and is the experiment's own; `make_pod` is given a name and an address."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        namespace: str,
        folder: Path,
        make_pod: Callable[[str, str], Object],
    ) -> None:
        self._client = client
        self._clock = clock
        self._namespace = namespace
        self._folder = folder
        self._logs = str(logs_of(folder))
        self._make_pod = make_pod
        self._idle: list[_Worker] = []
        self._workers: dict[str, _Worker] = {}
        self._tasks = TaskSet("trial workers")
        self._removals: set[asyncio.Task[Any]] = set()
        self._is_abandoned = False

    async def call(
        self,
        task: Task,
        limit_seconds: float | None,
        on_report: OnReport,
        on_begin: Callable[[], None] = lambda: None,
    ) -> End:
        """`on_begin` is called as soon as an idle worker was told, or before one is hired. Raises WorkerError, and what
        these two raise; the worker is gone then, and when the call is cancelled."""
        if self._idle:
            worker, on_told = self._idle.pop(), on_begin
        else:
            on_begin()
            worker, on_told = await self._hire(), lambda: None
        worker.calls += 1
        is_left = False
        try:
            async with asyncio.timeout(limit_seconds):
                end = await self._converse(worker, task, on_report, on_told)
            is_left = end is not None
            return end or await self._death_of(worker)
        except TimeoutError:
            assert limit_seconds is not None
            return End("Failed", f"the trial took longer than {limit_seconds:g} s and was ended")
        finally:
            if is_left and not worker.ended.done():
                self._idle.append(worker)
            else:
                self._dismiss(worker)

    def on_pod(self, old: Object | None, new: Object | None) -> None:
        """A change of a pod with the workers' label."""
        pod = new or old or {}
        worker = self._workers.get(meta.name(pod))
        if worker is None:
            return
        worker.pod = pod
        if (new is None or pods.is_terminal(pod)) and not worker.ended.done():
            worker.ended.set_result(pod)

    @property
    def starting(self) -> list[Object]:
        """Pods of workers that have not connected yet."""
        return [each.pod for each in self._workers.values() if each.pod and not each.connected.done()]

    @property
    def works(self) -> bool:
        """Whether any worker has taken a trial, and has not ended."""
        return any(each.calls and not each.ended.done() for each in self._workers.values())

    def log_of(self, trial: str) -> Path:
        return log_of(self._folder, trial)

    async def close(self) -> None:
        """Ends all workers and what runs in them."""
        for worker in list(self._workers.values()):
            self._dismiss(worker)
        if self._removals:
            await asyncio.wait(self._removals, timeout=_END_SECONDS)
        await self._tasks.close()

    async def abandon(self) -> None:
        """Lets go of them when the server goes down: they end with their connections, their pods are cleared later."""
        self._is_abandoned = True
        for worker in list(self._workers.values()):
            _disconnect(worker)
        await self._tasks.close()

    def _now(self) -> str:
        return rfc3339(self._clock.now(), micro=True)

    # One worker.

    async def _hire(self) -> _Worker:
        loop, number = asyncio.get_running_loop(), new_uid()[:5]
        address = self._folder / f"worker-{number}"
        worker = _Worker("", address, loop.create_future(), loop.create_future())
        pod = self._make_pod(number, str(address))
        worker.name = meta.name(pod)
        self._workers[worker.name] = worker
        try:
            async with _listening(worker):
                try:
                    worker.pod = await self._client.create(PODS, pod)
                except ApiError as error:
                    raise WorkerError(f"its worker's pod is refused: {error.message}") from error
                ends: set[asyncio.Future[Any]] = {worker.connected, worker.ended}
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            await self._welcome(worker)
        except BaseException:
            self._dismiss(worker)
            raise
        return worker

    async def _welcome(self, worker: _Worker) -> None:
        """Raises WorkerError."""
        if not worker.connected.done():
            raise WorkerError(await self._why_not(worker))
        first = await _received(worker)
        if first is None:
            raise WorkerError(await self._why_not(worker))
        if not first.get("ready"):
            raise WorkerError(_plain(str(first.get("error") or "the function cannot be read")))

    async def _why_not(self, worker: _Worker) -> str:
        said = (await self._death_of(worker)).message
        line = await _last_line(self._client, worker.name, self._namespace)
        return f"{said} before it took a trial" + (f": {line}" if line else "")

    async def _converse(
        self, worker: _Worker, task: Task, on_report: OnReport, on_told: Callable[[], None]
    ) -> End | None:
        """None for a worker that is gone."""
        number = worker.calls
        told = {
            "id": number,
            "trial": task.trial,
            "parameters": dict(task.parameters),
            "log": f"{self._logs}/{log_name(task.trial)}",
        }
        is_told = await _send(worker, told)
        on_told()
        if not is_told:
            return None
        count = 0
        while (message := await _received(worker)) is not None:
            if message.get("id") != number:
                continue
            if "report" in message:
                logs = _logs(message["report"], count, self._now())
                count += len(logs)
                if not await _send(worker, {"id": number, "stop": await on_report(logs)}):
                    return None
            elif "end" in message:
                text = _plain(str(message.get("message") or ""))
                where = _plain(str(message.get("where") or ""))
                state = str(message["end"])
                known = state if state in ("Succeeded", "EarlyStopped") else "Failed"
                said = f"{text} ({where})" if where else text
                metrics = message.get("metrics")
                return End(known, said, _logs(metrics, count, self._now()) if metrics else ())
        return None

    async def _death_of(self, worker: _Worker) -> End:
        try:
            async with asyncio.timeout(_END_SECONDS):
                pod = await asyncio.shield(worker.ended)
        except TimeoutError:
            pod = worker.pod
        return End("Failed", end_of_worker(pod))

    def _dismiss(self, worker: _Worker) -> None:
        if worker in self._idle:
            self._idle.remove(worker)
        _disconnect(worker)
        if self._workers.pop(worker.name, None) is not None and not self._is_abandoned:
            removal = self._tasks.spawn(self._remove(worker), name=worker.name)
            self._removals.add(removal)
            removal.add_done_callback(self._removals.discard)

    async def _remove(self, worker: _Worker) -> None:
        with contextlib.suppress(FileNotFoundError):
            worker.address.unlink()
        options = DeleteOptions(grace_period_seconds=0)
        try:
            await self._client.delete(PODS, worker.name, self._namespace, options)
        except NotFoundError:
            return
        except ApiError as error:
            log.warning("worker stays", pod=worker.name, namespace=self._namespace, error=error.message)


@contextlib.asynccontextmanager
async def _listening(worker: _Worker) -> AsyncIterator[None]:
    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if worker.connected.done():
            writer.close()
        else:
            worker.connected.set_result((reader, writer))

    # By way of an open folder, because a socket's path may have 107 bytes only.
    folder = os.open(worker.address.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        path = f"/proc/self/fd/{folder}/{worker.address.name}"
        server = await asyncio.start_unix_server(accept, path, limit=_MOST_LINE_BYTES)
        try:
            yield
        finally:
            server.close()
    finally:
        os.close(folder)


async def _send(worker: _Worker, message: Mapping[str, Any]) -> bool:
    """Whether it went out."""
    writer = worker.streams[1]
    try:
        writer.write(json.dumps(message).encode() + b"\n")
        await writer.drain()
    except (ConnectionError, OSError):
        return False
    return True


async def _received(worker: _Worker) -> Mapping[str, Any] | None:
    """The next message; None at the end, and for what is none, which ends a worker."""
    try:
        line = await worker.streams[0].readline()
        found = json.loads(line) if line.endswith(b"\n") else None
    except (ConnectionError, OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _disconnect(worker: _Worker) -> None:
    if worker.connected.done() and not worker.connected.cancelled():
        worker.streams[1].transport.abort()


def _logs(found: Any, count: int, now: str) -> list[MetricLog]:
    """What a worker says it has measured. It is a tenant's process: whatever is amiss is left out."""
    made: list[MetricLog] = []
    for each in found if isinstance(found, list) else ():
        if isinstance(each, list) and len(each) == 2 and all(isinstance(part, str) for part in each):
            name, value = _plain(each[0][:256]), _plain(each[1][:64])
            made.append(MetricLog(now, name, value, f"report/{count + len(made)}"))
    return made


def _plain(text: str) -> str:
    """What databases and JSON can hold: names of files, and so errors about them, may be no Unicode."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


async def _last_line(client: Client, pod: str, namespace: str) -> str:
    text = b""
    try:
        async for chunk in client.log(pod, namespace, LogOptions(tail_lines=1)):
            text = (text + chunk)[-_MOST_LAST_WORDS:]
    except ApiError:
        return ""
    return text.decode(errors="replace").strip()
