"""TensorFlow: SavedModels, with all their signatures, and Keras' own files. Loaded by `choosing`.

The request's parameter `signature_name` chooses; `serving_default` where it says nothing. A folder of numbered versions
is served by its newest. Keras' files are read in safe mode: layers of arbitrary code are refused.
Source: tensorflow/serving tensorflow_serving/g3doc/{signature_defs,api_rest}.md.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.modelserver.contract import (
    Array,
    LoadError,
    Metadata,
    ModelError,
    ModelMissingError,
    Source,
    Tensor,
    TensorSpec,
    datatype_of,
)
from sampan.components.serving.engine.programs.modelserver.runtimes import graphs, named
from sampan.components.serving.engine.programs.modelserver.runtimes.independence import Evidence
from sampan.components.serving.engine.programs.modelserver.runtimes.model_files import (
    files_of,
    newest_version,
)
from sampan.components.serving.engine.programs.modelserver.runtimes.tables import MAX_BATCH

DEFAULT = "serving_default"
_INIT = "__saved_model_init_op"


def load(source: Source) -> SavedModel:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    folder = saved_model_folder(source.folder)
    if folder is not None:
        tf = importlib.import_module("tensorflow")
        try:
            graph = graphs.only_graph(folder)
            if graph is None:
                loaded = tf.saved_model.load(str(folder))
                signatures = _signatures(loaded)
            else:
                loaded = graphs.opened(folder, graph)
                signatures = _graph_signatures(loaded, graph)
        except Exception as error:
            raise LoadError(
                f"{folder.name} is not a SavedModel that TensorFlow {tf.__version__} reads: {error}"
            ) from error
        versions = (folder.name,) if folder.name.isdigit() else ()
        return SavedModel(source.name, signatures, versions, loaded)
    file = next((each for each in files_of(source.folder) if each.suffix in (".keras", ".h5")), None)
    if file is None:
        raise ModelMissingError(
            "There is no TensorFlow model: a folder with saved_model.pb is wanted, in the model's folder itself or "
            "in a sub-folder whose name is a number, or a file that ends in .keras or .h5."
        )
    return SavedModel(source.name, {DEFAULT: _keras(file)}, (), None)


def saved_model_folder(told: str) -> Path | None:
    """That holds `saved_model.pb`: the folder itself or its newest version."""
    folder = Path(told)
    for each in (folder, newest_version(folder)):
        if each is not None and (
            (each / "saved_model.pb").is_file() or (each / "saved_model.pbtxt").is_file()
        ):
            return each
    return None


class Signature:
    """One function of a model: its inputs and outputs, and how it is called."""

    def __init__(
        self,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
        call: Any,
        tf: Any,
        method: str = "",
        is_graph: bool = False,
    ) -> None:
        """`is_graph`: a graph's, of TensorFlow 1, which itself looks at no shapes."""
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        self._taken, self._is_graph = self.inputs, is_graph
        self.method = method
        """As TF Serving's API names it, such as `tensorflow/serving/classify`; empty where the file does not say."""
        self._call, self._tf = call, tf
        batched = all(each.shape and each.shape[0] < 0 for each in (*inputs, *outputs))
        self._evidence = Evidence(self._run) if batched else None

    @property
    def is_independent(self) -> bool:
        return self._evidence is not None and self._evidence.is_independent

    def take_any_shape(self) -> None:
        """As TensorFlow Serving does: a shape that the signature does not declare is the graph's to refuse."""
        if self._is_graph:
            self._taken = tuple(replace(each, shape=named.ANY_SHAPE) for each in self.inputs)

    def run(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        """Raises ModelError."""
        return self._run(inputs) if self._evidence is None else self._evidence.predict(inputs)

    def _run(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        feed = named.arrange(inputs, self._taken)
        try:
            if self._is_graph:
                found = self._call(feed)
            else:
                eager = {name: self._tf.constant(_texts(data)) for name, data in feed.items()}
                found = {name: value.numpy() for name, value in self._call(eager).items()}
        except Exception as error:
            raise ModelError(_first_lines(error)) from error
        return named.tensors_of_outputs(dict(sorted(found.items())))


class SavedModel:
    """A Runtime."""

    def __init__(
        self, name: str, signatures: Mapping[str, Signature], versions: tuple[str, ...], keep: Any
    ) -> None:
        """`keep`: what the signatures' variables belong to."""
        if not signatures:
            raise LoadError(
                "The SavedModel has no signatures: save it with `signatures=`, or by Keras' `export`."
            )
        self.signatures = signatures
        self._keep = keep
        default = signatures.get(DEFAULT) or next(iter(signatures.values()))
        self._default = default
        self.metadata = Metadata(
            name, "tensorflow_savedmodel", named.shown(default.inputs), named.shown(default.outputs), versions
        )

    @property
    def max_batch(self) -> int:
        # A request that names a signature has a parameter, and is never joined.
        return MAX_BATCH if self._default.is_independent else 0

    def from_instances(self, instances: Any) -> Sequence[Tensor]:
        return named.tensors_of_instances(instances, self._default.inputs)

    def run(self, inputs: Sequence[Tensor], parameters: Mapping[str, Any]) -> Sequence[Tensor]:
        return self.signature(str(parameters.get("signature_name", ""))).run(inputs)

    def signature(self, name: str) -> Signature:
        """Raises ModelError."""
        if not name:
            return self._default
        try:
            return self.signatures[name]
        except KeyError:
            raise ModelError(
                f"the model has no signature {name!r}; it has {', '.join(self.signatures)}"
            ) from None

    def to_predictions(self, outputs: Sequence[Tensor]) -> Any:
        return named.predictions(outputs)

    def take_any_shape(self) -> None:
        """Called for TensorFlow Serving's API."""
        for each in self.signatures.values():
            each.take_any_shape()

    def close(self) -> None:
        self._keep = None


def _signatures(loaded: Any) -> dict[str, Signature]:
    tf = importlib.import_module("tensorflow")
    made = {}
    for name, function in loaded.signatures.items():
        if name == _INIT:
            continue
        inputs = [_spec(key, told) for key, told in sorted(function.structured_input_signature[1].items())]
        outputs = [_spec(key, told) for key, told in sorted(function.structured_outputs.items())]
        made[name] = Signature(inputs, outputs, _by_keyword(function), tf)
    return made


def _graph_signatures(session: Any, graph: Any) -> dict[str, Signature]:
    tf = importlib.import_module("tensorflow")
    made = {}
    for name, told in graph.signature_def.items():
        if name == _INIT:
            continue
        inputs, outputs = graphs.tensors(told.inputs), graphs.tensors(told.outputs)
        made[name] = Signature(
            [_spec(key, each) for key, each in inputs.items()],
            [_spec(key, each) for key, each in outputs.items()],
            graphs.call(session, told),
            tf,
            is_graph=True,
        )
    return made


def _by_keyword(function: Any) -> Any:
    return lambda feed: function(**feed)


def _spec(name: str, told: Any) -> TensorSpec:
    shape = (
        named.ANY_SHAPE
        if told.shape.rank is None
        else tuple(-1 if size is None else size for size in told.shape)
    )
    return TensorSpec(name, _datatype(told.dtype), shape)


def _datatype(dtype: Any) -> str:
    return "BYTES" if dtype.name == "string" else datatype_of(np.dtype(dtype.as_numpy_dtype))


def _keras(file: Path) -> Signature:
    tf = importlib.import_module("tensorflow")
    try:
        model = importlib.import_module("keras").saving.load_model(file, compile=False)
    except Exception as error:
        raise LoadError(f"{file.name} is not a model that this Keras reads: {_first_lines(error)}") from error

    def call(feed: Mapping[str, Any]) -> Mapping[str, Any]:
        values = list(feed.values())
        found = model(values[0] if len(values) == 1 else values, training=False)
        several = found if isinstance(found, (list, tuple)) else [found]
        if isinstance(found, Mapping):
            return found
        return {spec.name: value for spec, value in zip(outputs, several, strict=True)}

    inputs = _layers(model.inputs, getattr(model, "input_names", ()))
    outputs = _layers(model.outputs, getattr(model, "output_names", ()))
    return Signature(inputs, outputs, call, tf)


def _layers(tensors: Sequence[Any], names: Sequence[str]) -> list[TensorSpec]:
    made = []
    for place, each in enumerate(tensors):
        name = names[place] if len(names) == len(tensors) else each.name
        dtype = each.dtype if isinstance(each.dtype, str) else each.dtype.name
        datatype = "BYTES" if dtype == "string" else datatype_of(np.dtype(dtype))
        made.append(TensorSpec(name, datatype, tuple(-1 if size is None else size for size in each.shape)))
    return made


def _texts(data: Array) -> Any:
    return data.tolist() if data.dtype.kind == "O" else data


def _first_lines(error: Exception) -> str:
    # A session's sentence that quotes bytes of the request.
    told = error.object.decode(errors="replace") if isinstance(error, UnicodeDecodeError) else str(error)
    return "\n".join(told.strip().splitlines()[:6])[:1000] or type(error).__name__
