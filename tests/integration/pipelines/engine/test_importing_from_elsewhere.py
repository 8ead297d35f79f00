"""Imported artifacts are brought to the steps that read them: by http, from a hub, from stores nobody configured."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sampan.components.pipelines.api.artifact_settings import ArtifactSettings
from sampan.components.pipelines.engine.artifact_stores import ArtifactStores
from sampan.components.pipelines.engine.staged_files import StagedStepFiles
from sampan.components.pipelines.engine.web_sources import WebRules, WebSources
from sampan.store.artifacts.cache import ReadCache
from sampan.store.artifacts.trees import Limits

SHA = "a" * 40


class Web(ThreadingHTTPServer):
    """A web server that gives `pages`, and a small part of a Hugging Face hub."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Web

    def do_GET(self):
        self.server.asked.append(self.path)
        found = self.server.pages.get(self.path.partition("?")[0])
        if found is None:
            body = b'{"error":"Repository not found"}'
            self.send_response(404)
            headers = {"X-Error-Code": "RepoNotFound"} if "/api/" in self.path else {}
        else:
            body, headers = found
            self.send_response(int(headers.get("status", "200")))
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            if name != "status":
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self):
        self.do_GET()

    def log_message(self, *_):
        return


@pytest.fixture
def web():
    server = Web()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def files(home, *, allow_private=True, hub="", settings=None, most=10_000):
    cache = ReadCache(home / "cache", 10**8)
    stores = ArtifactStores(settings or ArtifactSettings(), environ={})
    sources = WebSources(WebRules(most, allow_private, hub), cache)
    return StagedStepFiles(home, stores, sources, cache, Limits(most))


@pytest.fixture
def document(spec):
    def importing(uri):
        data = {"data": "system.Dataset"}
        spec.step("read", inputs=data, outputs={"text": "str"})
        spec.document["components"]["import"] = {
            "executorLabel": "exec-import",
            "outputDefinitions": {"artifacts": {"data": {"artifactType": {"schemaTitle": "system.Dataset"}}}},
        }
        importer = {"artifactUri": {"constant": uri}, "typeSchema": {"schemaTitle": "system.Dataset"}}
        spec.document["deploymentSpec"]["executors"]["exec-import"] = {"importer": importer}
        tasks = {
            "import": spec.task("import"),
            "read": spec.task("read", ("import",), artifacts={"data": "import.data"}),
        }
        return spec.done(tasks)

    return importing


def opened(call):
    """The input as the step's program opens it: `path` is the URI, and relative to where it was started."""
    uri = call.artifact("data", "inputs")["uri"]
    folder = call.pod["spec"]["containers"][0].get("workingDir", "/nowhere")
    return Path(folder, *[part for part in uri.split("/") if part])


def read(call):
    place = opened(call)
    text = place.read_text() if place.is_file() else str(sorted(path.name for path in place.iterdir()))
    call.returns(text=text)


async def run(open_cluster, document, files_, behaviour=read):
    async with open_cluster(files=files_, read=behaviour) as cluster:
        found = await cluster.run(document)
        task = cluster.tasks(found.run_id)["root/read"]
        return found.state, task.outputs.parameters.get("text", task.error)


def test_a_url_is_fetched_once_and_asked_for_again(open_cluster, go, document, web, tmp_path):
    web.pages["/data.csv"] = (b"a,b", {"ETag": '"1"'})
    staged, wanted = files(tmp_path), document(f"{web.url}/data.csv")

    async def main():
        async with open_cluster(files=staged, read=read) as cluster:
            for content in (b"a,b", b"a,b", b"new"):
                if content == b"new":
                    web.pages["/data.csv"] = (content, {"ETag": '"2"'})
                found = await cluster.run(wanted)
                assert cluster.tasks(found.run_id)["root/read"].outputs.parameters == {
                    "text": content.decode()
                }

    go(main())


def test_redirects_and_answers_of_no_length_are_followed(open_cluster, go, document, web, tmp_path):
    web.pages["/old"] = (b"", {"status": "302", "Location": "/new"})
    web.pages["/new"] = (b"there", {})
    state, text = go(run(open_cluster, document(f"{web.url}/old"), files(tmp_path)))
    assert (state, text) == ("SUCCEEDED", "there")


@pytest.mark.parametrize(
    ("path", "options", "words"),
    [
        ("/data.csv", {"allow_private": False}, "private or loopback"),
        ("/none", {}, "404"),
        ("/data.csv", {"most": 2}, "artifacts.max_import_gib"),
        ("/a/../../../../etc/passwd", {}, "leads elsewhere"),
        ("/to-metadata", {"allow_private": False}, "private or loopback"),
    ],
)
def test_what_may_not_be_fetched_fails_the_step(
    open_cluster, go, document, web, tmp_path, path, options, words
):
    web.pages["/data.csv"] = (b"a,b", {})
    web.pages["/to-metadata"] = (b"", {"status": "302", "Location": "http://169.254.169.254/latest"})
    state, text = go(run(open_cluster, document(f"{web.url}{path}"), files(tmp_path, **options)))
    assert state == "FAILED"
    assert words in text


@pytest.mark.parametrize(
    "uri", ["http://nowhere.invalid/x", "http://127.0.0.1:1/x", "gs://bucket/key", "s3://b/k"]
)
def test_what_nobody_reaches_is_left_to_the_step(open_cluster, go, document, tmp_path, uri, failed):
    settings = ArtifactSettings()
    staged = files(tmp_path, settings=settings)
    if "://b" in uri:
        # As on a machine without a network.
        away = ArtifactSettings(gs_endpoint="http://127.0.0.1:1")
        staged = files(tmp_path, settings=settings)
        staged._stores._from_environment = lambda parsed, provided: _nowhere(away, parsed)

    def only_uri(call):
        call.returns(text=call.artifact("data", "inputs")["uri"])

    def fails(call):
        raise failed(1, "FileNotFoundError")

    async def main():
        async with open_cluster(files=staged, read=only_uri) as cluster:
            wanted = document(uri)
            first = await cluster.run(wanted)
            assert cluster.tasks(first.run_id)["root/read"].outputs.parameters == {"text": uri}
            cluster.kubelet.behaviours["read"] = fails
            second = await cluster.run(wanted)
            assert second.state == "FAILED"
            assert f"its input {uri} was not fetched" in cluster.tasks(second.run_id)["root/read"].error

    go(main())


def _nowhere(settings, parsed):
    from sampan.store.artifacts.objects import Bucket

    provider = "gs" if parsed.scheme == "gs" else "s3"
    return Bucket(provider, parsed.bucket, "http://127.0.0.1:1", anonymous=True, timeout_seconds=5)


def hub_pages(web, kind, name, contents):
    listed = [{"rfilename": key, "size": len(value)} for key, value in contents.items()]
    info = {
        "id": name,
        "sha": SHA,
        "siblings": listed,
        "private": False,
        "downloads": 0,
        "tags": [],
        "likes": 0,
    }
    for where in (
        f"/api/{kind}/{name}",
        f"/api/{kind}/{name}/revision/{SHA}",
        f"/api/{kind}/{name}/revision/main",
    ):
        web.pages[where] = (json.dumps(info).encode(), {"Content-Type": "application/json"})
    prefix = "" if kind == "models" else f"/{kind}"
    for key, value in contents.items():
        headers = {"ETag": f'"{len(key)}"', "X-Repo-Commit": SHA, "X-Linked-Size": str(len(value))}
        web.pages[f"{prefix}/{name}/resolve/{SHA}/{key}"] = (value, headers)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("hf://org/model", "['config.json', 'sub']"),
        ("hf://org/model/config.json", "{}"),
        ("hf://org/model/sub", "['weights']"),
        ("hf://datasets/org/data@main/train.csv", "a,b"),
    ],
)
def test_a_hub_is_read(open_cluster, go, document, web, tmp_path, uri, expected):
    pytest.importorskip("huggingface_hub")
    hub_pages(web, "models", "org/model", {"config.json": b"{}", "sub/weights": b"w"})
    hub_pages(web, "datasets", "org/data", {"train.csv": b"a,b"})
    state, text = go(run(open_cluster, document(uri), files(tmp_path, hub=web.url)))
    assert (state, text) == ("SUCCEEDED", expected)


def test_a_hub_that_has_not_got_it_fails_the_step(open_cluster, go, document, web, tmp_path):
    pytest.importorskip("huggingface_hub")
    state, text = go(run(open_cluster, document("hf://org/none"), files(tmp_path, hub=web.url)))
    assert state == "FAILED"
    assert "HF_TOKEN" in text
