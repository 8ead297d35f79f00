"""Endpoints under load while pods are killed, replaced, promoted, put to sleep and woken, and the server restarts."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.testing.server import HttpError, ServerProcess

from .load import Load
from .model import PLAIN, service

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PATH = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"
SHORT = {
    "autoscaling.knative.dev/window": "6s",
    "autoscaling.knative.dev/scale-to-zero-pod-retention-period": "0s",
}
PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    home: Path = tmp_path_factory.mktemp("gateway") / "home"
    with ServerProcess(home) as made:
        yield made


def until(check: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)


def apply(server: ServerProcess, obj: dict[str, Any]) -> None:
    name = obj["metadata"]["name"]
    try:
        server.call("POST", PATH, obj)
    except HttpError:
        for _ in range(20):
            found = server.call("GET", f"{PATH}/{name}")
            found["spec"] = obj["spec"]
            try:
                server.call("PUT", f"{PATH}/{name}", found)
            except HttpError:
                continue
            return
        raise


def is_ready(server: ServerProcess, name: str) -> bool:
    found = server.call("GET", f"{PATH}/{name}")
    conditions = (found.get("status") or {}).get("conditions") or ()
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return ready and found["status"].get("observedGeneration") == found["metadata"]["generation"]


def pods(server: ServerProcess, name: str) -> list[dict[str, Any]]:
    found = server.call("GET", f"{PODS}?labelSelector=serving.kserve.io/inferenceservice={name}")
    return list(found["items"])


def load(server: ServerProcess, name: str, **options: Any) -> Load:
    return Load(server.url, f"{name}-default.localhost", **options)


def newest(made: Load) -> str:
    """Who has answered last."""
    last = made.outcomes[-1]
    return str(last.answer["version"]) if last.status == 200 else ""


def test_a_pod_that_is_killed_costs_what_was_on_its_way_to_it(server: ServerProcess) -> None:
    apply(server, service("killed", minReplicas=2, maxReplicas=2))
    until(lambda: is_ready(server, "killed"))
    with load(server, "killed", connections=8) as made:
        made.until(500)
        for _ in range(3):
            pids = [each.answer["pid"] for each in made.outcomes[-50:] if each.status == 200]
            killed = time.monotonic()
            os.kill(pids[-1], signal.SIGKILL)
            time.sleep(3)
            failed = [each for each in made.outcomes if each.began > killed - 1 and each.status != 200]
            assert len(failed) <= made.connections, Counter(each.status for each in failed)
            assert all(each.began < killed + 1 for each in failed)
            assert {each.status for each in failed} <= {502, 503}
            until(lambda: is_ready(server, "killed"))
        made.until(500)


@pytest.mark.parametrize("mode", ["Knative", "Standard"])
def test_a_new_version_under_load_loses_no_request(server: ServerProcess, mode: str) -> None:
    name = f"rolled-{mode.lower()}"
    annotations = {"serving.kserve.io/deploymentMode": mode, **SHORT}
    apply(server, service(name, annotations=annotations, minReplicas=1))
    until(lambda: is_ready(server, name))
    with load(server, name) as made:
        made.until(300)
        for version in ("2", "3"):
            apply(server, service(name, version, annotations=annotations, minReplicas=1))
            until(lambda version=version: newest(made) == version)
            made.until(500)
        # The old ones go, and take nothing with them.
        until(lambda: len(pods(server, name)) == 1, 90)
        made.until(500)
    assert set(made.statuses) == {200}


@pytest.mark.parametrize("mode", ["Knative", "Standard"])
def test_a_program_that_finishes_nothing_loses_no_request_either(server: ServerProcess, mode: str) -> None:
    name = f"plain-{mode.lower()}"
    annotations = {"serving.kserve.io/deploymentMode": mode, **SHORT}

    def put(version: str, count: int) -> None:
        replicas = {"minReplicas": count, "maxReplicas": count}
        apply(server, service(name, version, annotations=annotations, program=PLAIN, **replicas))

    put("1", 2)
    until(lambda: is_ready(server, name))
    with load(server, name) as made:
        made.until(50)
        put("2", 2)
        until(lambda: newest(made) == "2")
        made.until(50)
        put("2", 1)
        until(lambda: len(pods(server, name)) == 1, 90)
        made.until(50)
        # Whoever is asked while all of it goes has an answer too.
        server.call("DELETE", f"{PATH}/{name}")
        until(lambda: not pods(server, name), 90)
    assert set(made.statuses) <= {200, 404, 503}
    first = next(at for at, each in enumerate(made.outcomes) if each.status != 200)
    assert first > 150


def test_a_canary_gets_its_part_and_a_promotion_loses_no_request(server: ServerProcess) -> None:
    apply(server, service("canary", minReplicas=1))
    until(lambda: is_ready(server, "canary"))
    with load(server, "canary", connections=4) as made:
        made.until(200)
        apply(server, service("canary", "2", minReplicas=1, canaryTrafficPercent=20))
        until(lambda: is_ready(server, "canary"))
        until(
            lambda: any(each.answer["version"] == "2" for each in made.outcomes[-100:] if each.status == 200)
        )
        time.sleep(0.5)
        start = len(made.outcomes)
        made.until(2000)
        versions = Counter(each.answer["version"] for each in made.outcomes[start : start + 2000])
        assert abs(versions["2"] / 2000 - 0.2) < 0.01
        apply(server, service("canary", "2", minReplicas=1))
        until(
            lambda: {each.answer["version"] for each in made.outcomes[-200:] if each.status == 200} == {"2"}
        )
        made.until(500)
    assert set(made.statuses) == {200}


def test_what_sleeps_wakes_for_a_request(server: ServerProcess) -> None:
    apply(server, service("sleeper", annotations=SHORT, minReplicas=0))
    for _ in range(3):
        with load(server, "sleeper", connections=3) as made:
            made.until(50)
        assert set(made.statuses) == {200}
        until(lambda: not pods(server, "sleeper"), 90)


def test_what_cannot_start_says_so(server: ServerProcess) -> None:
    bad = service("broken", minReplicas=1)
    bad["spec"]["predictor"]["containers"][0]["command"] = [
        "python",
        "-c",
        "raise SystemExit('the model is missing')",
    ]
    apply(server, bad)
    with load(server, "broken", connections=1, pause=0.1) as made:
        made.until(2, timeout=90)
    assert set(made.statuses) == {503}
    assert b"the model is missing" in made.outcomes[-1].body


def test_a_restart_of_the_server_costs_what_was_on_its_way(server: ServerProcess) -> None:
    apply(server, service("restarted", minReplicas=1))
    until(lambda: is_ready(server, "restarted"))
    port = server.url.rpartition(":")[2]
    server.options = ("--port", port)
    for end in (server.stop, server.kill):
        with load(server, "restarted", connections=4, pause=0.01) as made:
            made.until(200)
            ending = time.monotonic()
            end()
            server.start()
            ready = time.monotonic()
            made.until(200)
        assert {each.status for each in made.outcomes if each.ended < ending} == {200}
        after = [each for each in made.outcomes if each.began > ready]
        assert {each.status for each in after} == {200}
