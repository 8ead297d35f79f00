"""A repository whose models have versions, with TensorFlow Serving's API. Called by `program`, by name.

Source: tensorflow/serving 2.19 model_servers/server.cc (BuildAndStart, PollFilesystemAndReloadConfig).
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
import time
import traceback
from collections.abc import Sequence
from typing import Any

from sampan.components.serving.engine.programs.modelserver import loaders
from sampan.components.serving.engine.programs.modelserver.arguments import Arguments
from sampan.components.serving.engine.programs.modelserver.contract import LoadError
from sampan.components.serving.engine.programs.modelserver.errors import RequestError
from sampan.components.serving.engine.programs.modelserver.extension import Metrics
from sampan.components.serving.engine.programs.modelserver.http.messages import Reply, Request
from sampan.components.serving.engine.programs.modelserver.repository import Repository
from sampan.components.serving.engine.programs.modelserver.tfserving import configuration
from sampan.components.serving.engine.programs.modelserver.tfserving.configuration import Model, Settings
from sampan.components.serving.engine.programs.modelserver.tfserving.rest import Rest
from sampan.components.serving.engine.programs.modelserver.tfserving.stores import brought
from sampan.components.serving.engine.programs.modelserver.tfserving.versions import Versions

_RPC = "sampan.components.serving.engine.programs.modelserver.tfserving.rpc"
_PATH = "/v1/"
_NO_POLLING = 3600.0


def repository(given: Arguments) -> Repository:
    """With the models loaded. Raises LoadError."""
    settings = configuration.settings_of(given.options)
    try:
        if settings.config_file:
            models = configuration.from_file(settings.config_file)
        else:
            models = (Model(given.model_name, brought(given.model_dir)),)
    except RequestError as error:
        raise LoadError(error.message) from None
    made = Repository(None)
    loader = loaders.runtime(given.runtime)
    versions = Versions(loader, {**os.environ, **given.options}, settings, made)
    versions.load_first(models)
    made.extension = TensorFlowServing(versions, settings)
    return made


class TensorFlowServing:
    """An Extension. For one event loop."""

    def __init__(self, versions: Versions, settings: Settings) -> None:
        self._versions = versions
        self._settings = settings
        self._rest = Rest(versions)
        self._watching: asyncio.Task[None] | None = None
        self._metrics: Metrics | None = None

    def bind(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def start(self) -> None:
        self._watching = asyncio.create_task(self._watch())

    def route(self, request: Request, reply: Reply) -> bool:
        if request.path[:4].lower() == _PATH:
            self._rest.route(request, reply)
            return True
        if request.path == self._settings.metrics_path and self._metrics is not None:
            self._metrics(reply)
            return True
        return False

    def services(self) -> Sequence[Any]:
        module: Any = importlib.import_module(_RPC)
        found: Sequence[Any] = module.Rpc(self._versions, as_content=self._settings.as_content).services()
        return found

    def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
        self._versions.close()

    async def _watch(self) -> None:
        """Folders, and the configuration's file where that is wanted: until the end."""
        folders = self._settings.poll_seconds if self._settings.poll_seconds > 0 else _NO_POLLING
        file = self._settings.config_poll_seconds if self._settings.config_file else 0
        polls = self._settings.poll_seconds > 0
        last, seen = time.monotonic(), _content(self._settings.config_file)
        while True:
            await asyncio.sleep(min(folders, file or folders))
            try:
                if polls:
                    await self._versions.look()
                if file and time.monotonic() >= last + file:
                    last = time.monotonic()
                    text = await asyncio.to_thread(_content, self._settings.config_file)
                    if text not in (None, seen):
                        seen = text
                        await self._versions.apply(configuration.from_file(self._settings.config_file))
            except (RequestError, LoadError) as error:
                print(f"the models stay as they are: {error}", file=sys.stderr, flush=True)
            except Exception:
                # Whatever it is, it is looked again.
                traceback.print_exc()


def _content(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None
