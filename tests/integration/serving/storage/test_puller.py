"""The puller of a pod that serves several models, against a model server that says what it was told."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from sampan.components.serving.engine.programs.puller import listed, puller
from sampan.components.serving.engine.programs.puller.listed import Model
from sampan.components.serving.engine.programs.puller.puller import Puller


@pytest.fixture(autouse=True)
def _hasty(monkeypatch):
    monkeypatch.setattr(puller, "_LOOK_SECONDS", 0.02)
    monkeypatch.setattr(puller, "_FIRST_WAIT_SECONDS", 0.02)


@pytest.fixture
def pod(tmp_path, serve):
    return Pod(tmp_path, serve)


class Pod:
    def __init__(self, folder, serve):
        self.config, self.models, self.sources = (folder / name for name in ("config", "models", "sources"))
        for each in (self.config, self.models, self.sources):
            each.mkdir()
        self.refusals = []
        self.server = serve(self._answer)

    def _answer(self, asked):
        return (self.refusals.pop(), {}, b"not a model") if self.refusals else (200, {}, b"{}")

    def told(self):
        return [each.path.removeprefix("/v2/repository/models/") for each in self.server.asked]

    def source(self, name, text="1"):
        folder = self.sources / f"{name}-{text}"
        folder.mkdir()
        (folder / "model.json").write_text(text)
        return f"file://{folder}"

    def list(self, **uris):
        new = self.config / "new"
        told = [
            {"modelName": name, "modelSpec": {"storageUri": uri, "framework": "sklearn", "memory": "1Mi"}}
            for name, uri in uris.items()
        ]
        new.write_text(json.dumps(told))
        new.replace(self.config / "models.json")

    def text(self, name):
        try:
            return (self.models / name / "model.json").read_text()
        except OSError:
            return None

    @asynccontextmanager
    async def running(self):
        made = Puller(self.config, self.models, self.server.port, {})
        made.start()
        try:
            yield
        finally:
            await made.close()


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


def test_models_come_change_and_go(pod):
    async def main():
        async with pod.running():
            pod.list(a=pod.source("a"), b=pod.source("b"))
            await until(lambda: sorted(pod.told()) == ["a/load", "b/load"])
            assert (pod.text("a"), pod.text("b")) == ("1", "1")
            pod.list(a=pod.source("a", "2"), b=f"file://{pod.sources}/b-1")
            await until(lambda: pod.told().count("a/load") == 2)
            assert pod.text("a") == "2"
            pod.list(a=f"file://{pod.sources}/a-2")
            await until(lambda: "b/unload" in pod.told())
            assert not (pod.models / "b").exists()
            assert pod.told().count("b/load") == 1
        assert not [each for each in pod.models.iterdir() if each.name.startswith(".")]

    asyncio.run(main())


def test_what_is_there_is_loaded_again_and_not_downloaded(pod):
    async def main():
        uri = pod.source("a")
        pod.list(a=uri, gone=pod.source("gone"))
        async with pod.running():
            await until(lambda: len(pod.told()) == 2)
        (pod.sources / "a-1" / "model.json").unlink()
        (pod.sources / "a-1").rmdir()
        pod.server.asked.clear()
        pod.list(a=uri)
        async with pod.running():
            await until(lambda: sorted(pod.told()) == ["a/load", "gone/unload"])
        assert not (pod.models / "gone").exists()

    asyncio.run(main())


def test_what_an_earlier_run_has_left_is_unloaded_however_often_that_is_refused(pod):
    """The server may have found it when it started, and serve it once it takes a word."""

    async def main():
        pod.list(gone=pod.source("gone"))
        async with pod.running():
            await until(lambda: pod.told() == ["gone/load"])
        pod.server.asked.clear()
        pod.refusals = [503, 503]
        pod.list()
        async with pod.running():
            await until(lambda: pod.told() == ["gone/unload"] * 3)

    asyncio.run(main())


def test_what_fails_is_tried_again_and_keeps_no_other_back(pod, caplog):
    async def main():
        async with pod.running():
            late = f"file://{pod.sources}/late-1"
            pod.list(late=late, good=pod.source("good"))
            await until(lambda: "good/load" in pod.told() and "does not exist" in caplog.text)
            assert not (pod.models / "late").exists()
            pod.source("late")
            await until(lambda: "late/load" in pod.told())

    asyncio.run(main())


def test_a_server_that_refuses_is_asked_again(pod, caplog):
    async def main():
        pod.refusals = [503, 500]
        async with pod.running():
            pod.list(a=pod.source("a"))
            await until(lambda: pod.told().count("a/load") == 3)
            assert "the server refuses to load it with 500: not a model" in caplog.text

    asyncio.run(main())


def test_a_model_that_is_taken_back_before_it_came(pod):
    async def main():
        async with pod.running():
            pod.list(a=f"file://{pod.sources}/never")
            await asyncio.sleep(0.1)
            pod.list()
            await asyncio.sleep(0.1)
            assert pod.told() == []

    asyncio.run(main())


@pytest.mark.parametrize("text", ["", "{", "{}", "null", "7"])
def test_a_list_that_cannot_be_read_takes_nothing_away(tmp_path, text):
    (tmp_path / "models.json").write_text(text)
    assert listed.read(tmp_path) is None


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "..", ".hidden", 7, None])
def test_names_that_are_no_folders_are_left_out(tmp_path, name):
    told = [
        {"modelName": name, "modelSpec": {"storageUri": "s3://x"}},
        "odd",
        {"modelName": "a", "modelSpec": {}},
    ]
    (tmp_path / "models.json").write_text(json.dumps(told))
    assert listed.read(tmp_path) == {"a": Model("")}
