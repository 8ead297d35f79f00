"""What tests are told by `sampan.testing.server` of a server that dies while it answers."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from sampan.testing.server import ServerProcess


def test_an_answer_that_breaks_off_is_as_none(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def half_an_answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{")

        thread = threading.Thread(target=half_an_answer)
        thread.start()
        host, port = server.getsockname()
        with pytest.raises(ConnectionError, match="broke off"):
            ServerProcess(tmp_path, url=f"http://{host}:{port}").call("GET", "/")
        thread.join()
