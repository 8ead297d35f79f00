"""Models of users' own classes: as predictors and transformers, over every protocol; also with the official package."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from sampan.components.serving.engine.programs.modelserver.grpc_messages import SERVICE, message
from sampan.testing.clients import interpreter_with
from sampan.testing.model_servers import Served, serving

MODELS = Path(__file__).with_name("models") / "doubler.py"
PREDICT = "/v1/models/doubler:predict"
INFER = "/v2/models/doubler/infer"
OFFICIAL = "kserve==0.21.0"


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("predictor")
    with serving(folder, "--model_class", f"{MODELS}:Doubler", "--model_name=doubler") as served:
        yield served


def tensor(values: list[float], **more: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "x", "shape": [len(values)], "datatype": "FP64", "data": values}], **more}


def check_predictor(served: Served) -> None:
    assert served.get("/v1/models/doubler") == (200, {"name": "doubler", "ready": True})
    assert served.post(PREDICT, {"instances": [1, 2]}) == (200, {"predictions": [2, 4]})
    assert served.headers["x-model"] == "v1"
    status, answer = served.post(INFER, tensor([1, 2], id="i7"))
    assert (status, answer["id"], answer["outputs"][0]["data"]) == (200, "i7", [2, 4])
    assert served.headers["x-model"] == "v2"
    texts = {
        "inputs": [{"name": "t", "shape": [2], "datatype": "BYTES", "data": ["a", "ü"]}],
        "parameters": {"kept": 1},
    }
    answer = served.post(INFER, texts)[1]
    assert (answer["outputs"][0]["data"], answer["parameters"]) == (["A", "Ü"], {"kept": 1})
    assert served.post("/v1/models/doubler:explain", {"instances": [1]}) == (
        200,
        {"explanations": ["doubled"]},
    )
    assert served.post(PREDICT, {"instances": "wrong"})[0] == 400
    status, body = served.send("POST", PREDICT, b"12345", {"content-type": "image/jpeg"})
    assert (status, json.loads(body)) == (200, {"predictions": [10]})
    status, answer = served.post(PREDICT, {"instances": [-1]})
    assert (status, answer) == (500, {"error": "ValueError : broken at …"})
    with grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
        grpc.channel_ready_future(channel).result(20)
        request = message("ModelInferRequest")(model_name="doubler")
        request.inputs.add(name="t", datatype="BYTES", shape=[1]).contents.bytes_contents.append(b"x")
        stub = channel.unary_unary(
            f"/{SERVICE}/ModelInfer",
            lambda each: each.SerializeToString(),
            message("ModelInferResponse").FromString,
        )
        assert list(stub(request, timeout=60).outputs[0].contents.bytes_contents) == [b"X"]


def test_a_users_class_is_served_over_every_protocol(predictor: Served) -> None:
    check_predictor(predictor)


@pytest.mark.slow
def test_a_class_of_the_official_package_is_served_as_well(tmp_path: Path) -> None:
    words = ["--model_class", f"{MODELS}:Doubler", "--model_name=doubler"]
    with serving(tmp_path, *words, python=str(interpreter_with(OFFICIAL))) as served:
        check_predictor(served)


@pytest.mark.parametrize(
    "protocol",
    ["v2", pytest.param("v1", marks=pytest.mark.slow), pytest.param("grpc-v2", marks=pytest.mark.slow)],
)
def test_a_transformer_stands_before_a_predictor(predictor: Served, tmp_path: Path, protocol: str) -> None:
    port = predictor.grpc_port if protocol == "grpc-v2" else predictor.port
    words = ["--model_class", f"{MODELS}:Plus", "--model_name=doubler", f"--predictor_host=127.0.0.1:{port}"]
    words += [f"--predictor_protocol={protocol}", "--enable_grpc=false"]
    with serving(tmp_path, *words) as served:
        for _ in range(3):
            if protocol == "v1":
                assert served.post(PREDICT, {"instances": [1, 2]}) == (200, {"predictions": [104, 106]})
            else:
                status, answer = served.post(INFER, tensor([1, 2], id="same"))
                assert (status, answer["outputs"][0]["data"], answer["id"]) == (200, [104, 106], "same")
        # The predictor's own words, and its own status.
        if protocol == "v1":
            status, answer = served.post(PREDICT, {"instances": [-2]})
        else:
            status, answer = served.post(INFER, tensor([-2]))
        assert (status, answer) == (500, {"error": "ValueError : broken at …"})


def test_a_transformer_looks_at_its_predictor_where_it_is_told_to(tmp_path: Path) -> None:
    words = ["--model_class", f"{MODELS}:Plus", "--model_name=doubler", "--enable_grpc=false"]
    with serving(
        tmp_path, *words, "--predictor_host=127.0.0.1:9", "--enable_predictor_health_check"
    ) as served:
        assert served.get("/v1/models/doubler")[0] == 503
        status, answer = served.post(PREDICT, {"instances": [1]})
        assert (status, answer["error"]) == (
            503,
            "the predictor 127.0.0.1:9 is not reached: ConnectionRefusedError",
        )


def test_a_models_own_program_starts_the_server(tmp_path: Path) -> None:
    # As `python model.py` does, where `kserve` is ours.
    starter = tmp_path / "start.py"
    package = "sampan.components.serving.engine.programs.modelserver"
    starter.write_text(
        f"import runpy, sys\nfrom {package}.custom import stand_in\nstand_in.install()\n"
        f"sys.argv[0] = {str(MODELS)!r}\nrunpy.run_path({str(MODELS)!r}, run_name='__main__')\n"
    )
    with serving(tmp_path, "--enable_grpc=false", module="start") as served:
        assert served.post(PREDICT, {"instances": [3]}) == (200, {"predictions": [6]})


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("nowhere.py:Model", "there is no file nowhere.py"),
        (f"{MODELS}:Missing", "has no class Missing"),
        ("Doubler", "FILE.py:CLASS"),
        ("no_such_module:Model", "there is no module 'no_such_module'"),
    ],
)
def test_a_class_that_is_not_found_ends_the_program_with_the_reason(
    tmp_path: Path, reference: str, says: str
) -> None:
    with pytest.raises(AssertionError, match=says), serving(tmp_path, "--model_class", reference):
        pass
