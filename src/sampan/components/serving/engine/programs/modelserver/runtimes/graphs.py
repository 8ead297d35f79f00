"""SavedModels of TensorFlow 1: graphs, run in a session as TensorFlow Serving runs them. Called by `tensorflow`.

`tf.saved_model.load` would import the graph once more by today's rules, which some of yesterday's break, and would look
at shapes that a session does not.
Source: tensorflow/serving tensorflow_serving/servables/tensorflow/{saved_model_bundle_factory,predict_util}.cc.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

_SERVE = "serve"


def only_graph(folder: Path) -> Any:
    """The MetaGraphDef to serve; None where the SavedModel is one of TensorFlow 2, or leaves a choice."""
    loader = importlib.import_module("tensorflow.python.saved_model.loader_impl")
    found = list(loader.parse_saved_model(str(folder)).meta_graphs)
    if any(each.HasField("object_graph_def") for each in found):
        return None
    served = [each for each in found if _SERVE in each.meta_info_def.tags]
    if len(found) != 1 and len(served) != 1:
        return None
    graph = found[0] if len(found) == 1 else served[0]
    # Sparse tensors are no request's.
    is_dense = all(
        info.WhichOneof("encoding") == "name"
        for each in graph.signature_def.values()
        for info in (*each.inputs.values(), *each.outputs.values())
    )
    return graph if is_dense else None


def opened(folder: Path, graph: Any) -> Any:
    """A session with the variables and tables of the model."""
    v1 = importlib.import_module("tensorflow").compat.v1
    session = v1.Session(graph=v1.Graph())
    loader = importlib.import_module("tensorflow.python.saved_model.loader_impl")
    with session.graph.as_default():
        # Not `v1.saved_model.load`, which does the same after a warning for each model.
        loader.SavedModelLoader(str(folder)).load(session, list(graph.meta_info_def.tags))
    return session


def tensors(told: Mapping[str, Any]) -> dict[str, Any]:
    """A signature's, with their dtypes and shapes, by name."""
    tf = importlib.import_module("tensorflow")
    return {
        name: SimpleNamespace(
            dtype=tf.as_dtype(told[name].dtype), shape=tf.TensorShape(told[name].tensor_shape)
        )
        for name in sorted(told)
    }


def call(session: Any, signature: Any) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """What runs it. The session's `run` would look at shapes."""
    config = importlib.import_module("tensorflow.core.protobuf.config_pb2")
    inputs, outputs = sorted(signature.inputs), sorted(signature.outputs)
    run = session._make_callable_from_options(
        config.CallableOptions(
            feed=[signature.inputs[name].name for name in inputs],
            fetch=[signature.outputs[name].name for name in outputs],
        )
    )
    return lambda feed: dict(zip(outputs, run(*(feed[name] for name in inputs)), strict=True))
