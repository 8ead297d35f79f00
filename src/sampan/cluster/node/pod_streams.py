"""Streams into the pods of this node: exec, attach and port-forward, as the kubelet's streaming server gives them.

Implements the API server's `PodStreams` seam. Source of the messages: pkg/kubelet/kubelet_pods.go and
pkg/kubelet/cri/streaming, v1.31.
"""

from __future__ import annotations

import asyncio
import contextlib
import json

from sampan.client.protocol import Object
from sampan.client.streams import AttachOptions, Duplex, ExecOptions, Execution
from sampan.cluster.network.addresses import lowest_port, real_port
from sampan.cluster.node.env import HOST_IP
from sampan.cluster.node.runtimes.protocol import (
    AttachSpec,
    ContainerRuntime,
    ExecFailedError,
    ExecSpec,
    RuntimeFailureError,
)
from sampan.kube import meta
from sampan.kube.errors import InternalError

_PIECE_BYTES = 64 * 1024
_CONNECT_SECONDS = 10.0
_CLOSE_SECONDS = 5.0


class PodStreams:
    def __init__(self, runtime: ContainerRuntime) -> None:
        self._runtime = runtime

    async def exec(self, pod: Object, options: ExecOptions) -> Execution:
        """What cannot be executed says so on stderr, and ends with 126 or 127. InternalError: not running."""
        spec = ExecSpec(options.command, options.stdin, options.stdout, options.stderr, options.tty)
        try:
            return await self._runtime.exec(self._running(pod, options.container), spec)
        except ExecFailedError as error:
            return _Failed(error, tty=options.tty)
        except RuntimeFailureError as error:
            raise InternalError(error.message) from error

    async def attach(self, pod: Object, options: AttachOptions) -> Execution:
        """Raises InternalError: not running."""
        spec = AttachSpec(options.stdin, options.stdout, options.stderr)
        try:
            return await self._runtime.attach(self._running(pod, options.container), spec)
        except RuntimeFailureError as error:
            raise InternalError(error.message) from error

    async def connect(self, pod: Object, port: int) -> Duplex:
        """Raises OSError, whose text names the address."""
        own = str(meta.status(pod).get("podIP") or HOST_IP)
        # A pod that shares the machine's address may listen on either loopback address; one with its own may not.
        addresses = (own, "::1") if own == HOST_IP else (own,)
        failures: list[str] = []
        for address in addresses:
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    real = real_port(address, port, lowest_port())
                    return _Connection(*await asyncio.open_connection(address, real, limit=_PIECE_BYTES))
            except TimeoutError:
                failures.append(f"dial tcp {address}:{port}: i/o timeout")
            except OSError as error:
                why = "connection refused" if isinstance(error, ConnectionRefusedError) else str(error)
                failures.append(f"dial tcp {address}:{port}: connect: {why}")
        raise OSError(f"failed to connect to localhost:{port} inside the pod: {failures[0]}")

    def _running(self, pod: Object, container: str) -> str:
        prefix = f"{meta.uid(pod)}/{container}/"
        found = [each for each in self._runtime.running() if each.startswith(prefix)]
        if not found:
            raise InternalError(f"container not found ({json.dumps(container)})")
        return max(found, key=lambda each: int(each.rpartition("/")[2]))


class _Failed:
    """Stands for a command that never ran. Implements client.streams.Execution."""

    def __init__(self, error: ExecFailedError, *, tty: bool) -> None:
        self._code = error.exit_code
        self._stream = "stdout" if tty else "stderr"
        end = "\r\n" if tty else "\n"
        self._text = f"error: {error.message}{end}".encode()

    async def write(self, data: bytes) -> None:
        return

    async def close_stdin(self) -> None:
        return

    async def read(self, stream: str) -> bytes:
        if stream != self._stream:
            return b""
        text, self._text = self._text, b""
        return text

    def resize(self, columns: int, rows: int) -> None:
        return

    async def wait(self) -> int:
        return self._code

    async def close(self) -> None:
        return


class _Connection:
    """Implements client.streams.Duplex."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        return await self._reader.read(_PIECE_BYTES)

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def end(self) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            self._writer.write_eof()

    async def close(self) -> None:
        self._writer.close()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            # What is left was written for somebody who does not read.
            self._writer.transport.abort()
