"""Prepackaged servers with models of their frameworks in each protocol, explained, and asked by Seldon's own client."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from sampan.components.serving.engine.programs.modelserver import grpc_messages as v2
from sampan.components.serving.engine.programs.modelserver.tfserving import messages as tensorflow
from sampan.components.serving.engine.programs.modelserver.tfserving.tensors import from_proto, to_proto
from sampan.testing.clients import interpreter_with
from sampan.testing.homes import home_with_frameworks
from sampan.testing.server import HttpError, ServerProcess

from .conftest import LIBRARIES, Library, interpreters, make

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PATH = "/apis/machinelearning.seldon.io/v1/namespaces/default/seldondeployments"
SAMPLES = Path(__file__).parents[2] / "samples" / "seldon_models.py"
"""Makes an explainer of Alibi's, in the environment of the explainer's image."""
MOCK = "seldonio/mock_classifier:1.18.2"


def until(look: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(home_with_frameworks(tmp_path_factory.mktemp("seldon") / "home")) as server:

        def is_served() -> bool:
            try:
                server.call("GET", PATH)
            except (HttpError, OSError):
                return False
            return True

        until(is_served, 60)
        yield server


@pytest.fixture
def apply(server: ServerProcess) -> Iterator[Any]:
    names: list[str] = []

    def made(name: str, graph: Any, images: dict[str, str] | None = None, **more: Any) -> None:
        predictor = {"name": "p", "graph": graph, "replicas": 1, **more.pop("predictor", {})}
        if images:
            containers = [{"name": own, "image": image} for own, image in images.items()]
            predictor["componentSpecs"] = [{"spec": {"containers": containers}}]
        body = {
            "apiVersion": "machinelearning.seldon.io/v1",
            "kind": "SeldonDeployment",
            "metadata": {"name": name},
            "spec": {**more, "predictors": [predictor]},
        }
        server.call("POST", PATH, body)
        names.append(name)

        def state() -> bool:
            status = server.call("GET", f"{PATH}/{name}").get("status") or {}
            assert status.get("state") != "Failed", status
            return bool(status.get("state") == "Available")

        until(state, 600)

    yield made
    for name in names:
        server.call("DELETE", f"{PATH}/{name}")


def recorded(library: Library, folder: Path, name: str) -> tuple[Path, Any]:
    """A model of `cases/`, and what its library predicts of rows: (its folder, (rows, predictions))."""
    _, maker = interpreters(home_with_frameworks(folder / "home"), library)
    cases = {each.name: each for each in make(maker, library, folder / "cases")}
    case = json.loads((cases[name] / "case.json").read_text())
    first = next(each for each in case["v1"] if isinstance(each["instances"][0], list))
    return cases[name] / "model", (first["instances"], first["predictions"])


def infer(server: ServerProcess, name: str, model: str, rows: Any) -> tuple[Any, Any]:
    """What v2 answers, over HTTP and gRPC."""
    array = np.array(rows, np.float64)
    tensor = {
        "name": "input-0",
        "datatype": "FP64",
        "shape": list(array.shape),
        "data": array.ravel().tolist(),
    }
    over_http = server.call("POST", f"/seldon/default/{name}/v2/models/{model}/infer", {"inputs": [tensor]})
    request = v2.message("ModelInferRequest")(model_name=model)
    made = request.inputs.add(name="input-0", datatype="FP64", shape=array.shape)
    made.contents.fp64_contents.extend(array.ravel())
    method = "/inference.GRPCInferenceService/ModelInfer"
    answer = called(server, name, method, request, v2.message("ModelInferResponse"))
    return over_http["outputs"][0]["data"], list(_contents(answer.outputs[0], answer))


def _contents(output: Any, answer: Any) -> Any:
    if answer.raw_output_contents:
        kinds = {"FP32": "<f4", "FP64": "<f8", "INT64": "<i8", "INT32": "<i4"}
        return np.frombuffer(answer.raw_output_contents[0], kinds[output.datatype])
    return next(value for _, value in output.contents.ListFields())


def called(server: ServerProcess, name: str, method: str, request: Any, answer: Any) -> Any:
    """Over gRPC, at the HTTP port, as Seldon's clients name a deployment."""
    with grpc.insecure_channel(server.url.removeprefix("http://")) as channel:
        call = channel.unary_unary(
            method,
            request_serializer=lambda made: made.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        metadata = (("seldon", name), ("namespace", "default"))
        return call(request, metadata=metadata, timeout=60)


@pytest.mark.parametrize(
    ("library", "case", "implementation"),
    [
        ("xgboost", "xgboost-json", "XGBOOST_SERVER"),
        ("lightgbm", "lightgbm-txt", "LIGHTGBM_SERVER"),
    ],
)
def test_trees_by_both_protocols(
    server: ServerProcess, apply: Any, tmp_path: Path, library: str, case: str, implementation: str
) -> None:
    folder, (rows, expected) = recorded(LIBRARIES[library], tmp_path, case)
    graph = {"name": "m", "implementation": implementation, "modelUri": f"file://{folder}"}
    apply(f"{library}-seldon", graph)
    path = f"/seldon/default/{library}-seldon/api/v1.0/predictions"
    found = server.call("POST", path, {"data": {"ndarray": rows}})["data"]["ndarray"]
    assert np.array(found) == pytest.approx(np.array(expected), rel=1e-5)
    apply(f"{library}-v2", graph, protocol="v2")
    for each in infer(server, f"{library}-v2", "m", rows):
        assert np.array(each).ravel() == pytest.approx(np.array(expected).ravel(), rel=1e-5)


def test_tensorflow_by_its_own_protocol_and_seldons(
    server: ServerProcess, apply: Any, tmp_path: Path
) -> None:
    library = Library(LIBRARIES["tensorflow"].image, "tensorflow_serving_models.py")
    _, maker = interpreters(home_with_frameworks(tmp_path / "home"), library)
    make(maker, library, tmp_path / "models")
    folder = next(each for each in (tmp_path / "models").rglob("half_plus_two") if each.is_dir())
    half = {"name": "half", "implementation": "TENSORFLOW_SERVER", "modelUri": f"file://{folder}"}
    apply("half", half, protocol="tensorflow")
    told = server.call("POST", "/seldon/default/half/v1/models/half:predict", {"instances": [1.0, 2.0, 5.0]})
    assert told == {"predictions": [2.5, 3.0, 4.5]}
    state = server.call("GET", "/seldon/default/half/v1/models/half")
    assert state["model_version_status"][0]["state"] == "AVAILABLE"
    request = tensorflow.message("PredictRequest")()
    request.model_spec.name = "half"
    request.inputs["x"].CopyFrom(to_proto(np.array([1, 2, 5], np.float32)))
    service = "/tensorflow.serving.PredictionService/Predict"
    answer = called(server, "half", service, request, tensorflow.message("PredictResponse"))
    assert from_proto("y", answer.outputs["y"]).tolist() == [2.5, 3.0, 4.5]
    apply("by-proxy", half)
    path = "/seldon/default/by-proxy/api/v1.0/predictions"
    found = server.call("POST", path, {"data": {"tensor": {"shape": [3, 1], "values": [1.0, 2.0, 5.0]}}})
    assert found["data"]["tensor"]["values"] == [2.5, 3.0, 4.5]


def test_a_language_model_by_v2(server: ServerProcess, apply: Any, tmp_path: Path) -> None:
    given = LIBRARIES["transformers"]
    library = Library(given.image, given.program, ("encoders",))
    _, maker = interpreters(home_with_frameworks(tmp_path / "home"), library)
    case = next(each for each in make(maker, library, tmp_path / "cases") if each.name == "classes")
    told = json.loads((case / "case.json").read_text())["v2"][0]
    graph = {
        "name": "m",
        "implementation": "HUGGINGFACE_SERVER",
        "modelUri": f"file://{case / 'model'}",
    }
    apply("transformer", graph, protocol="v2")
    path = "/seldon/default/transformer/v2/models/m/infer"
    found = server.call("POST", path, {"inputs": told["inputs"]})
    assert [each["data"] for each in found["outputs"]] == [each["data"] for each in told["outputs"]]


def test_seldons_own_client(server: ServerProcess, apply: Any) -> None:
    apply("mock", {"name": "classifier", "type": "MODEL"}, {"classifier": MOCK})
    program = Path(__file__).with_name("clients") / "seldon_client.py"
    command = [str(interpreter_with("seldon-core==1.18.2")), str(program)]
    done = subprocess.run(
        [*command, server.url.removeprefix("http://"), "default", "mock"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    for gateway in ("ambassador", "istio"):
        for transport in ("rest", "grpc"):
            assert told[f"{gateway} {transport} feedback"]
            tensor = told[f"{gateway} {transport} tensor"]["tensor"]
            assert tensor["shape"] == [1, 1]
            assert tensor["values"][0] == pytest.approx(0.43782349)
            array = told[f"{gateway} {transport} ndarray"]["ndarray"]
            assert array[0][0] == pytest.approx(0.43782349)
    # It has no rows to classify.
    assert not told["text"]


def test_a_prediction_is_explained(server: ServerProcess, apply: Any, tmp_path: Path) -> None:
    sklearn = pytest.importorskip("sklearn.datasets")
    home = home_with_frameworks(tmp_path / "home")
    python, _ = interpreters(home, Library("seldonio/alibiexplainer:1.18.2", ""))
    made = subprocess.run(
        [python, str(SAMPLES), "alibi", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    explained = tmp_path / "seldon-models/alibi/iris_anchor_tabular-python3.8-alibi-0.8.0"
    joblib, linear = pytest.importorskip("joblib"), pytest.importorskip("sklearn.linear_model")
    folder = tmp_path / "model"
    folder.mkdir()
    model = linear.LogisticRegression(max_iter=1000).fit(*sklearn.load_iris(return_X_y=True))
    joblib.dump(model, folder / "model.joblib")
    graph = {"name": "m", "implementation": "SKLEARN_SERVER", "modelUri": f"file://{folder}"}
    explainer = {"type": "AnchorTabular", "modelUri": f"file://{explained}", "config": {"threshold": "0.8"}}
    apply("iris", graph, predictor={"explainer": explainer})
    row = {"data": {"ndarray": [[5.964, 4.006, 2.081, 1.031]]}}
    found = server.call("POST", "/seldon/default/iris-explainer/p/api/v1.0/explain", row)
    assert found["meta"]["name"] == "AnchorTabular"
    assert found["meta"]["params"]["threshold"] == 0.8
    assert {"anchor", "precision", "coverage"} <= set(found["data"])
