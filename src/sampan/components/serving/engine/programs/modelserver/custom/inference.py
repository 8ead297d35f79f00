"""Requests and answers of V2 as models of kserve's see them: InferRequest, InferResponse and their tensors.

Attributes and meanings are kserve's, so that a model runs on either. `data` is a flat list, made when it is first
looked at. Source: kserve 0.20 python/kserve/kserve/protocol/infer_type.py.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from sampan.components.serving.engine.programs.modelserver import tensors, v2
from sampan.components.serving.engine.programs.modelserver.contract import (
    Array,
    ModelError,
    Tensor,
    datatype_of,
    dtype_of,
)
from sampan.components.serving.engine.programs.modelserver.custom.problems import InferenceError, InvalidInput
from sampan.components.serving.engine.programs.modelserver.errors import RequestError


class _Tensor:
    def __init__(
        self,
        name: str,
        shape: Sequence[int],
        datatype: str,
        data: Any = None,
        parameters: dict[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.shape = list(shape)
        self.datatype = datatype.upper()
        self.parameters = parameters
        self._data = data
        self._raw_data: bytes | None = None
        self._array: Array | None = None

    @classmethod
    def of(cls, tensor: Tensor, *, texts: bool = False) -> Any:
        """`texts`: BYTES came as texts of JSON, and are texts to the model."""
        made = cls(tensor.name, tensor.data.shape, tensor.datatype, None, dict(tensor.parameters) or None)
        data = tensor.data
        if texts and tensor.datatype == "BYTES":
            data = np.empty(tensor.data.size, dtype=object)
            data[:] = [each.decode("utf-8", "surrogatepass") for each in tensor.data.ravel()]
            data = data.reshape(tensor.data.shape)
        made._array = data
        return made

    @property
    def data(self) -> Any:
        if self._data is None and self._array is not None:
            self._data = self._array.ravel().tolist()
        return self._data

    @data.setter
    def data(self, data: Any) -> None:
        self._data, self._array, self._raw_data = data, None, None

    def as_numpy(self) -> Array:
        """Raises InvalidInput."""
        try:
            if self._raw_data is not None:
                return tensors.from_bytes(self.name, self.datatype, self.shape, self._raw_data)
            if self._array is not None and self._data is None:
                return self._array.reshape(self.shape)
            return np.array(self._data, dtype=dtype_of(self.datatype)).reshape(self.shape)
        except (RequestError, ModelError, ValueError, TypeError) as problem:
            raise InvalidInput(
                f"invalid data of datatype {self.datatype} in {self.name}: {problem}"
            ) from None

    def as_string(self) -> list[str]:
        if self.datatype != "BYTES":
            raise InvalidInput(f"invalid datatype {self.datatype} in the input")
        return [each.decode() if isinstance(each, bytes) else str(each) for each in self.as_numpy().ravel()]

    def set_data_from_numpy(self, input_tensor: Array, binary_data: bool = True) -> None:
        """Raises InferenceError where its type or shape is another."""
        found = datatype_of(input_tensor.dtype)
        if found != self.datatype:
            raise InferenceError(
                f"got unexpected datatype {found} from numpy array, expected {self.datatype}"
            )
        if list(input_tensor.shape) != self.shape:
            raise InferenceError(
                f"got unexpected numpy array shape {list(input_tensor.shape)}, expected {self.shape}"
            )
        self.parameters = {k: v for k, v in (self.parameters or {}).items() if k != "binary_data_size"}
        self._data, self._raw_data, self._array = None, None, input_tensor
        if binary_data:
            self._raw_data = tensors.to_bytes(input_tensor)
            self.parameters["binary_data_size"] = len(self._raw_data)
        else:
            self._data = tensors.to_values(self.name, input_tensor)
            self._data = self._data if isinstance(self._data, list) else self._data.tolist()

    def to_tensor(self) -> Tensor:
        """Raises InvalidInput."""
        array = self.as_numpy()
        if array.dtype.kind in "US":
            array = array.astype(object)
        own = {k: v for k, v in (self.parameters or {}).items() if k != "binary_data_size"}
        return Tensor(self.name, array, self.datatype, own)

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "shape": self.shape,
            "datatype": self.datatype,
            "data": self.data,
            "parameters": self.parameters,
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.to_dict()})"


class InferInput(_Tensor):
    pass


class InferOutput(_Tensor):
    pass


class RequestedOutput:
    def __init__(self, name: str, parameters: dict[str, Any] | None = None) -> None:
        self.name = name
        self.parameters = parameters

    @property
    def binary_data(self) -> bool | None:
        return (self.parameters or {}).get("binary_data")

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "parameters": self.parameters}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RequestedOutput) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]


class InferRequest:
    def __init__(  # noqa: PLR0913  (kserve's signature)
        self,
        model_name: str,
        infer_inputs: list[InferInput],
        request_id: str | None = None,
        raw_inputs: Sequence[bytes] | None = None,
        from_grpc: bool | None = False,
        parameters: dict[str, Any] | None = None,
        request_outputs: list[RequestedOutput] | None = None,
        model_version: str | None = None,
    ) -> None:
        self.id = request_id
        self.model_name = model_name
        self.inputs = infer_inputs
        self.parameters = parameters
        self.from_grpc = from_grpc
        self.request_outputs = request_outputs
        self.model_version = model_version
        for own, raw in zip(infer_inputs, raw_inputs or (), strict=False):
            own._raw_data = raw

    @classmethod
    def of(cls, model_name: str, inference: v2.Inference) -> InferRequest:
        return cls(
            model_name,
            [InferInput.of(each, texts=not inference.from_grpc) for each in inference.inputs],
            inference.id or None,
            from_grpc=inference.from_grpc,
            # The model's own: what it takes out of them counts for the answer still.
            parameters=dict(inference.parameters) or None,
            request_outputs=[RequestedOutput(each.name, dict(each.parameters)) for each in inference.outputs]
            or None,
        )

    @property
    def use_binary_outputs(self) -> bool:
        return not self.from_grpc and bool((self.parameters or {}).get("binary_data_output"))

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "model_name": self.model_name,
            "inputs": [each.to_dict() for each in self.inputs],
            "parameters": self.parameters,
            "from_grpc": self.from_grpc,
        }

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, InferRequest)
            and self.to_dict() == other.to_dict()
            and self.request_outputs == other.request_outputs
        )

    __hash__ = None  # type: ignore[assignment]

    def get_input_by_name(self, name: str) -> InferInput | None:
        return next((each for each in self.inputs if each.name == name), None)

    def as_dataframe(self) -> Any:
        """A column for each input, by pandas."""
        pandas: Any = importlib.import_module("pandas")
        columns = {}
        for each in self.inputs:
            values = each.as_numpy()
            if each.datatype == "BYTES":
                values = np.array(
                    [v.decode() if isinstance(v, bytes) else v for v in values.ravel()], dtype=object
                )
            columns[each.name] = values.ravel().tolist() if values.ndim > 1 else values
        return pandas.DataFrame(columns)

    def to_inference(self) -> v2.Inference:
        asked = [v2.Asked(each.name, each.parameters or {}) for each in self.request_outputs or ()]
        inputs = [each.to_tensor() for each in self.inputs]
        return v2.Inference(self.id or "", inputs, dict(self.parameters or {}), asked)

    def to_rest(self) -> tuple[bytes | dict[str, Any], int | None]:
        """A document, or bytes with the length of their head where an input is in binary."""
        entries, raw = [], []
        for each in self.inputs:
            entry: dict[str, Any] = {"name": each.name, "shape": each.shape, "datatype": each.datatype}
            parameters = {k: v for k, v in (each.parameters or {}).items() if k != "binary_data_size"}
            if each._raw_data is not None or each.datatype == "FP16":
                data = each._raw_data if each._raw_data is not None else tensors.to_bytes(each.as_numpy())
                raw.append(data)
                parameters["binary_data_size"] = len(data)
            else:
                entry["data"] = _json(each.data)
            if parameters:
                entry["parameters"] = parameters
            entries.append(entry)
        document: dict[str, Any] = {"id": self.id or v2.new_id(), "inputs": entries}
        if self.parameters:
            document["parameters"] = self.parameters
        if self.request_outputs:
            document["outputs"] = [
                {"name": each.name, **({"parameters": each.parameters} if each.parameters else {})}
                for each in self.request_outputs
            ]
        if not raw:
            return document, None
        head = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
        return b"".join((head, *raw)), len(head)


class InferResponse:
    def __init__(  # noqa: PLR0913  (kserve's signature)
        self,
        response_id: str | None,
        model_name: str,
        infer_outputs: list[InferOutput],
        model_version: str | None = None,
        raw_outputs: Sequence[bytes] | None = None,
        from_grpc: bool | None = False,
        parameters: dict[str, Any] | None = None,
        use_binary_outputs: bool | None = False,
        requested_outputs: list[RequestedOutput] | None = None,
    ) -> None:
        self.id = response_id
        self.model_name = model_name
        self.model_version = model_version
        self.outputs = infer_outputs
        self.parameters = parameters
        self.from_grpc = from_grpc
        for own, raw in zip(infer_outputs, raw_outputs or (), strict=False):
            own._raw_data = raw

    @classmethod
    def from_rest(cls, response: dict[str, Any]) -> InferResponse:
        outputs = [
            InferOutput(
                each["name"], each["shape"], each["datatype"], each.get("data"), each.get("parameters")
            )
            for each in response["outputs"]
        ]
        return cls(
            response.get("id"),
            response.get("model_name", ""),
            outputs,
            response.get("model_version"),
            parameters=response.get("parameters"),
        )

    @classmethod
    def from_bytes(cls, res_bytes: bytes, json_length: int) -> InferResponse:
        document = orjson.loads(res_bytes[:json_length])
        response = cls.from_rest(document)
        place = json_length
        for each in response.outputs:
            size = (each.parameters or {}).get("binary_data_size")
            if each._data is None and isinstance(size, int):
                each._raw_data = res_bytes[place : place + size]
                place += size
        return response

    def get_output_by_name(self, name: str) -> InferOutput | None:
        return next((each for each in self.outputs if each.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "model_name": self.model_name,
            "outputs": [each.to_dict() for each in self.outputs],
            "parameters": self.parameters,
            "model_version": self.model_version,
            "from_grpc": self.from_grpc,
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, InferResponse) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def to_tensors(self) -> list[Tensor]:
        return [each.to_tensor() for each in self.outputs]

    def to_rest(self) -> tuple[dict[str, Any], None]:
        outputs = []
        for each in self.outputs:
            entry: dict[str, Any] = {"name": each.name, "shape": each.shape, "datatype": each.datatype}
            entry["data"] = _json(tensors.to_values(each.name, each.to_tensor().data))
            outputs.append(entry)
        return {"id": self.id, "model_name": self.model_name, "outputs": outputs}, None


def tensors_of(response: Any) -> list[Tensor]:
    """Of whatever a model answers to V2: an InferResponse (be it the official package's), or a document.

    Raises InferenceError.
    """
    outputs = response.get("outputs") if isinstance(response, dict) else getattr(response, "outputs", None)
    if not isinstance(outputs, list):
        raise InferenceError(f"the model answered a {type(response).__name__}, which has no outputs")
    return [_tensor_of(each) for each in outputs]


def _tensor_of(output: Any) -> Tensor:
    if isinstance(output, _Tensor):
        return output.to_tensor()
    if isinstance(output, dict):
        data = output.get("data")
        if data is None and isinstance(output.get("contents"), dict):
            data = next(iter(output["contents"].values()), [])
        return InferOutput(
            output["name"], output["shape"], output["datatype"], data, output.get("parameters")
        ).to_tensor()
    array = output.as_numpy()
    return Tensor(output.name, array.astype(object) if array.dtype.kind in "US" else array, output.datatype)


def _json(data: Any) -> Any:
    return data.tolist() if isinstance(data, np.ndarray) else data
