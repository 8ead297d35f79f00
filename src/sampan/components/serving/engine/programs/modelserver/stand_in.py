"""Other model servers' command lines, as this one's: `python3 -m sampan_serving.modelserver.stand_in tritonserver …`.

The embedded cluster starts it where an image's own program would run (`catalogue.toml`), so that ServingRuntimes of
Triton, MLServer, TorchServe, TensorFlow Serving, OpenVINO and vLLM work as they are written. What concerns resources,
logs and back ends of theirs is passed over in silence; what would change answers is not there to be told.
Sources: kserve v0.20.0 config/runtimes; triton-inference-server/server docs/user_guide (model_repository.md);
SeldonIO/MLServer 1.7 docs/reference/settings.md; pytorch/serve 0.12 docs/configuration.md; tensorflow/serving
tensorflow_serving/model_servers/main.cc; openvinotoolkit/model_server docs/parameters.md.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sampan.components.serving.engine.programs.modelserver import program
from sampan.components.serving.engine.programs.modelserver.vllm import arguments as vllm

_MODELS = "/mnt/models"
_PARAMETERS = "PREDICTIVE_UNIT_PARAMETERS"
"""What Seldon's operator tells of a unit."""
_KSERVE_PORT = "8080"
Options = Mapping[str, str]


def main(words: Sequence[str] | None = None) -> int:
    """The first word is the program, as a path or a name."""
    arguments = translated(list(sys.argv[1:] if words is None else words), os.environ)
    return program.main(arguments)


def translated(words: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """This server's arguments. Raises SystemExit for a program that is none of these."""
    # An entry point may be told its own program, or only that one's arguments.
    name = Path(words[0]).name if words else ""
    if name not in _PROGRAMS:
        raise SystemExit(f"{name or 'no program'} is none that Sampan stands in for: {', '.join(_PROGRAMS)}")
    rest = list(words[2:] if len(words) > 1 and Path(words[1]).name == name else words[1:])
    arguments = _PROGRAMS[name](options(rest), rest, environ)
    return [f"--{key}={value}" for key, value in arguments.items() if value]


def options(words: Sequence[str]) -> dict[str, str]:
    """`--key=value`, `--key value` and `--key`, with `_` and `-` alike."""
    found: dict[str, str] = {}
    key = ""
    for word in words:
        if word.startswith("--"):
            key, is_whole, value = word[2:].partition("=")
            key = key.replace("-", "_")
            found[key] = value
            key = "" if is_whole else key
        elif key:
            found[key], key = word, ""
    return found


def _triton(told: Options, words: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    return {
        "model_name": _own_name(environ),
        "model_dir": told.get("model_repository") or told.get("model_store") or _MODELS,
        "http_port": told.get("http_port") or "8000",
        "grpc_port": told.get("grpc_port") or "8001",
        "runtime": "choosing",
    }


def _mlserver(told: Options, words: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    folder = next((word for word in words if word != "start" and not word.startswith("-")), "")
    folder = environ.get("MLSERVER_MODEL_URI") or folder or environ.get("MLSERVER_MODELS_DIR") or _MODELS
    is_language = environ.get("MLSERVER_MODEL_IMPLEMENTATION", "").endswith(".HuggingFaceRuntime")
    return {
        "model_name": environ.get("MLSERVER_MODEL_NAME") or _own_name(environ),
        "model_dir": folder,
        "http_port": environ.get("MLSERVER_HTTP_PORT") or "8080",
        "grpc_port": environ.get("MLSERVER_GRPC_PORT") or "8081",
        "workers": environ.get("MLSERVER_PARALLEL_WORKERS", "").removeprefix("0"),
        **(_language(environ) if is_language else {"runtime": "choosing"}),
    }


_PIPELINES = {
    **dict.fromkeys(("text-classification", "sentiment-analysis"), "sequence_classification"),
    **dict.fromkeys(("token-classification", "ner"), "token_classification"),
    **dict.fromkeys(("text2text-generation", "summarization", "translation"), "text2text_generation"),
    "fill-mask": "fill_mask",
    "feature-extraction": "text_embedding",
    "text-generation": "text_generation",
}
"""Of Transformers' pipelines, as MLServer's runtime names them, what the model is for."""


def _language(environ: Mapping[str, str]) -> dict[str, str]:
    """MLServer's runtime for Transformers. Source: SeldonIO/MLServer 1.3.5 runtimes/huggingface settings.py.

    Raises SystemExit for a pipeline of another kind.
    """
    try:
        told = {str(each["name"]): str(each["value"]) for each in json.loads(environ[_PARAMETERS])}
    except (KeyError, TypeError, ValueError):
        told = {}
    prefix = "MLSERVER_MODEL_HUGGINGFACE_"
    told |= {
        key.removeprefix(prefix).lower(): text for key, text in environ.items() if key.startswith(prefix)
    }
    task = told.get("task", "")
    kind = _PIPELINES.get(task) or (_PIPELINES["translation"] if task.startswith("translation_") else "")
    if task and not kind:
        raise SystemExit(f"the task {task} is none that is served here: known are {', '.join(_PIPELINES)}")
    return {"runtime": "huggingface", "task": kind, "model_id": told.get("pretrained_model", "")}


def _torchserve(told: Options, words: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    properties = _properties(told.get("ts_config") or environ.get("TS_CONFIG_FILE", ""))
    folder = told.get("model_store") or properties.get("model_store") or f"{_MODELS}/model-store"
    if "model_class_name" in told or _holds_a_model_itself(folder):
        return _pytorch(told, environ)
    name, archive = _archive(folder, properties.get("model_snapshot", ""), told.get("models", ""))
    return {
        "model_name": name,
        "model_dir": folder,
        "archive": archive,
        # KServe's image has a server of KServe's in front, with KServe's ports. TorchServe itself can be asked too.
        "http_port": _KSERVE_PORT,
        "other_http_port": own if (own := _inference_port(properties)) != _KSERVE_PORT else "",
        "grpc_port": "8081",
        "runtime": "torchserve",
    }


def _holds_a_model_itself(store: str) -> bool:
    """Whether what was fetched has files of PyTorch's where a store of archives is expected."""
    above = Path(store).parent
    return not Path(store).is_dir() and any(
        each.suffix in (".pt", ".pth", ".pt2", ".safetensors") for each in above.glob("*")
    )


def _pytorch(told: Options, environ: Mapping[str, str]) -> dict[str, str]:
    """What KFServing's `pytorch` was before TorchServe: a state dict and its class, in the place of archives.

    Source: kserve/kserve 0.5.1 (KFServing) pkg/apis/serving/v1beta1/predictor_torchserve.go (GetContainerV1).
    """
    return {
        "model_name": _own_name(environ),
        "model_dir": _MODELS,
        "http_port": _KSERVE_PORT,
        "grpc_port": "8081",
        "runtime": "pytorch",
        "model_class_name": told.get("model_class_name", ""),
    }


def _plain_torchserve(told: Options, words: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """Of an image that has nothing in front: it listens where its settings say."""
    properties = _properties(told.get("ts_config") or environ.get("TS_CONFIG_FILE", ""))
    return {
        **_torchserve(told, words, environ),
        "http_port": _inference_port(properties),
        "other_http_port": "",
        "grpc_port": properties.get("grpc_inference_port") or "7070",
    }


def _inference_port(properties: Mapping[str, str]) -> str:
    port = properties.get("inference_address", "").rstrip("/").rpartition(":")[2]
    return port if port.isdecimal() else _KSERVE_PORT


def _tensorflow(told: Options, words: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    name = told.get("model_name") or "default"
    return {
        "model_name": name,
        "model_dir": told.get("model_base_path") or f"/models/{name}",
        "http_port": told.get("rest_api_port") or "8501",
        "grpc_port": told.get("port") or "8500",
        "runtime": "tensorflow",
        "tensorflow_serving": "true",
        **{name: told[name] or "true" for name in _TENSORFLOW_SETTINGS if name in told},
    }


def _tensorflow_image(told: Options, words: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """The image's own script, which goes by the image's variables where it is told nothing."""
    name = environ.get("MODEL_NAME") or "model"
    base = f"{environ.get('MODEL_BASE_PATH') or '/models'}/{name}"
    return _tensorflow({"model_name": name, "model_base_path": base, **told}, words, environ)


_TENSORFLOW_SETTINGS = (
    "model_config_file",
    "model_config_file_poll_wait_seconds",
    "file_system_poll_wait_seconds",
    "allow_version_labels_for_unavailable_models",
    "max_num_load_retries",
    "load_retry_interval_micros",
    "enable_serialization_as_tensor_content",
    "monitoring_config_file",
    "grpc_socket_path",
)


def _openvino(told: Options, words: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    return {
        "model_name": told.get("model_name") or _own_name(environ),
        "model_dir": told.get("model_path") or told.get("model_repository_path") or _MODELS,
        "http_port": told.get("rest_port") or "8080",
        "grpc_port": told.get("port") or "9178",
        "runtime": "choosing",
    }


def _vllm(told: Options, words: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    return vllm.translated(words, environ)


def _own_name(environ: Mapping[str, str]) -> str:
    """Of a model that lies in the folder itself, where those of a repository have the names of their folders."""
    return environ.get("INFERENCE_SERVICE_NAME", "")


_PROGRAMS: Mapping[str, Callable[[Options, Sequence[str], Mapping[str, str]], dict[str, str]]] = {
    "tritonserver": _triton,
    "mlserver": _mlserver,
    "torchserve": _torchserve,
    "plain-torchserve": _plain_torchserve,
    "tensorflow_model_server": _tensorflow,
    "tf_serving_entrypoint.sh": _tensorflow_image,
    "ovms": _openvino,
    "vllm": _vllm,
}


def _properties(path: str) -> dict[str, str]:
    """Of Java's format what TorchServe's files have: `key=value`, comments, lines that go on after a backslash."""
    try:
        text = Path(path).read_text(encoding="utf-8") if path else ""
    except (OSError, UnicodeDecodeError):
        return {}
    lines = text.replace("\\\n", "").splitlines()
    pairs = (
        line.partition("=") for line in lines if line.strip() and not line.lstrip().startswith(("#", "!"))
    )
    return {key.strip(): value.strip() for key, _, value in pairs}


def _archive(folder: str, snapshot: str, models: str) -> tuple[str, str]:
    """The model's name and its file: what TorchServe was serving when its settings were written, `--models NAME=FILE`,
    or what lies in the store. Raises SystemExit where there are several: one pod serves one."""
    found = _snapshot(snapshot)
    if models and models != "all":
        pairs = (each.partition("=") for each in models.replace(",", " ").split())
        found = {name if archive else Path(name).stem: archive or name for name, _, archive in pairs}
    if not found:
        try:
            found = {each.stem: each.name for each in sorted(Path(folder).glob("*.mar"))}
        except OSError:
            found = {}
    if len(found) > 1:
        raise SystemExit(
            f"The model store has several models, {', '.join(found)}: one is served by a pod here."
        )
    return next(iter(found.items()), ("", ""))


def _snapshot(told: str) -> dict[str, str]:
    try:
        models = json.loads(told)["models"]
        return {
            name: str(next(iter(versions.values()))["marName"])
            for name, versions in models.items()
            if versions
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


if __name__ == "__main__":
    sys.exit(main())
