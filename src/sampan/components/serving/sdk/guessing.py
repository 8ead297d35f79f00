"""Which format a model has, by its files, without loading any of them: and what made us think so.

Pickles are looked at, never read: they name the modules of what they hold. The order is that of the model server
(`engine.programs.modelserver.runtimes.choosing`), which a client does not import.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from sampan.components.serving.api.models import V2
from sampan.components.serving.sdk.errors import ServingError

_MOST_BYTES = 4 * 1024 * 1024
_MOST_FILES = 2000
TRITON = "kserve-tritonserver"
PREDICTIVE = "kserve-predictiveserver"


@dataclass(frozen=True, slots=True)
class Guess:
    format: str
    why: str
    runtime: str = ""
    """Where the one that would be chosen is not the one for such a file."""
    protocol: str = ""
    """The only one that its servers speak."""


FORMATS = (
    *("sklearn", "xgboost", "lightgbm", "pytorch", "tensorflow", "onnx"),
    *("huggingface", "mlflow", "pmml", "paddle", "triton"),
)
_ONLY_V2 = ("onnx", "mlflow", "triton")
_NAMES = {"MLmodel": "mlflow", "saved_model.pb": "tensorflow", "saved_model.pbtxt": "tensorflow"}
_ENDINGS = {
    ".keras": "tensorflow", ".h5": "tensorflow",
    ".pdiparams": "paddle", ".pdmodel": "paddle",
    ".onnx": "onnx", ".ort": "onnx",
    ".pt2": "pytorch", ".pt": "pytorch", ".pth": "pytorch", ".ts": "pytorch", ".mar": "pytorch",
    ".safetensors": "pytorch",
    ".pmml": "pmml",
    ".ubj": "xgboost",
    ".skops": "sklearn",
}  # fmt: skip
_PICKLES = (".joblib", ".pkl", ".pickle")
_OPEN = (".json", ".bst", ".model", ".txt")
_HUGGING_FACE = ("tokenizer_config.json", "tokenizer.json")
_MODULES = {b"sklearn.": "sklearn", b"xgboost.": "xgboost", b"lightgbm.": "lightgbm"}


def of_path(path: Path) -> Guess:
    """Of a file or folder of this machine. Raises ServingError where nothing tells."""
    if path.is_dir():
        return _of_folder(path)
    found = _of_file(path)
    if found is None:
        raise ServingError(f"{path}: the file does not say which format it has; {_SAY}")
    return found


def of_uri(uri: str) -> Guess:
    """Of what is elsewhere, by its name alone. Raises ServingError."""
    if uri.startswith("hf://"):
        return known("huggingface", "it is a repository of the Hugging Face hub")
    name = PurePosixPath(urlsplit(uri).path).name
    found = _by_name(name)
    if found is None and name.lower().endswith(_PICKLES):
        found = known("sklearn", f"{name} is a pickle, and of these most are scikit-learn's")
    if found is None:
        raise ServingError(f"{uri}: its name does not say which format the model has; {_SAY}")
    return found


def known(name: str, why: str) -> Guess:
    """Of a format that is told."""
    return Guess(name, why, protocol=V2 if name in _ONLY_V2 else "")


_SAY = f"say it with --format (from Python format=…): {', '.join(FORMATS)}"


def _of_folder(folder: Path) -> Guess:
    names: dict[str, Path] = {}
    for number, each in enumerate(sorted(folder.rglob("*"))):
        if number > _MOST_FILES:
            break
        if each.is_file() and not any(part.startswith(".") for part in each.relative_to(folder).parts):
            names[each.relative_to(folder).as_posix()] = each
    if not names:
        raise ServingError(f"{folder} holds no file")
    if any(name.endswith(("config.pbtxt",)) for name in names):
        return Guess("triton", "a config.pbtxt says it is a repository of Triton's", protocol=V2)
    for ask in (_as_hugging_face(names), _by_name, lambda name: _of_file(names[name])):
        for name in sorted(names, key=lambda each: (each.count("/"), each)):
            if (found := ask(name)) is not None:
                return found
    raise ServingError(f"{folder}: none of its files says which format the model has; {_SAY}")


def _as_hugging_face(names: Mapping[str, Path]) -> Callable[[str], Guess | None]:
    def ask(name: str) -> Guess | None:
        if name in _HUGGING_FACE and "config.json" in names and "MLmodel" not in names:
            return known("huggingface", f"it holds config.json and {name}")
        return None

    return ask


def _by_name(name: str) -> Guess | None:
    own = PurePosixPath(name).name
    if own in _NAMES:
        return known(_NAMES[own], f"it holds {name}")
    ending = PurePosixPath(own).suffix.lower()
    found = _ENDINGS.get(ending)
    if found is None:
        return None
    if found == "pytorch" and ending != ".mar":
        return Guess(found, f"{own} ends with {ending}", TRITON, V2)
    return known(found, f"{own} ends with {ending}")


def _of_file(file: Path) -> Guess | None:
    if (found := _by_name(file.name)) is not None:
        return found
    ending = file.suffix.lower()
    if ending in _PICKLES:
        return _of_pickle(file)
    return _of_open(file) if ending in _OPEN else None


def _of_pickle(file: Path) -> Guess:
    data = _unpacked(_head(file))
    places = {name: data.find(mark) for mark, name in _MODULES.items()}
    held = sorted((name for name in places if places[name] >= 0), key=lambda name: places[name])
    if not held:
        return known("sklearn", f"{file.name} is a pickle, and of these most are scikit-learn's")
    if len(held) == 1 or set(held) == {"sklearn", held[0]}:
        return known(held[0], f"{file.name} is a pickle that names {held[0]}")
    # An estimator of another library within a pipeline of scikit-learn: a server that has both.
    return Guess("sklearn", f"{file.name} is a pickle that names {' and '.join(held)}", PREDICTIVE)


def _of_open(file: Path) -> Guess | None:
    head = _head(file)
    if head.startswith(b"tree\n") or b"\nversion=v" in head[:64]:
        return known("lightgbm", f"{file.name} begins as LightGBM's files do")
    if file.suffix.lower() == ".json":
        return _of_json(file, head)
    if file.suffix.lower() in (".bst", ".model"):
        return known("xgboost", f"{file.name} is a model of XGBoost's")
    return None


def _of_json(file: Path, head: bytes) -> Guess | None:
    try:
        document = json.loads(file.read_bytes() if len(head) == _MOST_BYTES else head)
    except ValueError:
        return None
    if isinstance(document, dict) and "learner" in document:
        return known("xgboost", f"{file.name} holds a learner, as XGBoost's files do")
    return None


def _head(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(_MOST_BYTES)
    except OSError as error:
        raise ServingError(f"{file}: {error.strerror}") from error


def _unpacked(data: bytes) -> bytes:
    """joblib packs with zlib or gzip where it is told to; other packings stay as they are."""
    if not data.startswith((b"\x78\x01", b"\x78\x9c", b"\x78\xda", b"\x78\x5e", b"\x1f\x8b")):
        return data
    try:
        return zlib.decompressobj(wbits=47).decompress(data, _MOST_BYTES)
    except zlib.error:
        return data


def tables() -> dict[str, Any]:
    """By what to guess, for a program that is sent to a pod."""
    return {
        "names": {**_NAMES, "config.pbtxt": "triton"},
        "endings": _ENDINGS,
        "modules": {mark.decode(): name for mark, name in _MODULES.items()},
        "pickles": _PICKLES,
        "open": _OPEN,
        "hugging_face": _HUGGING_FACE,
        "only_v2": _ONLY_V2,
        "triton": TRITON,
    }
