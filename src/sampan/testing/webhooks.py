"""An HTTPS server for tests that answers reviews, with a certificate of its own authority."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Answer = Callable[[dict[str, Any]], Any]
"""From the posted body to what is answered: an object, or (HTTP status, bytes)."""


def certificate(folder: Path, names: Sequence[str]) -> tuple[Path, bytes]:
    """A file with a key and a certificate for `names`, and the PEM of who has signed it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "webhooks of a test")])
    now = datetime.datetime.now(datetime.UTC)
    found = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([_name(each) for each in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = found.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "webhook.pem"
    file.write_bytes(secret + pem)
    return file, pem


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


@dataclass
class Webhooks:
    """`answers` by path; `seen` is everything that was posted, as (path, body)."""

    port: int
    authority: bytes
    answers: dict[str, Answer] = field(default_factory=dict)
    seen: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def client_config(self, path: str) -> dict[str, Any]:
        return {
            "url": f"https://127.0.0.1:{self.port}{path}",
            "caBundle": base64.b64encode(self.authority).decode(),
        }

    def asked(self, path: str) -> list[dict[str, Any]]:
        """The requests within the reviews that came to `path`."""
        return [body["request"] for where, body in self.seen if where == path]


@contextmanager
def webhooks(folder: Path, *names: str, address: str = "127.0.0.1") -> Iterator[Webhooks]:
    file, authority = certificate(folder, ("127.0.0.1", "localhost", *names))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            path = self.path.partition("?")[0]
            found.seen.append((path, body))
            answer = found.answers[path](body) if path in found.answers else (404, b"404 page not found\n")
            status, content = answer if isinstance(answer, tuple) else (200, json.dumps(answer).encode())
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  as the base class
            """The test says what went wrong."""

    server = ThreadingHTTPServer((address, 0), Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    found = Webhooks(server.server_port, authority)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def allow(review: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The answer of a webhook that has nothing against it."""
    response = {"uid": review["request"]["uid"], "allowed": True, **more}
    return {"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response}


def deny(review: dict[str, Any], **status: Any) -> dict[str, Any]:
    return allow(review, allowed=False, **({"status": status} if status else {}))


def patch(review: dict[str, Any], *operations: dict[str, Any]) -> dict[str, Any]:
    text = base64.b64encode(json.dumps(operations).encode()).decode()
    return allow(review, patchType="JSONPatch", patch=text)
