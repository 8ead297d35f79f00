"""An unmodified kopf operator against a real server: what kopf's examples do, through a restart of the server."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.testing.clients import interpreter_with
from sampan.testing.server import HttpError, ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

OPERATOR = Path(__file__).with_name("kopf_operator.py")
FIELD = "field_changed/spec.field"
OBJECTS = "/apis/kopf.dev/v1/namespaces/default/kopfexamples"
ANY = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def definition(group: str, plural: str, kind: str, scope: str) -> dict[str, Any]:
    """As upstream's examples/crd.yaml and peering.yaml: all fields are kept, the status is no sub-resource."""
    schema = {"type": "object", "properties": {"spec": ANY, "status": ANY}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    if kind == "KopfExample":
        version["additionalPrinterColumns"] = [
            {"name": "Ticks", "type": "string", "jsonPath": ".status.ticks"},
        ]
    names = {"plural": plural, "singular": kind.lower(), "kind": kind}
    if kind == "KopfExample":
        names["shortNames"] = ["kopfexes", "kopfex", "kexes", "kex"]  # type: ignore[assignment]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": scope, "names": names, "versions": [version]},
    }


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "home") as server:
        for each in (
            definition("kopf.dev", "kopfexamples", "KopfExample", "Namespaced"),
            definition("kopf.dev", "clusterkopfpeerings", "ClusterKopfPeering", "Cluster"),
            definition("kopf.dev", "kopfpeerings", "KopfPeering", "Namespaced"),
        ):
            server.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", each)
        peering = {"apiVersion": "kopf.dev/v1", "kind": "ClusterKopfPeering", "metadata": {"name": "default"}}
        server.call("POST", "/apis/kopf.dev/v1/clusterkopfpeerings", peering)
        yield server


class Operator:
    """`kopf run` in a process of its own; `log` is what it has said so far."""

    def __init__(self, server: ServerProcess, folder: Path, *options: str, **environ: str) -> None:
        kopf = interpreter_with("kopf==1.45.2", "kubernetes==35.0.0").with_name("kopf")
        given = {
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
            "KUBECONFIG": str(server.home / "kubeconfig"),
            "PYTHONWARNINGS": "ignore",
            **environ,
        }
        self.log = ""
        self.process = subprocess.Popen(
            [str(kopf), "run", "--verbose", *options, str(OPERATOR)],
            env=given,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self.log += line

    def stop(self) -> str:
        """Its log up to the last handler. On a busy machine kopf does not keep to its own limit for the rest."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(60)
            assert "all is cleaned up" in self.log, self.log[-3000:]
        finally:
            self.process.kill()
            self.process.wait()
            self._reader.join(10)
        done, words, _ = self.log.partition("all is cleaned up")
        return done + words

    def __enter__(self) -> Operator:
        return self

    def __exit__(self, *_error: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(10)


def until(condition: Callable[[], Any], operator: Operator, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, operator.log[-4000:]
        time.sleep(0.1)
    return found


def example(name: str, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "labels": {"colour": "red"}, "annotations": {"shape": "round"}}
    return {"apiVersion": "kopf.dev/v1", "kind": "KopfExample", "metadata": metadata, "spec": spec}


def complaints(log: str) -> list[str]:
    """Lines of errors and warnings that the operator does not make on purpose."""
    lines = [line for line in log.splitlines() if re.search(r"\[(ERROR|WARNING|CRITICAL)|Traceback", line)]
    return [line for line in lines if "expected, and" not in line]


@pytest.mark.parametrize("storage", ["annotations", "status"])
def test_the_life_of_an_object(server: ServerProcess, tmp_path: Path, storage: str) -> None:
    def status(name: str = "one") -> dict[str, Any]:
        found: dict[str, Any] = server.call("GET", f"{OBJECTS}/{name}").get("status", {})
        return found

    def is_gone() -> bool:
        try:
            server.call("GET", f"{OBJECTS}/one")
        except HttpError as error:
            assert error.code == 404
            return True
        return False

    with Operator(
        server, tmp_path, "--all-namespaces", "--peering=default", KOPF_PROGRESS=storage
    ) as operator:
        watched = {
            "metadata": {"name": "watched", "labels": {"watched": "1"}},
            "spec": {"containers": [{"name": "main", "image": "busybox", "command": ["sleep", "300"]}]},
        }
        server.call("POST", "/api/v1/namespaces/default/pods", watched)
        server.call("POST", OBJECTS, example("one", field="one", items=["a", "b"]))
        until(lambda: status().get("ticks", 0) > 2 and status().get("succeed_at_the_third_try"), operator)
        wanted = {"create_child", "create_items/a", "create_items/b", "only_red/spec.field", FIELD}
        told = until(lambda: (found := status()).keys() >= wanted and found, operator)
        assert until(lambda: status().get("watched"), operator) == ["watched"]
        assert told["create_child"]["started"] == ["startup", "retried"]
        assert told["succeed_at_the_third_try"] == {"retries": 2}
        assert told["create_items/a"] == "made a"
        assert told["only_red/spec.field"] == "filtered"
        assert told[FIELD] == "None -> one"
        assert not {"never_blue", "fail_for_good", "update"} & told.keys()
        made = server.call("GET", f"{OBJECTS}/one")
        assert made["metadata"]["labels"]["seen"] == "red"
        assert "kopf.zalando.org/KopfFinalizerMarker" in made["metadata"]["finalizers"]
        child = server.call("GET", f"/api/v1/namespaces/default/pods/{told['create_child']['child']}")
        assert child["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
        selector = "fieldSelector=involvedObject.name=one,involvedObject.kind=KopfExample"
        events = server.call("GET", f"/api/v1/namespaces/default/events?{selector}")["items"]
        assert {"SomeType", "Normal", "Warning"} <= {each["type"] for each in events}
        peers = server.call("GET", "/apis/kopf.dev/v1/clusterkopfpeerings/default")["status"]
        assert len(peers) == 1

        made = server.call("GET", f"{OBJECTS}/one")
        made["spec"]["field"] = "two"
        server.call("PUT", f"{OBJECTS}/one", _without_status_race(server, made))
        until(lambda: status().get(FIELD) == "one -> two", operator)
        until(lambda: status().get("update"), operator)
        assert ["change", "spec.field", "one", "two"] in status()["update"]

        # The server goes and comes back at another port is no case: a kubeconfig names one. At the same it is.
        _restart(server)
        before = status()["ticks"]
        until(lambda: status()["ticks"] > before + 2, operator)
        server.call("POST", OBJECTS, example("late", field="one"))
        until(lambda: status("late").get("succeed_at_the_third_try"), operator)

        server.call("DELETE", f"{OBJECTS}/one")
        until(is_gone, operator)
        log = operator.stop()
    for words in ("the delete handler is done", "the daemon ends", "event DELETED of one"):
        assert words in log, log[-4000:]
    wrong = [
        line
        for line in complaints(log)
        # While the server was away.
        if not re.search(
            r"Cannot connect|ClientConnector|ServerDisconnected|Connection refused|Request attempt", line
        )
    ]
    assert not wrong, "\n".join(wrong)
    pods = f"/api/v1/namespaces/default/pods/{told['create_child']['child']}"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            server.call("GET", pods)
        except HttpError:
            break
        time.sleep(0.2)
    else:
        raise AssertionError("the child outlived its owner")


def _without_status_race(server: ServerProcess, made: dict[str, Any]) -> dict[str, Any]:
    """The newest one with the wanted spec: the operator writes twice a second."""
    newest: dict[str, Any] = server.call("GET", f"{OBJECTS}/{made['metadata']['name']}")
    del newest["metadata"]["resourceVersion"]
    return {**newest, "spec": made["spec"], "metadata": {**newest["metadata"], **_version(server, newest)}}


def _version(server: ServerProcess, obj: dict[str, Any]) -> dict[str, str]:
    found = server.call("GET", f"{OBJECTS}/{obj['metadata']['name']}")
    return {"resourceVersion": found["metadata"]["resourceVersion"]}


def _restart(server: ServerProcess) -> None:
    port = server.url.rpartition(":")[2]
    server.stop()
    server.options = ("--port", port)
    server.start()


def test_an_operator_resumes_what_was_there(server: ServerProcess, tmp_path: Path) -> None:
    server.call("POST", OBJECTS, example("one", field="one"))

    def status() -> dict[str, Any]:
        found: dict[str, Any] = server.call("GET", f"{OBJECTS}/one").get("status", {})
        return found

    # At first sight it is created, not resumed.
    for resumed in (None, 1, 2):
        with Operator(server, tmp_path, "--namespace=default", "--standalone") as operator:
            before = status().get("ticks", 0)
            until(lambda before=before: status().get("ticks", 0) > before + 1, operator)  # type: ignore[misc]
            until(lambda resumed=resumed: status().get("resume") == resumed, operator)  # type: ignore[misc]
            until(lambda: status().get("succeed_at_the_third_try"), operator)
            log = operator.stop()
        assert not complaints(log), "\n".join(complaints(log))
    # Without an operator nobody takes the finalizer away.
    server.call("DELETE", f"{OBJECTS}/one")
    assert server.call("GET", f"{OBJECTS}/one")["metadata"]["deletionTimestamp"]
    with Operator(server, tmp_path, "--namespace=default", "--standalone") as operator:
        until(lambda: not server.call("GET", OBJECTS)["items"], operator)
        operator.stop()
