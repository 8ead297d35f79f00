"""Brings a step's files to its pod and its outputs back, where the pod's node does not see the platform's folders.

This file runs inside the pod, in any image with Python 3.8 or newer: it imports nothing but the standard library, and
nothing of Sampan. `mover_pod` puts two containers into the pod that run it:

* `fetch`, an init container: makes the step's folders and downloads its input artifacts;
* `publish`, beside the step: asks the platform until the step has ended, uploads what it left, and ends.

Kubernetes counts a pod as ended when all its containers have: the engine sees no end before the outputs are there. What
breaks on the way is tried again for as long as SAMPAN_PATIENCE says; every file is checked by its SHA-256, and the
transfer of a large one goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import signal
import ssl
import stat
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO, Mapping
from urllib.parse import urlencode, urlsplit

CHUNK = 8 * 1024 * 1024
THREADS = 4
ANSWER_SECONDS = 600  # the platform hashes files of many gigabytes meanwhile
WAIT_SECONDS = 20
UNKNOWN_SECONDS = 60
LONGEST_PAUSE_SECONDS = 15
TERMINATION_LOG = "/dev/termination-log"


class FailureError(Exception):
    """Trying again would not help. The message is for the user of the pipeline."""


class Platform:
    """Requests to the platform; one connection for each thread."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.url = urlsplit(environ["SAMPAN_URL"])
        self.token_file = environ["SAMPAN_TOKEN_FILE"]
        self.patience = float(environ.get("SAMPAN_PATIENCE", "3600"))
        authority = environ.get("SAMPAN_CA", "")
        self.tls: ssl.SSLContext | None = None
        if self.url.scheme == "https":
            self.tls = ssl.create_default_context(cadata=authority or None)
        self.local = threading.local()

    def json(
        self, method: str, path: str, query: dict[str, Any] | None = None, body: bytes | None = None
    ) -> Any:
        return json.loads(self.call(method, path, query, body))

    def call(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> bytes:
        """The answer's body. Waits out what passes; raises FailureError."""
        began = time.monotonic()
        pause = 0.2
        while True:
            try:
                status, content = self._once(method, path, query, body, headers or {})
                if status < 400:
                    return content
                why = said(content) or f"it answered {status}"
                if status < 500 and status not in (401, 408, 429):
                    raise FailureError(why)
                # The kubelet renews the token in its file; if that does not help, nothing will.
                patience = UNKNOWN_SECONDS if status == 401 else self.patience
            except (OSError, http.client.HTTPException) as error:
                self.local.connection = None
                why = str(error) or type(error).__name__
                patience = self.patience
            if time.monotonic() - began > patience:
                raise FailureError(f"the platform at {self.url.netloc}: {why}")
            print(f"{method} {path}: {why}; trying again", file=sys.stderr, flush=True)
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _once(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None,
        body: bytes | None,
        headers: dict[str, str],
    ) -> tuple[int, bytes]:
        with open(self.token_file, encoding="utf-8") as file:
            token = file.read().strip()
        connection = getattr(self.local, "connection", None)
        if connection is None:
            host, port = self.url.hostname or "", self.url.port
            if self.tls is None:
                connection = http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS)
            else:
                connection = http.client.HTTPSConnection(host, port, timeout=ANSWER_SECONDS, context=self.tls)
            self.local.connection = connection
        target = self.url.path.rstrip("/") + path + ("?" + urlencode(query) if query else "")
        connection.request(method, target, body=body, headers={"Authorization": "Bearer " + token, **headers})
        answer = connection.getresponse()
        return answer.status, answer.read()


def said(content: bytes) -> str:
    try:
        return str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        return ""


# Before the step.


def fetch(platform: Platform) -> None:
    # The step may be another user than we are.
    os.umask(0)
    plan = platform.json("GET", "/plan")
    for folder in plan["folders"]:
        os.makedirs(folder, exist_ok=True)
    for entry in plan["inputs"]:
        if entry["type"] == "folder":
            os.makedirs(entry["path"], exist_ok=True)
    files = [entry for entry in plan["inputs"] if entry["type"] == "file"]
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(lambda entry: download(platform, entry), files):
            pass
    for note in plan["notes"]:
        print(note, flush=True)
    size = sum(entry["size"] for entry in files)
    print(f"fetched {len(files)} files, {size} bytes", flush=True)


def download(platform: Platform, entry: dict[str, Any]) -> None:
    path = entry["path"]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    for _ in range(2):
        digest = hashlib.sha256()
        done = 0
        with open(path + ".sampan-part", "wb") as file:
            while done < entry["size"]:
                last = min(done + CHUNK, entry["size"]) - 1
                wanted = {"Range": f"bytes={done}-{last}"}
                content = platform.call("GET", "/file", {"path": path}, headers=wanted)
                if not content:
                    break
                file.write(content)
                digest.update(content)
                done += len(content)
        if done == entry["size"] and digest.hexdigest() == entry["sha256"]:
            os.chmod(file.name, 0o777 if entry["executable"] else 0o666)
            os.replace(file.name, path)
            return
    raise FailureError(f"the input {path} changed while it was fetched")


# After the step.


def publish(platform: Platform) -> None:
    state = "running"
    while state == "running":
        state = platform.json("GET", "/end", {"wait": WAIT_SECONDS})["state"]
    if state != "succeeded":
        print(f"the step {state}: nothing to publish", flush=True)
        return
    folders: list[str] = []
    files: list[str] = []
    for root in platform.json("GET", "/plan", {"inputs": "none"})["folders"]:
        found(root, folders, files, ())
    for folder in folders:
        platform.call("PUT", "/folder", {"path": folder})
    with ThreadPoolExecutor(THREADS) as pool:
        sizes = list(pool.map(lambda path: upload(platform, path), files))
    summary = json.dumps({"files": len(files), "bytes": sum(sizes)}).encode()
    platform.json("POST", "/done", body=summary)
    print(f"published {len(files)} files, {sum(sizes)} bytes", flush=True)


def found(folder: str, folders: list[str], files: list[str], above: tuple[str, ...]) -> None:
    """Everything below `folder`. Links are followed: what they lead to is what the step has left."""
    real = os.path.realpath(folder)
    if real in above:
        raise FailureError(f"the output {folder} is a link to a folder that holds it")
    folders.append(folder)
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        try:
            mode = os.stat(path).st_mode
        except OSError:
            target = os.readlink(path) if os.path.islink(path) else path
            raise FailureError(f"the output {path} cannot be read: nothing is at {target}") from None
        if stat.S_ISDIR(mode):
            found(path, folders, files, (*above, real))
        elif stat.S_ISREG(mode):
            files.append(path)
        else:
            print(f"left out, for it is no file: {path}", file=sys.stderr, flush=True)


def upload(platform: Platform, path: str) -> int:
    try:
        with open(path, "rb") as file:
            size, digest = measured(file)
            query: dict[str, Any] = {"path": path, "size": size, "sha256": digest}
            if os.fstat(file.fileno()).st_mode & 0o111:
                query["executable"] = "true"
            begun = platform.json("GET", "/part", query) if size > CHUNK else {"size": 0, "complete": False}
            while not begun["complete"]:
                file.seek(begun["size"])
                body = file.read(min(CHUNK, size - begun["size"]))
                # The answer says from where to go on: more may have arrived than we know.
                begun = platform.json("PUT", "/file", {**query, "offset": begun["size"]}, body)
    except OSError as error:
        raise FailureError(f"the output {path} cannot be read: {error.strerror}") from error
    return size


def measured(file: BinaryIO) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    while True:
        content = file.read(CHUNK)
        if not content:
            return size, digest.hexdigest()
        digest.update(content)
        size += len(content)


def stop(*_: object) -> None:
    # The pod is being deleted: what the step has left is of no more interest.
    os._exit(143)


def main() -> None:
    signal.signal(signal.SIGTERM, stop)
    try:
        {"fetch": fetch, "publish": publish}[sys.argv[1]](Platform(os.environ))
    except (FailureError, OSError) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        try:
            with open(TERMINATION_LOG, "w", encoding="utf-8") as log:
                log.write(str(error)[:2000])
        except OSError:
            pass
        sys.exit(1)


if __name__ == "__main__":
    main()
