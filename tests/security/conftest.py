"""One server for all attacks: each finds it alive after those before it. It is watched while it runs (`watched_up`)."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sampan.testing.pipelines import Component, pipeline, shell, task
from sampan.testing.server import ServerProcess

CANARY = "canary-of-the-environment-8f2e"


@dataclass(frozen=True)
class Target:
    """A running server, and ways to be unkind to it."""

    server: ServerProcess

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.server.url.removeprefix("http://").partition(":")
        return host, int(port)

    def send(self, data: bytes, seconds: float = 60.0) -> bytes:
        """Bytes on a connection of their own; what comes back until the server closes it."""
        received = b""
        with socket.create_connection(self.address, timeout=seconds) as connection:
            try:
                connection.sendall(data)
                while chunk := connection.recv(65536):
                    received += chunk
            except ConnectionError:  # closed while we were still sending
                pass
        return received

    def ask(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body; underscores in the names of `headers` are hyphens."""
        given = {
            "host": "{}:{}".format(*self.address),
            "connection": "close",
            "content-length": str(len(body)),
        }
        given |= {name.replace("_", "-").lower(): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        received = self.send(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body)
        head, _, rest = received.partition(b"\r\n\r\n")
        first, *others = head.decode("latin-1").split("\r\n")
        return int(first.split()[1]), dict(line.split(": ", 1) for line in others), rest

    def run_step(self, script: str, *arguments: str, **container: Any) -> tuple[str, str]:
        """A step's state and what it printed."""
        step = Component("step", {**shell(script, *arguments), **container})
        run_id = self.server.submit(pipeline("probe", {"step": task("step")}, step))
        state = self.server.wait_run(run_id, timeout=200)["state"]
        pod = self.server.tasks(run_id)[-1]["pods"][-1]["name"]
        return state, self.server.text(f"/api/v1/namespaces/default/pods/{pod}/log")

    def is_alive(self) -> bool:
        assert self.server.process is not None
        return self.server.process.poll() is None and self.server.text("/healthz") == "ok"


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("target")
    server = ServerProcess(
        folder / "home",
        command=(sys.executable, str(Path(__file__).with_name("watched_up.py")), "up"),
        environ={
            "SAMPAN_TEST_CANARY": CANARY,
            "DATABASE_PASSWORD": CANARY,
            "WATCHED": str(folder / "unpickled"),
        },
    )
    with server:
        yield Target(server)


@pytest.fixture(scope="session")
def unpickled(target: Target) -> Path:
    """What the server's process looked up while unpickling; the file is missing if it never did."""
    return target.server.home.with_name("unpickled")


@pytest.fixture(scope="session")
def canary() -> str:
    """What the server's environment holds, and nobody else's may."""
    return CANARY
