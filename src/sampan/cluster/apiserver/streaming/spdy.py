"""Exec and attach over SPDY: a stream each for errors, stdin, stdout, stderr and the size of the terminal.

Source: kubelet/pkg/cri/streaming/remotecommand/httpstream.go, v1.31.
"""

from __future__ import annotations

import asyncio
from typing import Any

from sampan.client.streams import AttachOptions, ExecOptions, Execution
from sampan.client.streams import Stream as Output
from sampan.cluster.apiserver.streaming.remotecommand import encoded_status, size_of
from sampan.web.spdy.session import Session, Stream

PROTOCOLS = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")
V4, V3 = PROTOCOLS[:2]
CREATION_SECONDS = 30.0
_SIZE_BYTES = 1024


def expected(options: ExecOptions | AttachOptions, protocol: str) -> set[str]:
    """The streams that the client has to open."""
    wanted = {"error": True, "stdin": options.stdin, "stdout": options.stdout, "stderr": options.stderr}
    # Since version 3 a terminal can be resized.
    wanted["resize"] = options.tty and protocol in (V4, V3)
    return {name for name, is_wanted in wanted.items() if is_wanted}


class SpdyStreams:
    """Implements remotecommand.ClientStreams."""

    def __init__(self, session: Session, protocol: str, running: asyncio.Task[None]) -> None:
        self._session = session
        self._protocol = protocol
        self._running = running
        self._streams: dict[str, Stream] = {}

    async def open(self, names: set[str]) -> bool:
        """Waits for the streams `names`; False when they do not come. Raises OSError."""
        try:
            async with asyncio.timeout(CREATION_SECONDS):
                while not names <= self._streams.keys():
                    stream = await self._session.accept()
                    if stream is None:
                        return False
                    name = stream.headers.get("streamtype", "")
                    if name not in names or name in self._streams:
                        await stream.reset()
                        continue
                    self._streams[name] = stream
                    await self._session.reply(stream)
        except TimeoutError:
            return False
        return True

    async def pump(self, execution: Execution) -> None:
        async with asyncio.TaskGroup() as group:
            stdin = group.create_task(self._stdin(execution))
            resize = group.create_task(self._resize(execution))
            others = group.create_task(self._refuse())
            await asyncio.wait({self._running})
            for task in (stdin, resize, others):
                task.cancel()

    async def write(self, stream: Output, data: bytes) -> None:
        await self._streams[stream].write(data)

    async def finish(self, status: dict[str, Any]) -> None:
        for name in ("stdout", "stderr"):
            if name in self._streams:
                await self._streams[name].end()
        error = self._streams["error"]
        if text := encoded_status(status, as_json=self._protocol == V4):
            await error.write(text)
        await error.end()
        await self._session.close()

    async def _stdin(self, execution: Execution) -> None:
        if (stream := self._streams.get("stdin")) is None:
            return
        while data := await stream.read():
            await execution.write(data)
        await execution.close_stdin()

    async def _resize(self, execution: Execution) -> None:
        if (stream := self._streams.get("resize")) is None:
            return
        text = b""
        while data := await stream.read():
            # One object after the other, with or without blanks between.
            *sizes, text = (text + data).split(b"}")
            text = text[-_SIZE_BYTES:]
            for each in sizes:
                if (size := size_of(each + b"}")) is not None:
                    execution.resize(*size)

    async def _refuse(self) -> None:
        while (stream := await self._session.accept()) is not None:
            await stream.reset()
