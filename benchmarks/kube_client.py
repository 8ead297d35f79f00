"""As little client as a figure of a Kubernetes API needs: one connection, one request at a time, no retries."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any, Self
from urllib.parse import urlsplit

from sampan.client.kubeconfig import Connection


class HttpError(Exception):
    """An answer that is not 2xx."""


class KubeClient:
    """One keep-alive connection. `connect` first."""

    def __init__(self, connection: Connection) -> None:
        where = urlsplit(connection.server)
        self._host, self._port = where.hostname or "127.0.0.1", where.port or 443
        self._tls: ssl.SSLContext | None = connection.ssl_context() if where.scheme == "https" else None
        self._head = f"Host: {where.netloc}\r\nAccept: application/json\r\n"
        if connection.token:
            self._head += f"Authorization: Bearer {connection.token}\r\n"

    async def connect(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(
            self._host, self._port, ssl=self._tls, limit=2**20
        )
        return self

    def close(self) -> None:
        self._writer.close()

    async def call(
        self, method: str, path: str, body: Any = None, media_type: str = "application/json"
    ) -> bytes:
        """The body of the answer. Raises HttpError."""
        status, chunks = await self._exchange(method, path, body, media_type)
        content = b"".join([chunk async for chunk in chunks])
        if status >= 300:
            raise HttpError(f"{method} {path}: {status} {content[:300].decode(errors='replace')}")
        return content

    async def watch(self, path: str) -> AsyncIterator[dict[str, Any]]:
        """Events, for ever."""
        status, chunks = await self._exchange("GET", path, None, "")
        if status != 200:
            raise HttpError(f"GET {path}: {status}")
        pending = b""
        async for chunk in chunks:
            pending += chunk
            *lines, pending = pending.split(b"\n")
            for line in lines:
                if line.strip():
                    yield json.loads(line)

    async def _exchange(
        self, method: str, path: str, body: Any, media_type: str
    ) -> tuple[int, AsyncIterator[bytes]]:
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\n{self._head}"
        if data:
            head += f"Content-Type: {media_type}\r\nContent-Length: {len(data)}\r\n"
        self._writer.write(head.encode() + b"\r\n" + data)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
        return int(lines[0].split(" ", 2)[1]), self._body(headers)

    async def _body(self, headers: dict[str, str]) -> AsyncIterator[bytes]:
        if headers.get("transfer-encoding") != "chunked":
            length = int(headers.get("content-length", "0"))
            if length:
                yield await self._reader.readexactly(length)
            return
        while size := int(await self._reader.readline(), 16):
            chunk = await self._reader.readexactly(size + 2)
            yield chunk[:-2]
        await self._reader.readline()
