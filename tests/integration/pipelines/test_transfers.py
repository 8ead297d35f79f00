"""Steps' files between a pod and the platform: the real program that pods run, against the real routes.

The cluster is a stand-in with one pod and a TokenReview; tests/cluster shows the same on a real one.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.applications import Starlette

from sampan.client.protocol import ListOptions, ObjectList, WatchEvent
from sampan.components import PodFiles
from sampan.components.pipelines.engine import mover_program
from sampan.components.pipelines.engine.mover_pod import AUDIENCE, PLAN_ANNOTATION
from sampan.components.pipelines.engine.step_files import StepOutputs
from sampan.components.pipelines.engine.transfer_plans import TransferPlan
from sampan.components.pipelines.engine.transfers import Transfers, Upload
from sampan.components.pipelines.rest.transfers import Moving
from sampan.kube.errors import NotFoundError
from sampan.lib.clock import SystemClock
from sampan.testing.apiserver import loopback

ROOT_OUTPUTS = StepOutputs(("said",), ("data",))
TOKEN = "a.pods.token"


@dataclass
class OnePod:
    """As much of a cluster as the transfers ask for."""

    pod: dict[str, Any] = field(default_factory=dict)
    changes: asyncio.Queue[WatchEvent] = field(default_factory=asyncio.Queue)
    reviews: int = 0
    namespace: str = "ns"

    async def get(self, _resource: Any, name: str, namespace: str | None = None) -> dict[str, Any]:
        metadata = self.pod.get("metadata", {})
        if (metadata.get("namespace"), metadata.get("name")) != (namespace, name):
            raise NotFoundError(f'pods "{name}" not found')
        return json.loads(json.dumps(self.pod))

    async def list(self, *_: Any) -> ObjectList:
        return ObjectList([json.loads(json.dumps(self.pod))] if self.pod else [], "1")

    async def watch(
        self, _resource: Any, _namespace: Any, _options: ListOptions
    ) -> AsyncIterator[WatchEvent]:
        while True:
            yield await self.changes.get()

    async def create(self, _resource: Any, review: dict[str, Any], *_: Any) -> dict[str, Any]:
        self.reviews += 1
        assert review["spec"]["audiences"] == [AUDIENCE]
        if review["spec"]["token"] != TOKEN:
            return {"status": {"authenticated": False}}
        extra = {
            "authentication.kubernetes.io/pod-name": ["step-1"],
            "authentication.kubernetes.io/pod-uid": ["u1"],
        }
        user = {"username": f"system:serviceaccount:{self.namespace}:default", "extra": extra}
        return {"status": {"authenticated": True, "audiences": [AUDIENCE], "user": user}}

    def ends(self, code: int) -> None:
        state = {"terminated": {"exitCode": code}}
        self.pod["status"] = {"phase": "Running", "containerStatuses": [{"name": "main", "state": state}]}
        self.pod["metadata"]["resourceVersion"] = "2"
        self.changes.put_nowait(WatchEvent("MODIFIED", json.loads(json.dumps(self.pod))))


@dataclass
class World:
    """A platform's home, a pod's token, and the folders that both see at the same paths here."""

    home: Path
    cluster: OnePod
    moving: Moving
    url: str
    folders: tuple[str, ...] = ()

    @property
    def place(self) -> Path:
        return Path(self.folders[0])

    @property
    def token_file(self) -> Path:
        return self.home.parent / "token"

    async def moves(self, phase: str, patience: int = 20) -> subprocess.CompletedProcess[str]:
        environ = {
            "SAMPAN_URL": f"{self.url}/pipelines",
            "SAMPAN_TOKEN_FILE": str(self.token_file),
            "SAMPAN_PATIENCE": str(patience),
        }
        command = [sys.executable, "-I", mover_program.__file__, phase]
        return await asyncio.to_thread(
            subprocess.run, command, env=environ, capture_output=True, text=True, timeout=60, check=False
        )

    async def asks(
        self, method: str, route: str, *, token: str = TOKEN, body: bytes | None = None, **query: Any
    ) -> tuple[int, Any]:
        def ask() -> tuple[int, Any]:
            url = f"{self.url}/pipelines{route}?{urlencode(query)}"
            headers = {"authorization": f"Bearer {token}", "range": "bytes=0-99"}
            request = urllib.request.Request(url, method=method, data=body, headers=headers)
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return answer.status, answer.read()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, json.loads(error.read())["message"]

        return await asyncio.to_thread(ask)


@asynccontextmanager
async def world(tmp_path: Path, *inputs: str, most_bytes: int = 1024**3) -> AsyncIterator[World]:
    home = tmp_path / "home"
    (home / "artifacts").mkdir(parents=True)
    (tmp_path / "token").write_text(TOKEN)
    cluster = OnePod()
    moving = Moving(cluster, SystemClock(), home, PodFiles("http://unused", "python", most_bytes))  # type: ignore[arg-type]
    pod = {
        "metadata": {"name": "step-1", "namespace": "ns", "uid": "u1", "resourceVersion": "1"},
        "spec": {"containers": [{"name": "main", "image": "any"}]},
    }
    paths = moving.files.layout(str(home / "artifacts" / "ns" / "p"), "run", "root/step", 1, ROOT_OUTPUTS)
    moving.files.attach(pod, paths, [uri.replace("HOME", str(home)) for uri in inputs])
    cluster.pod = pod
    moving.start()
    async with loopback(Starlette(routes=moving.routes())) as url:
        yield World(home, cluster, moving, url, paths.folders)
    await moving.stop()


def go(tmp_path: Path, test: Callable[[World], Any], *inputs: str, **options: Any) -> None:
    async def main() -> None:
        async with world(tmp_path, *inputs, **options) as here:
            await test(here)

    asyncio.run(main())


def put(here: World, path: Path | str, content: bytes, **changed: Any) -> Any:
    query = {
        "path": path,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "offset": 0,
        **changed,
    }
    return here.asks("PUT", "/file", body=content, **query)


def test_inputs_arrive_before_the_step(tmp_path: Path) -> None:
    async def test(here: World) -> None:
        # Pod and platform share a disk here: what is fetched is what lies there already.
        folder = here.home / "artifacts/ns/p/other/data"
        (folder / "deep").mkdir(parents=True)
        large = os.urandom(17 * 1024 * 1024)
        (folder / "deep" / "large").write_bytes(large)
        (folder / "run.sh").write_text("true")
        (folder / "run.sh").chmod(0o755)
        (folder / "out").symlink_to("/etc/passwd")
        done = await here.moves("fetch")
        assert done.returncode == 0, done.stderr
        assert "not moved, for it lies in a store of its own: gs://bucket/x" in done.stdout
        assert "not moved, for it does not lie in the platform's store: /etc/passwd" in done.stdout
        assert f"fetched 2 files, {len(large) + 4} bytes" in done.stdout
        assert all(Path(each).is_dir() for each in here.folders)
        assert (folder / "deep" / "large").read_bytes() == large

    go(tmp_path, test, "HOME/artifacts/ns/p/other/data", "gs://bucket/x", "/etc/passwd")


def test_outputs_are_there_when_the_mover_ends(tmp_path: Path) -> None:
    async def test(here: World) -> None:
        assert (await here.moves("fetch")).returncode == 0
        (here.place / "data").mkdir()
        (here.place / "data" / "tool").write_text("#!/bin/sh")
        (here.place / "data" / "tool").chmod(0o755)
        (here.place / "data" / "same").symlink_to("tool")
        publishing = asyncio.create_task(here.moves("publish"))
        await asyncio.sleep(0.5)
        assert not publishing.done()
        here.cluster.ends(0)
        done = await publishing
        assert done.returncode == 0, done.stderr
        assert "published 2 files, 18 bytes" in done.stdout
        assert not (here.place / "data" / "same").is_symlink()
        assert (here.place / "data" / "same").read_text() == "#!/bin/sh"
        assert os.access(here.place / "data" / "tool", os.X_OK)
        assert [each.name for each in here.place.rglob(".sampan*")] == []
        # One look at the token was enough for all of it.
        assert here.cluster.reviews == 1

    go(tmp_path, test)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda place: (place / "gone").symlink_to("/no/where"), "nothing is at /no/where"),
        (lambda place: (place / "loop").symlink_to(place), "is a link to a folder that holds it"),
    ],
)
def test_outputs_that_cannot_be_published_are_named(
    tmp_path: Path, spoil: Callable[[Path], None], why: str
) -> None:
    async def test(here: World) -> None:
        assert (await here.moves("fetch")).returncode == 0
        spoil(here.place)
        here.cluster.ends(0)
        done = await here.moves("publish")
        assert done.returncode == 1
        assert why in done.stderr

    go(tmp_path, test)


def test_a_failed_step_has_nothing_to_publish(tmp_path: Path) -> None:
    async def test(here: World) -> None:
        assert (await here.moves("fetch")).returncode == 0
        (here.place / "half").write_text("x")
        here.cluster.ends(137)
        done = await here.moves("publish")
        assert (done.returncode, done.stdout) == (0, "the step failed: nothing to publish\n")

    go(tmp_path, test)


def test_a_large_file_goes_on_where_it_stopped(tmp_path: Path) -> None:
    async def test(here: World) -> None:
        content = os.urandom(1000)
        whole = {"size": 1000, "sha256": hashlib.sha256(content).hexdigest()}
        target = here.place / "data"
        _, said = await put(here, target, content[:400], **whole)
        assert json.loads(said) == {"size": 400, "complete": False}
        assert not target.exists()
        _, said = await here.asks("GET", "/part", path=target, **whole)
        assert json.loads(said) == {"size": 400, "complete": False}
        # The same piece again, as after an answer that was lost: nothing is written twice.
        _, said = await put(here, target, content[:400], **whole)
        assert json.loads(said) == {"size": 400, "complete": False}
        _, said = await put(here, target, content[400:], offset=400, **whole)
        assert json.loads(said) == {"size": 1000, "complete": True}
        assert target.read_bytes() == content
        # The last piece again: it need not begin anew.
        _, said = await put(here, target, content[400:], offset=400, **whole)
        assert json.loads(said) == {"size": 1000, "complete": True}
        _, said = await here.asks("GET", "/part", path=target, **whole)
        assert json.loads(said) == {"size": 1000, "complete": True}

    go(tmp_path, test)


def test_a_file_that_is_not_what_was_announced_is_refused(tmp_path: Path) -> None:
    async def test(here: World) -> None:
        status, said = await put(here, here.place / "data", b"content", sha256="0" * 64)
        assert (status, "changed while it was published" in said) == (409, True)
        assert not (here.place / "data").exists()
        status, said = await put(here, here.place / "data", b"content", size=3)
        assert json.loads(said) == {"size": 0, "complete": False}

    go(tmp_path, test)


def test_a_step_may_leave_only_so_much(tmp_path: Path) -> None:
    async def test(here: World) -> None:
        assert (await put(here, here.place / "one", b"x" * 60))[0] == 200
        assert (await put(here, here.place / "one", b"y" * 80))[0] == 200
        status, said = await put(here, here.place / "two", b"x" * 30)
        assert (status, "cluster.max_output_gib" in said) == (413, True)

    go(tmp_path, test, most_bytes=100)


def test_what_a_pod_may_not_do(tmp_path: Path) -> None:
    async def test(here: World) -> None:
        own, other = here.place, here.home / "artifacts/ns/p/other"
        other.mkdir(parents=True)
        (other / "secret").write_text("s")
        (here.home / "sampan.db").write_text("rows")
        own.mkdir(parents=True)
        (own / "way-out").symlink_to(here.home)
        for path in (
            other / "x",
            here.home / "sampan.db",
            f"{own}/../../x",
            f"{own}/way-out/sampan.db",
            "/etc/cron.d/x",
            "relative",
            "",
        ):
            assert (await put(here, path, b"x"))[0] == 403, path
            assert (await here.asks("PUT", "/folder", path=path))[0] == 403, path
        for path in (other / "secret", here.home / "sampan.db", f"{own}/way-out/sampan.db", "/etc/passwd"):
            assert (await here.asks("GET", "/file", path=path))[0] == 403, path
        assert (here.home / "sampan.db").read_text() == "rows"
        assert (await here.asks("GET", "/file", path=here.home / "artifacts/ns/p/mine/x"))[0] == 404
        assert (await put(here, own / "x", b"x", sha256="nonsense"))[0] == 400
        assert (await put(here, own / "x\0y", b"x"))[0] == 400
        assert (await here.asks("GET", "/nothing"))[0] == 404

    go(tmp_path, test, "HOME/artifacts/ns/p/mine")


def test_who_may_not_call(tmp_path: Path) -> None:
    async def test(here: World) -> None:
        for token in ("", "another", "x" * 20_000):
            assert (await here.asks("GET", "/plan", token=token))[0] == 401
        # A plan that was made for another pod, or by somebody else.
        annotations = here.cluster.pod["metadata"]["annotations"]
        right = annotations[PLAN_ANNOTATION]

        async def answered(plan: str, wanted: int) -> Any:
            """What is said of this plan, once the platform has heard that the pod is another."""
            annotations[PLAN_ANNOTATION] = plan
            here.cluster.changes.put_nowait(WatchEvent("DELETED", json.loads(json.dumps(here.cluster.pod))))
            async with asyncio.timeout(60):
                while (answer := await here.asks("GET", "/plan"))[0] != wanted:
                    await asyncio.sleep(0.01)
            return answer[1]

        for wrong in ("", "0" * 64 + right[64:], right.replace("step-1", "step-2", 1)):
            assert await answered(wrong, 403) == "the pod's plan was not made by this platform", wrong
            await answered(right, 200)
        # Another pod has taken the name.
        here.cluster.pod["metadata"]["uid"] = "u2"
        assert (await here.asks("GET", "/plan"))[0] == 404

    go(tmp_path, test)


def test_a_mover_waits_for_a_platform_that_is_away(tmp_path: Path) -> None:
    async def test(here: World) -> None:
        here.url = "http://127.0.0.1:1"
        done = await here.moves("fetch", patience=1)
        assert done.returncode == 1
        assert "trying again" in done.stderr
        assert "error: the platform at 127.0.0.1:1: " in done.stderr

    go(tmp_path, test)


def test_what_is_here_is_told_when_the_piece_before_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mover that had hung up asked at the moment when the file took its place: no answer, or a wrong one."""
    folder, content = tmp_path / "artifacts" / "out", b"content"
    plan = TransferPlan("ns/pod", (str(folder),), ())
    upload = Upload(f"{folder}/file", len(content), hashlib.sha256(content).hexdigest())
    moving, digest = Transfers(tmp_path, 1000), hashlib.file_digest
    hashing, answered = threading.Event(), threading.Event()

    def slowly(*arguments: Any) -> Any:
        if not hashing.is_set():
            hashing.set()
            answered.wait(0.3)
        return digest(*arguments)

    monkeypatch.setattr(hashlib, "file_digest", slowly)
    with ThreadPoolExecutor(1) as threads:
        written = threads.submit(moving.write, plan, upload, 0, content)
        assert hashing.wait(60)
        told = moving.begun(plan, upload)
        answered.set()
    whole = {"size": len(content), "complete": True}
    assert (told, written.result()) == (whole, whole)
