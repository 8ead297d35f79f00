"""How an endpoint is asked from its page: by which protocols, and with what."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from sampan.components.serving.api.summary import State
from sampan.components.serving.ui.endpoint_page import charts
from sampan.components.serving.ui.endpoint_page.parts import Sample
from sampan.components.serving.ui.summary import Endpoint
from sampan.components.serving.ui.trying import protocols, requests
from sampan.components.serving.ui.trying.requests import Input, Told


def endpoint(kind: str = "InferenceService", **more: Any) -> Endpoint:
    return Endpoint(kind, "default", "iris", "", "", State.READY, **more)


def test_the_protocol_that_it_is_meant_for_comes_first() -> None:
    found = protocols.ways(endpoint(protocol="v1"), {})
    assert [each.key for each in found] == ["v1", "v2"]
    assert found[0].path == "/serving/default/iris/v1/models/iris:predict"
    assert [each.key for each in protocols.ways(endpoint(protocol="grpc-v2"), {})] == ["v2", "v1"]
    explained = endpoint(protocol="v1", components=("predictor", "explainer"))
    assert protocols.ways(explained, {})[-1].path.endswith("iris:explain")
    talking = protocols.ways(endpoint(serves="huggingface"), {})[0]
    assert talking.path == "/serving/default/iris/openai/v1/chat/completions"


def test_other_kinds_are_asked_in_their_own_way() -> None:
    assert protocols.ways(endpoint("InferenceGraph"), {})[0].path == "/serving/default/iris/"
    spec = {"spec": {"predictors": [{"graph": {"name": "clf"}}]}}
    seldon = protocols.ways(endpoint("SeldonDeployment", protocol="seldon"), spec)[0]
    assert seldon.path == "/seldon/default/iris/api/v1.0/predictions"
    second = protocols.ways(endpoint("SeldonDeployment", protocol="v2"), spec)[0]
    assert second.path == "/seldon/default/iris/v2/models/clf/infer"
    [first, _] = protocols.ways(endpoint("TrainedModel"), {"spec": {"inferenceService": "many"}})
    assert first.path == "/serving/default/many/v1/models/iris:predict"


@pytest.mark.parametrize(
    "body", ["", "[]", "{", '{"inputs": 3}', '{"inputs": [{"shape": "x"}, 3]}', "[" * 100_000]
)
def test_metadata_that_say_nothing(body: str) -> None:
    assert requests.told(body) == requests.NOTHING


def test_a_request_is_made_of_the_models_inputs() -> None:
    body = json.dumps(
        {
            "inputs": [
                {"name": "x", "datatype": "FP32", "shape": [-1, 3]},
                {"name": "city", "datatype": "BYTES", "shape": [-1]},
            ]
        }
    )
    x, city = requests.told(body).inputs
    assert (x.hint, city.hint) == ("FP32, any × 3", "BYTES, any")
    assert requests.example(x) == [[0.0, 0.0, 0.0]]
    assert requests.example(city) == ["text"]
    assert requests.example(Input("image", "UINT8", (1, 3, 224, 224))) == []
    two = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    assert requests.request("v2", [(x, two)]) == {
        "inputs": [{"name": "x", "shape": [2, 3], "datatype": "FP32", "data": two}]
    }
    assert requests.request("v1", [(x, two)]) == {"instances": two}
    assert requests.request("v1", [(x, two), (city, ["a", "b"])]) == {
        "instances": [{"x": two[0], "city": "a"}, {"x": two[1], "city": "b"}]
    }


def test_the_example_is_as_wide_as_the_model() -> None:
    of_rows = Told((Input("x", "FP64", (-1, 4)),))
    one, two = protocols.ways(endpoint(protocol="v1", model="other"), {})
    assert one.path.endswith("/v1/models/other:predict")
    assert requests.filled(one, of_rows) == {"instances": [[0.0] * 4]}
    assert requests.filled(two, of_rows)["inputs"][0]["shape"] == [1, 4]
    assert requests.filled(one, requests.NOTHING) == one.example
    picture = requests.filled(two, Told((Input("image", "FP32", (-1, 3, 224, 224)),)))
    assert (picture["inputs"][0]["shape"], picture["inputs"][0]["data"]) == ([1, 3, 224, 224], [])
    graph = {
        "metadata": {"name": "iris", "namespace": "default"},
        "spec": {
            "nodes": {"root": {"steps": [{"nodeName": "a"}]}, "a": {"steps": [{"serviceName": "first"}]}}
        },
    }
    [way] = protocols.ways(endpoint("InferenceGraph"), graph)
    assert way.metadata == "/serving/default/first/v2/models/first"
    assert requests.filled(way, of_rows) == {"instances": [[0.0] * 4]}
    # Nodes may lead back to themselves.
    [way] = protocols.ways(
        endpoint("InferenceGraph"), {"spec": {"nodes": {"root": {"steps": [{"nodeName": "root"}]}}}}
    )
    assert way.metadata == ""


def test_only_what_writes_talks() -> None:
    ways = protocols.ways(endpoint(serves="huggingface"), {})
    numbers, texts = Input("output-0", "INT64", (-1,)), Input("output-0", "BYTES", (-1,))
    assert [each.key for each in requests.fitting(ways, Told(outputs=(numbers,)))] == ["v1", "v2"]
    for told in (Told(outputs=(texts,)), requests.NOTHING):
        assert [each.key for each in requests.fitting(ways, told)] == ["chat", "v1", "v2"]


def test_rows_stay_on_one_line() -> None:
    value = {"instances": [[1.0, -2e-05], [3, 4]], "names": ["a", "b"]}
    text = requests.laid_out(value)
    assert "[1.0, -2e-05]" in text
    assert json.loads(text) == value


def test_snippets_can_be_run() -> None:
    [way, *_] = protocols.ways(endpoint(protocol="v1"), {})
    command = protocols.curl(way, "http://localhost:8080", {"instances": ["it's"]})
    assert command.startswith("curl http://localhost:8080/serving/default/iris/v1/models/iris:predict")
    assert "it'\\''s" in command
    compile(protocols.python(way, "http://localhost:8080", {"instances": [None, True]}), "snippet", "exec")
    talk = protocols.ways(endpoint(serves="huggingface"), {})[0]
    program = protocols.python(talk, "http://localhost:8080", talk.example)
    compile(program, "snippet", "exec")
    assert 'base_url="http://localhost:8080/serving/default/iris/openai/v1"' in program


def test_a_time_without_requests_is_a_gap() -> None:
    now = datetime(2026, 11, 26, 10, 0, 10, tzinfo=UTC)
    history = [
        {
            "secondsAgo": 20,
            "requests": 4,
            "requestsPerSecond": 0.4,
            "codes": {"200": 3, "503": 1},
            "latencySeconds": {"p50": 0.01, "p95": 0.02, "p99": 0.03},
        },
        {"secondsAgo": 10, "requests": 0, "codes": {}, "latencySeconds": {"p50": 0.0}},
    ]
    found = charts.of_history(history, now)
    [p50, *_] = found[charts.LATENCY].options["series"]
    assert p50["data"] == [["2026-11-26T09:59:50Z", 10.0], ["2026-11-26T10:00:00Z", None]]
    assert [each["name"] for each in found[charts.CODES].options["series"]] == ["200", "503"]
    assert charts.of_history([], now) == {}
    held = charts.of_samples([Sample("2026-11-26T10:00:00Z", 2, 0.5, 1024.0**2)], now)
    assert held[charts.MEMORY].options["series"][0]["data"] == [["2026-11-26T10:00:00Z", 1.0]]
