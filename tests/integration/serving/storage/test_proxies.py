"""Models that are fetched through a proxy: what it is asked for, and that it opens no way that is shut otherwise."""

from __future__ import annotations

import json
import socket
import socketserver
import ssl
import threading
from urllib.parse import urlsplit

import pytest

from sampan.components.serving.engine.programs.initializer.errors import StorageError
from sampan.components.serving.engine.programs.initializer.proxies import Proxies
from sampan.components.serving.engine.programs.initializer.web import checked

from .conftest import content


class Proxy:
    """Sends everything to one place, whatever it is asked for. With a login nobody else is let in."""

    def __init__(self, port: int, login: str = "", answers: int = 200) -> None:
        self.asked: list[str] = []
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                head = b""
                while b"\r\n\r\n" not in head:
                    if not (piece := self.request.recv(65536)):
                        return
                    head += piece
                line, _, rest = head.partition(b"\r\n")
                method, target, _ = line.decode().split(" ")
                proxy.asked.append(f"{method} {target}")
                if answers != 200 or (login and f"Basic {login}".encode() not in head):
                    refusal = f"HTTP/1.1 {407 if answers == 200 else answers} no\r\ncontent-length: 0\r\n\r\n"
                    self.request.sendall(refusal.encode())
                    return
                with socket.create_connection(("127.0.0.1", port)) as there:
                    if method == "CONNECT":
                        self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    else:
                        parts = urlsplit(target)
                        there.sendall(f"{method} {parts.path} HTTP/1.1\r\n".encode() + rest)
                    other = threading.Thread(target=pass_on, args=(there, self.request), daemon=True)
                    other.start()
                    pass_on(self.request, there)
                    other.join(10)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def pass_on(source: socket.socket, target: socket.socket) -> None:
    try:
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


@pytest.fixture
def through():
    made: list[Proxy] = []

    def start(port: int, **told) -> Proxy:
        made.append(Proxy(port, **told))
        return made[-1]

    yield start
    for each in made:
        each.close()


def one_file(asked):
    return content(asked, b"model")


def test_a_name_that_only_the_proxy_knows(serve, through, fetch):
    store = serve(one_file)
    proxy = through(store.port)
    environ = {"http_proxy": f"http://{proxy.url}", "HTTPS_PROXY": "http://never.invalid:1"}
    assert fetch("http://models.invalid:8000/m.bin", environ) == {"m.bin": b"model"}
    assert set(proxy.asked) <= {
        "GET http://models.invalid:8000/m.bin",
        "HEAD http://models.invalid:8000/m.bin",
    }
    assert proxy.asked
    assert store.asked[0].headers["host"] == "models.invalid:8000"


def test_tls_goes_through_a_tunnel_and_is_checked_as_ever(serve, through, fetch, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    store = serve(one_file, context)
    proxy = through(store.port)
    environ = {"https_proxy": proxy.url, "REQUESTS_CA_BUNDLE": str(certificate), "NO_PROXY": "example.com"}
    assert fetch(f"{store.url}/m.bin", environ) == {"m.bin": b"model"}
    assert set(proxy.asked) == {f"CONNECT localhost:{store.port}"}
    # The certificate is of localhost, and so of nobody else.
    with pytest.raises(StorageError, match=r"certificate of 'models\.invalid' is not trusted"):
        fetch(f"https://models.invalid:{store.port}/m.bin", environ)


def test_a_login_and_a_proxy_that_refuses(serve, through, fetch):
    store = serve(one_file)
    proxy = through(store.port, login="bWU6cEA6dw==")
    environ = {"HTTP_PROXY": f"http://me:p%40%3Aw@{proxy.url}"}
    assert fetch("http://models.invalid/m.bin", environ) == {"m.bin": b"model"}
    # It is for the proxy alone.
    assert "proxy-authorization" in store.asked[0].headers
    with pytest.raises(StorageError, match="407"):
        fetch("http://models.invalid/m.bin", {"HTTP_PROXY": f"http://{proxy.url}"})
    refusing = through(store.port, answers=403)
    with pytest.raises(StorageError, match=r"answered 403 for models\.invalid:443"):
        fetch("https://models.invalid/m.bin", {"HTTPS_PROXY": refusing.url})
    with pytest.raises(StorageError, match="write http://HOST:PORT") as refused:
        fetch("http://models.invalid/m.bin", {"HTTP_PROXY": "socks5://me:secret@proxy:1"})
    assert "secret" not in str(refused.value)


def test_no_way_is_open_that_is_shut_otherwise(serve, through, fetch):
    proxy = through(serve(one_file).port)
    both = {"HTTP_PROXY": proxy.url, "HTTPS_PROXY": proxy.url}
    guarded = {**both, "SAMPAN_PRIVATE_HOSTS": "[]"}
    for uri in ("http://169.254.169.254/m", "https://[fd00:ec2::254]/m", "http://2852039166/m"):
        with pytest.raises(StorageError):
            fetch(uri, both)
    for uri in (
        "http://127.0.0.1:9/m",
        "https://10.0.0.1/m",
        "http://models.invalid/m",
        "http://localhost/m",
    ):
        with pytest.raises(StorageError):
            fetch(uri, guarded)
    with pytest.raises(StorageError, match="machine's own address"):
        fetch("http://1.1.1.1/m", {"HTTP_PROXY": "169.254.169.254:80"})
    assert proxy.asked == []


def test_where_private_addresses_are_shut_the_proxy_is_asked_for_the_address_that_was_checked(
    serve, through, fetch, monkeypatch
):
    """It would look the name up again, and might find another."""
    store = serve(one_file)
    proxy = through(store.port)
    real = socket.getaddrinfo

    def looked_up(host, port, *args, **told):
        return real("1.1.1.1" if host == "models.example" else host, port, *args, **told)

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    environ = {"HTTP_PROXY": proxy.url, "SAMPAN_PRIVATE_HOSTS": json.dumps(["nothing"])}
    assert fetch("http://models.example/m.bin", environ) == {"m.bin": b"model"}
    assert {each.partition(" ")[2] for each in proxy.asked} == {"http://1.1.1.1:80/m.bin"}
    assert store.asked[0].headers["host"] == "models.example"


@pytest.mark.parametrize(
    ("exempt", "url", "is_direct"),
    [
        ("*", "http://a.example", True),
        ("a.example", "http://a.example", True),
        (".example", "http://a.example", True),
        ("*.example", "http://a.example", True),
        ("example", "http://b.a.example", True),
        ("b.example, A.example", "http://a.example", True),
        ("a.example:80", "http://a.example", True),
        ("a.example:8080", "http://a.example", False),
        ("xample", "http://a.example", False),
        ("10.0.0.0/8", "http://10.1.2.3", True),
        ("10.0.0.0/8", "http://11.1.2.3", False),
        ("::1", "http://[::1]:8", True),
        ("minio.team.svc", "http://minio.team.svc:9000", True),
        ("", "http://a.example", False),
        (",", "http://a.example", False),
    ],
)
def test_who_is_asked_directly(exempt, url, is_direct):
    proxies = Proxies({"HTTP_PROXY": "proxy:3128", "no_proxy": exempt})
    assert (proxies.of(checked(url)) is None) is is_direct


def test_of_two_variables_the_small_one_counts_and_one_for_all_comes_last():
    def of(url, **environ):
        found = Proxies(environ).of(checked(url))
        return None if found is None else (found.host, found.port)

    assert of("http://a", HTTP_PROXY="big:1", http_proxy="http://small:2") == ("small", 2)
    assert of("https://a", HTTP_PROXY="big:1") is None
    assert of("https://a", ALL_PROXY="all:1", HTTP_PROXY="big:1") == ("all", 1)
    assert of("http://a", http_proxy="", HTTP_PROXY="big") == ("big", 80)
