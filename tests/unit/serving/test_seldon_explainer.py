"""Seldon's explainer without Alibi: what it is told, what it reads and answers (alibi-explain-server's own tests)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import numpy as np
import pytest

from sampan.components.serving.engine.programs.seldon_explainer import explaining, options
from sampan.components.serving.engine.programs.seldon_explainer.explaining import ExplainError, load
from sampan.components.serving.engine.programs.seldon_explainer.options import OptionError, Options
from sampan.components.serving.engine.programs.seldon_explainer.predictors import (
    PredictorError,
    UnreachableError,
    predictor,
)
from sampan.components.serving.engine.programs.seldon_explainer.rest import Rest, inputs_of, tensor_of
from sampan.components.serving.engine.programs.wire.client import Origin, Pool
from sampan.components.serving.engine.programs.wire.running import Server
from sampan.components.serving.engine.programs.wire.server import Request, Response

WORDS = ["--model_name=classifier", "--predictor_host=iris-default.ns:8000", "--protocol=seldon.http"]


def test_arguments_are_those_of_upstreams_operator() -> None:
    words = [*WORDS, "--http_port=9000", "--storage_uri=/mnt/models", "AnchorTabular"]
    told = options.options([*words, "--threshold=0.9", "--beam_size=2", "--stop_on_first=True"], {})
    assert told == Options(
        "AnchorTabular",
        "classifier",
        "seldon.http",
        "iris-default.ns:8000",
        "/mnt/models",
        {"threshold": 0.9, "beam_size": 2, "stop_on_first": True},
        http_port=9000,
    )


def test_variables_are_those_of_mlserver() -> None:
    extra = {"explainer_type": "anchor_image", "infer_uri": "http://a/v2/models/m/infer"}
    environ = {
        "MLSERVER_MODEL_EXTRA": json.dumps({**extra, "init_parameters": {"image_shape": [8, 8]}}),
        "MLSERVER_MODEL_NAME": "e",
        "MLSERVER_MODEL_URI": "/mnt/models",
        "MLSERVER_HTTP_PORT": "9001",
    }
    told = options.options([], environ)
    assert (told.kind, told.protocol, told.predictor) == ("AnchorImages", "v2", "http://a/v2/models/m/infer")
    assert (told.name, told.folder, told.http_port) == ("e", "/mnt/models", 9001)
    assert told.init == {"image_shape": [8, 8]}


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["Guess"], "Guess is no explainer"),
        ([], "nothing is no explainer"),
        (["KernelShap", "--threshold=high"], "config.threshold"),
        (["KernelShap", "--nonsense=1"], "config.nonsense"),
        (["KernelShap", "--verbose=perhaps"], "neither true nor false"),
    ],
)
def test_what_cannot_be_is_said(words: list[str], part: str) -> None:
    with pytest.raises(OptionError, match=part):
        options.options([*WORDS, *words], {})


def test_kfservings_words_are_understood() -> None:
    words = ["--protocol", "tensorflow.http", "--storage_uri", "/mnt/models", "AnchorText"]
    words += ["--batch_size", "4", "--use_unk", "false", "--model_name", "movies", "--predictor_host", "a.b"]
    told = options.options([*words, "--http_port", "8080", "--workers", "2"], {})
    assert (told.kind, told.name, told.predictor) == ("AnchorText", "movies", "a.b")
    assert told.config == {"batch_size": 4, "use_unk": False}
    assert (told.protocol, told.folder) == ("tensorflow.http", "/mnt/models")


@pytest.mark.parametrize("kind", ["AnchorTabular", "KernelShap", "ALE", "IntegratedGradients"])
def test_what_cannot_be_explained_is_said_before_anything_starts(kind: str) -> None:
    with pytest.raises(OptionError, match=r"requires a built explainer|looks into a model"):
        load(Options(kind), lambda data: data)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"instances": [[1]]}, [[1]]),
        ({"data": {"ndarray": ["text"]}}, ["text"]),
        ({"data": {"tensor": {"shape": [1, 2], "values": [1, 2]}}}, [[1, 2]]),
    ],
)
def test_inputs_are_read_in_both_protocols(document: Any, expected: Any) -> None:
    assert inputs_of(document) == expected


@pytest.mark.parametrize(
    "document", [[], {}, {"data": {}}, {"data": {"tensor": {"shape": [3], "values": [1]}}}]
)
def test_a_request_without_inputs_is_refused(document: Any) -> None:
    with pytest.raises(ExplainError):
        inputs_of(document)


def test_tensors_are_read() -> None:
    number = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [[1, 2]]}
    found = tensor_of({"inputs": [number]})
    assert (found.dtype, found.tolist()) == (np.float32, [[1, 2]])
    assert tensor_of({"inputs": [{"datatype": "BYTES", "shape": [1], "data": ["a"]}]}) == ["a"]
    for bad in ({}, {"inputs": []}, {"inputs": [{**number, "shape": [3]}]}, {"inputs": [{"datatype": "X"}]}):
        with pytest.raises(ExplainError):
            tensor_of(bad)


class Explanation:
    def __init__(self, told: Any) -> None:
        self._told = told

    def to_json(self) -> str:
        return json.dumps({"meta": {"name": "AnchorTabular"}, "data": self._told})


class Alibi:
    def explain(self, given: Any, **settings: Any) -> Explanation:
        if settings.get("fails"):
            raise PredictorError("the model is away")
        return Explanation({"given": np.asarray(given).tolist(), "settings": settings})


def asked(told: Options, path: str, document: Any) -> tuple[int, Any]:
    async def main() -> tuple[int, Any]:
        server = Server(Rest(told, explaining.Explainer(told, Alibi())).handle)
        pool, port = Pool(), await server.listen(0, "127.0.0.1")
        body = json.dumps(document).encode()
        answer = await pool.request("POST", Origin("127.0.0.1", port), path, [], body)
        found = answer.status, json.loads(await answer.read(1 << 20))
        await pool.close()
        await server.close()
        return found

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/api/v1.0/explain", {"data": {"ndarray": [[1, 2]]}}),
        ("/api/v0.1/explain", {"data": {"ndarray": [[1, 2]]}}),
        ("/v1/models/classifier:explain", {"instances": [[1, 2]]}),
    ],
)
def test_one_row_is_explained_under_every_path(path: str, document: Any) -> None:
    told = Options("AnchorTabular", config={"threshold": 0.9})
    status, found = asked(told, path, document)
    assert (status, found["meta"]["name"]) == (200, "AnchorTabular")
    assert found["data"] == {"given": [1, 2], "settings": {"threshold": 0.9}}


def test_over_v2_an_explanation_is_a_text() -> None:
    told = Options("KernelShap", "e", "v2")
    inputs = [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]
    parameters = {"explain_parameters": {"nsamples": 5}}
    document = {"inputs": inputs, "parameters": parameters}
    status, found = asked(told, "/v2/models/e/infer", document)
    assert status == 200
    explained = json.loads(found["outputs"][0]["data"][0])
    assert explained["data"] == {"given": [[1, 2]], "settings": {"nsamples": 5, "l1_reg": False}}
    parameters["explain_parameters"]["fails"] = True
    assert asked(told, "/v2/models/e/infer", document) == (502, {"error": "the model is away"})
    assert asked(told, "/v2/models/e/infer", {})[0] == 400
    assert asked(Options("KernelShap", "e"), "/v2/models/e/infer", document)[0] == 404


@pytest.mark.parametrize(
    ("protocol", "path", "answer", "sent"),
    [
        ("seldon.http", "", {"data": {"ndarray": [[1]]}}, {"data": {"ndarray": [[2]]}}),
        (
            "seldon.http",
            "",
            {"data": {"tensor": {"shape": [1, 1], "values": [1]}}},
            {"data": {"ndarray": [[2]]}},
        ),
        ("tensorflow.http", "", {"predictions": [[1]]}, {"instances": [[2]]}),
        ("v2", "/v2/models/m/infer", {"outputs": [{"shape": [1, 1], "data": [1]}]}, None),
    ],
)
def test_the_model_is_asked_in_its_protocol(protocol: str, path: str, answer: Any, sent: Any) -> None:
    seen: list[tuple[str, Any]] = []

    async def model(request: Request) -> Response:
        seen.append((request.path, json.loads(await request.read(1 << 20))))
        return Response(200, [("Content-Type", "application/json")], json.dumps(answer).encode())

    async def main() -> Any:
        server = Server(model)
        port = await server.listen(0, "127.0.0.1")
        host = f"127.0.0.1:{port}"
        told = Options("ALE", "m", protocol, f"http://{host}{path}" if path else host)
        found = await asyncio.to_thread(predictor(told), np.array([[2]]))
        await server.close()
        return found.tolist()

    assert asyncio.run(main()) == [[1]]
    paths = {"seldon.http": "/api/v0.1/predictions", "tensorflow.http": "/v1/models/m:predict"}
    assert seen[0][0] == (path or paths[protocol])
    assert sent is None or seen[0][1] == sent


def test_a_model_that_is_away_is_waited_for() -> None:
    with pytest.raises(UnreachableError):
        predictor(Options("ALE", "m", "seldon.http", "127.0.0.1:9"))(np.array([[1]]))
