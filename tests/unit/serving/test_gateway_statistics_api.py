"""How requests to endpoints went, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from sampan.components.serving.engine.gateway.statistics import Statistics
from sampan.components.serving.rest.statistics import METRICS, routes

PATH = "/apis/serving.sampan.dev/v1/namespaces/default/statistics"


def client(statistics: Statistics | None) -> Any:
    return TestClient(Starlette(routes=list(routes(lambda: statistics))))


@pytest.fixture
def statistics() -> Statistics:
    made = Statistics(lambda: 1000.0)
    for namespace, status in (("default", 200), ("default", 200), ("default", 503), ("other", 200)):
        made.note(("InferenceService", namespace, "iris", "iris-00001"), status, 0.01)
    return made


def test_a_namespace_sees_its_own(statistics: Statistics) -> None:
    (item,) = client(statistics).get(PATH).json()["items"]
    assert (item["kind"], item["name"], item["service"]) == ("InferenceService", "iris", "iris-00001")
    assert (item["requests"], item["codes"]) == (3, {"200": 2, "503": 1})
    assert item["latencySeconds"]["p99"] == pytest.approx(0.01, rel=0.1)
    assert client(statistics).get(PATH.replace("default", "nobody")).json() == {"items": []}
    assert client(None).get(PATH).json() == {"items": []}


@pytest.mark.parametrize("seconds", ["x", "-1", "0", "nan", "inf", "601"])
def test_windows_that_make_no_sense(statistics: Statistics, seconds: str) -> None:
    assert client(statistics).get(f"{PATH}?seconds={seconds}").status_code == 400


def test_prometheus_reads_it(statistics: Statistics) -> None:
    lines = client(statistics).get(METRICS).text.splitlines()
    labels = 'kind="InferenceService",namespace="default",name="iris",service="iris-00001"'
    assert f'sampan_serving_requests_total{{{labels},code="503"}} 1' in lines
    assert f"sampan_serving_request_seconds_count{{{labels}}} 3" in lines
    assert all(line.startswith("# ") or line.rpartition(" ")[2].replace(".", "").isdigit() for line in lines)


def test_the_last_minutes_of_one_endpoint_without_gaps() -> None:
    now = [1000.0]
    made = Statistics(lambda: now[0])
    iris = ("InferenceService", "default", "iris")
    made.note((*iris, "iris-00001"), 200, 0.01)
    made.note((*iris, "iris-00002"), 503, 0.02)
    now[0] = 1025.0
    made.note((*iris, "iris-00002"), 200, 0.02)
    items = client(made).get(f"{PATH}/InferenceService/iris").json()["items"]
    assert [each["secondsAgo"] for each in items] == [25.0, 15.0, 5.0]
    assert [each["requests"] for each in items] == [2, 0, 1]
    assert items[0]["codes"] == {"200": 1, "503": 1}
    assert items[2]["requestsPerSecond"] == pytest.approx(0.2)
    now[0] = 5000.0
    assert len(client(made).get(f"{PATH}/InferenceService/iris").json()["items"]) == 60
    assert client(made).get(f"{PATH}/InferenceService/nobody").json() == {"items": []}
    assert client(None).get(f"{PATH}/InferenceService/iris").json() == {"items": []}
