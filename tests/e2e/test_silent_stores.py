"""The server's end while a step's input is fetched from who says nothing, or does not come to an end."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from sampan.testing.pipelines import Component, artifact, pipeline, shell, task
from sampan.testing.server import ServerProcess

HEAD = b'HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\nETag: "1"\r\n\r\n'


class Store:
    """Takes connections, and says nothing; or sends a file of a terabyte, a little now and then."""

    def __init__(self, *, sends: bool) -> None:
        self._sends = sends
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._kept: list[socket.socket] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._serve)]
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.asked = threading.Event()
        self._threads[0].start()

    def _serve(self) -> None:
        # An error once the listener is shut down.
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._kept.append(connection)
                self._threads.append(threading.Thread(target=self._answer, args=(connection,)))
                self._threads[-1].start()

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.recv(65536)
            if not self._sends:
                self.asked.set()
                return
            connection.sendall(HEAD)
            while not self._over.wait(0.02):
                connection.sendall(b"x" * 4096)
                self.asked.set()

    def close(self) -> None:
        self._over.set()
        for each in (self._listener, *self._kept):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in (self._listener, *self._kept):
            each.close()


def importing(uri: str) -> dict[str, Any]:
    script = shell('cat "$0"', "{{$.inputs.artifacts['data'].path}}")
    read = Component("read", script, artifact_inputs={"data": "system.Dataset"})
    tasks = {
        "import": {"componentRef": {"name": "comp-import"}, "cachingOptions": {}},
        "read": task("read", data=artifact("import", "data")),
    }
    document = pipeline("importing", tasks, read)
    kind = {"schemaTitle": "system.Dataset"}
    document["components"]["comp-import"] = {
        "executorLabel": "exec-import",
        "outputDefinitions": {"artifacts": {"data": {"artifactType": kind}}},
    }
    document["deploymentSpec"]["executors"]["exec-import"] = {
        "importer": {"artifactUri": {"constant": uri}, "typeSchema": kind}
    }
    return document


@pytest.mark.parametrize(
    ("scheme", "sends"),
    [("http", False), ("http", True), ("s3", False)],
    ids=["silent url", "endless url", "silent s3"],
)
def test_the_server_ends_soon(tmp_path: Path, scheme: str, sends: bool) -> None:
    if scheme == "s3":
        pytest.importorskip("obstore")
    store, home = Store(sends=sends), tmp_path / "home"
    home.mkdir()
    (home / "settings.toml").write_text(
        f'[pipelines]\nallow_private_urls = true\n[artifacts]\ns3_endpoint = "http://{store.address}"\n'
    )
    try:
        server = ServerProcess(home).start()
        try:
            server.submit(
                importing(f"http://{store.address}/file" if scheme == "http" else "s3://bucket/key")
            )
            assert store.asked.wait(60)
            assert server.process is not None
            server.process.send_signal(signal.SIGTERM)
            # A URL is given up after half a minute, a store after one, and such a file never.
            assert server.wait(15) == 0
        finally:
            if server.process is not None:
                server.kill()
    finally:
        store.close()
    assert "server stopped" in (home / "logs" / "server.log").read_text()
    assert not (home / "run" / "server.json").exists()
