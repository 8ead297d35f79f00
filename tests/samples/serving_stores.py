"""Where upstream's models lie, in the place of the public ones: Google Cloud Storage, a Hugging Face hub, the web, S3.

Started by serving.py and serving_yaml.py. One small server answers for the first two, as far as reading goes, by the
variables that every client of theirs knows, and for files below `/files`; S3 is the platform's own.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

HUB = "hub"
_FILL = """
import json, pathlib, sys
import boto3

told = json.load(sys.stdin)
s3 = boto3.client("s3", **told["client"])
there = {each["Name"] for each in s3.list_buckets()["Buckets"]}
for name in told["buckets"]:
    if name not in there:
        s3.create_bucket(Bucket=name)
for bucket, key, file in told["files"]:
    s3.upload_file(file, bucket, key)
"""


class Stores(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root: Path

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if address.path.startswith("/storage/v1/b/"):
            query = {key: values[0] for key, values in parse_qs(address.query).items()}
            self._bucket(address.path.removeprefix("/storage/v1/b/"), query.get("prefix", ""))
        elif address.path.startswith("/files/"):
            file = self.root / unquote(address.path.removeprefix("/files/"))
            self._answer(file.read_bytes() if file.is_file() else None)
        else:
            self._hub(unquote(address.path).strip("/").split("/"))

    def do_HEAD(self) -> None:
        self.do_GET()

    def _bucket(self, path: str, prefix: str) -> None:
        words = path.split("/", 2)
        bucket = self.root / unquote(words[0])
        if len(words) == 3:
            file = bucket / unquote(words[2])
            self._answer(file.read_bytes() if file.is_file() else None)
            return
        files = (each for each in sorted(bucket.rglob("*")) if each.is_file())
        items = [
            _told(each, name) for each in files if (name := str(each.relative_to(bucket))).startswith(prefix)
        ]
        self._answer(json.dumps({"items": items}).encode())

    def _hub(self, words: list[str]) -> None:
        """`api/models/REPOSITORY[/revision/REVISION]`, `REPOSITORY/resolve/REVISION/FILE`. Any revision is the one."""
        if words[:2] == ["api", "models"]:
            name, is_tree, _ = "/".join(words[2:]).partition("/tree/")
            if is_tree:
                # No repository has folders here.
                self._answer(None, {"X-Error-Code": "EntryNotFound"})
                return
            name = name.partition("/revision/")[0]
            folder = self.root / HUB / name
            files = [each.name for each in sorted(folder.glob("*"))]
            told = {
                "id": name,
                "sha": self._commit(name),
                "siblings": [{"rfilename": file} for file in files],
            }
            self._answer(json.dumps(told).encode() if files else None, {"X-Error-Code": "RepoNotFound"})
            return
        name, _, rest = "/".join(words).partition("/resolve/")
        file = self.root / HUB / name / rest.partition("/")[2]
        content = file.read_bytes() if rest and file.is_file() else None
        etag = f'"{_sha(content or b"")}"'
        self._answer(
            content, {"X-Repo-Commit": self._commit(name), "ETag": etag, "X-Error-Code": "EntryNotFound"}
        )

    def _commit(self, name: str) -> str:
        """Of what the repository holds, for clients keep it by that."""
        files = sorted((self.root / HUB / name).glob("*"))
        return _sha(b"".join(each.read_bytes() for each in files))

    def _answer(self, body: bytes | None, headers: dict[str, str] | None = None) -> None:
        self.send_response(404 if body is None else 200)
        for key, value in (headers or {}).items():
            if key != "X-Error-Code" or body is None:
                self.send_header(key, value)
        self.send_header("content-length", str(len(body or b"")))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        pass


def _sha(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def _told(file: Path, name: str) -> dict[str, str]:
    content = file.read_bytes()
    digest = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    return {"name": name, "size": str(len(content)), "generation": "1", "md5Hash": digest}


@contextmanager
def stores(root: Path) -> Iterator[str]:
    """Their address."""
    handler = type("Served", (Stores,), {"root": root})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@dataclass(frozen=True)
class S3:
    """The platform's own, of a server that was started with `--s3`."""

    port: int
    access_key: str
    secret_key: str

    @property
    def environ(self) -> dict[str, str]:
        """As upstream's tests read it."""
        return {
            "S3_ENDPOINT": f"http://127.0.0.1:{self.port}",
            "S3_ACCESS_KEY": self.access_key,
            "S3_SECRET_KEY": self.secret_key,
            "S3_REGION": "us-east-1",
        }

    def fill(self, python: Path, buckets: list[str], files: list[tuple[str, str, str]]) -> None:
        """`files` are bucket, key and the file here. `python` has boto3."""
        client = {
            "endpoint_url": self.environ["S3_ENDPOINT"],
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            "region_name": self.environ["S3_REGION"],
        }
        self._wait()
        told = json.dumps({"client": client, "buckets": buckets, "files": files})
        subprocess.run([python, "-c", _FILL], input=told.encode(), check=True, timeout=120)

    def _wait(self) -> None:
        """It comes some moments after the server."""
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)


def s3_of(home: Path) -> S3:
    keys = json.loads((home / "s3/keys.json").read_text())
    port = json.loads((home / "s3/ports.json").read_text())["s3"]
    _wait_for(port)
    return S3(port, keys["access_key"], keys["secret_key"])


def _wait_for(port: int) -> None:
    """The server starts it beside itself, in a home that is new a little later than all else."""
    deadline = time.monotonic() + 120
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
