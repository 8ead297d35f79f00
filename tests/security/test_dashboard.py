"""Rows 9, 10 and 13 for the dashboard: its sockets, its policy, and pages fetched by nobody who looks at them.

What hostile texts do in a browser is tested in tests/browser/.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

SOCKET = "/ui/_nicegui_ws/socket.io/?EIO=4&transport=websocket"


@pytest.fixture(autouse=True)
def loaded(target: Any) -> None:
    """The dashboard loads after the server is ready."""
    target.server.text("/ui/")


def page(target: Any) -> tuple[str, str]:
    """A window's id, and its page."""
    status, headers, body = target.ask("GET", "/ui/")
    assert status == 200
    assert "'unsafe-inline'" not in headers["content-security-policy"].split("script-src")[1].split(";")[0]
    found = re.search(rb"'client_id': '([0-9a-f-]{36})'", body)
    assert found
    return found.group(1).decode(), body.decode()


@contextmanager
def joined(target: Any, client_id: str) -> Iterator[ClientConnection]:
    """A socket that has done what NiceGUI's script does."""
    host, port = target.address
    query = (
        f"&client_id={client_id}&next_message_id=0&implicit_handshake=true&tab_id=t{client_id}&document_id=d"
    )
    with connect(f"ws://{host}:{port}{SOCKET}{query}", open_timeout=10) as socket:
        assert str(socket.recv(10)).startswith("0{")
        socket.send("40")
        assert str(socket.recv(10)).startswith(("40", "42"))
        yield socket


def address_of_runs(body: str) -> str:
    """The listener of the frame's element that takes addresses."""
    elements = json.loads(
        re.search(r"parseElements\(String\.raw`(.*?)`\)", body, re.DOTALL)  # type: ignore[union-attr]
        .group(1)
        .replace("&#36;", "$").replace("&#96;", "`").replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&")
    )  # fmt: skip
    for number, element in elements.items():
        for event in element.get("events", ()):
            if event["type"] == "navigate":
                return json.dumps(
                    {"id": int(number), "listener_id": event["listener_id"], "args": ['"/runs"']}
                )
    raise AssertionError("no element takes addresses")


def heard(socket: ClientConnection, words: str, seconds: float = 3.0) -> bool:
    try:
        while True:
            said = str(socket.recv(seconds))
            if said == "2":
                socket.send("3")
            if words in said:
                return True
    except TimeoutError:
        return False


def test_a_socket_moves_its_own_window_and_no_other(target: Any) -> None:
    first, body = page(target)
    second, _ = page(target)
    event = json.loads(address_of_runs(body)) | {"client_id": first}
    with joined(target, first) as own, joined(target, second) as other:
        other.send("42" + json.dumps(["event", event]))
        assert not heard(own, "Runs · Sampan")
        own.send("42" + json.dumps(["event", event]))
        assert heard(own, "Runs · Sampan", 10)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example"},
    ],
)
def test_no_other_site_opens_a_socket(target: Any, headers: dict[str, str]) -> None:
    host, port = target.address
    if "Host" in headers:
        status, _, _ = target.ask("GET", SOCKET, host=headers["Host"], upgrade="websocket")
        assert status == 403
        return
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(f"ws://{host}:{port}{SOCKET}", additional_headers=headers, open_timeout=10),
    ):
        pass
    assert refused.value.response.status_code == 403


def test_there_is_no_way_around_the_socket(target: Any) -> None:
    status, _, _ = target.ask("GET", SOCKET.replace("transport=websocket", "transport=polling"))
    assert status == 400


@pytest.mark.parametrize("dest", ["image", "script", "iframe", "empty", "style"])
def test_other_sites_cannot_have_pages_built(target: Any, dest: str) -> None:
    said = {"sec_fetch_site": "cross-site", "sec_fetch_dest": dest, "sec_fetch_mode": "no-cors"}
    assert target.ask("GET", "/ui/", **said)[0] == 403
    linked = {"sec_fetch_site": "cross-site", "sec_fetch_dest": "document", "sec_fetch_mode": "navigate"}
    assert target.ask("GET", "/ui/", **linked)[0] == 200


def test_windows_that_nobody_opens_are_forgotten(target: Any) -> None:
    process = psutil.Process(target.server.process.pid)
    for _ in range(80):
        page(target)
    before = process.memory_info().rss
    for _ in range(250):
        page(target)
    assert process.memory_info().rss - before < 40 * 1024 * 1024
    assert target.is_alive()


@pytest.mark.parametrize(
    "path",
    [
        "/ui/style/../../../../etc/passwd",
        "/ui/%2e%2e/%2e%2e/etc/passwd",
        "/ui/_nicegui/3.18.0/static/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/ui/_nicegui/3.18.0/components/..%2f..%2fetc%2fpasswd",
        "/ui/_nicegui/3.18.0/resources/x/..%2f..%2fetc%2fpasswd",
    ],
)
def test_no_file_is_served_but_the_dashboards_own(target: Any, path: str) -> None:
    assert b"root:" not in target.ask("GET", path)[2]


def test_what_browsers_ask_for_by_themselves_builds_no_window(target: Any) -> None:
    status, headers, _ = target.ask("GET", "/ui/favicon.ico")
    assert (status, headers["content-type"]) == (200, "image/svg+xml")
