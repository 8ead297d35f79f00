"""`sampan up`: locks the home, binds the port, starts the platform, serves until told to stop.

The port is bound before anything else starts: a port in use costs nothing, and a client that connects early waits
instead of failing.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from sampan import __version__
from sampan.app import kubeconfig
from sampan.app.connections import BoundedProtocol
from sampan.app.home import Home, ServerInfo
from sampan.app.platform import Platform
from sampan.app.settings import Settings
from sampan.kube.errors import ApiError
from sampan.lib import log as logs
from sampan.lib.clock import SystemClock, rfc3339
from sampan.lib.log import get_logger

log = get_logger(__name__)


class StartError(Exception):
    """The server cannot start. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What `sampan up` prints once everything runs."""

    url: str
    home: str
    kubeconfig: str
    seconds: float


def serve(settings: Settings, *, on_ready: Callable[[Ready], None], on_stopping: Callable[[], None]) -> None:
    """Runs the server until SIGINT or SIGTERM. Raises HomeError, AlreadyRunningError, StartError, StorageError."""
    started = time.monotonic()
    home = Home(settings.home)
    try:
        logs.configure(settings.server.log_level, settings.home / "logs" / "server.log")
        with _bind(settings.server.host, settings.server.port) as listener:
            _loop_runner()(_serve(settings, home, listener, started, on_ready, on_stopping))
    except OSError as error:
        # Of a file in the home: those of the port are told apart where it is bound.
        log.error("the server ended on an error of the machine", exc=error)
        raise StartError(
            f"{error.filename or settings.home}: {error.strerror or error}; see that the home folder is writable "
            "and its disk not full, or choose another with --home"
        ) from error
    except ApiError as error:
        # The parts write objects while they start: a full disk refuses those.
        log.error("the server could not start", why=error.message)
        raise StartError(f"the server could not start: {error.message}") from error
    finally:
        home.release()


async def _serve(
    settings: Settings,
    home: Home,
    listener: socket.socket,
    started: float,
    on_ready: Callable[[Ready], None],
    on_stopping: Callable[[], None],
) -> None:
    url = f"http://{_shown(settings.server.host)}:{listener.getsockname()[1]}"
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)

    platform = Platform(settings, url=url, token=home.token())
    http: _Http | None = None
    try:
        app = await platform.start()
        http = _Http(app, listener)
        await http.start()
        kubeconfig.write(settings.home / "kubeconfig", url, home.token())
        home.publish(ServerInfo(os.getpid(), url, __version__, rfc3339(SystemClock().now())))
        seconds = _process_age() or time.monotonic() - started
        log.info("server ready", url=url, seconds=round(seconds, 3))
        on_ready(
            Ready(
                url=url,
                home=str(settings.home),
                kubeconfig=str(settings.home / "kubeconfig"),
                seconds=seconds,
            )
        )
        await stopping.wait()
        on_stopping()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            # A second Ctrl-C ends the process at once: everything that counts is on disk.
            loop.remove_signal_handler(number)
        platform.close_streams()
        if http is not None:
            await http.stop()
        await platform.stop()
        log.info("server stopped")


class _Http:
    """uvicorn in our event loop, without its signal handlers."""

    def __init__(self, app: object, listener: socket.socket) -> None:
        config = uvicorn.Config(
            app,  # type: ignore[arg-type]
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            date_header=False,
            # Forwarded headers count from a trusted proxy only, and none is configured.
            proxy_headers=False,
            timeout_graceful_shutdown=2,
            timeout_keep_alive=75,
            http=BoundedProtocol,
            # WebSockets are taken over from HTTP (`connections`), by whoever serves them.
            ws="none",
        )
        self._listener = listener
        self._server = _QuietServer(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listener]), name="http")
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise StartError(
                    "the HTTP server ended while starting; see logs/server.log in the home folder"
                )
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        self._server.should_exit = True
        if self._task is not None:
            await self._task


class _QuietServer(uvicorn.Server):
    def capture_signals(self) -> object:  # type: ignore[override]
        return contextlib.nullcontext()


def _process_age() -> float:
    """Seconds since the command was typed, which is what the user waited; 0 where the system does not tell."""
    try:
        fields = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    # Field 22 of proc(5): the start after boot, in clock ticks.
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bind(host: str, port: int) -> socket.socket:
    if not is_loopback(host):
        raise StartError(
            f"refusing to listen on {host}: there is no login yet, so anybody who reaches that address could run "
            "programs as you. Use 127.0.0.1, and an SSH tunnel from elsewhere (ssh -L 8080:127.0.0.1:8080 …)"
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio switches Nagle's delay off: it would cost every request 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if isinstance(error, PermissionError):
            why = "only root may use ports below 1024"
        elif error.errno == errno.EADDRINUSE:
            why = "another program uses it"
        else:
            why = error.strerror or str(error)
        raise StartError(
            f"cannot listen on {host}:{port}: {why}; choose another with --port, or 0 for any free one"
        ) from error
    listener.setblocking(False)
    return listener


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _loop_runner() -> Callable[..., None]:
    """uvloop where it exists: it halves the cost of a request."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run
