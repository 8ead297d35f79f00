"""The program of Trainer's initializer images, as it runs in a pod: what each address brings to the workspace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sampan.cluster.node.environments import examples

PROGRAM = Path(examples.__path__[0]) / "trainer_initializer.py"
SHA = "0123456789abcdef0123456789abcdef01234567"


class Web(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.tokens: set[str] = set()
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Web

    def do_GET(self) -> None:
        self.server.tokens.add(self.headers.get("authorization", ""))
        found = self.server.pages.get(self.path.partition("?")[0])
        body, headers = found or (b"{}", {})
        self.send_response(200 if found else 404)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def initialise(folder: Path, kind: str, **environ: str) -> tuple[int, str, list[str]]:
    """Exit code, what it said, and the files of the workspace. As in the image, save for where the workspace is."""
    package = folder / "app" / "pkg" / "initializers" / kind
    package.mkdir(parents=True)
    text = PROGRAM.read_text("utf-8")
    place = folder / "workspace"
    assert 'Path("/workspace")' in text
    (package / "__main__.py").write_text(text.replace('Path("/workspace")', f"Path({str(place)!r})"))
    done = subprocess.run(
        [sys.executable, "-m", f"pkg.initializers.{kind}"],
        cwd=folder / "app",
        env={**os.environ, "HF_HOME": str(folder / "hf"), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    files = [str(each.relative_to(place)) for each in place.rglob("*") if each.is_file()]
    return done.returncode, done.stdout, sorted(each for each in files if "/.cache/" not in each)


def test_folders_and_files_of_the_pod(tmp_path: Path) -> None:
    source = tmp_path / "data"
    (source / "sub").mkdir(parents=True)
    for name in ("a.txt", "sub/b.bin", "sub/c.log"):
        (source / name).write_text(name)
    code, said, files = initialise(
        tmp_path, "dataset", STORAGE_URI=source.as_uri(), IGNORE_PATTERNS="*.log, *.tmp"
    )
    assert (code, files) == (0, ["dataset/a.txt", "dataset/sub/b.bin"]), said
    code, said, files = initialise(tmp_path / "one", "model", STORAGE_URI=(source / "a.txt").as_uri())
    assert (code, files) == (0, ["model/a.txt"]), said


def test_a_file_of_the_web(tmp_path: Path, web: Web) -> None:
    web.pages["/x/data.csv"] = (b"1,2", {})
    code, said, files = initialise(
        tmp_path, "dataset", STORAGE_URI=f"{web.url}/x/data.csv?v=1", ACCESS_TOKEN="secret"
    )
    assert (code, files) == (0, ["dataset/data.csv"]), said
    assert web.tokens == {"Bearer secret"}
    assert "secret" not in said


@pytest.mark.parametrize(
    ("kind", "uri", "expected"),
    [
        ("dataset", "hf://org/data/data", ["dataset/data/train.parquet", "dataset/pytorch_model.bin"]),
        ("model", "hf://org/data", ["model/config.json", "model/original/tokenizer.model"]),
    ],
)
def test_a_hub(tmp_path: Path, web: Web, kind: str, uri: str, expected: list[str]) -> None:
    pytest.importorskip("huggingface_hub")
    prefix = "/datasets" if kind == "dataset" else ""
    names = (
        ("data/train.parquet", "pytorch_model.bin")
        if kind == "dataset"
        else ("config.json", "original/tokenizer.model", "pytorch_model.bin")
    )
    where = f"/api/{prefix.strip('/') or 'models'}/org/data"
    is_json = {"Content-Type": "application/json"}
    siblings = [{"rfilename": name} for name in names]
    info = {"id": "org/data", "sha": SHA, "siblings": siblings}
    tree = [{"type": "file", "path": name, "size": 3, "oid": str(len(name))} for name in names]
    web.pages[f"{where}/revision/main"] = (json.dumps(info).encode(), is_json)
    web.pages[f"{where}/tree/{SHA}"] = (json.dumps(tree).encode(), is_json)
    for name in names:
        headers = {"ETag": f'"{len(name)}"', "X-Repo-Commit": SHA, "X-Linked-Size": "3"}
        web.pages[f"{prefix}/org/data/resolve/{SHA}/{name}"] = (b"abc", headers)
    code, said, files = initialise(
        tmp_path, kind, STORAGE_URI=uri, HF_ENDPOINT=web.url, ACCESS_TOKEN="hf_secret"
    )
    assert (code, files) == (0, expected), said
    assert "Bearer hf_secret" in web.tokens


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("", "STORAGE_URI env variable must be set"),
        ("ftp://a/b", "must have the valid dataset provider"),
        ("file:///no/such/place", "there is no /no/such/place here"),
    ],
)
def test_what_cannot_be_fetched_is_said(tmp_path: Path, uri: str, words: str) -> None:
    code, said, files = initialise(tmp_path, "dataset", STORAGE_URI=uri)
    assert (code, files) == (1, [])
    assert words in said
