"""Other servers' command lines, as upstream's ServingRuntimes write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sampan.components.serving.engine.programs.modelserver.stand_in import translated


def test_triton() -> None:
    words = [
        "tritonserver",
        "--model-store=/mnt/models",
        "--grpc-port=9000",
        "--http-port=8080",
        "--allow-http=true",
    ]
    ours = ["--model_dir=/mnt/models", "--http_port=8080", "--grpc_port=9000", "--runtime=choosing"]
    assert translated(words, {}) == ours
    # A model that lies in the folder itself has the service's name, where a repository's have those of their folders.
    assert translated(words, {"INFERENCE_SERVICE_NAME": "iris"}) == ["--model_name=iris", *ours]
    # With a blank, by a path, and twice, as an entry point is told.
    words = [
        "tritonserver",
        "/opt/tritonserver/bin/tritonserver",
        "--model-repository",
        "/models",
        "--log-verbose",
    ]
    assert translated(words, {}) == [
        "--model_dir=/models",
        "--http_port=8000",
        "--grpc_port=8001",
        "--runtime=choosing",
    ]


def test_mlserver() -> None:
    environ = {
        "MLSERVER_MODEL_IMPLEMENTATION": "mlserver_sklearn.SKLearnModel",
        "MLSERVER_HTTP_PORT": "8080",
        "MLSERVER_GRPC_PORT": "9000",
        "MLSERVER_MODEL_NAME": "iris",
        "MLSERVER_MODEL_URI": "/mnt/models",
        "MLSERVER_PARALLEL_WORKERS": "0",
    }
    named = ["--model_name=iris", "--model_dir=/mnt/models"]
    assert translated(["mlserver", "start"], environ) == [
        *named, "--http_port=8080", "--grpc_port=9000", "--runtime=choosing"
    ]  # fmt: skip
    assert translated(["mlserver", "start", "/here"], {})[0] == "--model_dir=/here"
    assert "--workers=3" in translated(["mlserver", "start"], {**environ, "MLSERVER_PARALLEL_WORKERS": "3"})


def test_mlservers_runtime_for_transformers() -> None:
    environ = {
        "MLSERVER_MODEL_IMPLEMENTATION": "mlserver_huggingface.HuggingFaceRuntime",
        "MLSERVER_MODEL_NAME": "m",
        "MLSERVER_MODEL_URI": "/mnt/models",
        "PREDICTIVE_UNIT_PARAMETERS": json.dumps(
            [
                {"name": "task", "type": "STRING", "value": "text-generation"},
                {"name": "pretrained_model", "type": "STRING", "value": "distilgpt2"},
            ]
        ),
    }
    found = translated(["mlserver", "start"], environ)
    assert found[-3:] == ["--runtime=huggingface", "--task=text_generation", "--model_id=distilgpt2"]
    environ["MLSERVER_MODEL_HUGGINGFACE_TASK"] = "translation_en_to_fr"
    assert "--task=text2text_generation" in translated(["mlserver", "start"], environ)
    environ["MLSERVER_MODEL_HUGGINGFACE_TASK"] = "image-classification"
    with pytest.raises(SystemExit, match="image-classification"):
        translated(["mlserver", "start"], environ)


def test_tensorflow_serving() -> None:
    words = [
        "tensorflow_model_server",
        "/usr/bin/tensorflow_model_server",
        "--model_name=flowers",
        "--port=9000",
        "--rest_api_port=8080",
        "--model_base_path=/mnt/models",
        "--rest_api_timeout_in_ms=60000",
    ]
    assert translated(words, {}) == [
        "--model_name=flowers",
        "--model_dir=/mnt/models",
        "--http_port=8080",
        "--grpc_port=9000",
        "--runtime=tensorflow",
        "--tensorflow_serving=true",
    ]
    # Of its settings those that change what is served; a flag alone is true.
    words = ["tensorflow_model_server", "--model_config_file=/models/m.config", "--enable_batching",
             "--allow_version_labels_for_unavailable_models", "--grpc_socket_path=/tmp/s"]  # fmt: skip
    assert translated(words, {})[-3:] == [
        "--model_config_file=/models/m.config",
        "--allow_version_labels_for_unavailable_models=true",
        "--grpc_socket_path=/tmp/s",
    ]
    # The image's own entry point goes by variables.
    script = "/usr/bin/tf_serving_entrypoint.sh"
    for environ, name, folder in (
        ({}, "model", "/models/model"),
        ({"MODEL_NAME": "x"}, "x", "/models/x"),
        ({"MODEL_NAME": "x", "MODEL_BASE_PATH": "/here"}, "x", "/here/x"),
    ):
        assert translated([script], environ)[:2] == [f"--model_name={name}", f"--model_dir={folder}"]
    assert translated([script, "--model_base_path=/m"], {})[:2] == ["--model_name=model", "--model_dir=/m"]
    # The program itself does not.
    assert translated(["tensorflow_model_server"], {"MODEL_NAME": "x"})[0] == "--model_name=default"


def test_openvino() -> None:
    words = ["ovms", "--model_name=m", "--model_path=/mnt/models", "--port=9000", "--rest_port=8080"]
    assert translated(words, {}) == [
        "--model_name=m", "--model_dir=/mnt/models", "--http_port=8080", "--grpc_port=9000", "--runtime=choosing"
    ]  # fmt: skip


def test_torchserve(tmp_path: Path) -> None:
    store = tmp_path / "model-store"
    store.mkdir()
    (store / "mnist.mar").write_bytes(b"")
    words = ["torchserve", "--start", f"--model-store={store}", f"--ts-config={tmp_path}/config.properties"]
    found = ["--model_name=mnist", f"--model_dir={store}", "--archive=mnist.mar"]
    assert translated(words, {})[:3] == found
    (store / "other.mar").write_bytes(b"")
    with pytest.raises(SystemExit, match="several models, mnist, other"):
        translated(words, {})
    models = {"digits": {"1.0": {"marName": "mnist.mar", "minWorkers": 1}}}
    snapshot = json.dumps({"name": "startup.cfg", "modelCount": 1, "models": models})
    (tmp_path / "config.properties").write_text(f"# written\nload_models=all\nmodel_snapshot={snapshot}\n")
    assert translated(words, {})[:3] == ["--model_name=digits", f"--model_dir={store}", "--archive=mnist.mar"]
    assert translated([*words, "--models", "a=other.mar"], {})[0] == "--model_name=a"


def test_torchserve_with_a_model_in_the_place_of_archives(tmp_path: Path) -> None:
    """A state dict and its class are what KFServing's `pytorch` was."""
    environ = {"INFERENCE_SERVICE_NAME": "cifar10"}
    words = ["torchserve", "--start", f"--model-store={tmp_path}/model-store"]
    ours = ["--model_name=cifar10", "--model_dir=/mnt/models", "--http_port=8080", "--grpc_port=8081"]
    assert "--runtime=torchserve" in translated(words, environ)
    told = translated([*words, "--model_class_name=Net"], environ)
    assert told == [*ours, "--runtime=pytorch", "--model_class_name=Net"]
    (tmp_path / "model.pt").touch()
    assert translated(words, environ) == [*ours, "--runtime=pytorch"]
    (tmp_path / "model-store").mkdir()
    assert "--runtime=torchserve" in translated(words, environ)


def test_a_plain_torchserve_listens_where_its_settings_say(tmp_path: Path) -> None:
    words = ["plain-torchserve", "--start", f"--ts-config={tmp_path}/config.properties"]
    assert {"--http_port=8080", "--grpc_port=7070"} <= set(translated(words, {}))
    settings = "inference_address=http://0.0.0.0:8085\ngrpc_inference_port=7077\n"
    (tmp_path / "config.properties").write_text(settings)
    assert {"--http_port=8085", "--grpc_port=7077"} <= set(translated(words, {}))
    behind = translated(["torchserve", *words[1:]], {})
    assert {"--http_port=8080", "--other_http_port=8085", "--grpc_port=8081"} <= set(behind)
    assert not any(each.startswith("--other_http_port") for each in translated(words, {}))


@pytest.mark.parametrize("words", [[], ["bash", "-c", "true"]])
def test_other_programs_are_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit, match="is none that Sampan stands in for"):
        translated(words, {})
