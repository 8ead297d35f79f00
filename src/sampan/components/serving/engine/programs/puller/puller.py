"""Follows the list of models, and brings each to what the list says: downloaded and loaded, or unloaded and removed.

Source: kserve/kserve v0.20.0 pkg/agent/watcher.go, pkg/agent/puller.go. Unlike there what counts is the newest list: a
model that changes three times while it is downloaded is loaded once more, not three times; and what fails is tried
again, later each time, until the list says something else.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sampan.components.serving.engine.programs.initializer.errors import StorageError
from sampan.components.serving.engine.programs.puller import folders, listed
from sampan.components.serving.engine.programs.puller.listed import Model

log = logging.getLogger("puller")

_LOOK_SECONDS = 0.5
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.5, 60.0
_LOAD_SECONDS = 600.0
_AT_ONCE = 2


class LoadError(Exception):
    """The server does not load or unload a model; the message is its own."""


@dataclass(slots=True)
class _Kept:
    """One model."""

    wanted: Model | None
    held: Model | None = None
    """What its folder has."""
    is_loaded: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Puller:
    """For one event loop."""

    def __init__(self, config: Path, models: Path, port: int, environ: Mapping[str, str]) -> None:
        """`port` is the model server's, on this pod."""
        self._config = config
        self._models = models
        self._port = port
        self._environ = environ
        self._kept: dict[str, _Kept] = {}
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._follow(), name="puller")

    async def close(self) -> None:
        tasks = [each.task for each in self._kept.values() if each.task is not None]
        for task in [*tasks, *([self._task] if self._task is not None else [])]:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _follow(self) -> None:
        for name, model in (await asyncio.to_thread(folders.present, self._models)).items():
            self._kept[name] = _Kept(None, held=model)
        is_first = True
        while True:
            found = await asyncio.to_thread(listed.read, self._config)
            if found is not None:
                self._follow_list(found, everything=is_first)
                is_first = False
            await asyncio.sleep(_LOOK_SECONDS)

    def _follow_list(self, found: Mapping[str, Model], *, everything: bool) -> None:
        for name in {*found, *self._kept}:
            kept = self._kept.setdefault(name, _Kept(None))
            if kept.wanted == found.get(name) and not everything:
                continue
            kept.wanted = found.get(name)
            kept.changed.set()
            if kept.task is None or kept.task.done():
                kept.task = asyncio.create_task(self._keep(name, kept), name=f"model {name}")

    async def _keep(self, name: str, kept: _Kept) -> None:
        """Until it is not wanted, and gone."""
        seconds = _FIRST_WAIT_SECONDS
        while True:
            kept.changed.clear()
            try:
                if kept.wanted is None:
                    await self._remove(name, kept)
                    if not kept.changed.is_set():
                        del self._kept[name]
                        return
                    continue
                await self._bring(name, kept, kept.wanted)
                seconds = _FIRST_WAIT_SECONDS
                await kept.changed.wait()
            except (StorageError, LoadError, OSError, http.client.HTTPException) as error:
                if isinstance(error, ConnectionRefusedError):
                    log.info("Model %s waits for the model server to start", name)
                else:
                    log.error("Model %s: %s", name, error)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await kept.changed.wait()
                        seconds = _FIRST_WAIT_SECONDS
                seconds = min(seconds * 2, _LONGEST_WAIT_SECONDS)

    async def _bring(self, name: str, kept: _Kept, wanted: Model) -> None:
        if kept.held != wanted:
            log.info("Downloading model %s", name)
            async with self._room:
                await asyncio.to_thread(folders.fetch, name, wanted, self._models, self._environ)
            kept.held, kept.is_loaded = wanted, False
        if not kept.is_loaded:
            await asyncio.to_thread(self._tell, name, "load")
            kept.is_loaded = True
            log.info("Successfully loaded model %s", name)

    async def _remove(self, name: str, kept: _Kept) -> None:
        if kept.is_loaded or kept.held is not None:
            log.info("Unloading model %s", name)
            # First the folder: what the server finds again when it starts is what is there.
            await asyncio.to_thread(folders.remove, name, self._models)
            # It may have found it already, also where it takes no word yet.
            kept.held, kept.is_loaded = None, True
            await asyncio.to_thread(self._tell, name, "unload")
            kept.is_loaded = False

    def _tell(self, name: str, what: str) -> None:
        """Raises LoadError, OSError, HTTPException."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_LOAD_SECONDS)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", f"/v2/repository/models/{name}/{what}", body=b"{}", headers=headers)
            answer = connection.getresponse()
            said = answer.read(1 << 14).decode("utf-8", "replace")
        finally:
            connection.close()
        if answer.status == 404 and what == "unload":
            return
        if answer.status != 200:
            raise LoadError(f"the server refuses to {what} it with {answer.status}: {said}")
