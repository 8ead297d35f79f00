"""MLflow's models: any flavour, by its `pyfunc`, which the environment's MLflow reads. Loaded by `choosing`.

What the model's own requirements name and the environment lacks is said when it is loaded; with
`MLFLOW_INSTALL_REQUIREMENTS=true` it is installed first. Where there is no MLflow, models of scikit-learn, XGBoost,
LightGBM, ONNX, TensorFlow and PyTorch are read directly. Models are asked as MLflow itself is: their signature counts.
Source: mlflow 3.17 docs, MLmodel format; SeldonIO/MLServer 1.7 runtimes/mlflow.
"""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.modelserver.contract import (
    LoadError,
    Metadata,
    ModelError,
    ModelMissingError,
    Opaque,
    Runtime,
    Source,
    TensorSpec,
    datatype_of,
)
from sampan.components.serving.engine.programs.modelserver.runtimes.tables import Table

INSTALL = "MLFLOW_INSTALL_REQUIREMENTS"
# Flavours that our own runtimes read, with the key of the file in them.
_DIRECT = {
    "sklearn": ("pickled_model",), "xgboost": ("data",), "lightgbm": ("data",), "onnx": ("data",),
    "tensorflow": ("saved_model_dir",), "pytorch": ("model_data",), "catboost": ("data",),
}  # fmt: skip


def load(source: Source) -> Runtime | Opaque:
    folder = Path(source.folder)
    if not (folder / "MLmodel").is_file():
        raise ModelMissingError(f"There is no MLflow model in {folder.name}: a file named MLmodel is wanted.")
    if source.options.get(INSTALL, "").lower() == "true":
        _install(folder)
    if importlib.util.find_spec("mlflow") is None:
        return _direct(folder, source)
    return _pyfunc(folder, source)


def _pyfunc(folder: Path, source: Source) -> Table:
    pyfunc = importlib.import_module("mlflow.pyfunc")
    try:
        model = pyfunc.load_model(str(folder), suppress_warnings=True)
    except ModuleNotFoundError as error:
        raise LoadError(
            f"The model needs the Python module {error.name!r}, which this environment does not have. Set "
            f"{INSTALL}=true to have the model's requirements installed when it starts ({_requirements(folder)}), "
            "or use an image of your own."
        ) from error
    except Exception as error:
        raise LoadError(f"MLflow cannot read the model: {type(error).__name__}: {error}") from error
    return Pyfunc(source.name, model)


class Pyfunc(Table):
    def __init__(self, name: str, model: Any) -> None:
        schema, answers = model.metadata.get_input_schema(), model.metadata.get_output_schema()
        metadata = Metadata(name, "mlflow", _specs(schema, "input"), _specs(answers, "output"))
        self._schema, self._model = schema, model
        columns = None if schema is None or schema.is_tensor_spec() else schema.input_names()
        self._names = columns if columns and all(isinstance(each, str) for each in columns) else None
        # Columns may be optional, and MLflow says better which are missing.
        super().__init__(metadata, self._ask, independent=None)

    def _ask(self, told: Any) -> Any:
        if self._schema is not None and self._schema.is_tensor_spec() and hasattr(told, "columns"):
            told = {name: told[name].to_numpy() for name in told.columns}
        elif self._names and not hasattr(told, "columns"):
            told = self._framed(told)
        return self._model.predict(told)

    def _framed(self, told: Any) -> Any:
        """Values by their place, for a model that knows its columns by name."""
        array = np.asarray(told, dtype=object) if isinstance(told, list) else told
        array = array.reshape(-1, 1) if array.ndim == 1 else array
        if array.ndim != 2 or array.shape[1] != len(self._names or ()):
            raise ModelError(
                f"the model wants {len(self._names or ())} columns: {', '.join(self._names or ())}"
            )
        frame = importlib.import_module("pandas").DataFrame(array, columns=self._names)
        return frame.infer_objects()


def _specs(schema: Any, what: str) -> tuple[TensorSpec, ...]:
    if schema is None:
        return ()
    made = []
    for place, each in enumerate(schema.inputs):
        name = each.name or f"{what}-{place}"
        shape = tuple(each.shape) if schema.is_tensor_spec() else (-1,)
        kind = each.type if schema.is_tensor_spec() else _to_numpy(each.type)
        made.append(TensorSpec(name, datatype_of(np.dtype(kind)), shape))
    return tuple(made)


def _to_numpy(kind: Any) -> Any:
    try:
        return kind.to_numpy()
    except AttributeError:
        # An array or an object, which JSON has and the protocol has not.
        return object


def _direct(folder: Path, source: Source) -> Runtime | Opaque:
    flavours = _flavours(folder)
    for flavour, keys in _DIRECT.items():
        told = flavours.get(flavour)
        path = next((told[key] for key in keys if told and told.get(key)), None)
        if told is None or path is None:
            continue
        wanted = (folder / str(path)).resolve()
        if not wanted.is_relative_to(folder.resolve()):
            raise LoadError(f"MLmodel names {path}, which is outside of the model's folder.")
        choosing = importlib.import_module(f"{__name__.rpartition('.')[0]}.choosing")
        return choosing.module_of(flavour).load(replace(source, folder=str(wanted)))  # type: ignore[no-any-return]
    raise LoadError(
        f"This environment has no MLflow, and reads none of the model's flavours: {', '.join(flavours)}."
    )


def _flavours(folder: Path) -> Mapping[str, Any]:
    yaml = importlib.import_module("yaml")
    try:
        found = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))
        return dict(found["flavors"])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise LoadError(f"The file MLmodel is not MLflow's: {error}") from error


def _requirements(folder: Path) -> str:
    try:
        lines = (folder / "requirements.txt").read_text(encoding="utf-8").split("\n")
    except OSError:
        return "it names none"
    return ", ".join(line for line in lines if line.strip())


def _install(folder: Path) -> None:
    """Into a folder of this container's, before what the environment has. Raises LoadError."""
    file = folder / "requirements.txt"
    if not file.is_file():
        return
    target = tempfile.mkdtemp(prefix="mlflow-")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", target, "-r", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LoadError(f"The model's requirements cannot be installed: {done.stderr.strip()[-1000:]}")
    sys.path.insert(0, target)
    importlib.invalidate_caches()
