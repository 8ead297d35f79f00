"""Artifacts in object stores: brought to steps and taken away, with stores that are away for a while, over restarts.

The store is the outermost seam, and here a folder that can be switched off; real S3 is in tests/e2e/test_s3.py.
"""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sampan.components.pipelines.api.artifact_settings import ArtifactSettings
from sampan.components.pipelines.engine import driver
from sampan.components.pipelines.engine.artifact_stores import ArtifactStores, Opened
from sampan.components.pipelines.engine.staged_files import StagedStepFiles
from sampan.components.pipelines.engine.web_sources import WebRules, WebSources
from sampan.components.pipelines.store import artifacts
from sampan.lib.threads import have_ended
from sampan.store.artifacts import trees, uris
from sampan.store.artifacts.cache import ReadCache
from sampan.store.artifacts.local import LocalStore
from sampan.store.artifacts.objects import Bucket
from sampan.store.artifacts.protocol import StoreUnavailableError
from sampan.store.artifacts.trees import Limits


class Switch(LocalStore):
    """A store that is away while `away` is set; counts what passes."""

    def __init__(self, root):
        super().__init__(root)
        self.away = False
        self.fails_after = None
        self.answers = threading.Event()
        """Cleared, nobody answers and nobody refuses."""
        self.answers.set()
        self.asked = threading.Semaphore(0)
        self.uploads, self.downloads = [], []

    def _pass(self):
        self.asked.release()
        assert self.answers.wait(20)
        if self.away:
            raise StoreUnavailableError("nobody answers at the test's store")

    def stat(self, key):
        self._pass()
        return super().stat(key)

    def list(self, prefix):
        self._pass()
        return super().list(prefix)

    def upload(self, file, key):
        self._pass()
        if self.fails_after is not None and len(self.uploads) >= self.fails_after:
            self.away = True
            self._pass()
        self.uploads.append(key)
        return super().upload(file, key)

    def download(self, key, file):
        self._pass()
        self.downloads.append(key)
        return super().download(key, file)


class Stores(ArtifactStores):
    def __init__(self, store, *, configured=True):
        super().__init__(ArtifactSettings(), lambda name: Bucket("s3", name))
        self.store, self.configured = store, configured

    def serves(self, uri, namespace):
        return uri.startswith("s3://") or self.configured

    def open(self, uri, namespace):
        parsed = uris.parse(uri)
        return Opened(self.store, parsed.bucket, f"{parsed.bucket}/{parsed.key}", self.serves(uri, namespace))


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(driver, "_FIRST_STORE_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(driver, "_LONGEST_STORE_PAUSE_SECONDS", 0.05)
    (tmp_path / "objects").mkdir()
    return Switch(tmp_path / "objects")


@pytest.fixture
def cache(tmp_path):
    return ReadCache(tmp_path / "cache", 10**9)


@pytest.fixture
def files(tmp_path, store, cache):
    web = WebSources(WebRules(10_000, allow_private=True), cache)
    return StagedStepFiles(tmp_path, Stores(store), web, cache, Limits(10_000))


def seen(call, path):
    """A path that the step's container sees, on this machine: by the mounts of its pod."""
    spec = call.pod["spec"]
    places = {each["name"]: each["hostPath"]["path"] for each in spec["volumes"] if "hostPath" in each}
    for mount in spec["containers"][0]["volumeMounts"]:
        if path.startswith(mount["mountPath"] + "/"):
            return Path(places[mount["name"]] + path[len(mount["mountPath"]) :])
    raise AssertionError(f"{path} is not mounted")


def local(uri):
    return uri.replace("s3://", "/s3/").replace("gs://", "/gcs/")


def output(call, name):
    path = seen(call, local(call.artifact(name)["uri"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def done(call, **parameters):
    path = seen(call, call.input["outputs"]["outputFile"])
    path.write_text(json.dumps({"parameterValues": parameters}))


def make(call):
    output(call, "data").write_text("content")
    folder = output(call, "model")
    (folder / "sub").mkdir(parents=True)
    (folder / "a").write_text("1")
    (folder / "sub" / "b").write_text("2")
    done(call)


def read(call):
    data = seen(call, local(call.artifact("data", "inputs")["uri"]))
    model = seen(call, local(call.artifact("model", "inputs")["uri"]))
    text = data.read_text() + (model / "a").read_text() + (model / "sub" / "b").read_text()
    # Its own copy: what it does to it is nobody else's concern.
    data.write_text("changed by the reader")
    done(call, text=text)


@pytest.fixture
def document(spec):
    given = {"data": "system.Dataset", "model": "system.Model"}
    spec.step("make", artifacts=given).step("read", inputs=given, outputs={"text": "str"})
    make = spec.task("make", cachingOptions={"enableCache": True})
    read = spec.task("read", after=("make",), artifacts={"data": "make.data", "model": "make.model"})
    return spec.done({"make": make, "read": read})


def test_steps_write_to_a_bucket_and_read_from_it(open_cluster, go, document, files, store):
    async def main():
        async with open_cluster(files=files, make=make, read=read) as cluster:
            run = await cluster.run(document)
            assert run.state == "SUCCEEDED", cluster.tasks(run.run_id)
            assert cluster.tasks(run.run_id)["root/read"].outputs.parameters == {"text": "content12"}
            rows = cluster.database.read_now(lambda connection: artifacts.of_run(connection, run.run_id))
            uri = {row.name: row for row in rows.values()}["data"].uri
            assert uri == f"s3://default/artifacts/test-pipeline/{run.run_id}/make/1/data"
            assert {row.size_bytes for row in rows.values()} == {7, 2}
            assert all(len(row.digest) == 64 and row.stored for row in rows.values())
            place = f"default/artifacts/test-pipeline/{run.run_id}/make/1"
            assert {found.key for found in store.list(place)} == {
                f"{place}/data",
                f"{place}/model/a",
                f"{place}/model/sub/b",
            }
            # What was just written is not downloaded again, and nothing is left on this machine but the copies.
            assert store.downloads == []
            await until(lambda: not (cluster.home / "pipelines" / "stage" / run.run_id).exists())

            again = await cluster.run(document)
            assert cluster.states(again.run_id)["root/make"] == "CACHED"
            (cluster.home / "objects" / place / "model" / "sub" / "b").unlink()
            third = await cluster.run(document)
            assert cluster.states(third.run_id)["root/make"] == "SUCCEEDED"

    go(main())


def test_without_copies_inputs_are_downloaded(open_cluster, go, document, tmp_path, store):
    cache = ReadCache(tmp_path / "cache", 0)
    files = StagedStepFiles(tmp_path, Stores(store), WebSources(WebRules(1), cache), cache, Limits())

    async def main():
        async with open_cluster(files=files, make=make, read=read) as cluster:
            run = await cluster.run(document)
            assert cluster.tasks(run.run_id)["root/read"].outputs.parameters == {"text": "content12"}
            assert len(store.downloads) == 3

    go(main())


def test_a_store_that_says_nothing_holds_up_only_its_own_steps(
    open_cluster, go, spec, document, files, store
):
    spec = type(spec)().step("hello", outputs={"text": "str"})
    other = spec.done({"hello": spec.task("hello")})

    async def main():
        # What everybody shares has one thread here.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        async with open_cluster(
            files=files, make=make, read=read, hello=lambda call: done(call, text="hi")
        ) as cluster:
            store.answers.clear()
            run_ids = [await cluster.submit(document) for _ in range(3)]
            try:
                for _ in run_ids:
                    while not store.asked.acquire(blocking=False):
                        await asyncio.sleep(0.01)
                assert (await cluster.run(other)).state == "SUCCEEDED"
                # Nor does it hold up the engine's end.
                await cluster.restart_engine()
            finally:
                store.answers.set()
            for run_id in run_ids:
                assert (await cluster.wait(run_id)).state == "SUCCEEDED"

    go(main())


def test_a_store_that_is_away_is_waited_for(open_cluster, go, document, files, store):
    async def main():
        async with open_cluster(files=files, make=make, read=read) as cluster:
            store.away = True
            run_id = await cluster.submit(document)
            await until(lambda: "nobody answers" in cluster.tasks(run_id)["root/make"].error)
            assert cluster.states(run_id)["root/make"] == "RUNNING"
            store.away = False
            run = await cluster.wait(run_id)
            assert run.state == "SUCCEEDED"
            assert cluster.tasks(run_id)["root/make"].error == ""
            assert len(cluster.executed) == 2

    go(main())


def test_a_crash_amid_uploads_loses_nothing_and_repeats_little(open_cluster, go, document, files, store):
    async def main():
        async with open_cluster(files=files, make=make, read=read) as cluster:
            store.fails_after = 2
            run_id = await cluster.submit(document)
            await until(lambda: store.away)
            await cluster.restart_engine()
            await until(lambda: "nobody answers" in cluster.tasks(run_id)["root/make"].error)
            store.fails_after, store.away = None, False
            run = await cluster.wait(run_id)
            assert run.state == "SUCCEEDED"
            assert cluster.tasks(run_id)["root/read"].outputs.parameters == {"text": "content12"}
            assert sorted(store.uploads) == sorted(set(store.uploads))
            assert cluster.executed.count("root/make") == 1

    go(main())


def test_a_run_that_waits_for_its_inputs_can_be_stopped(open_cluster, go, document, files, store, tmp_path):
    async def main():
        async with open_cluster(files=files, make=make, read=read) as cluster:
            real = files.fetch

            def away(paths, namespace, inputs):
                store.away = True
                return real(paths, namespace, inputs)

            files.fetch = away
            run_id = await cluster.submit(document)
            await until(lambda: "nobody answers" in cluster.tasks(run_id).get("root/read", Empty).error)
            await asyncio.wait_for(cluster.engine.terminate(run_id), 60)
            run = await cluster.wait(run_id)
            assert run.state == "CANCELED"
            assert cluster.executed == ["root/make"]
            await until(lambda: not (tmp_path / "pipelines" / "stage" / run_id).exists())

    go(main())


@pytest.mark.parametrize("way", ["terminate", "forget"])
def test_what_is_fetched_for_a_run_that_is_over_does_not_stay(
    open_cluster, go, document, files, store, tmp_path, monkeypatch, way
):
    """The thread that fetches goes on, and put its files where all was removed already."""
    began, may_go_on = threading.Event(), threading.Event()
    fetch = trees.fetch

    def slowly(*arguments):
        began.set()
        assert may_go_on.wait(60)
        return fetch(*arguments)

    monkeypatch.setattr(trees, "fetch", slowly)
    files._cache = ReadCache(tmp_path / "cache", 0)
    stage = tmp_path / "pipelines" / "stage"

    async def main():
        async with open_cluster(files=files, make=make, read=read) as cluster:
            run_id = await cluster.submit(document)
            await asyncio.to_thread(began.wait, 60)
            if way == "terminate":
                await cluster.engine.terminate(run_id)
                assert (await cluster.wait(run_id)).state == "CANCELED"
            else:
                await cluster.engine.forget(run_id, "default")
            await until(lambda: not (stage / run_id).exists())
            may_go_on.set()
            assert await asyncio.to_thread(have_ended, 60)

    go(main())
    assert store.downloads
    assert [path for path in stage.rglob("*") if path.is_file()] == []


class Empty:
    error = ""


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("s3://default/../../../etc/passwd", "leads"),
        ("s3://default/artifacts/../../x", "leads"),
        ("s3:///etc/passwd", ""),
    ],
)
def test_a_uri_that_leads_elsewhere_is_refused(open_cluster, go, spec, files, tmp_path, uri, text):
    spec.step("evil", artifacts={"data": "system.Dataset"})
    document = spec.done({"evil": spec.task("evil")})
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "passwd").write_text("secret")

    def evil(call):
        output(call, "data").write_text("x")
        written = {"artifacts": {"data": {"artifacts": [{"uri": uri}]}}}
        seen(call, call.input["outputs"]["outputFile"]).write_text(json.dumps(written))

    async def main():
        async with open_cluster(files=files, evil=evil) as cluster:
            run = await cluster.run(document)
            stored = [path for path in (tmp_path / "objects").rglob("*") if path.is_file()]
            assert stored == []
            if text:
                assert run.state == "FAILED"
                assert text in cluster.tasks(run.run_id)["root/evil"].error

    go(main())


def test_a_link_that_leads_out_is_not_taken_along(open_cluster, go, spec, files, tmp_path):
    spec.step("evil", artifacts={"data": "system.Dataset", "model": "system.Model"})
    document = spec.done({"evil": spec.task("evil")})
    (tmp_path / "secret").write_text("secret")

    def evil(call):
        folder = output(call, "model")
        folder.mkdir()
        (folder / "fine").write_text("x")
        (folder / "link").symlink_to(tmp_path / "secret")
        done(call)

    def worse(call):
        output(call, "data").symlink_to(tmp_path / "secret")
        done(call)

    async def main():
        async with open_cluster(files=files, evil=evil) as cluster:
            assert (await cluster.run(document)).state == "SUCCEEDED"
            names = [path.name for path in (tmp_path / "objects").rglob("*") if path.is_file()]
            assert names == ["fine"]
            cluster.kubelet.behaviours["evil"] = worse
            run = await cluster.run(document)
            assert run.state == "FAILED"
            assert "secret" not in [p.read_text() for p in (tmp_path / "objects").rglob("*") if p.is_file()]

    go(main())


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)
