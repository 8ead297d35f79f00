"""Tabs without a browser: the page is fetched, the socket opened and read, as NiceGUI's script does it.

For the server's own cost. What a browser makes of it is measured with one (`dashboard.py`).
"""

from __future__ import annotations

import asyncio
import re
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from websockets.asyncio.client import ClientConnection, connect


class Tabs:
    """So many, at one address, reading whatever the server sends."""

    def __init__(self, url: str, path: str, count: int) -> None:
        self._url, self._path, self._count = url, path, count
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self.received = 0
        """Bytes, since the beginning."""

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._all())

    async def _all(self) -> None:
        tasks = [asyncio.create_task(self._one(number)) for number in range(self._count)]
        await self._stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, number: int) -> None:
        page = await asyncio.to_thread(self._fetch)
        found = re.search(r"'client_id': '([0-9a-f-]{36})'", page)
        assert found, "the page holds no id of its window"
        query = (
            f"?EIO=4&transport=websocket&client_id={found.group(1)}&next_message_id=0&implicit_handshake=true"
            f"&tab_id=tab{number}&document_id=document{number}"
        )
        address = self._url.replace("http", "ws") + "/ui/_nicegui_ws/socket.io/" + query
        async with connect(address, max_size=None, compression=None) as socket:
            await socket.recv()
            await socket.send("40")
            self._opened()
            await self._read(socket)

    async def _read(self, socket: ClientConnection) -> None:
        async for message in socket:
            self.received += len(message)
            if message == "2":
                await socket.send("3")

    def _fetch(self) -> str:
        with urllib.request.urlopen(self._url + self._path, timeout=60) as answer:
            page: bytes = answer.read()
        self.received += len(page)
        return page.decode()

    def _opened(self) -> None:
        self._count -= 1
        if self._count == 0:
            self._ready.set()

    @contextmanager
    def open(self) -> Iterator[Tabs]:
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        if not self._ready.wait(120):
            raise RuntimeError("the tabs did not open")
        yield self
        self._loop.call_soon_threadsafe(self._stop.set)
        thread.join(30)
