"""Seldon's Python wrapper. What is expected is seldon-core 1.18.2's (python/tests/test_*_microservice.py)."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest

from sampan.components.serving.engine.programs.seldon_microservice.component import (
    SeldonComponent,
    SeldonMicroserviceException,
    SeldonResponse,
)
from sampan.components.serving.engine.programs.seldon_microservice.forms import message_of
from sampan.components.serving.engine.programs.seldon_microservice.main import parameters
from sampan.components.serving.engine.programs.seldon_microservice.metadata import problem_of
from sampan.components.serving.engine.programs.seldon_microservice.methods import (
    PREDICT,
    TRANSFORM_INPUT,
    Methods,
)
from sampan.components.serving.engine.programs.seldon_microservice.metrics import Metrics

NDARRAY = {"data": {"names": ["a", "b"], "ndarray": [[1, 2]]}}
TENSOR = {"data": {"names": ["a", "b"], "tensor": {"shape": [1, 2], "values": [1, 2]}}}


def methods(model: Any) -> Methods:
    return Methods(model, Metrics({}), "unit")


class Doubles:
    def predict(self, rows: Any, names: Any) -> Any:
        self.names = names
        return rows * 2


def test_the_form_of_the_request_is_the_answers() -> None:
    model = Doubles()
    assert methods(model).transform(PREDICT, NDARRAY)["data"] == {
        "ndarray": [[2, 4]],
        "names": ["t:0", "t:1"],
    }
    assert model.names == ["a", "b"]
    found = methods(model).transform(PREDICT, TENSOR)["data"]
    assert found["tensor"] == {"shape": [1, 2], "values": [2, 4]}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"strData": "x"}, {"strData": "xx"}),
        ({"binData": base64.b64encode(b"x").decode()}, {"binData": base64.b64encode(b"xx").decode()}),
    ],
)
def test_texts_and_bytes_come_back_as_such(message: Any, expected: Any) -> None:
    found = methods(Doubles()).transform(PREDICT, message)
    assert {key: value for key, value in found.items() if key != "meta"} == expected


def test_an_object_is_json_and_numbers_without_a_form_are_a_tensor() -> None:
    class Model:
        def predict(self, given: Any, names: Any) -> Any:
            return given if "n" not in given else np.array([given["n"]])

    assert methods(Model()).transform(PREDICT, {"jsonData": {"a": 1}})["jsonData"] == {"a": 1}
    found = methods(Model()).transform(PREDICT, {"jsonData": {"n": 5}})
    assert found["data"] == {"tensor": {"shape": [1], "values": [5]}, "names": []}


def test_tags_metrics_and_the_id_go_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDICTIVE_UNIT_ID", "unit")
    monkeypatch.setenv("PREDICTIVE_UNIT_IMAGE", "image:1")

    class Model(SeldonComponent):
        def predict(self, rows: Any, names: Any, meta: Any = None) -> Any:
            assert meta == {"puid": "id", "tags": {"before": 1}}
            metric = {"key": "of_request", "type": "GAUGE", "value": 3}
            return SeldonResponse(rows, tags={"request": 2}, metrics=[metric])

        def tags(self) -> Any:
            return {"model": 3}

        def metrics(self) -> Any:
            return [{"key": "of_model", "type": "COUNTER", "value": 1}]

    made = methods(Model())
    found = made.transform(PREDICT, {**NDARRAY, "meta": {"puid": "id", "tags": {"before": 1}}})["meta"]
    assert found["tags"] == {"before": 1, "model": 3, "request": 2}
    assert [each["key"] for each in found["metrics"]] == ["of_model", "of_request"]
    assert (found["puid"], found["requestPath"]) == ("id", {"unit": "image:1"})
    assert "of_model_total{" in made.metrics.text()


def test_metrics_may_stay_out_of_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INCLUDE_METRICS_IN_CLIENT_RESPONSE", "false")

    class Model(Doubles):
        def metrics(self) -> Any:
            return [{"key": "k", "type": "COUNTER", "value": 1}]

    assert "metrics" not in methods(Model()).transform(PREDICT, NDARRAY)["meta"]


@pytest.mark.parametrize(
    "metric", [{"key": "k", "type": "COUNTER"}, {"key": "k", "type": "X", "value": 1}, 5]
)
def test_bad_metrics_are_an_error_of_the_models(metric: Any) -> None:
    class Model(Doubles):
        def metrics(self) -> Any:
            return [metric]

    with pytest.raises(SeldonMicroserviceException) as caught:
        methods(Model()).transform(PREDICT, NDARRAY)
    assert (caught.value.status_code, caught.value.reason) == (500, "MICROSERVICE_BAD_METRIC")


def test_what_a_class_has_not_hands_on() -> None:
    found = methods(SeldonComponent()).transform(TRANSFORM_INPUT, NDARRAY)
    assert found["data"]["ndarray"] == [[1, 2]]
    assert methods(SeldonComponent()).transform(PREDICT, NDARRAY)["data"]["ndarray"] == []


def test_a_raw_method_has_the_message_to_itself() -> None:
    class Model:
        def predict_raw(self, message: Any) -> Any:
            return {"raw": message}

    assert methods(Model()).transform(PREDICT, NDARRAY) == {"raw": NDARRAY}


def test_a_route_is_a_matrix_of_one_number() -> None:
    class Model:
        def route(self, rows: Any, names: Any) -> Any:
            return 22

    assert methods(Model()).route(TENSOR)["data"]["tensor"] == {"shape": [1, 1], "values": [22]}

    class Wrong:
        def route(self, rows: Any, names: Any) -> Any:
            return "1"

    with pytest.raises(SeldonMicroserviceException, match="Routing response must be int"):
        methods(Wrong()).route(TENSOR)


@pytest.mark.parametrize("wrap", [lambda each: each, lambda each: {"seldonMessages": each}])
def test_a_combiner_gets_lists_and_their_metas_are_one(wrap: Any) -> None:
    class Model:
        def aggregate(self, features: Any, names: Any) -> Any:
            assert names == [["a", "b"], []]
            return sum(features)

    messages = [
        {**NDARRAY, "meta": {"tags": {"x": 1}}},
        {"data": {"ndarray": [[3, 4]]}, "meta": {"tags": {"y": 2}}},
    ]
    found = methods(Model()).aggregate(wrap(messages))
    assert found["data"]["ndarray"] == [[4, 6]]
    assert found["meta"]["tags"] == {"x": 1, "y": 2}


def test_feedback_brings_the_reward_the_truth_and_the_route() -> None:
    class Model:
        def send_feedback(self, rows: Any, names: Any, reward: Any, truth: Any, routing: Any = None) -> Any:
            self.got = rows.tolist(), names, reward, truth.tolist(), routing

    model = Model()
    made = methods(model)
    made.send_feedback(
        {
            "request": NDARRAY,
            "response": {"meta": {"routing": {"unit": 1}}},
            "reward": 0.5,
            "truth": {"data": {"ndarray": [1]}},
        }
    )
    assert model.got == ([[1, 2]], ["a", "b"], 0.5, [1], 1)
    assert "seldon_api_model_feedback_reward_total{" in made.metrics.text()


def test_feedback_reaches_classes_that_order_it_otherwise() -> None:
    class Model:
        def send_feedback(
            self, features: Any, feature_names: Any, routing: Any, reward: Any, truth: Any
        ) -> Any:
            self.got = routing, reward, truth.tolist()

    model = Model()
    methods(model).send_feedback({"request": NDARRAY, "reward": 1, "truth": {"data": {"ndarray": [2]}}})
    assert model.got == (None, 1.0, [2])


@pytest.mark.parametrize(
    "message",
    [
        [],
        {},
        {"data": 5},
        {"data": {"tensor": {"shape": [3], "values": [1]}}},
        {"data": {"tftensor": {}}},
        {"binData": "A"},
    ],
)
def test_what_is_no_message_is_refused(message: Any) -> None:
    with pytest.raises(SeldonMicroserviceException) as caught:
        methods(Doubles()).transform(PREDICT, message)
    assert caught.value.status_code == 400


def test_a_model_that_answers_nonsense_is_refused() -> None:
    class Model:
        def predict(self, rows: Any, names: Any) -> Any:
            return None

    with pytest.raises(SeldonMicroserviceException, match="Unknown data type returned"):
        methods(Model()).transform(PREDICT, NDARRAY)


# A request's message.


@pytest.mark.parametrize(
    ("content_type", "query", "body"),
    [
        ("application/json", "", b'{"strData":"x"}'),
        ("application/x-www-form-urlencoded", "", b"json=%7B%22strData%22%3A%22x%22%7D"),
        ("", "json=%7B%22strData%22%3A%22x%22%7D", b""),
        (
            "multipart/form-data; boundary=B",
            "",
            b'--B\r\nContent-Disposition: form-data; name="strData"\r\n\r\nx\r\n--B--\r\n',
        ),
        (
            "multipart/form-data; boundary=B",
            "",
            b'--B\r\nContent-Disposition: form-data; name="strData"; filename="f"\r\n\r\nx\r\n--B--\r\n',
        ),
    ],
)
def test_a_message_may_come_in_several_ways(content_type: str, query: str, body: bytes) -> None:
    assert message_of(content_type, query, body) == {"strData": "x"}


def test_a_file_of_bytes_is_base64() -> None:
    body = b'--B\r\nContent-Disposition: form-data; name="binData"; filename="f"\r\n\r\n\xff\x00\r\n--B--\r\n'
    found = message_of("multipart/form-data; boundary=B", "", body)
    assert base64.b64decode(found["binData"]) == b"\xff\x00"


@pytest.mark.parametrize(
    ("content_type", "body"), [("", b""), ("application/json", b"{"), ("multipart/form-data", b"x")]
)
def test_no_message_is_said(content_type: str, body: bytes) -> None:
    with pytest.raises(SeldonMicroserviceException, match="Can't find JSON in data"):
        message_of(content_type, "", body)


# What the class is made with, and what it says of itself.


def test_parameters_have_their_types() -> None:
    told = [
        {"name": "i", "value": "1", "type": "INT"},
        {"name": "f", "value": "1.5", "type": "FLOAT"},
        {"name": "s", "value": "x", "type": "STRING"},
        {"name": "b", "value": "True", "type": "BOOL"},
    ]
    assert parameters(json.dumps(told)) == {"i": 1, "f": 1.5, "s": "x", "b": True}


@pytest.mark.parametrize(
    "told", [[{"name": "i", "value": "x", "type": "INT"}], [{"name": "i", "value": "1", "type": "?"}], [1]]
)
def test_bad_parameters_are_said(told: Any) -> None:
    with pytest.raises(SeldonMicroserviceException, match="Bad model parameter"):
        parameters(json.dumps(told))


@pytest.mark.parametrize(
    ("metadata", "is_right"),
    [
        (
            {"name": "m", "versions": ["1"], "inputs": [{"messagetype": "tensor", "schema": {"shape": [1]}}]},
            True,
        ),
        ({"inputs": [{"name": "x", "datatype": "INT32", "shape": [1]}]}, True),
        ({"custom": {"a": "b"}}, True),
        ({"custom": {"a": 1}}, False),
        ({"other": 1}, False),
        ({"versions": "1"}, False),
        ({"inputs": [{"datatype": "NUMBER"}]}, False),
        ({"outputs": [{"messagetype": "strData", "schema": {}}]}, False),
    ],
)
def test_metadata_are_checked(metadata: Any, is_right: bool) -> None:
    assert (problem_of(metadata) == "") is is_right
