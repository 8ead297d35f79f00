"""The Open Inference Protocol's bodies over HTTP, with the binary extension: bytes to tensors and back. Pure.

Source: open-inference-protocol specification/protocol/inference_rest.md; triton-inference-server/server
docs/protocol/extension_binary_data.md; kserve 0.20 python/kserve/kserve/protocol/infer_type.py.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from sampan.components.serving.engine.programs.modelserver import tensors
from sampan.components.serving.engine.programs.modelserver.contract import Metadata, Tensor, TensorSpec
from sampan.components.serving.engine.programs.modelserver.errors import bad

HEAD_LENGTH = "inference-header-content-length"
BINARY = "application/octet-stream"
_BINARY_PARAMETERS = ("binary_data", "binary_data_size")


@dataclass(slots=True)
class Asked:
    """One output that was asked for."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Inference:
    id: str
    inputs: list[Tensor]
    parameters: dict[str, Any] = field(default_factory=dict)
    outputs: list[Asked] = field(default_factory=list)
    """Empty for all."""
    from_grpc: bool = False


def read(body: bytes, head_length: str | None) -> Inference:
    """Raises RequestError or ModelError."""
    head: bytes | memoryview = body
    tail = memoryview(b"")
    if head_length is not None:
        if not head_length.isdecimal() or int(head_length) > len(body):
            raise bad(
                f"the header Inference-Header-Content-Length has to be within the body, not {head_length!r}"
            )
        head, tail = memoryview(body)[: int(head_length)], memoryview(body)[int(head_length) :]
    try:
        document = orjson.loads(head)
    except orjson.JSONDecodeError as problem:
        raise bad(f"Unrecognized request format: {problem}") from None
    if not isinstance(document, dict):
        raise bad("Unrecognized request format: the body has to be an object with inputs")
    identity = document.get("id")
    if identity is not None and not isinstance(identity, str):
        raise bad("id has to be a text")
    return Inference(
        identity or "",
        _inputs(document.get("inputs"), tail),
        _parameters(document, "the request"),
        _asked(document.get("outputs")),
    )


def write(
    model: str,
    version: str,
    inference: Inference,
    outputs: Sequence[Tensor],
    told: Mapping[str, Any] | None = None,
) -> tuple[bytes, int | None]:
    """The body, and the length of its head where data in binary follow. Raises RequestError.

    `told` are parameters of the answer.
    """
    everything = bool(inference.parameters.get("binary_data_output"))
    listed: list[dict[str, Any]] = []
    raw: list[bytes] = []
    for tensor, asked in _wanted(model, outputs, inference.outputs):
        shape = list(tensor.data.shape)
        entry: dict[str, Any] = {"name": tensor.name, "shape": shape, "datatype": tensor.datatype}
        parameters = {key: value for key, value in tensor.parameters.items() if key not in _BINARY_PARAMETERS}
        if bool((asked.parameters if asked else {}).get("binary_data", everything)):
            data = tensors.to_bytes(tensor.data)
            raw.append(data)
            parameters["binary_data_size"] = len(data)
        else:
            entry["data"] = tensors.to_values(tensor.name, tensor.data)
        if parameters:
            entry["parameters"] = parameters
        listed.append(entry)
    document: dict[str, Any] = {"model_name": model}
    if version:
        document["model_version"] = version
    document["id"] = inference.id or new_id()
    if told:
        document["parameters"] = told
    document["outputs"] = listed
    head = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    return (b"".join((head, *raw)), len(head)) if raw else (head, None)


def metadata(of: Metadata, name: str, versions: Sequence[str]) -> dict[str, Any]:
    document: dict[str, Any] = {"name": name}
    if versions:
        document["versions"] = list(versions)
    document["platform"] = of.platform
    document["inputs"] = [_spec(each) for each in of.inputs]
    document["outputs"] = [_spec(each) for each in of.outputs]
    return document


def new_id() -> str:
    digits = f"{random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def chosen(model: str, outputs: Sequence[Tensor], names: Sequence[str]) -> list[Tensor]:
    """In the order in which they were asked for. Raises RequestError for one that there is not."""
    if not names:
        return list(outputs)
    known = {tensor.name: tensor for tensor in outputs}
    for name in names:
        if name not in known:
            raise bad(
                f"Unexpected inference output {name!r} for model {model!r}: its outputs are {', '.join(known)}"
            )
    return [known[name] for name in names]


def _spec(of: TensorSpec) -> dict[str, Any]:
    return {"name": of.name, "datatype": of.datatype, "shape": list(of.shape)}


def _inputs(found: Any, tail: memoryview) -> list[Tensor]:
    if not isinstance(found, list) or not found:
        raise bad('Expected "inputs" to be a list of at least one tensor')
    made: list[Tensor] = []
    position = 0
    for each in found:
        if not isinstance(each, dict):
            raise bad("each input has to be an object with name, shape, datatype and data")
        name, datatype, shape = each.get("name"), each.get("datatype"), each.get("shape")
        if not isinstance(name, str) or not name:
            raise bad("an input has no name")
        if not isinstance(datatype, str):
            raise bad(f"input {name!r} has no datatype")
        datatype = datatype.upper()
        if not isinstance(shape, list):
            raise bad(f"input {name!r} has no shape, which is a list of sizes")
        parameters = _parameters(each, f"input {name!r}")
        size = parameters.pop("binary_data_size", None)
        data = each.get("data")
        if data is not None:
            array = tensors.from_values(name, datatype, shape, data)
        elif type(size) is int and 0 <= size <= len(tail) - position:
            array = tensors.from_bytes(name, datatype, shape, tail[position : position + size])
            position += size
        elif size is not None:
            raise bad(f"binary_data_size of input {name!r} is beyond what follows the head of the body")
        else:
            raise bad(f"input {name!r} has neither data nor binary_data_size")
        made.append(Tensor(name, array, datatype, parameters))
    if position != len(tail):
        raise bad(f"{len(tail) - position} bytes follow the inputs, which none of them counts as its own")
    return made


def _asked(found: Any) -> list[Asked]:
    if found is None:
        return []
    if not isinstance(found, list):
        raise bad("outputs has to be a list of objects with a name")
    asked = []
    for each in found:
        if not isinstance(each, dict) or not isinstance(each.get("name"), str):
            raise bad("outputs has to be a list of objects with a name")
        asked.append(Asked(each["name"], _parameters(each, f"output {each['name']!r}")))
    return asked


def _parameters(of: Mapping[str, Any], what: str) -> dict[str, Any]:
    parameters = of.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise bad(f"the parameters of {what} have to be an object")
    return parameters


def _wanted(
    model: str, outputs: Sequence[Tensor], asked: Sequence[Asked]
) -> list[tuple[Tensor, Asked | None]]:
    if not asked:
        return [(tensor, None) for tensor in outputs]
    return list(zip(chosen(model, outputs, [each.name for each in asked]), asked, strict=True))
