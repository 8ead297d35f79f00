"""What a runtime (a framework's models) is to the server: the seam between `server` and `runtimes`.

A runtime is made in the process that predicts, and in no other: loading a model may run its code. Names of datatypes
are the Open Inference Protocol's: BOOL, UINT8…UINT64, INT8…INT64, FP16, FP32, FP64, BYTES.
Source: open-inference-protocol specification/protocol/inference_rest.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(slots=True)
class Tensor:
    name: str
    data: Array
    """Of its shape. BYTES are an array of objects, each `bytes`."""
    datatype: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TensorSpec:
    name: str
    datatype: str
    shape: tuple[int, ...]
    """-1 for any size."""


@dataclass(frozen=True, slots=True)
class Metadata:
    name: str
    platform: str
    """Such as `sklearn` or `onnxruntime_onnx`."""
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    versions: tuple[str, ...] = ()


class ModelError(Exception):
    """A request that the model cannot answer: its input is wrong (400). The message says what to send."""


class ParameterError(ModelError):
    """A field of a request that is wrong: `param` names it."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param


class FormError(ParameterError):
    """A field whose form is wrong, whatever the model: of another type, out of its bounds, or beside one that excludes
    it. KServe's schema refuses it (422), vLLM's as any other (400)."""


class LoadError(Exception):
    """A model that cannot be loaded. The message says why, and what to do."""


class ModelMissingError(LoadError):
    """The folder holds no file of such a model: it may be a repository, each of whose folders holds a model."""


class Runtime(Protocol):
    """One loaded model. Called from one thread at a time, in the process that made it."""

    @property
    def metadata(self) -> Metadata: ...

    @property
    def max_batch(self) -> int:
        """Rows (of the first axis) that `run` takes at once, where rows are predicted independently of one another; 0
        for a model whose requests must not be joined, or of which that is not known yet: asked for each request."""
        ...

    def from_instances(self, instances: Any) -> Sequence[Tensor]:
        """V1's `instances` (or `inputs`, by name) as the model takes them. Raises ModelError."""
        ...

    def run(self, inputs: Sequence[Tensor], parameters: Mapping[str, Any]) -> Sequence[Tensor]:
        """Raises ModelError."""
        ...

    def to_predictions(self, outputs: Sequence[Tensor]) -> Any:
        """V1's `predictions`."""
        ...

    def close(self) -> None: ...


class Opaque(Protocol):
    """A model that answers whole requests by itself, such as a user's `kserve.Model`, a transformer or a language
    model. May be asked for several at a time."""

    @property
    def metadata(self) -> Metadata: ...

    async def v1(self, verb: str, body: Any, headers: Mapping[str, str]) -> Any:
        """`verb` is `predict` or `explain`. An answer that is an async iterator of bytes is streamed."""
        ...

    async def v2(
        self, inputs: Sequence[Tensor], parameters: Mapping[str, Any], headers: Mapping[str, str]
    ) -> Sequence[Tensor]: ...

    async def openai(
        self, route: str, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> Mapping[str, Any] | AsyncIterator[bytes]:
        """`route` such as `chat/completions`. Raises ModelError where it is none of the model's."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Source:
    """What is to be loaded."""

    name: str
    folder: str
    """That holds the model's files, such as /mnt/models."""
    options: Mapping[str, str] = field(default_factory=dict)
    """The program's arguments and the environment's variables that concern the model."""


class Loader(Protocol):
    """What a module of `runtimes` offers under the name `load`."""

    def __call__(self, source: Source) -> Runtime | Opaque:
        """Raises LoadError."""
        ...


_DATATYPES: Mapping[str, str] = {
    "BOOL": "bool",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "FP16": "float16",
    "FP32": "float32",
    "FP64": "float64",
    "BYTES": "object",
}
_NAMES: Mapping[str, str] = {name: datatype for datatype, name in _DATATYPES.items()}


def dtype_of(datatype: str) -> np.dtype[Any]:
    """Raises ModelError for a name that is none."""
    try:
        return np.dtype(_DATATYPES[datatype])
    except KeyError:
        raise ModelError(f"datatype {datatype!r} is none of {', '.join(_DATATYPES)}") from None


def datatype_of(dtype: np.dtype[Any]) -> str:
    """Of texts and objects it is BYTES."""
    return _NAMES.get(dtype.name, "BYTES")
