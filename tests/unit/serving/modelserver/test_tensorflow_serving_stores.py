"""TensorFlow Serving's base paths in stores."""

from __future__ import annotations

import http.server
import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from sampan.components.serving.engine.programs.modelserver.contract import LoadError
from sampan.components.serving.engine.programs.modelserver.tfserving.stores import brought

MODEL = {"models/half/1/saved_model.pb": b"graph", "models/half/2/saved_model.pb": b"other"}


class Bucket(http.server.BaseHTTPRequestHandler):
    """Google Cloud Storage, as far as reading goes."""

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        name = unquote(address.path.partition("/o/")[2])
        prefix = parse_qs(address.query).get("prefix", [""])[0]
        items = [
            {"name": key, "size": str(len(value)), "generation": "1"}
            for key, value in MODEL.items()
            if key.startswith(prefix)
        ]
        body = MODEL[name] if name else json.dumps({"items": items}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def bucket() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bucket) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_versions_are_brought_from_a_bucket(tmp_path: Path) -> None:
    with bucket() as address:
        environ = {"STORAGE_EMULATOR_HOST": address, "SAMPAN_MODEL_CACHE": str(tmp_path / "cache")}
        folder = Path(brought("gs://public/models/half", environ))
    found = {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*.pb")}
    assert found == {"1/saved_model.pb": b"graph", "2/saved_model.pb": b"other"}


def test_a_path_is_itself_and_a_bucket_without_a_model_is_said() -> None:
    assert brought("/models/half") == "/models/half"
    with (
        bucket() as address,
        pytest.raises(LoadError, match=r"gs://public/none is not read: .*No model found"),
    ):
        brought("gs://public/none", {"STORAGE_EMULATOR_HOST": address})
