"""Runs upstream's own end-to-end tests against a server of their own, and compares how each ended with what is to be.

    python tests/samples/serving.py FOLDER [--only TEXT ...] [--home DIR] [--buckets DIR]

FOLDER is a checkout of kserve/kserve 0.20; nothing of it is kept here. Its `test/e2e` is copied, and run as it is, by
the SDK and pytest in an environment of their own. They fetch models from public buckets: serving_models.py makes some
that say what upstream's say, and a small server answers for the buckets, by the variable that every client of Google
Cloud Storage knows. `serving.toml` names the files and what must end otherwise; README.md has the table.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from sampan.cluster.node.environments import Environments, PipInstall
from sampan.testing.clients import interpreter_with, kubectl
from sampan.testing.homes import home_with_frameworks
from sampan.testing.server import ServerProcess

_HERE = Path(__file__).parent
_KUBECTL = "1.37.1"
_NAMESPACE = "kserve-ci-e2e-test"
_CLIENT = (
    "kserve==0.21.0",
    "kubernetes==35.0.0",
    "pytest<9",
    "pytest-asyncio==0.23.8",
    "pytest-timeout",
    "httpx-retries",
    "portforward",
    "boto3",
    "requests",
    "pyarrow",
    "jinja2",
    "pytest-xdist",
)
"""What upstream's tests import."""


@dataclass(frozen=True)
class Ended:
    name: str
    """FILE::TEST"""
    state: str
    seconds: float
    why: str = ""


class Bucket(http.server.BaseHTTPRequestHandler):
    """Folders as buckets of Google Cloud Storage, as far as reading goes."""

    protocol_version = "HTTP/1.1"
    root: Path

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        words = address.path.removeprefix("/storage/v1/b/").split("/", 2)
        bucket = self.root / unquote(words[0])
        if len(words) == 3:
            file = bucket / unquote(words[2])
            self._answer(file.read_bytes() if file.is_file() else None)
            return
        prefix = query.get("prefix", "")
        files = (each for each in sorted(bucket.rglob("*")) if each.is_file())
        items = [
            _told(each, name) for each in files if (name := str(each.relative_to(bucket))).startswith(prefix)
        ]
        self._answer(json.dumps({"items": items}).encode())

    def _answer(self, body: bytes | None) -> None:
        self.send_response(404 if body is None else 200)
        self.send_header("content-length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        pass


def _told(file: Path, name: str) -> dict[str, str]:
    content = file.read_bytes()
    digest = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    return {"name": name, "size": str(len(content)), "generation": "1", "md5Hash": digest}


@contextmanager
def buckets(root: Path) -> Iterator[str]:
    """Their address."""
    handler = type("Buckets", (Bucket,), {"root": root})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def make_models(
    home: Path,
    known: dict[str, Any],
    root: Path,
    upstream: Path,
    data: Path,
    script: str = "serving_models.py",
) -> None:
    """Each in the environment of the image that serves it."""

    async def python(image: str, installs: Sequence[str]) -> str:
        environments = Environments(home)
        try:
            base = await environments.for_image(image)
            more = [PipInstall(tuple(installs))] if installs else []
            return str((await environments.with_installs(base, more)).python)
        finally:
            await environments.close()

    for name, each in known.items():
        done = root / f".{name}"
        if not done.exists():
            maker = asyncio.run(python(each["image"], each.get("installs", ())))
            command = [maker, str(_HERE / script), name, str(root), str(data), str(upstream)]
            made = subprocess.run(command, check=False, capture_output=True, text=True)
            if made.returncode:
                raise SystemExit(f"{name} could not be made:\n{made.stderr}")
            done.touch()


def add_data(root: Path, data: Path) -> None:
    """Inputs that some copies of upstream's repository lack, made with the models."""
    for file in (root / ".data").glob("*"):
        if not (data / file.name).exists():
            shutil.copy(file, data)


def prepare(server: ServerProcess, storage: str, namespace: str = _NAMESPACE) -> None:
    """What upstream's setup-kserve.sh puts into the cluster, and where its buckets are."""
    environ = {**os.environ, "KUBECONFIG": str(server.home / "kubeconfig")}
    where = [{"op": "add", "path": "/spec/container/env", "value": []}]
    where += [
        {
            "op": "add",
            "path": "/spec/container/env/-",
            "value": {"name": "STORAGE_EMULATOR_HOST", "value": storage},
        }
    ]
    for command in (
        ("delete", "namespace", namespace, "--ignore-not-found"),
        ("create", "namespace", namespace),
        ("patch", "clusterstoragecontainer", "default", "--type=json", "-p", json.dumps(where)),
    ):
        subprocess.run(
            [kubectl(_KUBECTL), *command], env=environ, check=True, capture_output=True, timeout=60
        )


def images(home: Path, entries: Sequence[dict[str, Any]], upstream: Path) -> None:
    """Those that upstream builds of its own samples: its programs, in environments that can run them."""
    lines = []
    for each in entries:
        files = {path: str(upstream / own) for path, own in each.pop("files").items()}
        lines.append("[[image]]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in each.items()]
        lines += [
            "[image.files]",
            *(f"{json.dumps(path)} = {json.dumps(own)}" for path, own in files.items()),
        ]
    (home / "images.toml").write_text("\n".join(lines) + "\n")


def edit(e2e: Path, edits: dict[str, Sequence[Sequence[str]]], root: Path) -> None:
    """Only where models lie, for programs that no variable tells."""
    for name, pairs in edits.items():
        text = (e2e / name).read_text()
        for old, new in pairs:
            if old not in text:
                raise SystemExit(f"{name} holds no {old!r}")
            text = text.replace(old, new.format(buckets=root.resolve()))
        (e2e / name).write_text(text)


def run(server: ServerProcess, told: dict[str, Any], e2e: Path, only: Sequence[str]) -> list[Ended]:
    report = e2e / "report.xml"
    environ = {
        **os.environ,
        **told["environ"],
        "KUBECONFIG": str(server.home / "kubeconfig"),
        "KSERVE_INGRESS_HOST_PORT": server.url.removeprefix("http://"),
    }
    deselected = [f"--deselect={name}" for name, each in told["tests"].items() if each.get("is_left_out")]
    command = [
        *(interpreter_with(*_CLIENT), "-m", "pytest", "-o", "log_cli=0", "-o", "log_level=WARNING"),
        *(f"--junitxml={report}", "-p", "no:cacheprovider", "-rA", "--tb=short", "-W", "ignore"),
        *("--timeout=240", "-vv", "-n", "3", "--dist=worksteal", *deselected),
        *(["-k", " or ".join(only)] if any(only) else []),
        *told["files"],
    ]
    with (e2e / "output.txt").open("w") as output:
        subprocess.run(command, cwd=e2e, env=environ, check=False, stdout=output, stderr=subprocess.STDOUT)
    return [_ended(each) for each in ElementTree.parse(report).iter("testcase")]


def _ended(case: ElementTree.Element) -> Ended:
    file = case.get("classname", "").replace(".", "/").removeprefix("e2e/") + ".py"
    name, seconds = f"{file}::{case.get('name')}", float(case.get("time", 0))
    for kind in ("failure", "error", "skipped"):
        if (found := case.find(kind)) is not None:
            return Ended(name, kind.upper(), seconds, f"{found.get('message')}\n{found.text}")
    return Ended(name, "PASSED", seconds)


def told_of(one: Ended, expected: dict[str, Any]) -> bool:
    """Says it; whether it is as expected."""
    wanted = expected.get(one.name, {})
    says = wanted.get("fails", "")
    is_expected = one.state == "SKIPPED" or (
        says in one.why and one.state != "PASSED" if says else one.state == "PASSED"
    )
    print(f"{'  ' if is_expected else '!!'} {one.state:<8} {one.seconds:6.1f} s  {one.name}", flush=True)
    if not is_expected:
        print("\n".join(f"      {line}" for line in one.why.strip().splitlines()[-12:]), flush=True)
    return is_expected


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--home", type=Path)
    parser.add_argument("--buckets", type=Path, help="models that were made before are not made again")
    given = parser.parse_args()
    told: dict[str, Any] = tomllib.loads((_HERE / "serving.toml").read_text())
    with tempfile.TemporaryDirectory(prefix="sampan-serving-", ignore_cleanup_errors=True) as scratch:
        home = home_with_frameworks(given.home or Path(scratch) / "home")
        e2e = Path(scratch) / "e2e"
        shutil.copytree(given.folder / "test/e2e", e2e)
        root = given.buckets or Path(scratch) / "buckets"
        root.mkdir(parents=True, exist_ok=True)
        make_models(home, told["models"], root, given.folder, e2e / "data")
        add_data(root, e2e / "data")
        images(home, told["images"], given.folder)
        edit(e2e, told["edits"], root)
        with buckets(root) as storage, ServerProcess(home) as server:
            prepare(server, storage)
            ended = run(server, told, e2e, given.only)
        wrong = [one for one in ended if not told_of(one, told["tests"])]
        if given.home:
            shutil.copy(e2e / "output.txt", given.home / "output.txt")
    passed = sum(one.state == "PASSED" for one in ended)
    print(f"{len(ended) - len(wrong)} of {len(ended)} ended as expected, {passed} of them well")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
