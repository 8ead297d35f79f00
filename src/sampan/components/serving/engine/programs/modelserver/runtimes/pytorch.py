"""PyTorch: exported programs, TorchScript, state dicts with the file of their class, and whole pickled modules.

Loaded by `choosing`; `torchserve` does the archives. Safe formats come first: `.pt2`, safetensors, then what
`weights_only` reads; a file that only a full unpickling reads is read so, in this pod. TorchScript and a class do not
say what their inputs are: V2's are given in their order, and whether rows may be joined is found out (`independence`).
Source: kfserving v0.5.1 python/pytorchserver/pytorchserver/model.py (model.pt and the one .py file beside it);
triton-inference-server/pytorch_backend README (INPUT__0, OUTPUT__0).
"""

from __future__ import annotations

import importlib
import importlib.util
import pickle
import sys
import zipfile
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
from sampan.components.serving.engine.programs.modelserver.runtimes import named, rows
from sampan.components.serving.engine.programs.modelserver.runtimes.independence import Evidence
from sampan.components.serving.engine.programs.modelserver.runtimes.model_files import files_of, model_file
from sampan.components.serving.engine.programs.modelserver.runtimes.tables import MAX_BATCH

_ENDINGS = ((".pt2",), (".safetensors",), (".pt", ".pth", ".ts"), (".bin", ".pkl"))
CLASS_OPTIONS = ("model_class_name", "model_class")


def load(source: Source) -> Torch:
    torch = importlib.import_module("torch")
    if told := source.options.get("nthread") or source.options.get("nthreads"):
        torch.set_num_threads(int(told) if told.isdigit() and int(told) else 1)
    return torch_model(model_file(source.folder, _ENDINGS, "PyTorch"), source)


def torch_model(file: Path, source: Source, class_file: Path | None = None) -> Torch:
    """Raises LoadError."""
    torch = importlib.import_module("torch")
    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    if file.suffix == ".pt2":
        return _exported(torch, file, source)
    if file.suffix == ".safetensors":
        state = importlib.import_module("safetensors.torch").load_file(file, device=device)
        module = _with_state(_instance(source, file.parent, class_file), state, file)
    elif _is_torchscript(file):
        module = _guarded(file, torch.jit.load, str(file), map_location=device)
    else:
        module = _pickled(torch, file, source, class_file, device)
    return Torch(source.name, module.to(device).eval(), device, _inputs_of(module))


class Torch:
    """A Runtime."""

    def __init__(
        self,
        name: str,
        module: Any,
        device: str,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec] = (),
    ) -> None:
        self._torch = importlib.import_module("torch")
        self._module, self._device = module, device
        self._inputs = tuple(inputs)
        told = named.shown(inputs if outputs else _first_layer(module, inputs))
        self.metadata = Metadata(name, "pytorch", told, tuple(outputs))
        self._evidence = Evidence(self._run)
        parameters = (each.dtype for each in module.parameters() if each.dtype.is_floating_point)
        self._floats = _name(next(parameters, self._torch.float32))
        # Of a file that says it, the datatype is the model's own; otherwise numbers of JSON may be what they look like.
        self._is_told = bool(inputs) and all(each.shape != named.ANY_SHAPE for each in inputs)

    @property
    def max_batch(self) -> int:
        return MAX_BATCH if self._evidence.is_independent else 0

    def from_instances(self, instances: Any) -> Sequence[Tensor]:
        if self._is_told:
            return named.tensors_of_instances(instances, self._inputs)
        made = named.tensors_of_instances(instances, [])
        return [rows.tensor(each.name, self._as_float(each.data)) for each in made]

    def run(self, inputs: Sequence[Tensor], parameters: Mapping[str, Any]) -> Sequence[Tensor]:
        return self._evidence.predict(inputs)

    def to_predictions(self, outputs: Sequence[Tensor]) -> Any:
        return named.predictions(outputs)

    def close(self) -> None:
        self._module = None

    def _as_float(self, data: Array) -> Array:
        return data.astype(self._floats) if data.dtype.kind == "f" else data

    def _run(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        arguments = self._arguments(inputs)
        try:
            found = self._call(arguments)
        except Exception as error:
            if not any(each.dtype.kind in "iu" for each in arguments):
                raise ModelError(_reason(error)) from error
            # JSON has 1 for 1.0.
            try:
                found = self._call([each.astype(self._floats) for each in arguments])
            except Exception:
                raise ModelError(_reason(error)) from error
        like_triton = any(each.name.startswith("INPUT__") for each in inputs)
        outputs = _outputs(found, "OUTPUT__" if like_triton else "output-")
        if not self.metadata.outputs:
            self.metadata = replace(self.metadata, outputs=tuple(map(_seen, outputs)))
        return outputs

    def _arguments(self, inputs: Sequence[Tensor]) -> list[Array]:
        for each in inputs:
            if each.data.dtype.kind == "O":
                raise ModelError(f"input {each.name!r} has texts: PyTorch models take numbers")
        if self._is_told:
            return list(named.arrange(inputs, self._inputs).values())
        names = [each.name for each in self._inputs]
        by_name = {each.name: each.data for each in inputs}
        if len(inputs) > 1 and by_name.keys() <= set(names):
            return [by_name[name] for name in names if name in by_name]
        if len(inputs) > 1 and all(name.startswith("INPUT__") for name in by_name):
            inputs = sorted(inputs, key=lambda each: (len(each.name), each.name))
        elif len(inputs) > 1 and by_name.keys() & set(names):
            strange = ", ".join(sorted(by_name.keys() - set(names)))
            raise ModelError(f"the model has no input {strange}; it has {', '.join(names)}")
        return [each.data for each in inputs]

    def _call(self, arguments: Sequence[Array]) -> Any:
        torch = self._torch
        with torch.inference_mode():
            # Copied where it may not be written to: a tensor knows no such memory.
            made = [
                torch.from_numpy(each if each.flags.writeable else each.copy()).to(self._device)
                for each in arguments
            ]
            return self._module(*made)


def _first_layer(module: Any, inputs: Sequence[TensorSpec]) -> Sequence[TensorSpec]:
    """The one input as the first layer wants it: only shown, since a model may reshape before."""
    if len(inputs) != 1:
        return inputs
    for layer in module.modules():
        kind = getattr(layer, "original_name", type(layer).__name__)
        weight = getattr(layer, "weight", None)
        if kind == "Linear" and weight is not None:
            return [TensorSpec(inputs[0].name, "FP32", (-1, int(weight.shape[1])))]
        if kind in ("Conv1d", "Conv2d", "Conv3d") and weight is not None:
            return [TensorSpec(inputs[0].name, "FP32", (-1, int(weight.shape[1]), *[-1] * (weight.ndim - 2)))]
        if kind == "Embedding":
            return [TensorSpec(inputs[0].name, "INT64", (-1, -1))]
    return inputs


def _seen(output: Tensor) -> TensorSpec:
    return TensorSpec(output.name, output.datatype, (-1, *output.data.shape[1:]))


def _outputs(found: Any, prefix: str) -> list[Tensor]:
    if isinstance(found, Mapping):
        return [_tensor(str(name), value) for name, value in found.items() if hasattr(value, "detach")]
    if hasattr(found, "_asdict"):
        return _outputs(found._asdict(), prefix)
    several = found if isinstance(found, (list, tuple)) else [found]
    tensors = [each for each in several if hasattr(each, "detach")]
    if not tensors:
        raise ModelError(f"the model answered a {type(found).__name__}, which is no tensor")
    return [_tensor(f"{prefix}{place}", each) for place, each in enumerate(tensors)]


def _tensor(name: str, value: Any) -> Tensor:
    value = value.detach().to("cpu")
    # numpy has no bfloat16.
    return rows.tensor(name, (value.float() if str(value.dtype) == "torch.bfloat16" else value).numpy())


def _exported(torch: Any, file: Path, source: Source) -> Torch:
    try:
        program = torch.export.load(str(file))
    except Exception as error:
        raise LoadError(
            f"{file.name} is not an exported program that PyTorch {torch.__version__} reads: {_reason(error)}. "
            "Export it again with this version, or name the version it was written with in an image of your own."
        ) from error
    nodes = {node.name: node for node in program.graph.nodes}
    told = program.graph_signature.user_inputs
    inputs = [_of_node(nodes[name]) for name in told if isinstance(name, str)]
    names = [name for name in program.graph_signature.user_outputs if isinstance(name, str)]
    outputs = [
        TensorSpec(f"output-{place}", spec.datatype, spec.shape)
        for place, spec in enumerate(_of_node(nodes[name]) for name in names)
    ]
    return Torch(source.name, program.module(), "cpu", inputs, outputs)


def _of_node(node: Any) -> TensorSpec:
    value = node.meta["val"]
    shape = tuple(size if isinstance(size, int) else -1 for size in value.shape)
    return TensorSpec(node.name, datatype_of(np.dtype(_name(value.dtype))), shape)


def _name(dtype: Any) -> str:
    name = str(dtype).removeprefix("torch.")
    return "float32" if name == "bfloat16" else name


def _inputs_of(module: Any) -> list[TensorSpec]:
    """What `forward` says of its arguments, and its first layer of their shape."""
    try:
        schema = module.forward.schema
        names = [each.name for each in schema.arguments[1:] if "Tensor" in str(each.type)]
    except (AttributeError, RuntimeError):
        code = getattr(type(module).forward, "__code__", None)
        names = list(code.co_varnames[1 : code.co_argcount]) if code else []
    return [TensorSpec(name, "FP32", named.ANY_SHAPE) for name in names or [rows.INPUT]]


def _is_torchscript(file: Path) -> bool:
    """TorchScript's archive has its code in it, a pickle's has none."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return False
    return any(name.endswith("/constants.pkl") or name == "constants.pkl" for name in names)


def _pickled(torch: Any, file: Path, source: Source, class_file: Path | None, device: str) -> Any:
    try:
        held = torch.load(file, map_location=device, weights_only=True)
    except pickle.UnpicklingError:
        # Its class must be found by the name that it had.
        sys.path.insert(0, str(file.parent))
        held = _guarded(file, torch.load, file, map_location=device, weights_only=False)
    if isinstance(held, torch.nn.Module):
        return held
    if isinstance(held, Mapping):
        for key in ("state_dict", "model_state_dict", "model"):
            held = held[key] if isinstance(held.get(key), Mapping) else held
        return _with_state(_instance(source, file.parent, class_file), held, file)
    raise LoadError(f"{file.name} holds a {type(held).__name__}: a module, or its state_dict, is wanted")


def _instance(source: Source, folder: Path, class_file: Path | None) -> Any:
    """The model's class, made without arguments, from the one Python file beside the weights. Raises LoadError."""
    if class_file is None:
        found = [each for each in files_of(str(folder)) if each.suffix == ".py"]
        if not found:
            raise ModelMissingError(
                "The file holds weights only: the Python file of the model's class is wanted beside it "
                "(or save the model with torch.export or torch.jit)."
            )
        if len(found) > 1:
            names = ", ".join(each.name for each in found)
            raise LoadError(
                f"More than one Python file is detected: {names}. Leave the one of the model's class."
            )
        class_file = found[0]
    sys.path.insert(0, str(class_file.parent))
    spec = importlib.util.spec_from_file_location(class_file.stem.replace("-", "_"), class_file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
        return _class_of(module, source)()
    except LoadError:
        raise
    except Exception as error:
        raise LoadError(f"{class_file.name}: the model's class cannot be made: {_reason(error)}") from error


def _class_of(module: Any, source: Source) -> Any:
    base = importlib.import_module("torch").nn.Module
    classes = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__
    }
    told = next((source.options[key] for key in CLASS_OPTIONS if source.options.get(key)), "")
    # Upstream's default of the argument; a file with one class needs no name.
    wanted = told or "PyTorchModel"
    if wanted in classes:
        return classes[wanted]
    if not told and len(classes) == 1:
        return next(iter(classes.values()))
    raise LoadError(
        f"There is no class {wanted} in {module.__name__}.py; it has {', '.join(classes) or 'none'}: "
        "name one by --model_class_name."
    )


def _with_state(module: Any, state: Mapping[str, Any], file: Path) -> Any:
    try:
        module.load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        raise LoadError(f"The weights of {file.name} do not fit the class: {_reason(error)}") from error
    return module


def _guarded(file: Path, read: Any, *arguments: Any, **options: Any) -> Any:
    try:
        return read(*arguments, **options)
    except Exception as error:
        version = importlib.import_module("torch").__version__
        raise LoadError(
            f"{file.name} is not a model that PyTorch {version} reads: {_reason(error)}"
        ) from error


def _reason(error: Exception) -> str:
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    # TorchScript shows the model's code first, and what is wrong at the end.
    told = (
        lines[-1] if lines and lines[0].startswith("The following operation failed") else " ".join(lines[:4])
    )
    return told[:1000] or type(error).__name__
