"""Endpoints of every framework from the few lines that upstream's samples have, on a real server, through its gateway.

Source of the specs: kserve v0.20.0 docs/samples/v1beta1, test/e2e/predictor; the models are made here.
"""

from __future__ import annotations

import json
import pickle
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sampan.testing.homes import home_with_frameworks
from sampan.testing.server import ServerProcess

KIND = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"
SECONDS = 400


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(home_with_frameworks(tmp_path / "home")) as server:
        yield server


def create(server: ServerProcess, name: str, predictor: dict[str, Any], **more: Any) -> None:
    body = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name},
        "spec": {"predictor": predictor, **more},
    }
    server.call("POST", KIND, body)


def conditions(server: ServerProcess, name: str) -> dict[str, dict[str, str]]:
    found = server.call("GET", f"{KIND}/{name}").get("status", {}).get("conditions", [])
    return {each["type"]: each for each in found}


def wait_until(done: Callable[[], bool], said: Callable[[], Any]) -> None:
    deadline = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < deadline, said()
        time.sleep(0.1)


def ready(server: ServerProcess, name: str) -> None:
    wait_until(
        lambda: conditions(server, name).get("Ready", {}).get("status") == "True",
        lambda: conditions(server, name),
    )


def ask(server: ServerProcess, name: str, path: str, body: Any) -> tuple[int, Any]:
    headers = {"content-type": "application/json", "host": f"{name}-default.localhost"}
    request = urllib.request.Request(server.url + path, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def stored(folder: Path) -> str:
    return f"file://{folder}"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("framework", "case", "predictor"),
    [
        ("sklearn", "sklearn-joblib", {"sklearn": {}}),
        ("sklearn", "sklearn-skops", {"sklearn": {"protocolVersion": "v2"}}),
        ("sklearn", "sklearn-frame",
         {"model": {"modelFormat": {"name": "sklearn"}, "runtime": "kserve-predictiveserver"}}),
        ("xgboost", "xgboost-ubj", {"model": {"modelFormat": {"name": "xgboost"}}}),
        ("lightgbm", "lightgbm-txt", {"lightgbm": {}}),
        ("pmml", "pmml-tree", {"pmml": {}}),
        ("paddle", "paddle-dense", {"paddle": {}}),
        ("tensorflow", "tensorflow-signatures", {"tensorflow": {}}),
        ("onnx", "onnx-dense", {"onnx": {"protocolVersion": "v2"}}),
        ("pytorch", "pytorch-torchscript",
         {"model": {"modelFormat": {"name": "pytorch"}, "runtime": "kserve-tritonserver", "protocolVersion": "v2"}}),
        ("mlflow", "mlflow-columns", {"model": {"modelFormat": {"name": "mlflow"}, "protocolVersion": "v2"}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_endpoints_answer_what_the_library_answers(
    server: ServerProcess, made: Callable[[str], Any], framework: str, case: str, predictor: dict[str, Any]
) -> None:
    folder = next(each for each in made(framework).cases if each.name == case)
    requests = json.loads((folder / "case.json").read_text())
    ((key, spec),) = predictor.items()
    create(server, "m", {key: {**spec, "storageUri": stored(folder / "model")}})
    ready(server, "m")
    first = requests["v1"][0]
    status, answer = ask(server, "m", "/v1/models/m:predict", {"instances": first["instances"]})
    assert status == 200, answer
    assert close(answer["predictions"], first["predictions"]), (answer, first)
    asked = requests["v2"][0]
    body = {"inputs": asked["inputs"], "parameters": asked["parameters"]}
    status, answer = ask(server, "m", "/v2/models/m/infer", body)
    assert status == 200, answer
    assert [each["name"] for each in answer["outputs"]] == [each["name"] for each in asked["outputs"]]
    for one, other in zip(answer["outputs"], asked["outputs"], strict=True):
        assert close(one["data"], other["data"]), (one, other)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_repository_of_triton_and_an_archive_of_torchserve(
    server: ServerProcess, made: Callable[[str], Any], tmp_path: Path
) -> None:
    source = next(each for each in made("pytorch").cases if each.name == "pytorch-torchscript")
    version = tmp_path / "repository" / "cifar" / "1"
    version.mkdir(parents=True)
    (source / "model" / "model.pt").rename(version / "model.pt")
    (version.parent / "config.pbtxt").write_text('name: "cifar"\nplatform: "pytorch_libtorch"\n')
    create(server, "t", {"triton": {"storageUri": stored(tmp_path / "repository")}})
    archived = next(each for each in made("torchserve").cases if each.name == "torchserve-own")
    store = tmp_path / "torch"
    (store / "model-store").mkdir(parents=True)
    (store / "config").mkdir()
    (archived / "model" / "m.mar").rename(store / "model-store" / "m.mar")
    snapshot = {"models": {"own": {"1.0": {"marName": "m.mar"}}}}
    (store / "config" / "config.properties").write_text(f"model_snapshot={json.dumps(snapshot)}\n")
    create(server, "a", {"pytorch": {"storageUri": stored(store)}})
    ready(server, "t")
    asked = json.loads((source / "case.json").read_text())["v2"][0]
    status, answer = ask(server, "t", "/v2/models/cifar/infer", {"inputs": asked["inputs"]})
    assert (status, answer["outputs"][0]["name"]) == (200, "OUTPUT__0"), answer
    assert close(answer["outputs"][0]["data"], asked["outputs"][0]["data"])
    ready(server, "a")
    first = json.loads((archived / "case.json").read_text())["v1"][0]
    status, answer = ask(server, "a", "/v1/models/own:predict", {"instances": first["instances"]})
    assert (status, answer) == (200, {"predictions": first["predictions"]})


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_explainer_explains_by_the_file_and_by_asking(
    server: ServerProcess, made: Callable[[str], Any]
) -> None:
    cases = {each.name: each for each in made("shap").cases}
    forest = cases["shap-forest"]
    container = {"name": "kserve-container", "image": "sampan/shap-explainer"}
    uri = [{"name": "STORAGE_URI", "value": stored(forest / "model")}]
    predictor = {"sklearn": {"storageUri": stored(forest / "model")}}
    create(server, "e", predictor, explainer={"containers": [{**container, "env": uri}]})
    create(server, "k", predictor, explainer={"containers": [container]})
    ready(server, "e")
    expected = json.loads((forest / "case.json").read_text())["explain"][0]
    status, answer = ask(server, "e", "/v1/models/e:explain", {"instances": expected["instances"]})
    assert status == 200, answer
    assert close(answer["explanations"]["values"], expected["explanations"]["values"])
    ready(server, "k")
    body = {"instances": expected["instances"][:1], "background": expected["instances"]}
    status, answer = ask(server, "k", "/v1/models/k:explain", body)
    assert (status, answer["explanations"]["method"]) == (200, "kernel"), answer
    # Shapley values add up to what the predictor says, less what it says of the background.
    status, predicted = ask(server, "k", "/v1/models/k:predict", {"instances": expected["instances"][:1]})
    whole = sum(answer["explanations"]["values"][0]) + answer["explanations"]["base_values"]
    assert close(whole, float(predicted["predictions"][0]))


HOSTILE = """
import os
try:
    open("/mnt/models/was-here", "w").close()
except OSError:
    pass
os.kill(os.getpid(), 9)
"""


class Hostile:
    """Runs when it is read: writes beside the model, and ends its process."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (HOSTILE,)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_hostile_pickle_harms_its_own_pod(
    server: ServerProcess, tmp_path: Path, made: Callable[[str], Any]
) -> None:
    good = next(each for each in made("sklearn").cases if each.name == "sklearn-joblib")
    create(server, "good", {"sklearn": {"storageUri": stored(good / "model")}})
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "model.pkl").write_bytes(pickle.dumps(Hostile()))
    create(server, "bad", {"sklearn": {"storageUri": stored(bad)}})
    ready(server, "good")
    wait_until(lambda: has_died(server, "bad"), lambda: conditions(server, "bad"))
    assert conditions(server, "bad")["Ready"]["status"] != "True"
    assert not (bad / "was-here").exists()
    first = json.loads((good / "case.json").read_text())["v1"][0]
    assert ask(server, "good", "/v1/models/good:predict", {"instances": first["instances"]})[0] == 200
    assert server.text("/healthz") == "ok"


def has_died(server: ServerProcess, name: str) -> bool:
    pods = server.call("GET", "/api/v1/namespaces/default/pods")["items"]
    statuses = [
        status
        for pod in pods
        if pod["metadata"]["name"].startswith(f"{name}-predictor")
        for status in pod.get("status", {}).get("containerStatuses", [])
    ]
    ends = [status["lastState"].get("terminated") or status["state"].get("terminated") for status in statuses]
    return any(end and end["exitCode"] == 137 for end in ends)


def close(one: Any, other: Any) -> bool:
    if isinstance(other, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in other)
    if isinstance(other, list):
        return len(one) == len(other) and all(close(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(other, float):
        return bool(np.isclose(one, other, rtol=1e-5, atol=1e-6))
    return bool(one == other)
