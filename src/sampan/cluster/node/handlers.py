"""The ways in which the node asks a container something: httpGet, tcpSocket, grpc and exec.

Called by `probing` and `hooks`. An attempt that the container answers badly is an Answer; HandlerError is for a
handler that cannot be carried out at all. Source: kubernetes/pkg/probe (http, tcp, exec, grpc) and
pkg/kubelet/lifecycle/handlers.go, v1.31.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

from sampan.cluster.node import grpc_health
from sampan.cluster.node.probes import Answer, Outcome

USER_AGENT = "kube-probe/1.31"
_MAX_REDIRECTS = 10
_MAX_BODY = 10 * 1024
_REDIRECTS = (301, 302, 303, 307, 308)


class HandlerError(Exception):
    """The handler itself is at fault: a port that no name means, a command that cannot be executed."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Executor(Protocol):
    """Runs a command inside a container: exit code, and its output as far as it is worth telling."""

    async def __call__(self, container: str, argv: Sequence[str], seconds: float) -> tuple[int, bytes]:
        """Raises HandlerError; TimeoutError after `seconds`, when the command has been ended."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """The container that is asked."""

    id: str
    spec: Mapping[str, Any]
    ip: str


async def ask(handler: Mapping[str, Any], target: Target, seconds: float, execute: Executor) -> Answer:
    """Carries out the one handler that is given. Raises HandlerError."""
    if (command := handler.get("exec")) is not None:
        return await _exec([str(each) for each in command.get("command") or ()], target, seconds, execute)
    if (http := handler.get("httpGet")) is not None:
        return await _http(_url(http, target), _headers(http), seconds)
    if (tcp := handler.get("tcpSocket")) is not None:
        return await _tcp(str(tcp.get("host") or target.ip), port(tcp.get("port"), target.spec), seconds)
    if (grpc := handler.get("grpc")) is not None:
        service = str(grpc.get("service") or "")
        return await grpc_health.check(target.ip, port(grpc.get("port"), target.spec), service, seconds)
    raise HandlerError("missing probe handler")


def port(value: Any, container: Mapping[str, Any]) -> int:
    """A port by number, or by the name that the container gives it. Raises HandlerError."""
    number = 0
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str):
        named = [each for each in container.get("ports") or () if each.get("name") == value]
        if named:
            number = int(named[0].get("containerPort") or 0)
        elif value.isdigit():
            number = int(value)
        else:
            raise HandlerError(f"port {value} not found")
    if not 0 < number < 65536:
        raise HandlerError(f"invalid port number: {value}")
    return number


async def _exec(argv: Sequence[str], target: Target, seconds: float, execute: Executor) -> Answer:
    try:
        code, output = await execute(target.id, argv, seconds)
    except TimeoutError:
        return Answer(Outcome.FAILURE, f"command {_quoted(' '.join(argv))} timed out after {_go(seconds)}")
    text = output[:_MAX_BODY].decode(errors="replace")
    return Answer(Outcome.SUCCESS if code == 0 else Outcome.FAILURE, text)


async def _tcp(host: str, number: int, seconds: float) -> Answer:
    where = _address(host, number)
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(host, number)
    except TimeoutError:
        return Answer(Outcome.FAILURE, f"dial tcp {where}: i/o timeout")
    except OSError as error:
        return Answer(Outcome.FAILURE, f"dial tcp {where}: {_connect_error(error)}")
    writer.close()
    return Answer(Outcome.SUCCESS)


# HTTP. A client of its own: a probe wants the status line, a few headers and no pool of connections.


def _url(http: Mapping[str, Any], target: Target) -> str:
    scheme = str(http.get("scheme") or "HTTP").lower()
    host = str(http.get("host") or target.ip)
    path = str(http.get("path") or "/")
    where = _address(host, port(http.get("port"), target.spec))
    return f"{scheme}://{where}{path if path.startswith('/') else '/' + path}"


def _headers(http: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = [(str(each.get("name")), str(each.get("value") or "")) for each in http.get("httpHeaders") or ()]
    given = {name.lower() for name, _ in found}
    if "user-agent" not in given:
        found.append(("User-Agent", USER_AGENT))
    if "accept" not in given:
        found.append(("Accept", "*/*"))
    # An empty value is how a header that has a default is left out.
    return [(name, value) for name, value in found if value or name.lower() not in ("user-agent", "accept")]


async def _http(url: str, headers: Sequence[tuple[str, str]], seconds: float) -> Answer:
    try:
        async with asyncio.timeout(seconds):
            return await _follow(url, headers)
    except TimeoutError:
        why = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        return Answer(Outcome.FAILURE, f'Get "{url}": {why}')
    except (OSError, EOFError, ValueError) as error:
        return Answer(Outcome.FAILURE, f'Get "{url}": {_http_error(error, url)}')


async def _follow(url: str, headers: Sequence[tuple[str, str]]) -> Answer:
    """Redirects are followed on the same host; one that leads elsewhere counts as an answer, with a warning."""
    first = urlsplit(url).hostname
    for _ in range(_MAX_REDIRECTS + 1):
        status, location, body = await _get(url, headers)
        target = urljoin(url, location) if status in _REDIRECTS and location else ""
        if target and urlsplit(target).hostname == first:
            url = target
            continue
        if not 200 <= status < 400:
            text = f"HTTP probe failed with statuscode: {status}"
            return Answer(Outcome.FAILURE, text, status)
        if status >= 300:
            text = body.decode(errors="replace")
            return Answer(Outcome.WARNING, f"Probe terminated redirects, Response body: {text}")
        return Answer(Outcome.SUCCESS, body.decode(errors="replace"))
    return Answer(Outcome.FAILURE, f'Get "{url}": stopped after {_MAX_REDIRECTS} redirects')


async def _get(url: str, headers: Sequence[tuple[str, str]]) -> tuple[int, str, bytes]:
    """Status, Location and the beginning of the body. Raises OSError, EOFError, ValueError."""
    parts = urlsplit(url)
    tls = _unverified() if parts.scheme == "https" else None
    number = parts.port or (443 if tls else 80)
    reader, writer = await asyncio.open_connection(
        parts.hostname, number, ssl=tls, server_hostname=(parts.hostname or "") if tls else None
    )
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        own = {name.lower(): value for name, value in headers}
        lines = [f"GET {target} HTTP/1.1", f"Host: {own.get('host') or parts.netloc}"]
        lines += [f"{name}: {value}" for name, value in headers if name.lower() not in ("host", "connection")]
        request = "\r\n".join([*lines, "Connection: close", "", ""])
        if any(char in request.replace("\r\n", "") for char in "\r\n"):
            raise ValueError("invalid header field value")
        writer.write(request.encode())
        status, location = await _head(reader)
        while 100 <= status < 200:
            status, location = await _head(reader)
        # The body is told in a warning only; whoever serves without an end is not waited for.
        body = await reader.read(_MAX_BODY) if 300 <= status < 400 else b""
        return status, location, body
    finally:
        writer.close()


async def _head(reader: asyncio.StreamReader) -> tuple[int, str]:
    line = await reader.readline()
    if not line:
        raise EOFError
    version, _, rest = line.decode("latin-1").partition(" ")
    if not version.startswith("HTTP/") or not rest[:3].isdigit():
        raise ValueError(f"malformed HTTP response {_quoted(line.decode('latin-1').rstrip())}")
    location = ""
    while (field := await reader.readline()).strip():
        name, _, value = field.decode("latin-1").partition(":")
        if name.lower() == "location":
            location = value.strip()
    return int(rest[:3]), location


def _unverified() -> ssl.SSLContext:
    """A probe asks whether a server lives, not who it is: as upstream, no certificate is checked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _http_error(error: Exception, url: str) -> str:
    if isinstance(error, EOFError):
        return "EOF"
    if isinstance(error, ConnectionRefusedError):
        parts = urlsplit(url)
        where = _address(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        return f"dial tcp {where}: connect: connection refused"
    if isinstance(error, ssl.SSLError):
        return f"tls: {error.reason or error}"
    return str(error) or type(error).__name__


def _connect_error(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connect: connection refused"
    return os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error)


def _address(host: str, number: int) -> str:
    return f"[{host}]:{number}" if ":" in host and not host.startswith("[") else f"{host}:{number}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _go(seconds: float) -> str:
    return f"{int(seconds)}s" if seconds == int(seconds) else f"{seconds}s"
