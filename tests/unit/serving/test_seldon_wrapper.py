"""Seldon's Python wrapper as servers, and its package as users' classes import it (python/tests of 1.18.2)."""

from __future__ import annotations

import asyncio
import json
import sys
import types
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from sampan.components.serving.engine.programs.seldon_microservice import stand_in
from sampan.components.serving.engine.programs.seldon_microservice.component import (
    SeldonMicroserviceException,
)
from sampan.components.serving.engine.programs.seldon_microservice.methods import PREDICT, Methods
from sampan.components.serving.engine.programs.seldon_microservice.metrics import Metrics
from sampan.components.serving.engine.programs.seldon_microservice.rest import Rest
from sampan.components.serving.engine.programs.wire.client import Origin, Pool
from sampan.components.serving.engine.programs.wire.running import Server

messages: Any = pytest.importorskip("sampan.components.serving.engine.programs.seldon_microservice.messages")
grpc_service: Any = pytest.importorskip(
    "sampan.components.serving.engine.programs.seldon_microservice.grpc_service"
)


def asked(model: Any, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    async def main() -> tuple[int, bytes]:
        with ThreadPoolExecutor(1) as threads:
            server = Server(Rest(Methods(model, Metrics({}), "unit"), threads).handle)
            pool, port = Pool(), await server.listen(0, "127.0.0.1")
            headers = [("Content-Type", "application/json")]
            answer = await pool.request(method, Origin("127.0.0.1", port), path, headers, body)
            found = answer.status, await answer.read(1 << 20)
            await pool.close()
            await server.close()
            return found

    return asyncio.run(main())


def over_grpc(model: Any, name: str, request: Any, metrics: Metrics | None = None) -> Any:
    calls = grpc_service._calls(Methods(model, metrics or Metrics({}), "unit"), {})
    return calls[name][1](request)


class Echo:
    def predict(self, rows: Any, names: Any) -> Any:
        return rows


def test_it_says_that_it_is_there_and_what_it_takes() -> None:
    assert asked(Echo(), "GET", "/health/ping") == (200, b"pong")
    status, body = asked(Echo(), "GET", "/seldon.json")
    assert status == 200
    assert set(json.loads(body)["paths"]) >= {"/predict", "/aggregate", "/send-feedback"}


def test_bytes_go_as_they_are_to_a_class_that_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    class Raw:
        def predict_raw(self, given: Any) -> bytes:
            return b"<" + given + b">"

    monkeypatch.setenv("PAYLOAD_PASSTHROUGH", "True")
    assert asked(Raw(), "POST", "/predict", b"no { json") == (200, b"<no { json>")
    monkeypatch.setenv("PAYLOAD_PASSTHROUGH", "False")
    assert asked(Raw(), "POST", "/predict", b"no { json")[0] == 400


class Blueprint:
    """As much of Flask's as a class brings along."""

    handled: type[Exception] = KeyError


def test_a_class_answers_its_own_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    class Flask:
        def __init__(self, _name: str) -> None: ...

        def register_blueprint(self, blueprint: Any) -> None:
            self.handled = blueprint.handled

        def test_request_context(self) -> Any:
            return ThreadPoolExecutor(1)

        def handle_user_exception(self, error: Exception) -> Any:
            if not isinstance(error, self.handled):
                raise error
            return error

        def make_response(self, error: Exception) -> Any:
            headers = {"Content-Type": "text/plain"}
            return types.SimpleNamespace(status_code=402, headers=headers, get_data=lambda: b"its own")

    class Failing:
        model_error_handler = Blueprint

        def predict(self, rows: Any, names: Any) -> Any:
            raise (KeyError if len(rows) == 1 else ValueError)("no")

    monkeypatch.setitem(sys.modules, "flask", types.SimpleNamespace(Flask=Flask))  # type: ignore[arg-type]
    assert asked(Failing(), "POST", "/predict", b'{"data":{"ndarray":[1]}}') == (402, b"its own")
    status, body = asked(Failing(), "POST", "/predict", b'{"data":{"ndarray":[1,2]}}')
    assert (status, json.loads(body)["status"]["reason"]) == (500, "MICROSERVICE_INTERNAL_ERROR")


TFTENSOR = {
    "dtype": "DT_FLOAT",
    "tensorShape": {"dim": [{"size": "1"}, {"size": "2"}]},
    "floatVal": [1.5, 2.5],
}


def test_tensors_of_tensorflow_are_read_and_answered() -> None:
    class Doubles:
        def predict(self, rows: Any, names: Any) -> Any:
            assert (rows.dtype, rows.shape) == (np.float32, (1, 2))
            return rows * 2

    found = Methods(Doubles(), Metrics({}), "unit").transform(PREDICT, {"data": {"tftensor": TFTENSOR}})
    told = found["data"]["tftensor"]
    assert told["dtype"] == "DT_FLOAT"
    assert [dim["size"] for dim in told["tensorShape"]["dim"]] == ["1", "2"]
    request = messages.from_json({"data": {"tftensor": TFTENSOR}})
    response = over_grpc(Doubles(), "Predict", request)
    answered = messages.to_json(response)["data"]["tftensor"]
    assert answered == told
    with pytest.raises(SeldonMicroserviceException, match="tftensor"):
        Methods(Doubles(), Metrics({}), "unit").transform(PREDICT, {"data": {"tftensor": "x"}})


@pytest.mark.parametrize("stays", [True, False])
def test_metrics_in_a_classs_own_message_are_counted(stays: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    class Raw:
        def predict_raw(self, given: Any) -> Any:
            return {"meta": {"metrics": [{"key": "mine", "type": "COUNTER", "value": 2}]}}

    monkeypatch.setenv("INCLUDE_METRICS_IN_CLIENT_RESPONSE", str(stays))
    metrics = Metrics({})
    answer = over_grpc(Raw(), "Predict", messages.from_json({}), metrics)
    assert bool(answer.meta.metrics) == stays
    assert "mine_total{" in metrics.text()
    assert 'method="predict"' in metrics.text()


def test_any_message_is_answered_as_such() -> None:
    any_pb2: Any = pytest.importorskip("google.protobuf.any_pb2")

    class Own:
        def predict(self, rows: Any, names: Any) -> Any:
            return any_pb2.Any(type_url="a", value=b"b")

    answer = over_grpc(Own(), "Predict", messages.from_json({"strData": "x"}))
    assert (answer.customData.type_url, answer.customData.value) == ("a", b"b")


# The package.


@pytest.fixture
def seldon_core(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    before = {name for name in sys.modules if name.partition(".")[0] == "seldon_core"}
    stand_in.install()
    yield sys.modules
    for name in [each for each in sys.modules if each.partition(".")[0] == "seldon_core"]:
        if name not in before:
            del sys.modules[name]


def test_users_find_what_they_import(seldon_core: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    utils, env = seldon_core["seldon_core.utils"], seldon_core["seldon_core.env_utils"]
    metadata = seldon_core["seldon_core.metadata"]
    for kind in ("tensor", "ndarray", "tftensor"):
        array = np.array([[1.0, 2.0]])
        datadef = utils.array_to_grpc_datadef(kind, array, ["a", "b"])
        assert datadef.WhichOneof("data_oneof") == kind
        assert utils.grpc_datadef_to_array(datadef).tolist() == [[1, 2]]
        assert utils.array_to_rest_datadef(kind, array)[kind]
    feedback = utils.json_to_feedback({"reward": 1, "truth": {"data": {"ndarray": [1]}}})
    assert [
        each if isinstance(each, float) else each.tolist()
        for each in utils.extract_feedback_request_parts(feedback)[1:]
    ] == [[], [1], 1]
    with pytest.raises(SeldonMicroserviceException, match="Invalid JSON"):
        utils.json_to_seldon_message({"nonsense": 1})
    with pytest.raises(SeldonMicroserviceException, match="Unknown data"):
        utils.get_data_from_proto(utils.json_to_seldon_message({}))
    assert utils.seldon_message_to_json(utils.json_to_seldon_message({"strData": "x"})) == {"strData": "x"}
    monkeypatch.setenv("PREDICTOR_LABELS", '{"version": "v2"}')
    monkeypatch.delenv("PREDICTIVE_UNIT_ID", raising=False)
    assert (env.get_predictor_version(), env.get_model_name("0")) == ("v2", "0")
    assert utils.getenv_as_bool("NOT_THERE", default=None) is None
    with pytest.raises(metadata.SeldonInvalidMetadataError):
        metadata.validate_model_metadata({"name": 1})
    assert seldon_core["seldon_core.metrics"].split_image_tag("host:80/a:1") == ("host:80/a", "1")
