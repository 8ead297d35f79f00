"""`sampan up`: locks the home, binds the port, starts the platform, serves until told to stop.

The port is bound before anything else starts: a port in use costs nothing, and a client that connects early waits
instead of failing.
"""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from starlette.types import ASGIApp

from sampan import __version__
from sampan.app import kubeconfig
from sampan.app.certificates import CertificateError, Certificates
from sampan.app.connections import Adopt
from sampan.app.home import Home, ServerInfo, write_private
from sampan.app.http import HttpServer
from sampan.app.intercepting import Interception
from sampan.app.listening import StartError, listen
from sampan.app.settings import Settings
from sampan.kube.errors import ApiError
from sampan.lib import log as logs
from sampan.lib.clock import SystemClock, rfc3339
from sampan.lib.log import get_logger
from sampan.store.artifacts.protocol import StoreUnusableError

__all__ = ["Ready", "StartError", "is_loopback", "serve"]

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ready:
    """What `sampan up` prints once everything runs."""

    url: str
    home: str
    kubeconfig: str
    seconds: float
    s3: str = ""
    """What runs keep artifacts below, where that is the embedded S3."""
    cluster: str = ""
    """The API server of the cluster that the platform works on, where it is not ours."""


def serve(settings: Settings, *, on_ready: Callable[[Ready], None], on_stopping: Callable[[], None]) -> None:
    """Runs the server until SIGINT or SIGTERM. Raises HomeError, AlreadyRunningError, StartError, StorageError."""
    started = time.monotonic()
    home = Home(settings.home)
    # Nearly all that is made until the server is ready stays, and most of it is code.
    gc.disable()
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
    except (CertificateError, StoreUnusableError) as error:
        raise StartError(str(error)) from error
    except ApiError as error:
        # The parts write objects while they start: a full disk refuses those.
        log.error("the server could not start", why=error.message)
        raise StartError(f"the server could not start: {error.message}") from error
    finally:
        gc.enable()
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

    secure = grpc = None
    if not settings.cluster.kubeconfig:
        secure = _bind_again(settings, "secure-port", 0)
        grpc = _bind_again(settings, "grpc-port", settings.server.grpc_port)
    platform = _platform(settings, url, home.token(), secure, grpc)
    http: list[HttpServer] = []
    try:
        app = await platform.start()
        http = [HttpServer(app, listener, interception=platform.interception, adopt=platform.adopt)]
        if secure is not None:
            pki = Certificates(settings.home / "pki")
            http.append(
                HttpServer(
                    app,
                    secure,
                    certificate=str(pki.server),
                    key=str(pki.server_key),
                    interception=platform.interception,
                )
            )
        for each in http:
            await each.start()
        own_kubeconfig = settings.home / "kubeconfig"
        if settings.cluster.kubeconfig:
            # One of an earlier embedded cluster would lead to where nobody answers.
            own_kubeconfig.unlink(missing_ok=True)
        else:
            kubeconfig.write(own_kubeconfig, url, home.token())
        home.publish(ServerInfo(os.getpid(), url, __version__, rfc3339(SystemClock().now())))
        seconds = _process_age() or time.monotonic() - started
        log.info("server ready", url=url, seconds=round(seconds, 3))
        # What was loaded stays; and a look at all the objects in the caches, a tenth of a second, comes seldom.
        gc.freeze()
        gc.set_threshold(20_000, 50, 100)
        gc.enable()
        on_ready(
            Ready(
                url=url,
                home=str(settings.home),
                kubeconfig=settings.cluster.kubeconfig or str(own_kubeconfig),
                seconds=seconds,
                s3="s3://<namespace>/artifacts" if settings.artifacts.embedded_s3 else "",
                cluster=settings.cluster.context or settings.cluster.kubeconfig,
            )
        )
        platform.ready.set()
        await stopping.wait()
        _hear_no_signals(loop)
        on_stopping()
    finally:
        _hear_no_signals(loop)
        platform.close_streams()
        await asyncio.gather(*(each.stop() for each in http))
        for beside in (secure, grpc):
            if beside is not None:
                beside.close()
        await platform.stop()
        log.info("server stopped")


def _hear_no_signals(loop: asyncio.AbstractEventLoop) -> None:
    """A second Ctrl-C ends the process at once: everything that counts is on disk."""
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.remove_signal_handler(number)


class _Platform(Protocol):
    """`platform.Platform`, or `remote.RemotePlatform` on a cluster that is not ours."""

    interception: Interception | None
    adopt: Adopt | None
    """Requests that are not the application's, after `start`."""
    ready: asyncio.Event
    """To be set when the server has said that it is ready."""

    async def start(self) -> ASGIApp: ...
    def close_streams(self) -> None: ...
    async def stop(self) -> None: ...


def _platform(
    settings: Settings, url: str, token: str, secure: socket.socket | None, grpc: socket.socket | None
) -> _Platform:
    """Only one of them is loaded: neither needs what the other is made of."""
    if settings.cluster.kubeconfig:
        from sampan.app.remote import RemotePlatform

        return RemotePlatform(settings, url=url, token=token)
    from sampan.app.platform import Platform

    port = secure.getsockname()[1] if secure else 0
    return Platform(settings, url=url, token=token, secure_port=port, grpc=grpc)


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


def _bind(host: str, port: int, setting: str = "--port") -> socket.socket:
    if not is_loopback(host):
        raise StartError(
            f"refusing to listen on {host}: there is no login yet, so anybody who reaches that address could run "
            "programs as you. Use 127.0.0.1, and an SSH tunnel from elsewhere (ssh -L 8080:127.0.0.1:8080 …)"
        )
    return listen(host, port, setting=setting)


def _bind_again(settings: Settings, name: str, port: int) -> socket.socket:
    """A port beside the one: that with TLS, which pods are told, and that of gRPC. Without a number of its own it is
    the same one again after a restart: pods that went on know no other."""
    file = settings.home / "run" / name
    if port:
        listener = _bind(settings.server.host, port, setting="server.grpc_port")
    else:
        try:
            listener = _bind(settings.server.host, int(file.read_text("utf-8")))
        except (OSError, ValueError, OverflowError, StartError):
            listener = _bind(settings.server.host, 0)
    write_private(file, str(listener.getsockname()[1]))
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
