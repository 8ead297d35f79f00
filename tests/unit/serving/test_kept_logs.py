"""Pods that an endpoint has had, what is left of them, and who may read it."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from sampan.components.serving.rest import logs
from sampan.components.serving.rest.logs import PREFIX, routes
from sampan.components.serving.store.endpoint_pods import EndpointPod, EndpointPods, endpoint_pod
from sampan.lib.logfiles import LogReader
from sampan.lib.logview import LogView
from sampan.web.guards import User

PATH = f"{PREFIX}v1/namespaces/team/inferenceservices/iris/pods"


def pod(name: str, uid: str = "") -> EndpointPod:
    return EndpointPod(
        uid or f"uid-{name}", name, "predictor", "iris-00001", "2026", ("init", "kserve-container")
    )


def printed(home: Path, uid: str, file: str, *lines: str) -> None:
    folder = home / "logs" / "team" / uid
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(f"2026-11-26T00:00:0{at}.000000000Z stdout F {line}\n" for at, line in enumerate(lines))
    (folder / file).write_text(text)


class Reviews:
    """Of one user, who may do what is in `allowed`."""

    def __init__(self, *allowed: str) -> None:
        self.allowed = allowed

    async def create(self, _resource: Any, review: Any) -> Any:
        asked = review["spec"]["resourceAttributes"]
        what = "/".join(filter(None, (asked["resource"], asked.get("subresource"), asked["namespace"])))
        return {"status": {"allowed": what in self.allowed}}


def client(home: Path, *allowed: str) -> Any:
    app = Starlette(routes=routes(Reviews(*allowed), home))  # type: ignore[arg-type]

    async def known(scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("state", {})["user"] = User("alice")
        await app(scope, receive, send)

    return TestClient(known)


EVERYTHING = ("inferenceservices/team", "pods/log/team")


def test_what_is_known_of_a_pod() -> None:
    labels = {"component": "transformer", "serving.knative.dev/revision": "iris-00002"}
    spec = {"initContainers": [{"name": "init"}], "containers": [{"name": "main"}]}
    metadata = {"name": "a", "uid": "u", "labels": labels, "creationTimestamp": "2026"}
    found = endpoint_pod({"metadata": metadata, "spec": spec})
    assert found == EndpointPod("u", "a", "transformer", "iris-00002", "2026", ("init", "main"))


def test_records_survive_what_a_crash_leaves_and_do_not_grow_for_ever(tmp_path: Path) -> None:
    kept = EndpointPods(tmp_path)
    for name in ("a", "b", "a"):
        kept.add("team", "iris", pod(name))
    with (tmp_path / "serving/pods/team/iris.jsonl").open("a") as out:
        out.write('{"uid": "to')
    kept.add("team", "iris", pod("c"))
    assert [each.name for each in kept.of("team", "iris")] == ["a", "b", "c"]
    for number in range(400):
        kept.add("team", "iris", pod(f"p{number}"))
    names = [each.name for each in kept.of("team", "iris")]
    assert len(names) < 400
    assert names[-1] == "p399"
    assert kept.of("team", "other") == kept.of("team", "../iris") == kept.of("..", "iris") == []
    kept.add("..", "iris", pod("x"))
    assert not (tmp_path / "serving" / "iris.jsonl").exists()


def test_what_pods_printed_that_are_gone(tmp_path: Path) -> None:
    kept = EndpointPods(tmp_path)
    kept.add("team", "iris", pod("a"))
    kept.add("team", "iris", pod("empty"))
    printed(tmp_path, "uid-a", "init.0.log", "fetched")
    printed(tmp_path, "uid-a", "kserve-container.0.log", "first")
    printed(tmp_path, "uid-a", "kserve-container.10.log", "one", "two", "last")
    asking = client(tmp_path, *EVERYTHING)
    first, second = asking.get(PATH).json()["items"]
    assert (first["name"], second["runs"]) == ("a", [])
    assert [(each["container"], each["restart"]) for each in first["runs"]] == [
        ("init", 0),
        ("kserve-container", 0),
        ("kserve-container", 10),
    ]
    log = f"{PATH}/uid-a/log"
    assert asking.get(log).text == "one\ntwo\nlast\n"
    assert asking.get(f"{log}?tailLines=1").text == "last\n"
    assert asking.get(f"{log}?restart=0&timestamps=true").text == "2026-11-26T00:00:00.000000000Z first\n"
    assert asking.get(f"{log}?container=init").text == "fetched\n"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"{PATH}/uid-b/log", 404),
        (f"{PATH}/uid-a/log?container=..%2Finit", 404),
        (f"{PATH}/uid-a/log?restart=3", 404),
        (f"{PATH}/uid-a/log?tailLines=-1", 400),
    ],
)
def test_what_there_is_not(tmp_path: Path, path: str, code: int) -> None:
    EndpointPods(tmp_path).add("team", "iris", pod("a"))
    printed(tmp_path, "uid-a", "kserve-container.0.log", "first")
    answer = client(tmp_path, *EVERYTHING).get(path)
    assert (answer.status_code, answer.json()["kind"]) == (code, "Status")


@pytest.mark.parametrize("allowed", EVERYTHING)
def test_it_is_for_those_who_may_read_both(tmp_path: Path, allowed: str) -> None:
    EndpointPods(tmp_path).add("team", "iris", pod("a"))
    printed(tmp_path, "uid-a", "kserve-container.0.log", "first")
    for path in (PATH, f"{PATH}/uid-a/log"):
        answer = client(tmp_path, allowed).get(path)
        assert (answer.status_code, "first" in answer.text) == (403, False)


def test_a_log_is_closed_when_nobody_reads_it_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever hung up closed it under the thread, which opened the next file, and nobody closed that."""
    printed(tmp_path, "uid", "c.0.log", "line")
    read, close, events = LogReader.read, LogReader.close, list[str]()
    began, closed = threading.Event(), threading.Event()

    def slowly(reader: LogReader) -> bytes:
        began.set()
        closed.wait(0.3)
        events.append("read")
        return read(reader)

    def closing(reader: LogReader) -> None:
        closed.set()
        events.append("closed")
        close(reader)

    monkeypatch.setattr(LogReader, "read", slowly)
    monkeypatch.setattr(LogReader, "close", closing)

    async def main() -> None:
        chunks = logs._read(tmp_path / "logs" / "team" / "uid" / "c.0.log", None, LogView())

        async def first() -> None:
            await anext(chunks)

        asked = asyncio.create_task(first())
        await asyncio.to_thread(began.wait, 60)
        asked.cancel()
        await asyncio.wait((asked,))

    asyncio.run(main())
    assert events == ["read", "closed"]
