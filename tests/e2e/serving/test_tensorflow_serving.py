"""TensorFlow Serving's documents played on the model server, with TensorFlow's own answers; and in pods.

Source: tensorflow/serving 2.19 tensorflow_serving/g3doc/{api_rest,serving_basic,serving_config}.md; kserve v0.20.0
test/e2e/predictor/test_tensorflow.py.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from sampan.cluster.node.environments.programs import package_folder
from sampan.components.serving.engine.programs.modelserver.tfserving.messages import (
    MODEL_SERVICE,
    PREDICTION_SERVICE,
    message,
)
from sampan.components.serving.engine.programs.modelserver.tfserving.tensors import from_proto, to_proto
from sampan.testing.homes import home_with_frameworks
from sampan.testing.model_servers import Served, serving
from sampan.testing.server import ServerProcess

from .conftest import CASES, LIBRARIES, Library, interpreters

MODULE = "sampan_serving.modelserver"
SECONDS = 300


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The interpreter of the image's environment, and a folder of models made in it."""
    home = home_with_frameworks(tmp_path_factory.mktemp("home"))
    python, _ = interpreters(home, LIBRARIES["tensorflow"])
    folder = tmp_path_factory.mktemp("models")
    command = [python, str(CASES / "tensorflow_serving_models.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return python, folder


@pytest.fixture
def run(models: tuple[str, Path], tmp_path: Path) -> Callable[..., Any]:
    """A server in the image's environment, by our words of what `stand_in` makes of TensorFlow Serving's."""
    python, _ = models
    package = package_folder(tmp_path / "programs", "serving")

    def start(*words: str) -> Any:
        asked = ("--runtime=tensorflow", "--tensorflow_serving=true", *words)
        return serving(tmp_path, *asked, python=python, module=MODULE, environ={"PYTHONPATH": str(package)})

    return start


@contextlib.contextmanager
def called(served: Served, address: str = "") -> Iterator[Callable[[str, str, Any], Any]]:
    """Any method of the gRPC services, by our own descriptors."""
    with grpc.insecure_channel(address or f"127.0.0.1:{served.grpc_port}") as channel:

        def call(method: str, answer: str, request: Any) -> Any:
            service = MODEL_SERVICE if answer in ("GetModelStatusResponse", "ReloadConfigResponse") else (
                PREDICTION_SERVICE
            )  # fmt: skip
            return channel.unary_unary(
                f"/{service}/{method}",
                request_serializer=lambda told: told.SerializeToString(),
                response_deserializer=message(answer).FromString,
            )(request, timeout=60, wait_for_ready=True)

        yield call


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_documents_model_answers_as_documented(
    models: tuple[str, Path], run: Callable[..., Any], tmp_path: Path
) -> None:
    folder = models[1] / "half_plus_two"
    monitoring = tmp_path / "monitoring.config"
    monitoring.write_text('prometheus_config { enable: true, path: "/monitoring/prometheus/metrics" }')
    words = ("--model_name=half", f"--model_dir={folder}", f"--monitoring_config_file={monitoring}")
    with run(*words) as server:
        at = "/v1/models/half"
        _, answer = server.get(at)
        status = {"error_code": "OK", "error_message": ""}
        assert answer == {
            "model_version_status": [{"version": "123", "state": "AVAILABLE", "status": status}]
        }
        # A row of numbers where the signature has a column: a session takes it as it is.
        assert server.post(f"{at}:predict", {"instances": [1.0, 2.0, 5.0]}) == (
            200,
            {"predictions": [2.5, 3.0, 4.5]},
        )
        assert server.post(f"{at}/versions/123:predict", {"inputs": [1.0]})[1] == {"outputs": [2.5]}
        body = {"signature_name": "tensorflow/serving/regress", "examples": [{"x": 1.0}, {"x": 2.0}]}
        assert server.post(f"{at}:regress", body) == (200, {"results": [2.5, 3.0]})
        body = {"signature_name": "classify_x_to_y", "context": {"x": 4.0}, "examples": [{}]}
        assert server.post(f"{at}:classify", body) == (200, {"results": [[["", 4.0]]]})
        assert server.post("/v1/models/none:predict", {"instances": [1.0]}) == (
            404,
            {"error": "Servable not found for request: Latest(none)"},
        )
        _, answer = server.get(f"{at}/metadata")
        assert answer["model_spec"] == {"name": "half", "signature_name": "", "version": "123"}
        signature = answer["metadata"]["signature_def"]["signature_def"]["tensorflow/serving/regress"]
        assert signature["inputs"]["inputs"]["dtype"] == "DT_STRING"
        assert signature["inputs"]["inputs"]["name"] == "tf_example:0"
        assert signature["method_name"] == "tensorflow/serving/regress"
        # The other protocol is there beside it.
        asked = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1.0]}]}
        assert server.post("/v2/models/half/infer", asked)[1]["outputs"][0]["data"] == [2.5]
        assert server.get("/v2/health/ready") == (200, {"ready": True})
        assert b"half" in server.send("GET", "/monitoring/prometheus/metrics")[1]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_its_own_client(
    models: tuple[str, Path], run: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = home_with_frameworks(tmp_path_factory.mktemp("client"))
    image = LIBRARIES["tensorflow"].image
    _, client = interpreters(home, Library(image, "", installs=("tensorflow-serving-api",)))
    with run("--model_name=half", f"--model_dir={models[1] / 'half_plus_two'}") as server:
        program = Path(__file__).with_name("clients") / "tensorflow_serving_client.py"
        command = [client, str(program), f"127.0.0.1:{server.grpc_port}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "status": [[123, 30]],
        "predict": [2.5, 3.0, 4.5],
        "version": 123,
        "classify": [["", 4.0]],
        "regress": [2.5, 3.0],
        "several": ["regression_result", "classification_result"],
        "signatures": ["classify_x_to_y", "serving_default", "tensorflow/serving/regress"],
        "none": "NOT_FOUND",
    }


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_signatures_of_tensorflow_2(models: tuple[str, Path], run: Callable[..., Any]) -> None:
    told = json.loads((models[1] / "told.json").read_text())
    with run("--model_name=m", f"--model_dir={models[1] / 'module'}") as server:
        at = "/v1/models/m"
        for _ in range(3):
            _, answer = server.post(f"{at}:predict", {"instances": told["rows"]})
            assert np.array_equal(np.float32(answer["predictions"]), np.float32(told["scores"]))
        rows = [{"tag": "a", "signal": [3, 6]}, {"tag": {"b64": "/w=="}, "signal": [2, 1]}]
        _, answer = server.post(f"{at}:predict", {"signature_name": "several", "instances": rows})
        one, other = answer["predictions"]
        assert one == {"long": "aa", "raw_bytes": {"b64": "YQ=="}, "root": [1.0, 2.0], "sum": 9}
        assert other["raw_bytes"] == {"b64": "/w=="}
        assert np.isnan(other["root"][1])
        columns = {"tag": ["a"], "signal": [[3, 6]]}
        _, answer = server.post(f"{at}:predict", {"signature_name": "several", "inputs": columns})
        assert answer["outputs"]["sum"] == [9]
        _, answer = server.post(f"{at}:predict", {"signature_name": "scalar", "inputs": 3})
        assert answer == {"outputs": 0.3}
        body = {
            "signature_name": "classify",
            "examples": [{"x": told["rows"][0], "who": "me"}],
        }
        _, answer = server.post(f"{at}:classify", body)
        assert [label for label, _ in answer["results"][0]] == ["me", "me!"]
        assert np.array_equal(
            np.float32([score for _, score in answer["results"][0]]), np.float32(told["scores"][0])
        )
        status, answer = server.post(f"{at}:predict", {"instances": [["a", 1, 2, 3]]})
        assert status == 400
        assert 'JSON Value: "a" Type: String is not of expected type: float' in answer["error"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_grpc(models: tuple[str, Path], run: Callable[..., Any]) -> None:
    told = json.loads((models[1] / "told.json").read_text())
    with run("--model_name=m", f"--model_dir={models[1] / 'module'}") as server, called(server) as call:
        request = message("PredictRequest")()
        request.model_spec.name = "m"
        request.inputs["x"].CopyFrom(to_proto(np.float32(told["rows"])))
        response = call("Predict", "PredictResponse", request)
        assert np.array_equal(from_proto("scores", response.outputs["scores"]), np.float32(told["scores"]))
        assert response.outputs["scores"].float_val
        assert (response.model_spec.version.value, response.model_spec.signature_name) == (
            1,
            "serving_default",
        )
        request.output_filter.append("none")
        refused(
            call, "Predict", request, "INVALID_ARGUMENT", "output tensor alias not found in signature: none"
        )
        del request.output_filter[:]
        request.inputs["x"].CopyFrom(to_proto(np.array([[1, 2, 3, 4]])))
        refused(
            call, "Predict", request, "INVALID_ARGUMENT", "Expects arg[0] to be float but int64 is provided"
        )
        request.model_spec.version_label = "none"
        refused(call, "Predict", request, "INVALID_ARGUMENT", "Unrecognized servable version label: none")
        request.model_spec.version.value = 9
        refused(call, "Predict", request, "NOT_FOUND", "Servable not found for request: Specific(m, 9)")
        several = message("MultiInferenceRequest")()
        several.input.example_list.examples.add().features.feature["x"].float_list.value.extend(
            told["rows"][0]
        )
        task = several.tasks.add(method_name="tensorflow/serving/classify")
        task.model_spec.name, task.model_spec.signature_name = "m", "classify"
        found = call("MultiInference", "MultiInferenceResponse", several)
        classes = found.results[0].classification_result.classifications[0].classes
        assert np.array_equal(np.float32([each.score for each in classes]), np.float32(told["scores"][0]))
        reload = message("ReloadConfigRequest")()
        entry = reload.config.model_config_list.config.add(name="three", model_platform="tensorflow")
        entry.base_path = str(models[1] / "half_plus_three")
        assert call("HandleReloadConfigRequest", "ReloadConfigResponse", reload).status.error_code == 0
        refused(call, "Predict", request, "NOT_FOUND", "Servable not found for request: Specific(m, 9)")
        body = {"instances": [1.0, 2.0, 5.0]}
        assert server.post("/v1/models/three:predict", body) == (200, {"predictions": [3.5, 4.0, 5.5]})


def refused(call: Callable[..., Any], method: str, request: Any, code: str, words: str) -> None:
    with pytest.raises(grpc.RpcError) as error:
        call(method, f"{method}Response", request)
    assert error.value.code().name == code
    assert words in error.value.details()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_grpc_by_a_socket(models: tuple[str, Path], run: Callable[..., Any]) -> None:
    """Source: tensorflow/serving 2.19 tensorflow_model_server_test.py (testPredictUDS)."""
    request = message("PredictRequest")()
    request.model_spec.name = "three"
    request.inputs["x"].CopyFrom(to_proto(np.float32([1, 2])))
    with tempfile.TemporaryDirectory() as folder:
        words = ("--model_name=three", f"--model_dir={models[1] / 'half_plus_three'}")
        with run(*words, f"--grpc_socket_path={folder}/grpc.sock") as server:
            for address in ("", f"unix:{folder}/grpc.sock"):
                with called(server, address) as call:
                    found = call("Predict", "PredictResponse", request)
                    assert from_proto("y", found.outputs["y"]).tolist() == [3.5, 4.0]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_version_comes_while_requests_are_answered(
    models: tuple[str, Path], run: Callable[..., Any], tmp_path: Path
) -> None:
    base = tmp_path / "base"
    shutil.copytree(models[1] / "half_plus_two" / "00000123", base / "1")
    with run("--model_name=m", f"--model_dir={base}", "--file_system_poll_wait_seconds=0.1") as server:
        ended = threading.Event()
        answers: list[Any] = []

        def ask() -> None:
            while not ended.is_set():
                answers.append(server.post("/v1/models/m:predict", {"instances": [2.0]}))

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            # Copied where it is watched, so that it is seen half done.
            shutil.copytree(models[1] / "half_plus_three" / "124", base / "2")
            until = time.monotonic() + SECONDS
            while not answers or answers[-1] != (200, {"predictions": [4.0]}):
                assert time.monotonic() < until, (answers[-1:], server.log.read_text())
                time.sleep(0.05)
            _, told = server.get("/v1/models/m")
        finally:
            ended.set()
            asking.join()
        assert [each["state"] for each in told["model_version_status"]] == ["AVAILABLE", "END"]
        kinds = [answer["predictions"][0] for status, answer in answers if status == 200]
        assert len(kinds) == len(answers)
        assert kinds == sorted(kinds)
        assert set(kinds) == {3.0, 4.0}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(home_with_frameworks(tmp_path / "home")) as server:
        yield server


def until(done: Callable[[], Any], said: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (found := done()):
        assert time.monotonic() < deadline, said()
        time.sleep(0.1)
    return found


def ask(url: str, host: str, body: Any = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"host": host} if host else {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_endpoint_and_a_deployment(
    server: ServerProcess, models: tuple[str, Path], tmp_path: Path
) -> None:
    isvc = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "half"},
        "spec": {"predictor": {"tensorflow": {"storageUri": f"file://{models[1] / 'half_plus_two'}"}}},
    }
    kind = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"
    server.call("POST", kind, isvc)
    container = {
        "name": "serving",
        "image": "tensorflow/serving",
        "env": [{"name": "MODEL_NAME", "value": "three"},
                {"name": "MODEL_BASE_PATH", "value": "/models"}],
        "ports": [{"containerPort": 8501}],
        "readinessProbe": {"httpGet": {"path": "/v1/models/three", "port": 8501}},
        "volumeMounts": [{"name": "models", "mountPath": "/models/three"}],
    }  # fmt: skip
    volume = {"name": "models", "hostPath": {"path": str(models[1] / "half_plus_three")}}
    labels = {"app": "three"}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "three"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container], "volumes": [volume]},
            },
        },
    }
    server.call("POST", "/apis/apps/v1/namespaces/default/deployments", deployment)

    def conditions() -> dict[str, str]:
        found = server.call("GET", f"{kind}/half").get("status", {}).get("conditions", [])
        return {each["type"]: each["status"] for each in found}

    until(lambda: conditions().get("Ready") == "True", lambda: server.call("GET", f"{kind}/half"))
    host = "half-default.localhost"
    at = f"{server.url}/v1/models/half"
    assert ask(f"{at}:predict", host, {"instances": [1.0, 2.0]}) == (200, {"predictions": [2.5, 3.0]})
    assert ask(at, host)[1]["model_version_status"][0]["version"] == "123"

    def pods() -> Any:
        return server.call("GET", "/api/v1/namespaces/default/pods?labelSelector=app%3Dthree")["items"]

    def address() -> str:
        found = server.call("GET", "/apis/apps/v1/namespaces/default/deployments/three").get("status", {})
        ready = found.get("readyReplicas") == 1
        return pods()[0]["status"]["podIP"] if ready else ""

    ip = until(address, pods)
    assert ask(f"http://{ip}:8501/v1/models/three:predict", "", {"instances": [1.0]}) == (
        200,
        {"predictions": [3.5]},
    )
