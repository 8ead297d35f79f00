"""A model server in a process of its own, as a pod runs it, and the plainest of clients."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sampan.testing.connections import free_port

MODULE = "sampan.components.serving.engine.programs.modelserver"
SOURCE = Path(__file__).parents[2]


@dataclass
class Served:
    process: subprocess.Popen[bytes]
    port: int
    grpc_port: int
    log: Path
    headers: dict[str, str] = field(default_factory=dict)
    """Of the last answer, by names in lower case."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        request = urllib.request.Request(self.url + path, body, headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                self.headers = {name.lower(): value for name, value in answer.headers.items()}
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                self.headers = {name.lower(): value for name, value in error.headers.items()}
                return error.code, error.read()

    def get(self, path: str) -> tuple[int, Any]:
        status, body = self.send("GET", path)
        return status, json.loads(body)

    def post(self, path: str, document: Any = None) -> tuple[int, Any]:
        status, body = self.send(
            "POST", path, json.dumps(document).encode(), {"content-type": "application/json"}
        )
        return status, json.loads(body)

    def raw(self, data: bytes, *, seconds: float = 5.0) -> bytes:
        """What a connection answers to these bytes, to its end or until it says no more."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            connection.sendall(data)
            answer = b""
            with contextlib.suppress(TimeoutError, ConnectionResetError):
                while piece := connection.recv(65536):
                    answer += piece
            return answer

    def end(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)


def start(
    folder: Path,
    words: Sequence[str],
    *,
    python: str = sys.executable,
    environ: dict[str, str] | None = None,
    module: str = MODULE,
    program: Sequence[str] = (),
) -> Served:
    """Ready, or AssertionError with what it said. `folder` keeps its log. `program` is another server's, called so."""
    log = folder / "server.log"
    grpc_port = free_port()
    own = ["--port=0"] if program else ["--http_port=0", f"--grpc_port={grpc_port}"]
    command = [python, "-m", module, *program, "--host=127.0.0.1", *own, *words]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            env={**os.environ, "PYTHONPATH": str(SOURCE), **(environ or {})},
            cwd=folder,
        )
    until = time.monotonic() + 200
    while time.monotonic() < until:
        said = log.read_text()
        found = re.search(r"serving .* on 127\.0\.0\.1:(\d+)", said)
        if found:
            return Served(process, int(found.group(1)), grpc_port, log)
        assert process.poll() is None, said
        time.sleep(0.01)
    process.kill()
    raise AssertionError(log.read_text())


@contextlib.contextmanager
def serving(folder: Path, *words: str, **more: Any) -> Iterator[Served]:
    served = start(folder, words, **more)
    try:
        yield served
    finally:
        served.end()
