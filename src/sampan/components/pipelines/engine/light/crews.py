"""The workers of light steps: one crew for each run and kind of step, started when calls come, gone when the run is.

The engine owns one `Crews`, the driver calls. Workers are pods like any other, made through the client; they connect
to a socket in the run's folder, so this works where pods see this machine's folders. A worker serves one call at a
time; a call that waits brings another worker, up to the limit. What ends a worker ends the one call in it: it gets the
worker's own end as its own, and is retried like any step. Nothing here is stored: after a crash calls are made anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sampan.client.protocol import Object
from sampan.components.pipelines.engine.failure import pod_end
from sampan.components.pipelines.engine.light.marking import (
    WORKER_LABEL,
    LightCall,
    ended,
    worker_pod,
)
from sampan.components.pipelines.engine.light.program import HELD_BYTES, left
from sampan.components.pipelines.engine.pods import PodRejectedError, Pods
from sampan.components.pipelines.store.step_logs import StepLogs
from sampan.lib.clock import Clock, from_micros, rfc3339
from sampan.lib.ids import new_uid
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet
from sampan.lib.threads import to_end

log = get_logger(__name__)

_GROW_SECONDS = 0.05
"""A call that has waited for so long gets another worker."""
_IDLE_SECONDS = 30.0
_END_SECONDS = 15.0
"""How long the end of a worker's pod is waited for once its connection has ended."""
_STREAMS = ("stdout", "stderr")
_MAX_ANSWER = 64 * 1024
_LOG_LINES = 200


class StoppedError(Exception):
    """The call was taken back."""


@dataclass(eq=False)
class _Pending:
    """A call until its end."""

    pod: Object
    call: LightCall
    tell: Callable[[Object], None]
    done: asyncio.Future[Object]
    crew: _Crew
    worker: _Worker | None = None


@dataclass(eq=False)
class _Worker:
    name: str
    address: Path
    pod: Object
    ended: asyncio.Future[Object]
    """Its pod, once that has ended or is gone."""
    connected: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
    is_starting: bool = True
    is_wanted: bool = True
    created_at: float | None = None
    """Monotonic; None until its pod is known to exist."""
    serves: _Pending | None = None
    pipes: list[int] = field(default_factory=list)
    """Its output, held open so that what it said last outlives it."""


@dataclass(eq=False)
class _Crew:
    namespace: str
    waiting: deque[_Pending] = field(default_factory=deque)
    workers: set[_Worker] = field(default_factory=set)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    idle: int = 0
    growing: asyncio.TimerHandle | None = None


class Crews:
    """For one event loop."""

    def __init__(self, pods: Pods, clock: Clock, home: Path, limit: int) -> None:
        """`limit`: workers that one crew may have."""
        self._pods = pods
        self._clock = clock
        self._logs = StepLogs(home)
        self._limit = limit
        self._crews: dict[tuple[str, str], _Crew] = {}
        self._workers: dict[str, tuple[_Crew, _Worker]] = {}
        self._calls: dict[str, _Pending] = {}
        self._tasks = TaskSet("light")

    async def run(
        self, run_id: str, pod: Object, call: LightCall, folder: Path, tell: Callable[[Object], None]
    ) -> Object:
        """The step's pod at its end, as if it had run. `folder` is the run's; `tell` hears what a worker waits for.

        Raises StoppedError, and PodRejectedError where no worker can be made.
        """
        name, loop = pod["metadata"]["name"], asyncio.get_running_loop()
        key = (run_id, call.key)
        crew = self._crews.get(key)
        if crew is None:
            crew = self._crews[key] = _Crew(pod["metadata"]["namespace"])
        pending = _Pending(pod, call, tell, loop.create_future(), crew)
        self._calls[name] = pending
        crew.waiting.append(pending)
        crew.news.set()
        try:
            if len(crew.waiting) > crew.idle:
                self._grow(crew, folder)
            return await pending.done
        finally:
            self._calls.pop(name, None)
            _take_back(pending)

    def stop(self, pod_name: str) -> bool:
        """Takes a call back, with the worker that is at it. False when there is no such call."""
        pending = self._calls.get(pod_name)
        if pending is None:
            return False
        # Of a call that has ended, the worker may be at another's.
        if not pending.done.done():
            pending.done.set_exception(StoppedError())
            _take_back(pending)
            if pending.worker is not None:
                self._dismiss(pending.worker)
        return True

    def on_pod(self, pod: Object, deleted: bool) -> bool:
        """Whether the pod is a worker's; then it is none of a step's."""
        if WORKER_LABEL not in (pod["metadata"].get("labels") or {}):
            return False
        found = self._workers.get(pod["metadata"]["name"])
        if found is not None:
            crew, worker = found
            if (deleted or pod_end(pod) is not None) and not worker.ended.done():
                worker.ended.set_result(pod)
            elif not worker.connected.done():
                for pending in crew.waiting:
                    pending.tell({**pending.pod, "status": pod.get("status") or {}})
        return True

    def on_list(self, names: frozenset[str], began: float) -> None:
        """After a gap in the watch: workers that should be among `names` and are not are gone."""
        for name, (_, worker) in self._workers.items():
            existed = worker.created_at is not None and worker.created_at < began
            if existed and name not in names and not worker.ended.done():
                worker.ended.set_result(worker.pod)

    def close_run(self, run_id: str) -> None:
        """Dismisses the run's workers."""
        for key in [key for key in self._crews if key[0] == run_id]:
            crew = self._crews.pop(key)
            if crew.growing is not None:
                crew.growing.cancel()
            for worker in list(crew.workers):
                self._dismiss(worker)

    async def close(self) -> None:
        """Lets go of everything: workers end with their connections."""
        for crew in self._crews.values():
            if crew.growing is not None:
                crew.growing.cancel()
        await self._tasks.close()

    # Workers

    def _grow(self, crew: _Crew, folder: Path) -> None:
        """The first worker at once, further ones for calls that wait in vain."""
        if not crew.workers:
            self._start(crew, folder)
        elif crew.growing is None and len(crew.workers) < self._limit:
            crew.growing = asyncio.get_running_loop().call_later(_GROW_SECONDS, self._grown, crew, folder)

    def _grown(self, crew: _Crew, folder: Path) -> None:
        crew.growing = None
        if len(crew.waiting) <= crew.idle:
            return
        if not any(worker.is_starting for worker in crew.workers):
            self._start(crew, folder)
        self._grow(crew, folder)

    def _start(self, crew: _Crew, folder: Path) -> None:
        loop = asyncio.get_running_loop()
        first, number = crew.waiting[0], new_uid()[:8]
        address = folder / f"light-{number}"
        pod = worker_pod(first.pod, first.call, number, str(address))
        worker = _Worker(pod["metadata"]["name"], address, pod, loop.create_future(), loop.create_future())
        crew.workers.add(worker)
        self._workers[worker.name] = (crew, worker)
        worker.ended.add_done_callback(lambda _: self._retire(worker))
        self._tasks.spawn(self._employ(crew, worker, folder), name=worker.name)

    async def _employ(self, crew: _Crew, worker: _Worker, folder: Path) -> None:
        """A worker's life."""
        try:
            await self._engage(crew, worker)
        except (PodRejectedError, OSError) as error:
            _give_up(crew, worker, error)
        except Exception as error:
            # Our own fault, never a user's: the call must end with a word rather than hang.
            log.error("a worker of light steps failed", worker=worker.name, exc=error)
            _give_up(crew, worker, PodRejectedError(f"internal error of the engine: {error!r}"))
        finally:
            crew.workers.discard(worker)
            self._workers.pop(worker.name, None)
            _clear(worker)
        if crew.waiting:
            self._grow(crew, folder)
        # Not when the server goes down: its workers end with their connections, and the next one clears up.
        await self._pods.delete(worker.name, crew.namespace)

    async def _engage(self, crew: _Crew, worker: _Worker) -> None:
        try:
            async with _listening(worker):
                await self._pods.create(worker.pod)
                worker.created_at = self._clock.monotonic()
                if not worker.is_wanted and not worker.ended.done():
                    return  # dismissed meanwhile, when there was no pod yet to delete
                ends: set[asyncio.Future[Any]] = {worker.connected, worker.ended}
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            worker.is_starting = False
        if not worker.connected.done():
            await self._never_began(crew, worker, worker.ended.result())
            return
        reader, writer = worker.connected.result()
        try:
            await self._serve(crew, worker, reader, writer)
        finally:
            writer.close()

    async def _serve(
        self, crew: _Crew, worker: _Worker, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Call after call, until there have been none for a while."""
        number = 0
        while (pending := await self._next(crew, worker)) is not None:
            number += 1
            pending.worker, worker.serves = worker, pending
            metadata = pending.pod["metadata"]
            path = self._logs.path(metadata["namespace"], metadata["name"])
            told = {
                "id": number,
                "source": pending.call.source,
                "argv": list(pending.call.argv),
                "log": str(path),
            }
            with contextlib.suppress(ConnectionError):
                writer.write(json.dumps(told).encode() + b"\n")
                await writer.drain()
            answer = await _answer(reader)
            if answer is None:
                await self._died(crew, pending, worker)
                return
            if not pending.done.done():
                times = (
                    rfc3339(from_micros(int(answer[key] * 1e6)), micro=True)
                    for key in ("started", "finished")
                )
                pending.done.set_result(ended(pending.pod, int(answer["exit_code"]), *times))

    async def _next(self, crew: _Crew, worker: _Worker) -> _Pending | None:
        """The call that has waited longest; None when the worker is to go."""
        crew.idle += 1
        try:
            while worker.is_wanted:
                while crew.waiting:
                    pending = crew.waiting.popleft()
                    if not pending.done.done():
                        return pending
                crew.news.clear()
                # Not wait_for, which may lose a cancellation that comes together with the event.
                async with asyncio.timeout(_IDLE_SECONDS):
                    await crew.news.wait()
            return None
        except TimeoutError:
            return None
        finally:
            crew.idle -= 1

    async def _died(self, crew: _Crew, pending: _Pending, worker: _Worker) -> None:
        """The connection ended in the middle of a call: how, its pod says."""
        if pending.done.done():
            return
        try:
            async with asyncio.timeout(_END_SECONDS):
                pod = await asyncio.shield(worker.ended)
            status = pod.get("status") or {}
        except TimeoutError:
            status = {
                "phase": "Failed",
                "reason": "WorkerLost",
                "message": "the worker of light steps was lost",
            }
        if pod_end({**pending.pod, "status": status}) is None:
            # Deleted while it ran, by whomever: as a pod that vanishes, it is run again.
            status = {"phase": "Failed", "reason": "Terminated", "message": "its worker was deleted"}
        metadata = pending.pod["metadata"]
        words = await self._pods.last_lines(worker.name, crew.namespace, 1)
        path = self._logs.path(metadata["namespace"], metadata["name"])
        moment = rfc3339(self._clock.now(), micro=True)
        await to_end(_rescue, path, moment, worker, _shells_word(status, words))
        if not pending.done.done():
            pending.done.set_result({**pending.pod, "status": status})

    async def _never_began(self, crew: _Crew, worker: _Worker, pod: Object) -> None:
        """An image or requirements that cannot be had: whoever waits longest is told, with the worker's words."""
        while crew.waiting:
            pending = crew.waiting.popleft()
            if pending.done.done():
                continue
            metadata = pending.pod["metadata"]
            lines = await self._pods.last_lines(worker.name, crew.namespace, _LOG_LINES)
            path = self._logs.path(metadata["namespace"], metadata["name"])
            moment = rfc3339(self._clock.now(), micro=True)
            await to_end(_write_log, path, moment, lines)
            status = pod.get("status") or {}
            if pod_end(pod) is None:
                status = {"phase": "Failed", "reason": "Terminated", "message": "its worker was deleted"}
            pending.done.set_result({**pending.pod, "status": status})
            return

    def _dismiss(self, worker: _Worker) -> None:
        self._retire(worker)
        if worker.connected.done() and not worker.connected.cancelled():
            # The end of its connection is its own.
            worker.connected.result()[1].transport.abort()
        elif (found := self._workers.get(worker.name)) is not None:
            namespace = found[0].namespace
            self._tasks.spawn(self._pods.delete(worker.name, namespace), name=f"removal/{worker.name}")

    def _retire(self, worker: _Worker) -> None:
        """It gets no further call."""
        worker.is_wanted = False
        if (found := self._workers.get(worker.name)) is not None:
            found[0].news.set()


def _take_back(pending: _Pending) -> None:
    """No worker shall be started for it."""
    if pending.worker is None and pending in pending.crew.waiting:
        pending.crew.waiting.remove(pending)


def _give_up(crew: _Crew, worker: _Worker, error: Exception) -> None:
    """Tells the call that the worker was at, or else whoever waits longest."""
    pending = worker.serves
    while (pending is None or pending.done.done()) and crew.waiting:
        pending = crew.waiting.popleft()
    if pending is not None and not pending.done.done():
        pending.done.set_exception(error)


@contextlib.asynccontextmanager
async def _listening(worker: _Worker) -> AsyncIterator[None]:
    """Its pipes, and its socket until it has connected."""

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if worker.connected.done():
            writer.close()
        else:
            worker.connected.set_result((reader, writer))

    worker.address.parent.mkdir(parents=True, exist_ok=True)
    worker.pipes = [_pipe(Path(f"{worker.address}.{name}")) for name in _STREAMS]
    # By way of an open folder, because a socket's path may have 107 bytes only.
    folder = os.open(worker.address.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        path = f"/proc/self/fd/{folder}/{worker.address.name}"
        server = await asyncio.start_unix_server(accept, path, limit=_MAX_ANSWER)
        try:
            yield
        finally:
            server.close()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(worker.address)
    finally:
        os.close(folder)


async def _answer(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    try:
        line = await reader.readline()
        return json.loads(line) if line.endswith(b"\n") else None
    except (ConnectionError, ValueError):
        return None


def _clear(worker: _Worker) -> None:
    """What it leaves in the run's folder."""
    for pipe in worker.pipes:
        os.close(pipe)
    for name in (*_STREAMS, *(f"{each}.held" for each in _STREAMS), "json"):
        Path(f"{worker.address}.{name}").unlink(missing_ok=True)


def _pipe(path: Path) -> int:
    """With the file beside it, for what the worker takes out of it."""
    path.unlink(missing_ok=True)
    held = Path(f"{path}.held")
    try:
        held.write_bytes(bytes(HELD_BYTES))
    except OSError:
        # A full disk: the worker does without.
        held.unlink(missing_ok=True)
    os.mkfifo(path, 0o600)
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


def _shells_word(status: Any, line: str) -> str:
    """What the shell around the worker said of its death, as it says of any step's; empty for other ends."""
    for container in status.get("containerStatuses") or ():
        code = ((container.get("state") or {}).get("terminated") or {}).get("exitCode") or 0
        if 128 < code < 128 + signal.NSIG:
            word = signal.strsignal(code - 128) or ""
            return line if word and line.startswith(word) else ""
    return ""


def _rescue(path: Path, moment: str, worker: _Worker, word: str) -> None:
    """Brings into the log of a call what its dead worker had put out and not written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        log_bytes = file.tell()
        for name, pipe in zip(_STREAMS, worker.pipes, strict=True):
            text = b""
            with contextlib.suppress(OSError):
                text = left(Path(f"{worker.address}.{name}.held").read_bytes(), log_bytes)
            with contextlib.suppress(BlockingIOError):
                while piece := os.read(pipe, 65536):
                    text += piece
            if name == "stderr" and word:
                text += word.encode() + b"\n"
            for line in text.splitlines():
                file.write(f"{moment} {name} F ".encode() + line + b"\n")


def _write_log(path: Path, moment: str, lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{moment} stdout F {line}\n" for line in lines.split("\n")), encoding="utf-8")
