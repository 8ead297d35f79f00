"""Clients that ask an endpoint without pause, and what became of each request."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Outcome:
    began: float
    ended: float
    status: int
    """0 where the connection broke."""
    body: bytes

    @property
    def answer(self) -> Any:
        return json.loads(self.body)


@dataclass
class Load:
    """A context: `connections` clients in a thread of their own, each on a connection that is kept."""

    url: str
    host: str
    connections: int = 8
    path: str = "/v1/models/x:predict"
    body: bytes = b'{"instances": [[1, 2, 3, 4]]}'
    pause: float = 0.0
    outcomes: list[Outcome] = field(default_factory=list)
    _is_over: bool = False

    def __enter__(self) -> Load:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._is_over = True
        self._thread.join(60)
        assert not self._thread.is_alive(), "a request never ended"

    @property
    def statuses(self) -> Counter[int]:
        return Counter(each.status for each in list(self.outcomes))

    def until(self, count: int, timeout: float = 60) -> None:
        """So many more have ended."""
        wanted, deadline = len(self.outcomes) + count, time.monotonic() + timeout
        while len(self.outcomes) < wanted:
            assert time.monotonic() < deadline, f"{self.statuses} after {timeout} s"
            time.sleep(0.02)

    async def _run(self) -> None:
        await asyncio.gather(*(self._client() for _ in range(self.connections)))

    async def _client(self) -> None:
        where = urlsplit(self.url)
        head = f"POST {self.path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Length: {len(self.body)}\r\n\r\n"
        data = head.encode() + self.body
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while not self._is_over:
            began = time.monotonic()
            try:
                if connection is None:
                    connection = await asyncio.open_connection(where.hostname, where.port)
                status, body, keep = await asyncio.wait_for(_ask(*connection, data), 60)
            except (OSError, EOFError):
                status, body, keep = 0, b"", False
            self.outcomes.append(Outcome(began, time.monotonic(), status, body))
            if not keep and connection is not None:
                connection[1].close()
                connection = None
            if self.pause or not status:
                await asyncio.sleep(self.pause or 0.02)
        if connection is not None:
            connection[1].close()


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes
) -> tuple[int, bytes, bool]:
    writer.write(data)
    lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
    headers = dict(line.split(b": ", 1) for line in lines[1:] if line)
    body = await reader.readexactly(int(headers[b"content-length"]))
    return int(lines[0].split()[1]), body, headers.get(b"connection") != b"close"
