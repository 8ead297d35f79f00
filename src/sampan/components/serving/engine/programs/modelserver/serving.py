"""One process that serves: its loop, listeners, models, and its end. Started by `program`, once in each process."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.components.serving.engine.programs.modelserver.application import Application
from sampan.components.serving.engine.programs.modelserver.arguments import Arguments
from sampan.components.serving.engine.programs.modelserver.control import Control
from sampan.components.serving.engine.programs.modelserver.errors import RequestError
from sampan.components.serving.engine.programs.modelserver.http.limits import Limits
from sampan.components.serving.engine.programs.modelserver.http.server import HttpServer
from sampan.components.serving.engine.programs.modelserver.repository import Repository
from sampan.components.serving.engine.programs.modelserver.request_log import RequestLog

_GRPC = "sampan.components.serving.engine.programs.modelserver.grpc_service"

Prepare = Callable[[], Repository]
"""Loads the models. Raises LoadError."""


def bind(host: str, port: int) -> socket.socket:
    """It does not listen yet: a connection that is accepted is to be served. Raises OSError."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.setblocking(False)
    return listener


@dataclass(frozen=True, slots=True)
class Above:
    """The process above this one, where there are several."""

    channel: int
    loaded: tuple[str, ...] = ()
    """Models that were loaded since the start, which a process that comes later has to load as well."""
    unloaded: tuple[str, ...] = ()


def run(
    arguments: Arguments,
    listeners: Sequence[socket.socket],
    repository: Repository,
    above: Above | None = None,
) -> None:
    """Until a signal ends it."""
    serve = _serve(arguments, listeners, repository, above)
    try:
        loops: Any = importlib.import_module("uvloop")
    except ImportError:
        asyncio.run(serve)
    else:
        with asyncio.Runner(loop_factory=loops.new_event_loop) as runner:
            runner.run(serve)


async def _serve(
    arguments: Arguments, listeners: Sequence[socket.socket], repository: Repository, above: Above | None
) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    control = Control(repository)
    application = Application(repository, control, RequestLog(is_on=arguments.logs_requests))
    limits = Limits(body_bytes=arguments.max_body_bytes, idle_seconds=arguments.timeout_keep_alive)
    server = HttpServer(application.handle, limits)
    if above is not None:
        await _catch_up(repository, above)
    if repository.extension is not None:
        await repository.extension.start()
    await server.start(*listeners, shared=above is not None)
    if above is not None:
        await control.connect(above.channel)
        control.say({"ready": os.getpid()})
    # What is loaded stays: no collection need look at it again.
    gc.collect()
    gc.freeze()
    places = " and ".join("{}:{}".format(*each.getsockname()[:2]) for each in listeners)
    print(
        f"serving {', '.join(repository.names()) or 'no models yet'} on {places}",
        file=sys.stderr,
        flush=True,
    )
    rpc = await _start_grpc(arguments, application, repository, control)
    await ended.wait()
    application.is_stopping = True
    endings: list[Any] = [server.stop(arguments.grace_seconds)]
    if rpc is not None:
        endings.append(rpc.stop(arguments.grace_seconds))
    with contextlib.suppress(Exception):
        await asyncio.gather(*endings)
    if repository.extension is not None:
        repository.extension.close()
    repository.close()


async def _catch_up(repository: Repository, above: Above) -> None:
    for name in above.unloaded:
        with contextlib.suppress(RequestError):
            await repository.unload(name)
    for name in above.loaded:
        with contextlib.suppress(RequestError):
            await repository.load(name)


async def _start_grpc(
    arguments: Arguments, application: Application, repository: Repository, control: Control
) -> Any:
    """None where it is not wanted, or not installed."""
    if not arguments.enable_grpc:
        return None
    try:
        module: Any = importlib.import_module(_GRPC)
    except ImportError as error:
        print(f"gRPC is not served: {error}", file=sys.stderr, flush=True)
        return None
    return await module.start(arguments, application, repository, control)
