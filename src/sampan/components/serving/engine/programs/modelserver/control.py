"""What concerns every process of the server: loading, unloading, counts. With one process, itself alone.

With several, a process asks the one above them (`workers`), which asks them all; each line of the channel between
them is a JSON object.
"""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import time
import traceback
from collections.abc import Mapping
from typing import Any

import orjson

from sampan.components.serving.engine.programs.modelserver.errors import RequestError, told
from sampan.components.serving.engine.programs.modelserver.repository import Repository
from sampan.components.serving.engine.programs.modelserver.statistics import merged

_ASK_SECONDS = 5.0
_SUMMED = ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds")
_STARTED = "process_start_time_seconds"
_LINE_BYTES = 16 * 1024 * 1024
_STARTED_AT = time.time()


class Control:
    """For one event loop."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._writer: asyncio.StreamWriter | None = None
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self._listening: asyncio.Task[None] | None = None

    async def everywhere(self, verb: str, name: str) -> None:
        """`load` or `unload`, in every process. Raises RequestError."""
        if self._writer is None:
            await self._here(verb, name)
            return
        # Its own words are the caller's; the others are told after.
        await self._here(verb, name)
        await self._ask({"do": verb, "name": name}, None)

    async def statistics(self) -> tuple[dict[str, Any], dict[str, float]]:
        """By model, and of the processes."""
        snapshots = [self._snapshot()]
        if self._writer is not None:
            others = await self._ask({"do": "snapshot"}, _ASK_SECONDS)
            snapshots += [each for each in others or () if each]
        names = dict.fromkeys(name for each in snapshots for name in each["models"])
        models = {
            name: merged([each["models"][name] for each in snapshots if name in each["models"]])
            for name in names
        }
        process = {key: sum(each["process"][key] for each in snapshots) for key in _SUMMED}
        process[_STARTED] = min(each["process"][_STARTED] for each in snapshots)
        return models, process

    async def connect(self, descriptor: int) -> None:
        """To the process above."""
        channel = socket.socket(fileno=descriptor)
        reader, self._writer = await asyncio.open_unix_connection(sock=channel, limit=_LINE_BYTES)
        self._listening = asyncio.create_task(self._listen(reader))

    def say(self, message: Mapping[str, Any]) -> None:
        if self._writer is not None:
            self._writer.write(orjson.dumps(message) + b"\n")

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            message = orjson.loads(line)
            if "answer" in message:
                future = self._answers.pop(message["number"], None)
                if future is not None and not future.done():
                    future.set_result(message["answer"])
            else:
                asyncio.create_task(self._obey(message))  # noqa: RUF006  (it answers by itself)

    async def _obey(self, message: Mapping[str, Any]) -> None:
        answer: Any = True
        try:
            if message["do"] == "snapshot":
                answer = self._snapshot()
            else:
                await self._here(message["do"], message["name"])
        except RequestError as problem:
            answer = {"status": problem.status, "message": problem.message}
        except Exception as problem:
            # Such as of a model that cannot be closed. Who asked waits for all.
            traceback.print_exception(problem)
            answer = {"status": 500, "message": told(problem)}
        self.say({"answer": answer, "number": message["number"]})

    async def _here(self, verb: str, name: str) -> None:
        if verb == "load":
            await self._repository.load(name)
        else:
            await self._repository.unload(name)

    async def _ask(self, message: dict[str, Any], seconds: float | None) -> Any:
        self._number += 1
        future = asyncio.get_running_loop().create_future()
        self._answers[self._number] = future
        self.say({**message, "number": self._number})
        try:
            return await asyncio.wait_for(future, seconds)
        except TimeoutError:
            return None
        finally:
            self._answers.pop(self._number, None)

    def _snapshot(self) -> dict[str, Any]:
        return {
            "models": {each.name: each.statistics.snapshot() for each in self._repository.models()},
            "process": _process(),
        }


def _process() -> dict[str, float]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    try:
        with open("/proc/self/statm") as file:
            resident = int(file.read().split()[1]) * resource.getpagesize()
        descriptors = len(os.listdir("/proc/self/fd"))
    except OSError:
        resident = descriptors = 0
    return {
        "process_cpu_seconds_total": used.ru_utime + used.ru_stime,
        "process_resident_memory_bytes": resident,
        "process_open_fds": descriptors,
        _STARTED: _STARTED_AT,
    }
