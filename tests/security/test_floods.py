"""Row 13: many clients at once, who read nothing, or send nothing more. Others are served, and memory is bounded."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psutil
import pytest

HOST = b"Host: 127.0.0.1\r\n"
MIB = 1024 * 1024
CONFIG_MAPS = "/api/v1/namespaces/flood/configmaps"


@pytest.fixture(scope="module")
def stored(target: Any) -> Iterator[Any]:
    """Twenty megabytes of objects."""
    target.server.call("POST", "/api/v1/namespaces", {"metadata": {"name": "flood"}})
    for number in range(100):
        body = {"metadata": {"name": f"big-{number}"}, "data": {"x": "y" * 200_000}}
        target.server.call("POST", CONFIG_MAPS, body)
    yield target
    target.server.call("DELETE", "/api/v1/namespaces/flood")


@contextmanager
def unread(target: Any, request: bytes, count: int) -> Iterator[None]:
    """So many connections that send `request` and take no answer."""
    with ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(target.address)
            connection.sendall(request)
        yield


def grown(target: Any, before: int) -> float:
    """Since then, in MiB."""
    return (resident(target) - before) / MIB


def resident(target: Any) -> int:
    return int(psutil.Process(target.server.process.pid).memory_info().rss)


def test_watchers_who_do_not_read(stored: Any) -> None:
    """Each would be sent all that is stored, and then every change."""
    before = resident(stored)
    with unread(stored, b"GET " + CONFIG_MAPS.encode() + b"?watch=1 HTTP/1.1\r\n" + HOST + b"\r\n", 200):
        for number in range(30):
            body = {"metadata": {"name": f"more-{number}"}, "data": {"x": "y" * 200_000}}
            stored.server.call("POST", CONFIG_MAPS, body)
        assert stored.is_alive()
        # 200 times what is stored would be 4 GiB.
        assert grown(stored, before) < 300
    assert stored.is_alive()


def test_lists_that_nobody_reads(stored: Any) -> None:
    before = resident(stored)
    request = b"GET " + CONFIG_MAPS.encode() + b" HTTP/1.1\r\n" + HOST + b"\r\n"
    with unread(stored, request, 60):
        # Small answers are always to be had, large ones again once there is room.
        assert len(stored.server.call("GET", CONFIG_MAPS + "?limit=1")["items"]) == 1
        assert stored.server.call("GET", "/api/v1/namespaces")["items"]
        assert stored.is_alive()
        # 60 answers of 20 MiB.
        assert grown(stored, before) < 700
    assert stored.is_alive()


def test_bodies_that_do_not_end(stored: Any) -> None:
    before = resident(stored)
    head = b"POST " + CONFIG_MAPS.encode() + b" HTTP/1.1\r\nContent-Length: 3000000\r\n" + HOST + b"\r\n"
    with ExitStack() as stack:
        refused = 0
        for _ in range(200):
            connection = stack.enter_context(socket.create_connection(stored.address, timeout=60))
            connection.sendall(head + b"x" * 2_500_000)
            connection.setblocking(False)
            try:
                refused += connection.recv(100).startswith(b"HTTP/1.1 429 ")
            except BlockingIOError:
                continue
        body = {"metadata": {"name": "small"}}
        assert stored.server.call("POST", CONFIG_MAPS, body)["metadata"]["name"] == "small"
        # 200 bodies of 2.5 MB.
        assert grown(stored, before) < 400
    assert stored.is_alive()


def test_large_bodies_are_taken_again_afterwards(stored: Any) -> None:
    body = json.dumps({"metadata": {"name": "later"}, "data": {"x": "y" * 900_000}}).encode()
    assert stored.ask("POST", CONFIG_MAPS, body, content_type="application/json")[0] == 201
    assert len(stored.server.call("GET", CONFIG_MAPS)["items"]) > 100
