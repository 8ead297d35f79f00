"""Attacks' table, rows 4, 5 and 8, on where models come from: addresses, redirects, names of objects, paths."""

from __future__ import annotations

import http.server
import ipaddress
import json
import socket
import threading
from collections.abc import Iterator

import pytest

from sampan.components.serving.engine.programs.initializer.addresses import Reach, is_public, is_reserved
from sampan.components.serving.engine.programs.initializer.errors import StorageError
from sampan.components.serving.engine.programs.initializer.items import file_name
from sampan.components.serving.engine.programs.initializer.main import Initializer
from sampan.components.serving.engine.programs.initializer.web import Web

METADATA = [
    "http://169.254.169.254/latest/meta-data/iam/m",
    "http://2852039166/m",
    "http://0xa9fea9fe/m",
    "http://0251.0376.0251.0376/m",
    "http://169.254.43518/m",
    "http://[::ffff:169.254.169.254]/m",
    "http://[::ffff:a9fe:a9fe]/m",
    "http://[64:ff9b::a9fe:a9fe]/m",
    "http://[2002:a9fe:a9fe::]/m",
    "http://[fd00:ec2::254]/m",
    "http://[::169.254.169.254]/m",
    "http://[64:ff9b:1::a9fe:a9fe]/m",
    "http://[::ffff:0:a9fe:a9fe]/m",
    "http://[fd20:ce::254]/m",
    "http://[fe80::1]/m",
    "http://100.100.100.200/m",
    "http://168.63.129.16/m",
    "http://192.0.0.192/m",
    "http://0.0.0.0/m",
    "http://[::]/m",
    "http://224.0.0.1/m",
]
PRIVATE = [
    "http://10.0.0.1/m",
    "http://192.168.1.1/m",
    "http://127.0.0.1:1/m",
    "http://127.1:1/m",
    "http://[::1]:1/m",
    "http://[::127.0.0.1]:1/m",
    "http://[64:ff9b:1::10.0.0.1]:1/m",
]


@pytest.fixture
def never_connect(monkeypatch):
    """Whoever is connected to has been reached: nobody may be."""
    asked: list[object] = []
    monkeypatch.setattr(socket, "create_connection", lambda address, *_, **__: asked.append(address) or 1 / 0)
    yield asked
    assert asked == []


class _Server:
    """Redirects to `target` if it has one, else answers."""

    def __init__(self) -> None:
        self.target = ""
        self.asked: list[str] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                self.send_response(302 if outer.target else 200)
                if outer.target:
                    self.send_header("Location", outer.target)
                self.send_header("Content-Length", "1")
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(b"x")

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[_Server]:
    made = _Server()
    yield made
    made.close()


def fetch(uri, tmp_path, environ=None, web=None):
    Initializer({"S3_MAX_ATTEMPTS": "1", **(environ or {})}, web).download(uri, tmp_path / "m")


@pytest.mark.parametrize("uri", METADATA)
def test_no_machines_metadata_are_asked_whatever_is_allowed(uri, tmp_path, never_connect):
    for environ in ({}, {"SAMPAN_PRIVATE_HOSTS": '["*", "0.0.0.0/0", "::/0"]'}):
        with pytest.raises(StorageError):
            fetch(uri, tmp_path, environ)


@pytest.mark.parametrize("uri", METADATA[:3])
def test_no_endpoint_of_a_store_is_one_either(uri, tmp_path, never_connect):
    endpoint = uri.rpartition("/")[0]
    keys = {"AWS_ACCESS_KEY_ID": "i", "AWS_SECRET_ACCESS_KEY": "s", "AWS_ENDPOINT_URL": endpoint}
    hdfs = {"STORAGE_CONFIG": json.dumps({"type": "hdfs", "HDFS_NAMENODE": endpoint})}
    sources = {
        "s3://b/m": keys,
        "gs://b/m": {"STORAGE_EMULATOR_HOST": endpoint},
        "hf://o/m": {"HF_ENDPOINT": endpoint},
        "hdfs://m": hdfs,
        f"{endpoint}/r.git": {"PATH": "/usr/bin:/bin"},
        f"oci://{endpoint.removeprefix('http://')}/m:1": {},
    }
    for source, environ in sources.items():
        with pytest.raises(StorageError):
            fetch(source, tmp_path, environ)


@pytest.mark.parametrize("uri", PRIVATE)
def test_private_addresses_are_asked_where_that_is_allowed_only(uri, tmp_path, never_connect):
    with pytest.raises(StorageError, match=r"serving\.private_hosts"):
        fetch(uri, tmp_path, {"SAMPAN_PRIVATE_HOSTS": "[]"})
    # Nonsense allows nothing.
    with pytest.raises(StorageError, match=r"serving\.private_hosts"):
        fetch(uri, tmp_path, {"SAMPAN_PRIVATE_HOSTS": "{"})


def test_what_is_named_is_allowed_and_nothing_beside_it():
    private = ipaddress.ip_address("10.1.2.3")
    assert Reach(("10.1.0.0/16",)).allows("any", private)
    assert Reach(("*.svc",)).allows("minio.team.svc", private)
    assert not Reach(("10.2.0.0/16", "minio.*")).allows("other.team.svc", private)
    assert not Reach(("169.254.0.0/16", "*")).allows("x", ipaddress.ip_address("169.254.169.254"))
    assert Reach(()).allows("x", ipaddress.ip_address("1.1.1.1"))


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/m",
        "http://10.0.0.1/m",
        "file:///etc/passwd",
        "gopher://127.0.0.1/x",
        "http://[::1]:1/m",
    ],
)
def test_redirects_are_looked_at_as_the_first_address_was(server, target, tmp_path):
    server.target = target
    with pytest.raises(StorageError):
        fetch(f"{server.url}/m.bin", tmp_path, {"SAMPAN_PRIVATE_HOSTS": '["127.0.0.1"]'})
    assert not (tmp_path / "m/m.bin").exists()


def test_redirects_end(server, tmp_path):
    server.target = f"{server.url}/again"
    with pytest.raises(StorageError, match="redirects more than 10 times"):
        fetch(f"{server.url}/m.bin", tmp_path)


def test_the_internet_leads_to_no_private_address(server, tmp_path, monkeypatch):
    """Even where private ones may be named: what a stranger's server says is not the user's word."""
    real_lookup, real_connect = socket.getaddrinfo, socket.create_connection

    def lookup(host, *args, **more):
        return real_lookup("93.184.216.34" if host == "models.example" else host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setattr(
        socket, "create_connection", lambda address, *more: real_connect(("127.0.0.1", server.port), *more)
    )
    server.target = f"http://127.0.0.1:{server.port}/inside"
    with pytest.raises(StorageError, match="a server of the internet leads to a private address"):
        fetch("http://models.example/m.bin", tmp_path)
    assert "/inside" not in server.asked


def test_a_name_that_means_something_else_a_moment_later(server, tmp_path, monkeypatch):
    """DNS rebinding: the name is looked up once for each connection, and that very address is connected to."""
    real, connected = socket.getaddrinfo, []
    answers = iter(["127.0.0.1", "169.254.169.254", "169.254.169.254"])

    def lookup(host, *args, **more):
        return real(next(answers) if host == "rebind.example" else host, *args, **more)

    real_connect = socket.create_connection
    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setattr(
        socket,
        "create_connection",
        lambda address, *more: connected.append(address[0]) or real_connect(address, *more),
    )
    with pytest.raises(StorageError, match="may not be asked for models"):
        fetch(f"http://rebind.example:{server.port}/m.bin", tmp_path)
    assert connected == ["127.0.0.1"], "what was looked up the second time was refused, not connected to"


def test_a_name_with_one_bad_address_among_good_ones(tmp_path, monkeypatch, never_connect):
    found = [(2, 1, 6, "", (address, 80)) for address in ("93.184.216.34", "169.254.169.254")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(StorageError, match="may not be asked for models"):
        fetch("http://models.example/m.bin", tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "http://a b/m",
        "http://h\r\nX: y/m",
        "http://h/a\nb",
        "http:///m",
        "http://h:99999/m",
        "https://h:0/m",
        "http://ä/m",
    ],
)
def test_addresses_that_are_none(url, tmp_path, never_connect):
    with pytest.raises(StorageError):
        fetch(url, tmp_path)


def test_a_header_with_a_line_break_is_refused(server, tmp_path):
    environ = {"127.0.0.1-headers": json.dumps({"A": "b\r\nX-Injected: 1"})}
    with pytest.raises(StorageError, match="cannot be asked for"):
        fetch(f"{server.url}/m.bin", tmp_path, environ)


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../../x",
        "/etc/x",
        "a//b",
        "./a",
        "a/.",
        "..",
        "a\0b",
        "x" * 256,
        "/".join(["d" * 200] * 20),
        "é" * 200,
    ],
)
def test_names_of_objects_that_lead_elsewhere(name):
    with pytest.raises(StorageError, match=r"cannot become a file|is too long for a file"):
        file_name(name)


@pytest.mark.parametrize(
    "key", ["m/../../out", "m/a/../../../out", "m//etc/x/../../../../out", "m/..", "m/./x"]
)
def test_objects_of_a_bucket_stay_below_the_target(key, tmp_path):
    """ADA-03, ADA-07. What the bucket says of itself is a stranger's word."""
    page = f"<L><Contents><Key>{key}</Key><Size>1</Size></Contents></L>".encode()

    class Fake(Web):
        def ask(self, ask):
            return _answer(page if "list-type" in ask.url else b"x")

    keys = {"AWS_ACCESS_KEY_ID": "i", "AWS_SECRET_ACCESS_KEY": "s", "AWS_ENDPOINT_URL": "http://s3.example"}
    with pytest.raises(StorageError, match="it leads elsewhere"):
        fetch("s3://b/m", tmp_path, keys, Fake(Reach()))
    assert not [each for each in tmp_path.rglob("*") if each.is_file()]


def test_a_hubs_file_names_too(tmp_path):
    told = {"sha": "c", "siblings": [{"rfilename": "../../out", "size": 1, "blobId": "x"}]}

    class Fake(Web):
        def ask(self, ask):
            return _answer(json.dumps(told).encode())

    with pytest.raises(StorageError, match="it leads elsewhere"):
        fetch("hf://o/m", tmp_path, {"HF_ENDPOINT": "http://hub.example"}, Fake(Reach()))


def test_public_and_reserved_exclude_each_other():
    for text in ("1.1.1.1", "10.0.0.1", "169.254.169.254", "::1", "2606:4700::1111", "::ffff:10.0.0.1"):
        address = ipaddress.ip_address(text)
        assert not (is_public(address) and is_reserved(address))


def _answer(body):
    import contextlib
    import email.message
    import io

    from sampan.components.serving.engine.programs.initializer.web import Answer

    class Body(io.BytesIO):
        read1 = io.BytesIO.read

    @contextlib.contextmanager
    def opened():
        yield Answer(200, "OK", "http://fake", email.message.Message(), Body(body))

    return opened()
