"""Stores as models lie in them, each a small server of this process that says what it was asked for."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sampan.components.serving.engine.programs.initializer.main import Initializer

Reply = tuple[int, dict[str, str], bytes]


class Asked:
    """A request."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        self.method = handler.command
        self.raw_path = parts.path
        self.path = unquote(parts.path)
        self.query = {
            name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()
        }
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        length = int(self.headers.get("content-length") or 0)
        self.body = handler.rfile.read(length) if length else b""

    @property
    def offset(self) -> int:
        found = re.match(r"bytes=(\d+)-", self.headers.get("range", ""))
        return int(found[1]) if found else 0


class Store:
    """`answer` is asked for each request. Whatever it gives is cut short as often as `cuts` says."""

    def __init__(self, answer: Callable[[Asked], Reply], context: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.cuts: list[int] = []
        """Of the next bodies: after how many bytes the connection ends."""
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _do(self) -> None:
                asked = Asked(self)
                store.asked.append(asked)
                status, headers, body = store.answer(asked)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.send_header("Connection", "close")
                self.end_headers()
                if asked.method == "HEAD":
                    return
                if store.cuts and status in (200, 206) and len(body) > store.cuts[0]:
                    body = body[: store.cuts.pop(0)]
                    self.close_connection = True
                self.wfile.write(body)

            do_GET = do_HEAD = do_POST = _do  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        if context is not None:
            self.url = f"https://localhost:{self.port}"
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def downloads(self) -> list[str]:
        """Paths of what was asked for as content."""
        return [
            each.path
            for each in self.asked
            if each.method == "GET" and "list" not in each.query.get("comp", "")
        ]


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[Asked], Reply]], Store]]:
    made: list[Store] = []

    def start(answer: Callable[[Asked], Reply], context: ssl.SSLContext | None = None) -> Store:
        made.append(Store(answer, context))
        return made[-1]

    yield start
    for each in made:
        each.close()


def content(asked: Asked, body: bytes, **headers: str) -> Reply:
    """A file, or the rest of it."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if asked.offset:
        end = len(body) - 1
        return 206, {**sent, "Content-Range": f"bytes {asked.offset}-{end}/{len(body)}"}, body[asked.offset :]
    return 200, sent, body


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of localhost, signed by itself: certificate and key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "cabundle.crt"
    form = serialization.PrivateFormat.PKCS8
    own = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + own)
    return file


class S3Objects:
    """The part of S3 that reads, of one bucket. `keys` are those that it lets in; None for anybody."""

    def __init__(self, bucket: str, objects: dict[str, bytes], page: int = 1000) -> None:
        self.bucket = bucket
        self.objects = objects
        self.page = page
        self.refusal: tuple[int, str] | None = None
        self.needs_signature = False

    def __call__(self, asked: Asked) -> Reply:
        if self.refusal is not None:
            status, code = self.refusal
            return status, {}, f"<Error><Code>{code}</Code><Message>so it is</Message></Error>".encode()
        if self.needs_signature and "authorization" not in asked.headers:
            return 403, {}, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        bucket, _, key = asked.path.lstrip("/").partition("/")
        if bucket != self.bucket:
            return 404, {}, b"<Error><Code>NoSuchBucket</Code><Message>no</Message></Error>"
        if "list-type" in asked.query:
            return self._listed(asked)
        if key not in self.objects:
            return 404, {}, b"<Error><Code>NoSuchKey</Code><Message>no</Message></Error>"
        return content(asked, self.objects[key], ETag=f'"{self._tag(key)}"')

    def _listed(self, asked: Asked) -> Reply:
        keys = sorted(key for key in self.objects if key.startswith(asked.query.get("prefix", "")))
        start = int(asked.query.get("continuation-token", "0"))
        shown = keys[start : start + self.page]
        more = len(keys) > start + self.page
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.objects[key])}</Size>"
            f"<ETag>&quot;{self._tag(key)}&quot;</ETag></Contents>"
            for key in shown
        )
        token = f"<NextContinuationToken>{start + self.page}</NextContinuationToken>" if more else ""
        text = f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{entries}"
        body = f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{text}</ListBucketResult>'
        return 200, {"Content-Type": "application/xml"}, body.encode()

    def _tag(self, key: str) -> str:
        return hashlib.md5(self.objects[key], usedforsecurity=False).hexdigest()


@pytest.fixture
def s3_store(serve) -> Callable[..., Store]:
    def make(objects: dict[str, bytes], bucket: str = "models", page: int = 1000) -> Store:
        return serve(S3Objects(bucket, objects, page))

    return make


@pytest.fixture
def hub(serve) -> Callable[..., Store]:
    """A Hugging Face hub with one repository."""

    def make(
        files: dict[str, bytes], repository: str = "org/model", token: str = "", large: int = 100
    ) -> Store:
        def answer(asked: Asked) -> Reply:
            if token and asked.headers.get("authorization") != f"Bearer {token}":
                return 401, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted"}, b""
            if asked.path.startswith(f"/api/models/{repository}"):
                revision = asked.path.partition("/revision/")[2]
                if revision not in ("", "main", "v1"):
                    return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
                siblings = [described(name, body) for name, body in files.items()]
                return 200, {}, json.dumps({"sha": "c0ffee", "siblings": siblings}).encode()
            name = asked.path.removeprefix(f"/{repository}/resolve/c0ffee/")
            if name in files:
                return content(asked, files[name])
            return 404, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}, b""

        def described(name: str, body: bytes) -> dict[str, object]:
            blob = hashlib.sha1(f"blob {len(body)}\0".encode() + body, usedforsecurity=False).hexdigest()
            told: dict[str, object] = {"rfilename": name, "size": len(body), "blobId": blob}
            if len(body) >= large:
                told["lfs"] = {"sha256": hashlib.sha256(body).hexdigest(), "size": len(body)}
            return told

        return serve(answer)

    return make


@pytest.fixture
def gcs_store(serve) -> Callable[..., Store]:
    def make(objects: dict[str, bytes], bucket: str = "models", page: int = 1000) -> Store:
        def answer(asked: Asked) -> Reply:
            base = f"/storage/v1/b/{bucket}/o"
            if not asked.path.startswith(base):
                return (
                    404,
                    {},
                    json.dumps({"error": {"message": "The specified bucket does not exist."}}).encode(),
                )
            if asked.query.get("alt") == "media":
                key = asked.path.removeprefix(f"{base}/")
                return content(asked, objects[key]) if key in objects else (404, {}, b"{}")
            keys = sorted(key for key in objects if key.startswith(asked.query.get("prefix", "")))
            start = int(asked.query.get("pageToken", "0"))
            listed = [
                {
                    "name": key,
                    "size": str(len(objects[key])),
                    "generation": "7",
                    "md5Hash": base64.b64encode(
                        hashlib.md5(objects[key], usedforsecurity=False).digest()
                    ).decode(),
                }
                for key in keys[start : start + page]
            ]
            more = {"nextPageToken": str(start + page)} if len(keys) > start + page else {}
            return 200, {}, json.dumps({"items": listed, **more}).encode()

        return serve(answer)

    return make


@pytest.fixture
def fetch(tmp_path: Path) -> Callable[..., dict[str, bytes]]:
    """Brings a source to a folder; what then lies there."""

    def run(
        uri: str, environ: dict[str, str] | None = None, target: Path | None = None, web=None
    ) -> dict[str, bytes]:
        folder = target or tmp_path / "mnt" / "models"
        Initializer(environ or {}, web).download(uri, folder)
        return files_in(folder)

    return run


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        str(each.relative_to(folder)): each.read_bytes()
        for each in sorted(folder.rglob("*"))
        if each.is_file()
    }
