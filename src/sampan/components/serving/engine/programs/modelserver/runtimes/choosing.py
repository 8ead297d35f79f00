"""Which runtime a model wants, by what was said and by what lies in its folder. Called by the server for each model.

Images of servers for several frameworks have it as their runtime. What is said is `--framework` of upstream's
predictiveserver, MLServer's implementation, or a Triton model's platform or backend. A folder may be one version's, or
hold numbered ones: the newest counts. Where nothing is said, the model's file tells.
Source: kserve v0.20.0 python/predictiveserver/predictiveserver/__main__.py; SeldonIO/MLServer 1.7 docs,
model-settings.json; triton-inference-server/server docs/user_guide/model_configuration.md.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import cast

from sampan.components.serving.engine.programs.modelserver.contract import (
    LoadError,
    ModelMissingError,
    Opaque,
    Runtime,
    Source,
)
from sampan.components.serving.engine.programs.modelserver.runtimes.model_files import newest_version

_HERE = __name__.rpartition(".")[0]
# What others call them.
_MODULES: Mapping[str, str] = {
    "sklearn": "sklearn", "scikit-learn": "sklearn", "mlserver_sklearn.sklearnmodel": "sklearn",
    "xgboost": "xgboost", "xgb": "xgboost", "mlserver_xgboost.xgboostmodel": "xgboost",
    "lightgbm": "lightgbm", "lgb": "lightgbm", "mlserver_lightgbm.lightgbmmodel": "lightgbm",
    "pytorch": "pytorch", "torch": "pytorch", "libtorch": "pytorch", "pytorch_libtorch": "pytorch",
    "tensorflow": "tensorflow", "tensorflow_savedmodel": "tensorflow", "keras": "tensorflow",
    "onnx": "onnx", "onnxruntime": "onnx", "onnxruntime_onnx": "onnx", "mlserver_onnx.onnxmodel": "onnx",
    "pmml": "pmml", "paddle": "paddle",
    "mlflow": "mlflow", "mlserver_mlflow.mlflowruntime": "mlflow",
    "torchserve": "torchserve",
    "huggingface": "huggingface", "mlserver_huggingface.huggingfaceruntime": "huggingface",
}  # fmt: skip
# In this order: a folder of MLflow also holds the file of the model that it is about.
_BY_FILE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("mlflow", ("MLmodel",)),
    ("tensorflow", ("saved_model.pb", "saved_model.pbtxt", ".keras", ".h5")),
    ("paddle", (".pdiparams",)),
    ("onnx", (".onnx", ".ort")),
    ("pytorch", (".pt2", ".pt", ".pth", ".ts")),
    ("torchserve", (".mar",)),
    ("huggingface", ("tokenizer_config.json", "tokenizer.json")),
    ("pytorch", (".safetensors",)),
    ("pmml", (".pmml",)),
    ("xgboost", (".ubj",)),
    ("sklearn", (".skops", ".joblib", ".pkl", ".pickle")),
)
# Of files with these endings the beginning tells.
_AMBIGUOUS = (".json", ".bst", ".model", ".txt")
_SETTING = re.compile(r'^\s*(name|platform|backend|default_model_filename)\s*:\s*"([^"]*)"', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Told:
    """What a model's own folder says of it."""

    framework: str = ""
    folder: str = ""
    """That holds the files."""
    name: str = ""


def load(source: Source) -> Runtime | Opaque:
    """Raises LoadError; ModelMissingError where the folder holds no model."""
    told = told_by(source.folder)
    name = _said(source) or told.framework or framework_of(told.folder or source.folder)
    if not name:
        raise ModelMissingError(f"There is no model in {source.folder} that any framework here knows.")
    return cast(
        "Runtime | Opaque", module_of(name).load(replace(source, folder=told.folder or source.folder))
    )


def module_of(framework: str) -> ModuleType:
    """Raises LoadError for a name that is none, or a framework that the environment lacks."""
    module = _MODULES.get(framework.lower())
    if module is None:
        raise LoadError(
            f"{framework!r} is no framework that is served here; there are {', '.join(sorted(set(_MODULES.values())))}."
        )
    try:
        return importlib.import_module(f"{_HERE}.{module}")
    except ModuleNotFoundError as error:
        raise LoadError(f"Models of {framework} are not served yet ({error}).") from error


def told_by(folder: str) -> Told:
    """By a file of settings that MLServer or Triton would read, and by numbered versions. Raises LoadError."""
    root = Path(folder)
    if (settings := root / "model-settings.json").is_file():
        return _by_mlserver(settings)
    if (settings := root / "config.pbtxt").is_file():
        return _by_triton(settings)
    newest = newest_version(root)
    return Told("", str(newest) if newest is not None and not _has_files(root) else folder)


def framework_of(folder: str) -> str:
    """By the files in it; empty where none is known."""
    root = Path(folder)
    names = [root.name] if root.is_file() else sorted(each.name for each in _entries(root))
    for framework, endings in _BY_FILE:
        if any(name == ending or name.endswith(ending) for name in names for ending in endings):
            return framework
    base = root.parent if root.is_file() else root
    found = (_by_content(base / name) for name in names if name.endswith(_AMBIGUOUS))
    return next((each for each in found if each), "")


def _said(source: Source) -> str:
    for key in ("framework", "MLSERVER_MODEL_IMPLEMENTATION"):
        told = source.options.get(key, "")
        if told:
            return told
    return ""


def _by_mlserver(settings: Path) -> Told:
    try:
        document = json.loads(settings.read_bytes())
        told = str(document.get("implementation", ""))
        uri = str((document.get("parameters") or {}).get("uri") or ".")
        name = str(document.get("name", ""))
    except (OSError, ValueError, AttributeError) as error:
        raise LoadError(f"{settings.name} is not a model's settings: {error}") from error
    folder = (settings.parent / uri.removeprefix("file://")).resolve()
    if told.lower() not in _MODULES and told:
        raise LoadError(
            f"{settings.name} names the implementation {told}: a class of your own needs MLServer itself "
            "(docs/serving.md)."
        )
    return Told(told, str(folder), name)


def _by_triton(settings: Path) -> Told:
    try:
        found = dict(reversed(_SETTING.findall(settings.read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError) as error:
        raise LoadError(f"{settings.name} cannot be read: {error}") from error
    framework = found.get("platform") or found.get("backend", "")
    if framework in ("python", "ensemble", "dali", "tensorrt", "tensorrt_plan"):
        raise LoadError(
            f"The model's {framework} backend is Triton's own: run its image by containers (docs/serving.md)."
        )
    folder = newest_version(settings.parent)
    if folder is None:
        raise LoadError(f"Beside {settings.name} there is no folder of a version, such as 1.")
    # Triton's names of files: model.savedmodel is a folder.
    nested = [each for each in sorted(folder.iterdir()) if each.name.endswith(".savedmodel")]
    return Told(framework, str(nested[0] if nested else folder), found.get("name", ""))


def _by_content(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            head = opened.read(4096)
    except OSError:
        return ""
    if head.startswith(b"tree\n") or b"\nnum_class=" in head:
        return "lightgbm"
    if b'"learner"' in head or head.startswith((b"binf", b"{L")) or (file.suffix == ".bst" and b"\0" in head):
        return "xgboost"
    return ""


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _has_files(folder: Path) -> bool:
    return any(each.is_file() and not each.name.startswith(".") for each in _entries(folder))
