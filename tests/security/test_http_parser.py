"""Rows 13, 14 and 19: bytes that are no proper request, too many of them, or too few."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import threading
from typing import Any

import pytest
import uvicorn

from sampan.app import connections

HOST = b"Host: 127.0.0.1\r\n"
POST = b"POST /apis/v2beta1/runs HTTP/1.1\r\n" + HOST
SECOND = b"GET /version HTTP/1.1\r\n" + HOST + b"\r\n"

AMBIGUOUS = {
    "length and chunks": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND,
    "chunks and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + SECOND,
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 30\r\n\r\n{}" + SECOND,
    "a list of lengths": POST + b"Content-Length: 2, 30\r\n\r\n{}" + SECOND,
    "a signed length": POST + b"Content-Length: +2\r\n\r\n{}" + SECOND,
    "a negative length": POST + b"Content-Length: -1\r\n\r\n{}" + SECOND,
    "a length in hexadecimal": POST + b"Content-Length: 0x2\r\n\r\n{}" + SECOND,
    "a space before the colon": POST + b"Content-Length : 2\r\n\r\n{}" + SECOND,
    "an unknown coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + SECOND,
    "two codings": POST
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"
    + SECOND,
    "a chunk larger than numbers": POST
    + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n",
    "a chunk of no size": POST + b"Transfer-Encoding: chunked\r\n\r\n\r\n{}\r\n0\r\n\r\n" + SECOND,
    "line feeds alone": b"GET / HTTP/1.1\nHost: 127.0.0.1\n\n",
    "a folded header": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n evil\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\n" + HOST + b"Host: evil.example\r\nConnection: close\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
    "a NUL in a header": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
    "a tunnel": b"CONNECT evil.example:80 HTTP/1.1\r\n" + HOST + b"\r\n",
}


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_what_two_parsers_could_read_differently_is_refused(target: Any, case: str) -> None:
    """One answer, an error, and the connection is closed: nothing hides behind the first request."""
    answer = target.send(AMBIGUOUS[case])
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"gitVersion" not in answer


def test_http_2_is_for_grpc_and_hides_no_request(target: Any) -> None:
    """Such a connection goes on at the port of gRPC, where nothing speaks HTTP/1.1."""
    answer = target.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"GET /version HTTP/1.1\r\n" + HOST + b"\r\n")
    assert b"HTTP/1.1" not in answer
    assert b"gitVersion" not in answer


def test_noise_leaves_the_server_alive(target: Any) -> None:
    noise = random.Random(1)
    head = POST + b"Content-Type: application/json\r\nContent-Length: 20\r\n\r\n"
    for _ in range(150):
        data = bytearray(head + noise.randbytes(20))
        for _change in range(noise.randrange(1, 6)):
            data[noise.randrange(len(data))] = noise.randrange(256)
        with socket.create_connection(target.address, timeout=60) as connection:
            connection.sendall(bytes(data))
            connection.shutdown(socket.SHUT_WR)
            connection.recv(4096)
    assert target.is_alive()


@pytest.mark.parametrize("depth", [2_000, 100_000])
@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deep_bodies(target: Any, depth: int, opening: bytes) -> None:
    body = opening * depth
    for path in ("/api/v1/namespaces/default/configmaps", "/apis/v2beta1/runs", "/apis/v2beta1/experiments"):
        assert target.ask("POST", path, body, content_type="application/json")[0] in (400, 422)
    text = b'{"metadata":{"name":"deep"},"data":' + opening * depth
    assert target.ask("POST", "/api/v1/namespaces/default/configmaps", text)[0] in (400, 422)
    assert target.is_alive()


def test_yaml_that_grows(target: Any) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    bomb = "\n".join(lines).encode()
    for path in ("/api/v1/namespaces/default/configmaps", "/apis/v2beta1/runs"):
        assert target.ask("POST", path, bomb, content_type="application/yaml")[0] in (400, 413, 415, 422)
    assert target.is_alive()


def test_a_body_that_is_announced_too_large_is_not_read(target: Any) -> None:
    """The answer comes at once; what the client sends all the same is thrown away."""
    with socket.create_connection(target.address, timeout=60) as connection:
        connection.sendall(POST + b"Content-Length: 99999999999\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_head_without_end_is_refused(target: Any) -> None:
    answer = target.send(b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 4_000_000)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    many = b"".join(b"X-%d: a\r\n" % number for number in range(200_000))
    answer = target.send(b"GET / HTTP/1.1\r\n" + HOST + many)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    assert target.is_alive()


def test_those_who_say_nothing_do_not_hold_up_the_others(target: Any) -> None:
    silent = [socket.create_connection(target.address) for _ in range(200)]
    for connection in silent[::2]:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: 127")
    # A reader who takes nothing of a watch.
    watch = socket.create_connection(target.address)
    watch.sendall(b"GET /api/v1/events?watch=1 HTTP/1.1\r\n" + HOST + b"\r\n")
    assert target.is_alive()
    assert target.run_step("echo fine") == ("SUCCEEDED", "fine\n")
    for connection in (*silent, watch):
        connection.close()


def test_a_head_that_takes_too_long_is_hung_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        await asyncio.sleep(0.6)  # an answer may take as long as it needs
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http=connections.BoundedProtocol, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    try:
        with socket.create_connection(listener.getsockname(), timeout=60) as slow:
            slow.sendall(b"GET / HTTP/1.1\r\nHost:")
            assert slow.recv(100) == b""
        # On a busy machine some may come too late to say even so little.
        assert any(_is_answered_once(listener) for _ in range(20))
    finally:
        server.should_exit = True
        thread.join(60)
        listener.close()
    assert not thread.is_alive()


def _is_answered_once(listener: socket.socket) -> bool:
    """Whoever says all at once; the next request of the connection has the same time."""
    with socket.create_connection(listener.getsockname(), timeout=60) as fair:
        fair.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        if not fair.recv(1000).startswith(b"HTTP/1.1 200"):
            return False
        fair.sendall(b"GET /")
        return fair.recv(100) == b""


def test_errors_say_nothing_about_the_machine(target: Any) -> None:
    """Row 14: no path, no file of ours, no traceback in what is refused."""
    wrong = [
        ("POST", "/apis/v2beta1/runs", b"{"),
        ("POST", "/apis/v2beta1/runs", json.dumps({"pipeline_spec": {"x": 1}}).encode()),
        ("POST", "/apis/v2beta1/pipelines/upload", b"x"),
        ("GET", "/apis/v2beta1/runs?page_token=zzz", b""),
        ("GET", "/apis/v2beta1/runs?filter=%00", b""),
        ("GET", "/artifacts/get?source=file&key=/etc/shadow", b""),
        ("GET", "/artifacts/get?source=minio&bucket=mlpipeline&key=none", b""),
        ("POST", "/api/v1/namespaces/default/pods", b'{"metadata":[]}'),
        ("PATCH", "/api/v1/namespaces/default/pods/x", b"\xff"),
        ("GET", "/api/v1/namespaces/default/pods/..%2f..%2f/log", b""),
        ("GET", "/api/v1/pods?labelSelector=((", b""),
        ("GET", "/api/v1/pods?continue=%00%ff", b""),
        ("DELETE", "/api/v1/namespaces/kube-system", b"["),
    ]
    folders = (str(target.server.home), "site-packages", "Traceback", 'File "', ".py", "sqlite")
    for method, path, body in wrong:
        status, _headers, answer = target.ask(method, path, body, content_type="application/json")
        assert 400 <= status < 500, (path, answer)
        assert not [text for text in folders if text in answer.decode()], (path, answer)
