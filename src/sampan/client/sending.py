"""Requests to one API server over kept connections: credentials, retries, time-outs, errors. Knows no objects.

`remote` builds requests and reads answers; only this module touches the HTTP library, and nothing of it leaks out:
every failure is an ApiError.
"""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field

import httpx
import msgspec

from sampan.client import retrying
from sampan.client.credentials import Credential, Credentials, impersonation
from sampan.client.kubeconfig import Connection, KubeconfigError
from sampan.client.retrying import Break
from sampan.kube.errors import ApiError, ServiceUnavailableError, from_status
from sampan.lib.log import get_logger

log = get_logger(__name__)

_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 60.0
_IDLE_CONNECTIONS = 20
_USER_AGENT = "sampan"
_KEEPALIVE = [
    # A peer that vanished without a word is noticed within a minute, on quiet watches too.
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
]


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    content_type: str = "application/json"
    accept: str = "application/json"

    @property
    def reads(self) -> bool:
        return self.method == "GET"


@dataclass(frozen=True, slots=True)
class Answer:
    """One that is not an error, unless any was asked for."""

    status: int
    content_type: str
    content: bytes


class Sender:
    """For one event loop; `close` it."""

    def __init__(self, connection: Connection) -> None:
        """Raises KubeconfigError for certificates or a proxy that cannot be used."""
        self._connection = connection
        self._credentials = Credentials(connection)
        self._certificate = b""
        self._http = self._client(Credential())

    async def close(self) -> None:
        await self._http.aclose()

    async def send(self, request: Request) -> bytes:
        """The body of an answer that is not an error. Raises ApiError."""
        return (await self.answer(request)).content

    async def answer(self, request: Request) -> Answer:
        """Raises ApiError."""
        attempt = 1
        while True:
            try:
                built = await self._built(request, _ANSWER_SECONDS)
                answer = await self._http.send(built)
            except httpx.TransportError as error:
                pause = retrying.after_break(_break(error), reads=request.reads, attempt=attempt)
                if pause is None:
                    raise self._unreachable(error) from error
            else:
                if answer.status_code < 400:
                    kind = answer.headers.get("content-type", "")
                    return Answer(answer.status_code, kind, answer.content)
                pause = self._pause(answer, attempt)
                if pause is None:
                    raise error_of(answer.status_code, answer.content)
            attempt += 1
            await asyncio.sleep(pause)

    async def exchange(self, request: Request, seconds: float) -> Answer:
        """Whatever is answered to one request, errors included. Raises ApiError without an answer."""
        built = await self._built(request, seconds)
        try:
            answer = await self._http.send(built)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        return Answer(answer.status_code, answer.headers.get("content-type", ""), answer.content)

    async def stream(self, request: Request, read_seconds: float | None) -> AsyncGenerator[bytes, None]:
        """The body as it comes. `read_seconds` of silence end it. Raises ApiError, later breaks included."""
        attempt = 1
        while True:
            try:
                built = await self._built(request, read_seconds)
                answer = await self._http.send(built, stream=True)
                try:
                    if answer.status_code < 400:
                        async for chunk in answer.aiter_bytes():
                            yield chunk
                        return
                    content = await answer.aread()
                finally:
                    await answer.aclose()
            except httpx.TransportError as error:
                raise self._unreachable(error) from error
            pause = self._pause(answer, attempt)
            if pause is None:
                raise error_of(answer.status_code, content)
            attempt += 1
            await asyncio.sleep(pause)

    async def introduction(self) -> tuple[dict[str, str], ssl.SSLContext | None]:
        """What lets in a connection that others open: its headers, and TLS where the server has it. Raises ApiError."""
        connection, credential = self._connection, await self._credentials.current()
        headers = {"user-agent": _USER_AGENT, **impersonation(connection)}
        if credential.token:
            headers["authorization"] = f"Bearer {credential.token}"
        elif connection.username:
            pair = f"{connection.username}:{connection.password}".encode()
            headers["authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        if not connection.server.startswith("https"):
            return headers, None
        return headers, connection.ssl_context(credential.certificate, credential.key)

    def _pause(self, answer: httpx.Response, attempt: int) -> float | None:
        if answer.status_code == 401 and attempt == 1 and self._credentials.can_renew:
            self._credentials.forget()
            return 0.0
        return retrying.after_answer(answer.status_code, answer.headers.get("retry-after", ""), attempt)

    async def _built(self, request: Request, read_seconds: float | None) -> httpx.Request:
        credential = await self._credentials.current()
        if credential.certificate != self._certificate:
            await self._http.aclose()
            self._http = self._client(credential)
        headers = {"accept": request.accept, **impersonation(self._connection)}
        if credential.token:
            headers["authorization"] = f"Bearer {credential.token}"
        if request.content is not None:
            headers["content-type"] = request.content_type
        built = self._http.build_request(
            request.method,
            request.path,
            params=dict(request.params),
            content=request.content,
            headers=headers,
            timeout=httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS, read=read_seconds),
        )
        if self._connection.tls_server_name:
            built.extensions["sni_hostname"] = self._connection.tls_server_name
        return built

    def _client(self, credential: Credential) -> httpx.AsyncClient:
        connection = self._connection
        self._certificate = credential.certificate
        # Loading certificates takes a tenth of a second: only where they are looked at.
        is_tls = connection.server.startswith("https")
        try:
            transport = httpx.AsyncHTTPTransport(
                verify=connection.ssl_context(credential.certificate, credential.key) if is_tls else False,
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=_IDLE_CONNECTIONS),
                proxy=connection.proxy_url or None,
                socket_options=_KEEPALIVE,
            )
        except (ValueError, ImportError) as error:
            raise KubeconfigError(f"proxy-url {connection.proxy_url!r} cannot be used: {error}") from error
        return httpx.AsyncClient(
            base_url=connection.server,
            transport=transport,
            auth=(connection.username, connection.password) if connection.username else None,
            headers={"user-agent": _USER_AGENT},
            # The API is where the kubeconfig says; a proxy of the environment is for the world outside.
            trust_env=False,
        )

    def _unreachable(self, error: Exception) -> ServiceUnavailableError:
        why = str(error) or type(error).__name__
        return ServiceUnavailableError(f"{self._connection.server} cannot be reached: {why}")


def error_of(code: int, content: bytes) -> ApiError:
    """What an answer that is an error means, be it a Status or what a proxy on the way wrote."""
    try:
        status = msgspec.json.decode(content)
    except msgspec.DecodeError:
        status = None
    if not isinstance(status, dict):
        status = {"message": content[:500].decode("utf-8", "replace").strip() or f"HTTP {code}"}
    return from_status(status, code=code)


def _break(error: httpx.TransportError) -> Break:
    before = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    return Break.BEFORE_SENDING if before else Break.LATER
